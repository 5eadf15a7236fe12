"""Lines of a template: what is named before a colon is only named, and what stands after it says whether it is there.

"Devices and foreign bodies: None." denies both; "Foreign bodies: sternal wires" names wires and states no foreign body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.reading.cues import Cues
from tools.reading.scope import Judged, Span, Stated

ENDS = frozenset({".", ";", "!"})
"""Marks that end an answer."""
TOPIC_MAX_WORDS = 8
"""More words before a colon are a sentence of their own."""


@dataclass(frozen=True)
class Topic:
    """What stands before the colon at word `end`, and what is said of it; None where it is stated as it reads."""

    end: int
    answer: Judged | None


def topic(words: Sequence[str], spans: Sequence[Span], cues: Cues) -> Topic | None:
    """The topic that a sentence opens with; None where it has none that names anything.

    Args:
        words: of the sentence, folded.
        spans: of the findings in it.
        cues: the language's.
    """
    colon = next((n for n, word in enumerate(words) if word == ":"), None)
    named = [span for span in spans if colon is not None and span[1] <= colon]
    if colon is None or colon > TOPIC_MAX_WORDS or not named:
        return None
    end = next((n for n in range(colon + 1, len(words)) if words[n] in ENDS), len(words))
    answer = [word for word in words[colon + 1 : end] if word not in cues.fillers and word not in cues.joiners]
    said = " ".join(answer)
    if said in cues.answers_no:
        return Topic(colon, Judged(Stated.ABSENT, said))
    if said in cues.answers_yes:
        return Topic(colon, Judged(Stated.PRESENT, said))
    other = any(start == colon + 1 for start, _ in spans)
    return Topic(colon, Judged(Stated.UNSTATED, ":") if other or len(named) > 1 or not answer else None)
