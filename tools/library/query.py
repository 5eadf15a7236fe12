"""A question as it is put to the passages: its words, the findings it names, and the section it asks for."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from tools.reading import language_of
from tools.reading.cues import cues
from tools.reading.lexicon import corrected, lexicon
from tools.reading.words import Phrases, spoken, stems_of, tokens


@dataclass(frozen=True)
class Query:
    """One question.

    Attributes:
        text: as asked.
        terms: stems of its words that carry meaning, each once; those of a finding's name are left out.
        named: stems of the words by which it names findings.
        codes: the findings that it names.
        sections: the sections that its words ask for; none where it asks for none in particular.
        outside: stems of words that ask for what our passages do not tell, such as a dose.
    """

    text: str
    terms: tuple[str, ...]
    named: tuple[str, ...]
    codes: tuple[str, ...]
    sections: tuple[str, ...]
    outside: tuple[str, ...] = ()


def read_query(text: str, codes: tuple[str, ...] = ()) -> Query:
    """Read a question in any of the ontology's languages.

    Args:
        text: as asked.
        codes: findings that it is about besides those that it names.
    """
    language = language_of(text)
    words = [word for word in tokens(text) if word[0].isalnum()]
    words = corrected(words) if language == "en" else words
    named = [item for item in lexicon(language, True).find(words) if item.kind == "finding"]
    inside = {n for item in named for n in range(item.start, item.end)}
    asking, sections = _asked(words)
    beyond = {n for hit in Phrases(_outside()).hits(words) for n in range(hit.start, hit.end)}
    stop = _stop() | cues(language).common | set(cues(language).sides)
    carried = [word for n, word in enumerate(words) if n not in inside | asking and word not in stop]
    return Query(
        text=text,
        terms=tuple(dict.fromkeys(map(stem, carried))),
        named=tuple(dict.fromkeys(stem(words[n]) for n in sorted(inside))),
        codes=tuple(dict.fromkeys([*(item.code for item in named), *codes])),
        sections=sections,
        outside=tuple(dict.fromkeys(stem(words[n]) for n in sorted(beyond))),
    )


def stem(word: str) -> str:
    """A word as SQLite's porter tokenizer keeps it."""
    return stems_of([word], "porter")[0]


def stems(text: str) -> list[str]:
    """The stems of a text's words, in order."""
    return stems_of((word for word in tokens(text) if word[0].isalnum()), "porter")


def _asked(words: list[str]) -> tuple[set[int], tuple[str, ...]]:
    """Places of the words that ask for a section, and those sections; a longer phrase counts before a shorter one."""
    hits = Phrases(_phrases()).hits(words)
    places = {n for hit in hits for n in range(hit.start, hit.end)}
    asked = [section for hit in hits for section in _phrases()[hit.phrase]]
    precise = [section for section in asked if section != "Definition"] or asked
    return places, tuple(dict.fromkeys(precise))


@cache
def _phrases() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for section, phrases in _told()["sections"].items():
        for phrase in phrases:
            found[spoken(phrase)] = (*found.get(spoken(phrase), ()), section)
    return found


@cache
def _outside() -> frozenset[str]:
    return frozenset(map(spoken, _told()["outside"]["words"]))


@cache
def _stop() -> frozenset[str]:
    return frozenset(map(spoken, _told()["stop"]["words"]))


@cache
def _told() -> dict[str, Any]:
    return tomllib.loads((resources.files("tools.library") / "asking.toml").read_text(encoding="utf-8"))
