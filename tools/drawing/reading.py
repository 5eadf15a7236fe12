"""Plain words about a film to be drawn → what they ask for: findings with side, place and size, view, age and sex."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from imaging.phantom import FINDINGS
from tools.knowledge import findings, phrases

GRADES = ("small", "moderate", "large")
PLACES = ("upper", "middle", "lower", "upper_lobe", "middle_lobe", "lower_lobe")
SIDES = ("bilateral", "left", "right")

TOKEN = re.compile(r"\d+(?:\.\d+)?|[a-z]+|%|[,.;:?!()]")
AGE = re.compile(r"\b(\d{1,3}) ?(?:years?|yrs?|yo|y o|y) ?(?:old|of age)?\b|\b(?:aged?|age of) (\d{1,3})\b")
AMOUNT = re.compile(r"\b(\d+(?:\.\d+)?) (ml|l|mm|cm|%)(?= |$)")
BOUNDS = {",", ".", ";", "and", "with", "plus", "without", "but"}
"""Words at which what belongs to one finding ends."""


@dataclass(frozen=True)
class Asked:
    """One finding asked for, in the user's terms.

    Attributes:
        code: of the ontology, or of the phantom where the ontology has none for it.
        words: how it was said.
        side: "left", "right", "bilateral" or None.
        place: one of PLACES or None.
        grade: one of GRADES or None.
        amount: number with its unit ("400ml"), or None.
        tension: whether a tension pneumothorax is meant.
    """

    code: str
    words: str
    side: str | None = None
    place: str | None = None
    grade: str | None = None
    amount: str | None = None
    tension: bool = False


@dataclass(frozen=True)
class Wish:
    """What a film should show; None is left to chance."""

    findings: tuple[Asked, ...] = ()
    view: str | None = None
    age_years: int | None = None
    sex: str | None = None


@cache
def vocabulary() -> dict[str, Any]:
    """words.toml."""
    return tomllib.loads((resources.files("tools.drawing") / "words.toml").read_text(encoding="utf-8"))


def read(text: str) -> Wish:
    """What the words ask for; words that mean nothing here are passed over."""
    tokens = TOKEN.findall(text.lower().replace("-", " ").replace("'", ""))
    line = " ".join(tokens)
    years = AGE.search(line)
    return Wish(
        findings=tuple(_asked(tokens)),
        view=_first(line, vocabulary()["views"]),
        age_years=int(years[1] or years[2]) if years else None,
        sex=_first(line, vocabulary()["sexes"]),
    )


def _asked(tokens: list[str]) -> list[Asked]:
    """The findings named, each with the words around it that no other finding lies between."""
    spans = _named(tokens)
    asked = []
    for number, (start, end, code) in enumerate(spans):
        before = tokens[spans[number - 1][1] if number else 0 : start]
        after = tokens[end : spans[number + 1][0] if number + 1 < len(spans) else len(tokens)]
        bounds = [n for n, word in enumerate(before) if word in BOUNDS and word != "without"]
        before = before[bounds[-1] + 1 :] if bounds else before
        stop = next((n for n, word in enumerate(after) if word in BOUNDS), len(after))
        if set(before) & set(vocabulary()["words"]["denied"]):
            continue
        asked.append(_described(code, tokens[start:end], f"{' '.join(before)} . {' '.join(after[:stop])}"))
    return asked


def _described(code: str, words: list[str], around: str) -> Asked:
    amount = AMOUNT.search(around)
    return Asked(
        code,
        " ".join(words),
        side=_word(around, SIDES),
        place=_word(around, PLACES),
        grade=_word(around, GRADES),
        amount=f"{amount[1]}{amount[2]}" if amount else None,
        tension="tension" in [*words, *around.split()],
    )


def _named(tokens: list[str]) -> list[tuple[int, int, str]]:
    """(start, end, code) of every finding named, longest phrase first, none within another."""
    found = []
    position = 0
    while position < len(tokens):
        for length in range(min(_longest(), len(tokens) - position), 0, -1):
            code = _table().get(" ".join(tokens[position : position + length]))
            if code is not None:
                found.append((position, position + length, code))
                position += length - 1
                break
        position += 1
    return found


@cache
def _table() -> dict[str, str]:
    """Phrase, singular and plural → code; the phantom's own words win over the ontology's."""
    table = {phrase: code for phrase, code in phrases().items() if not any(sign in phrase for sign in "/(")}
    table |= {code.replace("_", " "): code for code in FINDINGS if code in findings()}
    table |= {phrase: code for code, listed in vocabulary()["phantom"].items() for phrase in listed}
    return table | {f"{phrase}s": code for phrase, code in table.items() if not phrase.endswith("s")}


@cache
def _longest() -> int:
    return max(phrase.count(" ") + 1 for phrase in _table())


def _word(line: str, names: tuple[str, ...]) -> str | None:
    return _first(line, {name: vocabulary()["words"][name] for name in names})


def _first(line: str, words: dict[str, list[str]]) -> str | None:
    """The first name one of whose words stands in the line."""
    return next((name for name, listed in words.items() if any(f" {w} " in f" {line} " for w in listed)), None)
