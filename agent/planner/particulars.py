"""Smaller things a question says, for tools that take them by name: view, sex, ages, dates, zone, method, how many."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from typing import Any

from agent.mentions import has_any
from agent.planner.naming import vocabulary, words_of

YEARS = r"(\d{1,3})(?:\.0)?(?: ?(?:years?|yrs?|y)\b)?(?: old)?"
AGES: tuple[tuple[str, str, str], ...] = (
    (rf"\b(?:aged?|ages|between) (?:of )?(?:from )?{YEARS} ?(?:to|and|-) ?{YEARS}", "age_from", "age_to"),
    (rf"\b{YEARS} to {YEARS}(?= year| old)", "age_from", "age_to"),
    (rf"\b(?:over|above|older than|at least|aged? over) (?:the age of )?{YEARS}", "age_from", ""),
    (rf"\b(?:under|below|younger than|at most|aged? under) (?:the age of )?{YEARS}", "age_to", ""),
)
"""Phrases that bound an age, with the arguments their numbers are; the first that fits is taken."""

DAY = r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?"
SINCE, UNTIL, IN_YEAR = rf"\b(?:since|from|after) {DAY}\b", rf"\b(?:until|before|up to) {DAY}\b", r"\bin (\d{4})\b"
MOST_CASES = 20

EDITS = re.compile(
    r"\b(?:(?P<concepts>(?:with|by|using) (?:only )?(?:the|these|my)(?: own)? concepts)"
    r"|(?P<without>without|leav(?:e|ing) out|ignor(?:e|ing)|disabl(?:e|ing)|dropp?(?:ing)?|but not|except)"
    r"|(?P<also>add(?:ing)?|and also|also with|plus))\b:?(?: the| a)?(?: concepts?| signs?)?(?P<what>[^.;?!]*)",
    re.IGNORECASE,
)
"""Words that take concepts from a checklist, put them to it or in its place, and those concepts."""


def particulars(text: str) -> dict[str, Any]:
    """What is said, by argument name; what is not said is not in it.

    Args:
        text: the question as typed.
    """
    line = re.sub(r"(?<=\d)\s*[-–](?=\d{1,3}(?: |$)(?!\d))", " to ", text.lower())
    words = words_of(line)
    found: dict[str, Any] = {**_listed(words), **_ages(line), **_dates(text.lower())}
    if (count := _count(words)) is not None:
        found["k"] = count
    if (zone := _zone(words)) is not None:
        found["anatomy"] = zone
    return found


def edits(text: str) -> tuple[str, dict[str, list[str]]]:
    """What is left of a question without its edits of a checklist; and these, phrases by argument of `zero_shot`."""
    found: dict[str, list[str]] = {}
    for match in EDITS.finditer(text):
        name = next(name for name in ("concepts", "without", "also") if match[name])
        parts = re.split(r",| and (?:the |a )?", match["what"])
        found.setdefault(name, []).extend(part.strip(" '\"") for part in parts if part.strip(" '\""))
    return EDITS.sub(" ", text).strip(), found


def _listed(words: list[str]) -> dict[str, str]:
    """View, sex and the method of an explanation by the vocabulary's words."""
    named = vocabulary()["particulars"]
    return {
        argument: value
        for argument in ("view", "sex", "method")
        for value, cues in reversed(named[argument].items())
        if has_any(words, cues)
    }


def _ages(line: str) -> dict[str, int]:
    for pattern, first, second in AGES:
        match = re.search(pattern, line)
        if match is not None:
            numbers = [int(number) for number in match.groups() if number is not None]
            return dict(zip([first, *([second] if second else [])], numbers, strict=False))
    return {}


def _dates(line: str) -> dict[str, str]:
    year = re.search(IN_YEAR, line)
    if year is not None:
        return {"acquired_from": f"{year[1]}-01-01", "acquired_to": f"{year[1]}-12-31"}
    bounds = {
        "acquired_from": (re.search(SINCE, line), False),
        "acquired_to": (re.search(UNTIL, line), True),
    }
    days = {name: _day(match, late) for name, (match, late) in bounds.items() if match is not None}
    return {name: day for name, day in days.items() if day}


def _day(match: re.Match[str], late: bool) -> str:
    """The day that "2020", "2020-05" or "2020-05-03" begins with, for an upper bound the day before it; "" for none."""
    year, month, day = int(match[1]), int(match[2] or 1), int(match[3] or 1)
    if not 1900 <= year <= 2200 or not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return ""
    begins = dt.date(year, month, day)
    before = match[0].startswith("before")
    return (begins - dt.timedelta(days=1) if late and before else _end(match, begins) if late else begins).isoformat()


def _end(match: re.Match[str], begins: dt.date) -> dt.date:
    """The last day of a year or month that an upper bound names."""
    if match[3]:
        return begins
    month = begins.month if match[2] else 12
    return dt.date(begins.year, month, calendar.monthrange(begins.year, month)[1])


def _count(words: list[str]) -> int | None:
    """How many cases: "5 similar cases", "the ten nearest", "top 3"."""
    numbers, nouns = vocabulary()["particulars"]["numbers"], vocabulary()["particulars"]["counted"]
    for place, word in enumerate(words):
        value = int(word) if word.isdigit() else numbers.get(word)
        near = [*words[max(0, place - 1) : place], *words[place + 1 : place + 4]]
        if value is not None and 1 <= value <= MOST_CASES and set(near) & set(nouns):
            return int(value)
    return None


def thirds_in(words: list[str]) -> list[str]:
    """ "upper", "middle", "lower": the thirds of the lungs that are named, from above."""
    return [third for third, cues in vocabulary()["particulars"]["zone"].items() if has_any(words, cues)]


def _zone(words: list[str]) -> str | None:
    """ "left_lower_zone" for "left lower zone", "lower zone of the left lung", "left base"."""
    third = next(iter(thirds_in(words)), None)
    side = next((side for side in ("left", "right") if side in words), None)
    return f"{side}_{third}_zone" if third and side else None


__all__ = ["edits", "particulars", "thirds_in"]
