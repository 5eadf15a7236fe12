"""The sections of a report: which lines are why it was asked for, and which say what was seen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from tools.knowledge import Language
from tools.reading.cues import cues
from tools.reading.words import spoken

HEADING = re.compile(r"(?:^|(?<=\n)|(?<=[.:;]\s)|(?<=[.:;]\s\s))[ \t]*([^\W\d_][^\n:.]{1,40}?)[ \t]*:", re.MULTILINE)
"""A few words before a colon at the start of a line or sentence."""
ALONE = re.compile(r"^[ \t#*]*([^\W\d_][^\n:.,]{2,40}?)[ \t*]*$", re.MULTILINE)
"""The same words alone on a line."""

SEEN = ("findings", "impression", "")
"""Sections that state what was seen; "" is text under no heading."""


@dataclass(frozen=True)
class SectionSpan:
    """One section.

    Attributes:
        kind: indication, technique, comparison, findings, impression, recommendation, or "" for text under no heading.
        heading: as written.
        start, end: [start, end) of its text, without the heading.
        begin: where its heading begins.
    """

    kind: str
    heading: str
    start: int
    end: int
    begin: int


def sections(text: str, language: Language) -> list[SectionSpan]:
    """The sections of a text in order, empty ones left out."""
    known = _headings(language)
    marks = [
        (match.start(1), match.end(), match[1].strip(), known[spoken(match[1])])
        for pattern in (HEADING, ALONE)
        for match in pattern.finditer(text)
        if spoken(match[1]) in known
    ]
    marks = sorted({mark[0]: mark for mark in reversed(marks)}.values())
    begins = [*(mark[0] for mark in marks), len(text)]
    found = [SectionSpan("", "", 0, begins[0], 0)]
    for (begin, start, heading, kind), end in zip(marks, begins[1:], strict=True):
        found.append(SectionSpan(kind, heading, start, end, begin))
    return [section for section in found if text[section.start : section.end].strip(" \n\t:.")]


@cache
def _headings(language: Language) -> dict[str, str]:
    """Folded heading -> section; English headings are known in every language, as templates mix them."""
    return cues("en").sections | cues(language).sections
