"""The invented person of a phantom film: what the DICOM header and a burned-in name block say."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from imaging.phantom.spec import PhantomSpec

DEFAULT_DAY = dt.date(2000, 1, 1)
"""Date of a film that was given none."""


@dataclass(frozen=True)
class Person:
    """Identity of a phantom; nobody real.

    Attributes:
        name: as DICOM writes it (PN).
        identifier: patient ID, the same for all films of one seed.
        born: as the specification says, else the first of January that makes the age right on the film's date.
        age_years: whole years on the day of the film.
        sex: 'M', 'F' or 'O'.
        day: date of the film.
    """

    name: str
    identifier: str
    born: dt.date
    age_years: int
    sex: str
    day: dt.date


def person(spec: PhantomSpec) -> Person:
    """The person of a specification whose age and sex are filled in."""
    day = spec.date or DEFAULT_DAY
    born = spec.born or dt.date(day.year - int(spec.age_years or 0), 1, 1)
    age = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return Person("Phantom^Hilum", f"PHANTOM-{spec.seed}", born, age, spec.sex or "O", day)


def name_block(spec: PhantomSpec) -> tuple[str, ...]:
    """The lines that a careless export burns into the picture, as the header has them."""
    who = person(spec)
    return (
        who.name.replace("^", ", ").upper(),
        f"ID {who.identifier}",
        f"{who.sex} {who.age_years}Y  DOB {who.born:%d.%m.%Y}",
        f"{who.day:%d.%m.%Y}",
    )
