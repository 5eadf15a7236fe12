"""Findings, structures and sides named in a question or answer, with whether they are denied; misspellings included.

Reports are read in full by tools.reading; this is its eye for the planner and the check of claims."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from tools.knowledge import findings, structures
from tools.knowledge.ontology import normalise
from tools.reading import Stated, language_of
from tools.reading.attributes import side, sides_at
from tools.reading.cues import cues
from tools.reading.lexicon import Named, corrected, lexicon
from tools.reading.scope import Sentence
from tools.reading.words import has_any, longest, sentences, tokens

TEXTS_KEPT = 4096
"""Texts whose mentions are remembered: an answer's sentences are read by several checks."""


@dataclass(frozen=True)
class Mention:
    """One concept named in a text.

    Attributes:
        kind: "finding", "structure" or "group" (a word for several structures, e.g. "lungs").
        code: the ontology's code, or the group's word.
        start, end: word positions [start, end) in its sentence.
        denied: the text says that it is not there.
        side: "left", "right", "bilateral" or None; the patient's.
    """

    kind: str
    code: str
    start: int
    end: int
    denied: bool = False
    side: str | None = None

    @property
    def places(self) -> range:
        """Its word positions."""
        return range(self.start, self.end)


@cache
def language() -> dict[str, Any]:
    """language.toml."""
    return tomllib.loads((resources.files("agent") / "language.toml").read_text(encoding="utf-8"))


def mentions(text: str) -> list[Mention]:
    """Every finding, structure and group named, in order, longest phrase first."""
    return list(_mentions(text))


@lru_cache(maxsize=TEXTS_KEPT)
def _mentions(text: str) -> tuple[Mention, ...]:
    return tuple(mention for start, end in sentences(text) for mention in _of_sentence(text[start:end]))


def _of_sentence(text: str) -> list[Mention]:
    spoken_in = language_of(text)
    known = cues(spoken_in)
    words = corrected(tokens(text)) if spoken_in == "en" else tokens(text)
    named = [item for item in lexicon(spoken_in, True).find(words) if item.kind in {"finding", "structure", "group"}]
    spans = [(item.start, item.end) for item in named if item.kind == "finding"]
    sentence = Sentence(words, spans, known)

    def denied(item: Named) -> bool:
        if item.kind != "finding":
            return False
        before = words[max(0, item.start - 2) : item.start]
        if " ".join(words[item.start : item.end]) in _neutral() and known.normal.hits(before):
            return True
        return sentence.judge((item.start, item.end)).stated is Stated.ABSENT

    return [
        Mention(item.kind, item.code, item.start, item.end, denied(item), side(item, words, named, known))
        for item in named
    ]


def words_outside(text: str) -> list[str]:
    """The words of a text that stand in no finding's name; words that only name what is judged ("heart size") do."""
    found: list[str] = []
    for start, end in sentences(text):
        inside = {place for named in _mentions(text[start:end]) if named.kind == "finding" for place in named.places}
        found += [word for place, word in enumerate(tokens(text[start:end])) if place not in inside]
    return [word for word in found if word[0].isalnum()]


def side_of(text: str) -> str | None:
    """The one side named in a text; "bilateral" when both are."""
    sides = {side for _, side in sides_at(tokens(text), cues(language_of(text)))}
    if not sides:
        return None
    return sides.pop() if len(sides) == 1 else "bilateral"


@cache
def _neutral() -> frozenset[str]:
    return frozenset(normalise(word) for concept in findings().values() for word in concept.neutral)


def name_of(code: str) -> str:
    """What to call a finding or structure in prose."""
    if code in findings():
        return findings()[code].name
    return structures()[code].name if code in structures() else code.replace("_", " ")


def codes_of(named: Sequence[Mention], kind: str) -> tuple[str, ...]:
    """Codes of the findings or structures named, in order, each once."""
    return tuple(dict.fromkeys(mention.code for mention in named if mention.kind == kind))


def structures_of(named: Sequence[Mention]) -> tuple[str, ...]:
    """Codes of the structures named, by name or by a word for several of them."""
    codes = list(codes_of(named, "structure"))
    for mention in named:
        if mention.kind == "group":
            codes += [
                code
                for code, concept in structures().items()
                if concept.group.removesuffix("s") == mention.code.removesuffix("s")
                and mention.side in (None, "bilateral", concept.side)
            ]
    return tuple(dict.fromkeys(codes))


__all__ = [
    "Mention", "codes_of", "has_any", "language", "longest", "mentions", "name_of", "side_of", "structures_of",
    "tokens", "words_outside",
]  # fmt: skip
