"""Whether a text states, doubts, denies or only mentions what it names: cues that reach forwards and backwards.

After NegEx and ConText (Chapman et al., J Biomed Inform 2001;34:301; Harkema et al., J Biomed Inform 2009;42:839): a
cue reaches from where it stands to the next word that stops it. Ours also ends at the first item of a list that begins
a statement of its own ("no effusion, mild edema").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tools.reading.cues import Cues
from tools.reading.words import Hit

MARKS = frozenset({";", ":", ".", "?", "!", "(", ")"})
"""Marks that no cue reaches across."""
BEFORE_REACH = 14
"""Words, not counting other findings, between a cue and what it is said of."""
AFTER_REACH = 8
"""The same for a cue that stands after it."""

Span = tuple[int, int]
"""Words [start, end) of a sentence."""


class Stated(StrEnum):
    """How a text stands to what it names."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"
    UNSTATED = "unstated"
    """Named, and neither stated nor denied: "history of", "evaluate for"."""


class Hedge(StrEnum):
    """How strong a doubt is."""

    NONE = ""
    LIKELY = "likely"
    """"probably": the statement counts as made."""
    ALTERNATIVE = "alternative"
    """"atelectasis versus pneumonia": one of the two is meant."""
    POSSIBLE = "possible"


@dataclass(frozen=True)
class Judged:
    """A verdict, the cue it rests on (empty for a plain statement), and how strong the doubt is."""

    stated: Stated
    cue: str = ""
    hedge: Hedge = Hedge.NONE


class Sentence:
    """One sentence's words with its cues found once.

    Args:
        words: folded words and marks.
        spans: what is named in them, in order.
        cues: the language's.
    """

    def __init__(self, words: Sequence[str], spans: Sequence[Span], cues: Cues) -> None:
        self._words = words
        self._spans = spans
        self._cues = cues
        named = {n for start, end in spans for n in range(start, end)}
        self._named = named
        self._hits = [hit for hit in cues.every().hits(words) if not named & set(range(hit.start, hit.end))]
        self._stops = {n for hit in self._of("stops") for n in range(hit.start, hit.end)}

    def judge(self, span: Span) -> Judged:
        """What is said of the words of one span."""
        denial, doubt, mention = (self._reaching(span, kind) for kind in ("absent", "uncertain", "unstated"))
        if denial is not None:
            return Judged(Stated.ABSENT, denial.phrase)
        if doubt is not None and doubt.phrase not in self._cues.mild:
            alternative = doubt.phrase in self._cues.alternatives
            return Judged(Stated.UNCERTAIN, doubt.phrase, Hedge.ALTERNATIVE if alternative else Hedge.POSSIBLE)
        if mention is not None:
            return Judged(Stated.UNSTATED, mention.phrase)
        return Judged(Stated.PRESENT, doubt.phrase, Hedge.LIKELY) if doubt else Judged(Stated.PRESENT)

    def _of(self, kind: str) -> list[Hit]:
        phrases = self._cues.scope.get(kind, frozenset())
        return [hit for hit in self._hits if hit.phrase in phrases]

    def _reaching(self, span: Span, kind: str) -> Hit | None:
        """The cue of a kind that reaches a span: the strongest doubt of all."""
        found = [hit for hit in self._of(f"{kind}_before") if self._before(hit, span)]
        found += [hit for hit in self._of(f"{kind}_after") if self._after(hit, span)]
        mildness = (self._cues.alternatives, self._cues.mild)
        return min(found, key=lambda hit: [hit.phrase in phrases for phrases in reversed(mildness)], default=None)

    def _before(self, hit: Hit, span: Span) -> bool:
        """Whether a cue reaches forwards to a span."""
        counted = 0
        for n in range(hit.end, span[0]):
            if n in self._named:
                continue
            word = self._words[n]
            if word in MARKS or n in self._stops:
                return False
            parts = word in self._cues.joiners and word != "or" and hit.phrase not in self._cues.lists
            if parts and self._opens(n + 1):
                return False
            counted += word not in self._cues.joiners
        return hit.end <= span[0] and counted <= BEFORE_REACH

    def _opens(self, n: int) -> bool:
        """Whether the words from here on begin a statement of their own."""
        while n < len(self._words) and self._words[n] in self._cues.joiners:
            n += 1
        return n < len(self._words) and self._words[n] in self._cues.openers

    def _after(self, hit: Hit, span: Span) -> bool:
        """Whether a cue reaches back to a span: along the same clause, or over the items of the same list."""
        between = range(span[1], hit.start)
        if hit.start < span[1] or any(self._words[n] in MARKS or n in self._stops for n in between):
            return False
        words = [self._words[n] for n in between if n not in self._named]
        if any(start >= span[1] and end <= hit.start for start, end in self._spans):
            return all(word in self._cues.joiners for word in words)
        if self._cues.joiners & set(words):
            return words == [","] and hit.end not in self._named
        return len(words) <= AFTER_REACH
