"""Numbers with their units: in a sentence, and in an evidence record with what each is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agent.answer import Evidence
from agent.mentions import mentions, side_of, tokens
from tools.knowledge import findings as known_findings

UNITS: dict[str, tuple[str, float]] = {
    "mm": ("mm", 1.0), "millimetre": ("mm", 1.0), "millimetres": ("mm", 1.0), "millimeters": ("mm", 1.0),
    "cm": ("mm", 10.0), "centimetre": ("mm", 10.0), "centimetres": ("mm", 10.0), "centimeters": ("mm", 10.0),
    "mm2": ("mm2", 1.0), "mm²": ("mm2", 1.0), "cm2": ("mm2", 100.0), "cm²": ("mm2", 100.0),
    "ml": ("ml", 1.0), "millilitres": ("ml", 1.0), "cc": ("ml", 1.0), "l": ("ml", 1000.0), "litres": ("ml", 1000.0),
    "%": ("", 0.01), "percent": ("", 0.01), "per cent": ("", 0.01),
    "°": ("deg", 1.0), "deg": ("deg", 1.0), "degree": ("deg", 1.0), "degrees": ("deg", 1.0),
    "px": ("px", 1.0), "pixels": ("px", 1.0), "pixel": ("px", 1.0),
    "years": ("years", 1.0), "year": ("years", 1.0), "days": ("days", 1.0), "day": ("days", 1.0),
}  # fmt: skip
"""Unit as written -> what kind of quantity it is, and its size in that kind's base unit. A bare number and a percentage
are of one kind: both are shares of one."""

WRITTEN = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
NUMBER = re.compile(
    rf"(?<![\w.\-/])(?P<number>[-−]?\d+(?:[.,]\d+)?)(?:[\s-]?(?P<unit>{WRITTEN})(?![\w²]))?(?![\w/])", re.IGNORECASE
)
FIELD_UNIT = re.compile(r"(?:^|_)(mm2|cm2|mm|cm|ml|deg|px|years|days)$")
"""Unit at the end of a field's name, or the whole of it (days)."""
PERCENT_FIELD = re.compile(r"_percent$")

COUNTED_BY = (
    "film",
    "films",
    "image",
    "images",
    "view",
    "option",
    "step",
    "rib",
    "vertebra",
    "zone",
    "e",
    "no",
    "number",
)
"""Words after which a bare whole number is a name and no quantity."""
GENERIC = {
    "width", "angle", "area", "ratio", "length", "left", "right", "size", "of", "the", "to", "over", "and", "at", "in",
    "height", "distance", "from", "index", "its", "widest", "inner", "share", "side", "lung", "film",
}  # fmt: skip
"""Words of a quantity's name that many quantities share; the others say which one it is."""
STEM_LETTERS = 6
"""Words that begin alike in so many letters are one: mediastinal, mediastinum."""
ROUNDING = 1.001
"""A number rounded from exactly half a digit may lie a hair further off in binary."""
TEXTS_KEPT = 4096
"""Texts whose stems and numbers are kept: answers of one session are held against the same records again and again."""
LONG_TEXT = 2000
"""Strings longer than this in a record's data are pictures or the like, and hold no numbers to quote."""


@dataclass(frozen=True)
class Written:
    """A number as a sentence writes it: value in its kind's base unit, and half of its last digit's worth."""

    value: float
    kind: str
    half: float
    said: str
    whole: bool


@dataclass(frozen=True)
class Known:
    """A number of an evidence record, in its kind's base unit, and what it is about where that is told."""

    value: float
    kind: str
    code: str | None = None
    side: str | None = None
    name: str = ""


def written(sentence: str) -> list[Written]:
    """The quantities of a sentence; numbers that name a film, a step or a rib are left out."""
    found = []
    for match in NUMBER.finditer(sentence):
        before = tokens(sentence[: match.start()])[-1:]
        if match["unit"] is None and before and before[0] in COUNTED_BY:
            continue
        found.append(_written(match))
    return found


def known(record: Evidence) -> list[Known]:
    """Every number of a record, from its findings, data, arguments, card, summary and caveats."""
    dumped: dict[str, Any] = record.model_dump(include={"findings", "data", "args", "card"})
    found = list(_in_value(dumped, "", None, None, ""))
    for text in (record.summary, *record.caveats):
        found += _in_text(text)
    return found


@lru_cache(maxsize=TEXTS_KEPT)
def stems(text: str) -> frozenset[str]:
    """Beginnings of the words of a text that say which quantity is meant."""
    words = (word for word in tokens(text) if word.isalpha() and len(word) > 2 and word not in GENERIC)
    return frozenset(word.removesuffix("s")[:STEM_LETTERS] for word in words)


def _written(match: re.Match[str]) -> Written:
    text = match["number"].replace(",", ".").replace("−", "-")
    kind, size = UNITS[(match["unit"] or "").lower()] if match["unit"] else ("", 1.0)
    decimals = len(text.partition(".")[2])
    whole = match["unit"] is None and decimals == 0
    return Written(float(text) * size, kind, 0.5 * ROUNDING * 10.0**-decimals * size, match[0].strip(), whole)


def _in_value(value: Any, key: str, code: str | None, side: str | None, name: str) -> Iterator[Known]:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        kind, size = _unit_of(key)
        side = side or next((word for word in key.split("_") if word in ("left", "right")), None)
        yield Known(float(value) * size, kind, code, side, name or key.replace("_", " "))
    elif isinstance(value, str):
        if len(value) < LONG_TEXT:
            yield from _in_text(value)
    elif isinstance(value, dict):
        yield from _in_table(value, code, side, name)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _in_value(item, key, code, side, name)


def _in_table(table: dict[str, Any], code: str | None, side: str | None, name: str) -> Iterator[Known]:
    named = next((str(table[key]) for key in ("code", "finding") if isinstance(table.get(key), str)), "")
    code = named if named in known_findings() else code
    side = next((table[key] for key in ("laterality", "side") if table.get(key) in ("left", "right")), side)
    name = str(table.get("name") or table.get("title") or name)
    unit = table.get("unit")
    for key, item in table.items():
        if key == "value" and isinstance(unit, str) and isinstance(item, int | float):
            kind, size = UNITS.get(unit.lower(), (unit, 1.0)) if unit else ("", 1.0)
            yield Known(float(item) * size, kind, code, side, name)
        else:
            yield from _in_value(item, key, code, side, name)


def _unit_of(key: str) -> tuple[str, float]:
    if PERCENT_FIELD.search(key):
        return UNITS["%"]
    match = FIELD_UNIT.search(key)
    return UNITS[match[1]] if match else ("", 1.0)


@lru_cache(maxsize=TEXTS_KEPT)
def _in_text(text: str) -> tuple[Known, ...]:
    """Numbers of a text, each about the finding and side named last before it in its sentence."""
    return tuple(_numbers_of(text))


def _numbers_of(text: str) -> Iterator[Known]:
    for piece in re.split(r"(?<=[.;:!?])\s+", text):
        for match in NUMBER.finditer(piece):
            before = piece[: match.start()]
            named = [mention.code for mention in mentions(before) if mention.kind == "finding"]
            sides = side_of(before.rpartition(",")[2].rpartition(" and ")[2])
            number = _written(match)
            yield Known(
                number.value, number.kind, named[-1] if named else None, sides if sides != "bilateral" else None, before
            )


__all__ = ["Known", "Written", "known", "stems", "written"]
