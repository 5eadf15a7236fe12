"""Findings that a structure and a word said of it make together: "the heart is not enlarged", "both hila are full"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.reading.cues import Cues, Frame
from tools.reading.scope import MARKS
from tools.reading.words import Hit

SAID_AFTER_REACH = 9
"""Words between a structure and what is said of it after, not counting the other items of a list."""
SAID_BEFORE_REACH = 4
"""The same for a word that stands before it ("enlargement of the heart")."""
FILLERS = frozenset(
    {
        "the",
        "of",
        "a",
        "in",
        "and",
        "mildly",
        "mild",
        "moderate",
        "left",
        "right",
        "both",
        "bilateral",
        "lateral",
        "posterior",
    }
)
"""Small words that may stand between a word said before a structure and the structure."""


@dataclass(frozen=True)
class Framed:
    """A finding said by a frame.

    Attributes:
        code: the finding's.
        start, end: words [start, end) from the structure to what is said of it.
        state: words [start, end) of what is said of it.
        normal: what is said denies the abnormality.
    """

    code: str
    start: int
    end: int
    state: tuple[int, int]
    normal: bool


def framed(words: Sequence[str], cues: Cues) -> list[Framed]:
    """Every finding that a frame of the language makes of a sentence's words."""
    subjects = {hit.start: hit for frame in cues.frames for hit in frame.of.hits(words)}
    found = [
        made for frame in cues.frames for hit in frame.of.hits(words)
        if (made := _after(frame, hit, words, subjects, cues) or _before(frame, hit, words, cues)) is not None
    ]  # fmt: skip
    return list(dict.fromkeys(found))


def _after(frame: Frame, of: Hit, words: Sequence[str], subjects: dict[int, Hit], cues: Cues) -> Framed | None:
    """What is said after a structure, over the other items of a list it begins ("heart and mediastinum are normal")."""
    position, counted, listing = of.end, 0, False
    while position < len(words) and counted <= SAID_AFTER_REACH:
        word = words[position]
        if word in MARKS or word in cues.scope.get("stops", ()):
            return None
        said, normal = frame.present.length_at(words, position), cues.normal.length_at(words, position)
        if normal and any(hit.start < position + normal < hit.end for hit in cues.every().hits(words)):
            return None
        if said or normal:
            length = max(said, normal)
            return Framed(frame.finding, of.start, position + length, (position, position + length), normal > said)
        if word in cues.joiners:
            listing = True
        elif position in subjects:
            if not listing:
                return None
            position = subjects[position].end
            continue
        else:
            counted += 1
        position += 1
    return None


def _before(frame: Frame, of: Hit, words: Sequence[str], cues: Cues) -> Framed | None:
    """What is said right before a structure ("enlarged heart", "normal heart size")."""
    for start in range(of.start - 1, max(-1, of.start - 2 - SAID_BEFORE_REACH), -1):
        for phrases, normal in ((frame.present, False), (cues.normal, True)):
            length = phrases.length_at(words, start)
            if length and all(word in FILLERS for word in words[start + length : of.start]):
                return Framed(frame.finding, start, of.end, (start, start + length), normal)
    return None
