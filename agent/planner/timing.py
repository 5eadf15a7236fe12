"""What a user says of two films' time and person: "same patient", "14 days apart", "taken two weeks earlier", dates."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from functools import cache

from agent.planner.naming import Films, vocabulary

DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
"""A date as ISO 8601 writes it; others can be read in two ways."""


@cache
def _between() -> re.Pattern[str]:
    """ "14 days", "two weeks", "a year", and "earlier" or "before" after it."""
    told = vocabulary()["timing"]
    numbers = "|".join([r"\d{1,4}", *told["numbers"]])
    units = "|".join(told["units"])
    return re.compile(rf"\b({numbers})\s+({units})s?\b(?:\s+(?:{'|'.join(told['earlier'])})\b)?", re.I)


def same_patient(text: str) -> bool:
    """Whether the words say that the films are of one patient."""
    line = " ".join(text.lower().replace("-", " ").split())
    return any(phrase in line for phrase in vocabulary()["timing"]["same_patient"])


def days_told(text: str, films: int) -> list[int] | None:
    """The day of each film in order, as the words tell it; None where they do not.

    Dates count one for each film, in order; a time between is told of two films, the second the later one unless the
    words say "earlier" or "before".

    Args:
        text: the user's words.
        films: how many there are.
    """
    dates = _dates(text)
    if len(dates) == films and films > 1:
        return [(date - min(dates)).days for date in dates]
    match = _between().search(text)
    if match is None or films != 2:
        return None
    told = vocabulary()["timing"]
    count = told["numbers"].get(match[1].lower()) or int(match[1])
    days = count * int(told["units"][match[2].lower()])
    earlier = any(re.search(rf"\b{word}\b", match[0], re.I) for word in told["earlier"])
    return [days, 0] if earlier else [0, days]


def told_of(text: str, films: Collection[str], facts: Films, before: tuple[int, ...]) -> tuple[int, ...]:
    """The days that the user told of the films to compare, now or in the question before; none where files are dated.

    Args:
        text: the user's words.
        films: ids of those to compare.
        facts: of all films of the session.
        before: what the question before said.
    """
    if all(film["day"] is not None for film in facts if film["id"] in films):
        return ()
    told = days_told(text, len(films))
    return tuple(told) if told is not None else before if len(before) == len(films) else ()


def _dates(text: str) -> list[dt.date]:
    found = []
    for year, month, day in DATE.findall(text):
        try:
            found.append(dt.date(int(year), int(month), int(day)))
        except ValueError:
            return []
    return found
