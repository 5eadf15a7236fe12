"""Dates in a text, moved by some days and written in the form they had."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

NUMERIC = re.compile(r"(\d{1,4})([-/.])(\d{1,2})(?:\2(\d{4}|\d{2}))?(.*)", re.DOTALL)
YEAR = re.compile(r"\d{4}")
DAY = re.compile(r"(?<!\d)\d{1,2}(?!\d)")
LEAP_YEAR = 2000
"""Stands in where a date has no year, so that 29 February is one."""
CENTURY_TURNS_AT = 70
"""A year of two digits from this on is of the 1900s."""
FALLBACK = "[date]"


@dataclass(frozen=True)
class Month:
    """One word for a month: its number, and the names of all months in that language."""

    number: int
    names: tuple[str, ...]


@cache
def months() -> dict[str, Month]:
    """Lower-case word -> month; where languages share a word, the one that months.toml lists first."""
    read = tomllib.loads((resources.files("tools.phi") / "months.toml").read_text(encoding="utf-8"))
    found: dict[str, Month] = {}
    for forms in read.values():
        names = tuple(words[0] for words in forms)
        for number, words in enumerate(forms, start=1):
            for word in words:
                found.setdefault(word.lower(), Month(number, names))
    return found


def moved(original: str, days: int, *, day_first: bool) -> str:
    """A date earlier by some days, in the same form. One that is no date becomes its year, or "[date]".

    Args:
        original: as written.
        days: how far back it moves.
        day_first: how 3/4 is read; 13/4 and 4/13 tell themselves.
    """
    by_number = NUMERIC.fullmatch(original)
    found = _numeric(by_number, days, day_first) if by_number else _worded(original, days)
    if found is not None:
        return found
    year = YEAR.search(original)
    return year[0] if year else FALLBACK


def _numeric(match: re.Match[str], days: int, day_first: bool) -> str | None:
    first, mark, second, third, rest = match.groups()
    if len(first) == 4:
        when = _date(int(first), int(second), int(third or 1))
        if when is None:
            return None
        when -= dt.timedelta(days=days)
        return f"{when.year:04d}{mark}{when.month:02d}{mark}{when.day:02d}{rest}"
    day, month = (int(first), int(second)) if day_first else (int(second), int(first))
    swapped = month > 12
    if swapped:
        day, month = month, day
    when = _date(_year(third), month, day)
    if when is None:
        return None
    when -= dt.timedelta(days=days)
    pair = (when.day, when.month) if day_first is not swapped else (when.month, when.day)
    told = [f"{value:0{len(width)}d}" for value, width in zip(pair, (first, second), strict=True)]
    if third:
        told.append(f"{when.year:04d}" if len(third) == 4 else f"{when.year % 100:02d}")
    return f"{mark.join(told)}{rest}"


def _worded(original: str, days: int) -> str | None:
    word = next((m for m in re.finditer(r"[^\W\d_]+", original) if m[0].lower() in months()), None)
    if word is None:
        return None
    month, year, day = months()[word[0].lower()], YEAR.search(original), DAY.search(original)
    when = _date(int(year[0]) if year else LEAP_YEAR, month.number, int(day[0]) if day else 1)
    if when is None:
        return None
    when -= dt.timedelta(days=days)
    edits = [(word.span(), month.names[when.month - 1])]
    edits += [(year.span(), str(when.year))] if year else []
    edits += [(day.span(), str(when.day))] if day else []
    told = original
    for (start, end), new in sorted(edits, reverse=True):
        told = told[:start] + new + told[end:]
    return re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", told)


def _year(written: str | None) -> int:
    if written is None:
        return LEAP_YEAR
    if len(written) == 4:
        return int(written)
    return int(written) + (1900 if int(written) >= CENTURY_TURNS_AT else 2000)


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None
