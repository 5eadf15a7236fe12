"""Which films are compared, in which order: of one patient, frontal, acquired, dated.

Headers decide who and when. Where a file names no patient or no date, only the user's word can stand in for it; without
it the comparison is refused, since a change between strangers, or in the wrong direction, is worse than none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from imaging.failures import BadArguments, NotApplicable
from imaging.radiograph import Radiograph, View
from imaging.studies import StudyFilm, StudyInput, arrange
from tools.contract import ToolContext
from tools.contract.wording import listed, sentence_case

FILMS_MAX = 6
"""Films in one comparison; the text of more would not be read."""


@dataclass(frozen=True)
class Dated:
    """One film of the series.

    Attributes:
        film: the film.
        name: what the session calls it, e.g. "film 2".
        day: days since the first film of the series.
        date: from its file, or None where the user told the days.
    """

    film: Radiograph
    name: str
    day: int
    date: dt.date | None


def series(
    context: ToolContext, image_ids: Sequence[str], days: Sequence[int] | None, same_patient: bool
) -> list[Dated]:
    """The films to compare, oldest first; those of one day in the order given.

    Args:
        context: of the running tool.
        image_ids: the films asked for; empty for the newest frontal film and its prior.
        days: the day of each, in the order of `image_ids`, as the user told; used where a file has no date.
        same_patient: whether the user says that films whose files name no patient are of one.

    Raises:
        BadArguments: a film is unknown or given twice, or what the user must say is missing.
        NotApplicable: there is no prior; the films are of several patients; one was computed, or is lateral.
    """
    ids = list(image_ids) or _newest_and_prior(context)
    films = [context.films.get(image_id) for image_id in ids]
    names = [context.films.name(film.id) for film in films]
    if len({film.id for film in films}) < len(films):
        raise BadArguments("A film was given twice.", "Name each film once.")
    if len(films) < 2:
        raise NotApplicable(
            f"There is no earlier film to compare {names[0]} with: no change can be stated.",
            "Add the prior film of the same patient.",
        )
    if len(films) > FILMS_MAX:
        raise BadArguments(f"{len(films)} films are too many for one comparison.", f"At most {FILMS_MAX}.")
    for film, name in zip(films, names, strict=True):
        _check(film, name)
    _check_patient(films, names, same_patient)
    return _ordered(films, names, days)


def _newest_and_prior(context: ToolContext) -> list[str]:
    """Ids of the session's current frontal film and its prior, by their dates."""
    films = [context.films.get(image_id) for image_id in context.films.ids()]
    frontals = [film for film in films if film.is_frontal and film.derived is None]
    found = StudyInput(arrange(StudyFilm(film, "") for film in frontals))
    for study in reversed(found.studies):
        before, frontal = found.prior_of(study), study.pair[0]
        if before is not None and frontal is not None and (prior := before.pair[0]) is not None:
            return [prior.film.id, frontal.film.id]
    raise NotApplicable(
        "No film of this session has an earlier one of the same patient by its date: no change can be stated.",
        "Add the prior film, or name the films to compare.",
    )


def _check(film: Radiograph, name: str) -> None:
    if film.derived is not None:
        raise NotApplicable(
            f"{sentence_case(name)} is {film.derived.kind}, not acquired: it is not compared over time.",
            "Name the film it was computed from.",
        )
    if film.view is View.LATERAL:
        raise NotApplicable(
            f"{sentence_case(name)} is a lateral view; only frontal films (PA or AP) are compared with one another.",
            "Name frontal films.",
        )


def _check_patient(films: Sequence[Radiograph], names: Sequence[str], same_patient: bool) -> None:
    keys = {film.patient_key for film in films}
    if len(keys - {None}) > 1:
        raise NotApplicable(
            f"{listed(names).capitalize()} are of different patients by their headers; they are not compared.",
            "Name films of one patient.",
        )
    nameless = [name for film, name in zip(films, names, strict=True) if film.patient_key is None]
    if nameless and not same_patient:
        raise BadArguments(
            f"Whether the films are of one patient is not known: {listed(nameless)} "
            f"{'names' if len(nameless) == 1 else 'name'} no patient.",
            "If they are of one patient, say so: same_patient.",
        )


def _ordered(films: Sequence[Radiograph], names: Sequence[str], days: Sequence[int] | None) -> list[Dated]:
    dates = [film.acquired for film in films]
    if days is not None and len(days) != len(films):
        raise BadArguments(f"{len(days)} days were told for {len(films)} films.", "Give one for each film, in order.")
    known = [date for date in dates if date is not None]
    if len(known) == len(films):
        told = [(date - min(known)).days for date in known]
    elif days is not None and not known:
        told = [day - min(days) for day in days]
    elif days is not None:
        raise BadArguments(
            "Some films are dated by their files and some are not: the days told cannot be joined to the dates.",
            "Compare films that are all dated, or none of which is.",
        )
    else:
        undated = [name for date, name in zip(dates, names, strict=True) if date is None]
        raise BadArguments(
            f"{listed(undated).capitalize()} {'has' if len(undated) == 1 else 'have'} no date: "
            "which film is the earlier one, and by how much, is not known.",
            "Say when they were taken, e.g. the days between them: days.",
        )
    each = [Dated(film, name, day, date) for film, name, day, date in zip(films, names, told, dates, strict=True)]
    return sorted(each, key=lambda item: item.day)
