"""The lettered options of a multiple choice."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.mentions import Mention, mentions, tokens

OPTION = re.compile(r"(?:^|(?<=[\s?.,;:]))\(?([A-H])\s*[).:]\s+", re.MULTILINE)

SIDE_WORDS = ("left", "right", "bilateral", "both")
"""Words that make an option a statement about the side of the stem's finding."""


@dataclass(frozen=True)
class Option:
    """One lettered option of a multiple choice."""

    letter: str
    text: str
    mentions: tuple[Mention, ...]

    @property
    def sides(self) -> tuple[str, ...]:
        """The words for a side in it, in order."""
        return tuple(word for word in tokens(self.text) if word in SIDE_WORDS)


def options_in(text: str) -> tuple[str, tuple[Option, ...]]:
    """The stem and the options A, B, C ... of a multiple choice; no options unless at least A and B are there."""
    marks: list[re.Match[str]] = []
    for match in OPTION.finditer(text):
        if match[1] == chr(ord("A") + len(marks)):
            marks.append(match)
    if len(marks) < 2:
        return text, ()
    ends = [*(match.start() for match in marks[1:]), len(text)]
    pieces = [text[match.end() : end].strip(" \n,;") for match, end in zip(marks, ends, strict=True)]
    options = (Option(m[1], piece, tuple(mentions(piece))) for m, piece in zip(marks, pieces, strict=True))
    return text[: marks[0].start()].strip(), tuple(options)


__all__ = ["Option", "options_in"]
