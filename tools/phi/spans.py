"""Where a text names a person or points at one: patterns of form, and names of people known by their lists."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

import regex

from tools.phi.dates import months
from tools.phi.names import is_name, known_names

UPPER = r"\p{Lu}[\p{L}'’]*\p{Ll}[\p{L}'’]*(?:-\p{Lu}?[\p{L}'’]+)?"
"""A word with a capital and a small letter."""
NAME = rf"(?:\p{{Lu}}\.|(?:de|la|van|von|der|den|del|da|di|ter|dos)\s+(?:(?:de|la|der|den)\s+)?{UPPER}|{UPPER})"
"""A further part of a person's name: an initial, a word with a capital, perhaps after a particle."""
PEOPLE = regex.compile(rf"\b{UPPER}(?:\s+{NAME}){{1,3}}|\b\p{{Lu}}{{2,}},\s+\p{{Lu}}{{2,}}\b|\b{UPPER},\s+{UPPER}\b")
"""What looks like a person's name and is one if the lists know it."""
PART_MIN_LETTERS = 3
"""Shorter parts of a name that was found are not looked for again on their own."""


@dataclass(frozen=True)
class Span:
    """What is to be removed: its kind and its place [start, end) in the text."""

    kind: str
    start: int
    end: int


def spans(text: str) -> list[Span]:
    """Every place of a text that identifies a person, in order, without overlaps."""
    found: list[Span] = []
    for kind, pattern in _patterns():
        for match in pattern.finditer(text):
            group = next((name for name in ("phi", "phi2") if name in pattern.groupindex and match[name]), 0)
            start, end = _trimmed(text, *match.span(group))
            if kind == "name":
                start, end = _without_common(text, start, end)
            if start < end:
                _take(found, Span(kind, start, end))
    for match in PEOPLE.finditer(text):
        start, end = _without_common(text, *match.span())
        if start < end and is_name(text[start:end]):
            _take(found, Span("name", start, end))
    return sorted([*found, *_again(text, found)], key=lambda span: span.start)


def _take(found: list[Span], span: Span) -> None:
    """Keep a span that overlaps none kept before."""
    if not any(span.start < other.end and other.start < span.end for other in found):
        found.append(span)


def _again(text: str, found: list[Span]) -> list[Span]:
    """The parts of the names that were found wherever else they stand alone."""
    names = [text[span.start : span.end] for span in found if span.kind == "name"]
    parts = {part for name in names for part in regex.findall(r"\p{Lu}[\w'’-]+", name) if len(part) >= PART_MIN_LETTERS}
    parts -= known_names().medical | known_names().ordinary | known_names().ambiguous
    more: list[Span] = []
    for part in sorted(parts, key=len, reverse=True):
        for match in regex.finditer(rf"\b{regex.escape(part)}\b", text):
            span = Span("name", *match.span())
            if not any(span.start < other.end and other.start < span.end for other in [*found, *more]):
                more.append(span)
    return more


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in " \t\n,;:":
        start += 1
    while start < end and text[end - 1] in " \t\n,;:.":
        end -= 1
    return start, end


def _without_common(text: str, start: int, end: int) -> tuple[int, int]:
    """A name without the ordinary words at its ends ("The John Smith"); empty where nothing is left."""
    words = [(match.start() + start, match.end() + start) for match in regex.finditer(r"[^\s,]+", text[start:end])]
    common = known_names().ordinary
    while words and text[words[-1][0] : words[-1][1]].rstrip(".") in common:
        words.pop()
    while words and text[words[0][0] : words[0][1]].rstrip(".") in common:
        words.pop(0)
    return (words[0][0], words[-1][1]) if words else (start, start)


@cache
def _patterns() -> list[tuple[str, regex.Pattern[str]]]:
    read = tomllib.loads((resources.files("tools.phi") / "patterns.toml").read_text(encoding="utf-8"))
    month = "|".join(sorted(months(), key=len, reverse=True))
    made = []
    for entry in read["pattern"]:
        pattern = str(entry["regex"])
        for mark, filled in (("{upper}", UPPER), ("{name}", NAME), ("{month}", month)):
            pattern = pattern.replace(mark, filled)
        flags = regex.VERBOSE | regex.MULTILINE | (regex.IGNORECASE if entry.get("ignore_case") else 0)
        made.append((str(entry["kind"]), regex.compile(pattern, flags)))
    return made
