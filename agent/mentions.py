"""Findings, structures and sides named in a text, with whether they are denied; misspellings included.

Words of findings and structures are the ontology's (tools/knowledge); the small words are in language.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from rapidfuzz import fuzz, process

from tools.knowledge import findings, phrases, structures

TOKEN = re.compile(r"\d+(?:\.\d+)?|[a-z]+|[,;:.?!()]")
SPELLING_MIN_LETTERS = 6
"""Shorter words are too easily one another's misspelling."""
SPELLING_MIN_RATIO = 85.0
"""rapidfuzz ratio: one slip in a word of seven letters; "diffusion" stays apart from "effusion" (82)."""
DENIAL_REACH = 7
"""Words between a denial and the finding it denies."""
JOINERS = {",", "and", "or"}
"""What parts the items of a list; a denial reaches over all of its items."""
AFTER_REACH = 4
"""Words between a finding and a denial said after it."""


@dataclass(frozen=True)
class Mention:
    """One concept named in a text.

    Attributes:
        kind: "finding", "structure" or "group" (a word for several structures, e.g. "lungs").
        code: the ontology's code, or the group's word.
        start, end: token positions [start, end).
        denied: the text says that it is not there.
        side: "left", "right", "bilateral" or None; the patient's.
    """

    kind: str
    code: str
    start: int
    end: int
    denied: bool = False
    side: str | None = None


@cache
def language() -> dict[str, Any]:
    """language.toml."""
    return tomllib.loads((resources.files("agent") / "language.toml").read_text(encoding="utf-8"))


def tokens(text: str) -> list[str]:
    """Lower-case words, numbers and punctuation; hyphens part words, apostrophes vanish."""
    return TOKEN.findall(text.lower().replace("'", "").replace("’", ""))


def corrected(words: list[str]) -> list[str]:
    """The words with slips in medical words put right; other words stay as they are."""
    return [_corrected(word) for word in words]


def mentions(text: str) -> list[Mention]:
    """Every finding, structure and group named, in order, longest phrase first."""
    words = corrected(tokens(text))
    found: list[Mention] = []
    position = 0
    while position < len(words):
        match = _match_at(words, position)
        if match is None:
            position += 1
            continue
        found.append(match)
        position = match.end
    return [_with_context(mention, words, found) for mention in found]


def side_of(text: str) -> str | None:
    """The one side named in a text; "bilateral" when both are."""
    sides = {side for _, side in _sides_at(tokens(text))}
    if not sides:
        return None
    return sides.pop() if len(sides) == 1 else "bilateral"


def has_any(words: list[str], cues: list[str]) -> bool:
    """Whether one of the cue phrases stands in the words."""
    line = f" {' '.join(words)} "
    return any(f" {cue} " in line for cue in cues)


def longest(words: list[str], cues: Iterable[str]) -> int:
    """Length in words of the longest cue phrase that stands in the words; 0 if none does."""
    line = f" {' '.join(words)} "
    return max((cue.count(" ") + 1 for cue in cues if f" {cue} " in line), default=0)


def _match_at(words: list[str], start: int) -> Mention | None:
    for length in range(min(_longest(), len(words) - start), 0, -1):
        piece = words[start : start + length]
        for phrase in (" ".join(piece), " ".join([*piece[:-1], piece[-1].removesuffix("s")])):
            if phrase in _table():
                kind, code = _table()[phrase]
                return Mention(kind, code, start, start + length)
    return None


def _with_context(mention: Mention, words: list[str], found: list[Mention]) -> Mention:
    return replace(mention, denied=_denied(mention, words, found), side=_side(mention, words, found))


def _denied(mention: Mention, words: list[str], found: list[Mention]) -> bool:
    speech = language()
    listed_before = {n for other in found if other.end <= mention.start for n in range(other.start, other.end)}
    clause = _last_clause([word for n, word in enumerate(words[: mention.start]) if n not in listed_before])
    before = [word for word in clause if word not in JOINERS][-DENIAL_REACH:]
    after = [word for word in _first_clause(words[mention.end : mention.end + AFTER_REACH]) if word != ":"]
    if has_any([*before, *words[mention.start : mention.end], *after], speech["not_denials"]):
        return False
    following = f" {' '.join(after)} "
    if has_any(before, speech["denies_before"]):
        return not any(following.startswith(f" {cue} ") for cue in speech["affirms_after"])
    if mention.code == "cardiomegaly" and has_any(before, speech["normal_before"]):
        return True
    return any(following.startswith(f" {cue} ") or f" is {cue} " in following for cue in speech["denies_after"])


def _side(mention: Mention, words: list[str], found: list[Mention]) -> str | None:
    """The nearest side word that belongs to no other mention, one before the mention rather than one after."""
    if mention.kind == "structure" and structures()[mention.code].side:
        return structures()[mention.code].side
    previous_end = max((m.end for m in found if m.end <= mention.start and m.kind == "finding"), default=0)
    next_start = min((m.start for m in found if m.start >= mention.end and m.kind == "finding"), default=len(words))
    clause_end = mention.end + len(_first_clause(words[mention.end :], keep={":", ","}))
    clause_start = mention.start - len(_last_clause(words[: mention.start]))
    first, last = max(previous_end, clause_start), min(next_start, clause_end)
    reachable = [(at, side) for at, side in _sides_at(words) if first <= at < last]
    before = [item for item in reachable if item[0] < mention.end and mention.start - item[0] <= DENIAL_REACH]
    if before:
        sides = {side for _, side in before}
        return "bilateral" if {"left", "right"} <= sides else before[-1][1]
    after = {side for at, side in reachable if at >= mention.end}
    if not after:
        return None
    return after.pop() if len(after) == 1 else "bilateral"


def _sides_at(words: list[str]) -> list[tuple[int, str]]:
    sides = language()["sides"]
    return [(n, sides[word]) for n, word in enumerate(words) if word in sides and not _is_tag(words, n)]


def _is_tag(words: list[str], position: int) -> bool:
    """ "..., right?" asks for agreement and names no side."""
    return words[position] == "right" and words[position - 1 : position] == [","] and words[position + 1 :][:1] == ["?"]


def _last_clause(words: list[str]) -> list[str]:
    for n in range(len(words) - 1, -1, -1):
        if words[n] in language()["separators"] and words[n] != ",":
            return words[n + 1 :]
    return words


def _first_clause(words: list[str], keep: frozenset[str] | set[str] = frozenset({":"})) -> list[str]:
    for n, word in enumerate(words):
        if word in language()["separators"] and word not in keep:
            return words[:n]
    return words


@cache
def _table() -> dict[str, tuple[str, str]]:
    """Phrase -> (kind, code); findings win over structures where a phrase is both."""
    table: dict[str, tuple[str, str]] = {}
    for code, concept in structures().items():
        if concept.group:
            table[_spoken(concept.group)] = ("group", concept.group)
            table[_spoken(concept.group).removesuffix("s")] = ("group", concept.group)
        for word in concept.words():
            table[_spoken(word)] = ("structure", code)
    for phrase, code in phrases().items():
        table[_spoken(phrase)] = ("finding", code)
    return table


def _spoken(phrase: str) -> str:
    return " ".join(tokens(phrase))


@cache
def _longest() -> int:
    return max(phrase.count(" ") + 1 for phrase in _table())


@cache
def _spelling() -> tuple[str, ...]:
    words = {word for phrase in _table() for word in phrase.split()}
    return tuple(sorted(word for word in words if len(word) >= SPELLING_MIN_LETTERS - 1))


@cache
def _corrected(word: str) -> str:
    if (
        len(word) < SPELLING_MIN_LETTERS
        or not word.isalpha()
        or word in _spelling()
        or word.removesuffix("s") in _spelling()
    ):
        return word
    near = process.extractOne(word, _spelling(), scorer=fuzz.ratio, score_cutoff=SPELLING_MIN_RATIO)
    return near[0] if near else word


def name_of(code: str) -> str:
    """What to call a finding or structure in prose."""
    if code in findings():
        return findings()[code].name
    return structures()[code].name if code in structures() else code.replace("_", " ")
