"""The same patient at several dates."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from imaging.failures import BadArguments
from imaging.phantom import PhantomFilm, PhantomSpec, parse_finding, progression
from imaging.phantom.person import person

DATES = (dt.date(2026, 1, 5), dt.date(2026, 1, 9), dt.date(2026, 2, 1))


@pytest.fixture(scope="module")
def films() -> tuple[PhantomFilm, ...]:
    spec = PhantomSpec(seed=4, size=160, findings=(parse_finding("mass:right:upper:40mm"),))
    return progression(
        spec, DATES, ((), ("effusion:left:700ml", "mass:right:upper:60mm"), ("effusion:left:150ml", "-mass:right"))
    )


def test_progression_is_one_patient_at_its_dates(films: tuple[PhantomFilm, ...]) -> None:
    assert tuple(f.radiograph.acquired for f in films) == DATES
    assert len({f.radiograph.id for f in films}) == 3
    for name in ("age_years", "sex", "habitus", "inspiration", "seed"):
        assert len({getattr(f.spec, name) for f in films}) == 1
    # Another exposure: not the same positioning.
    assert films[0].spec.rotation_deg != films[1].spec.rotation_deg


def test_findings_grow_come_and_go(films: tuple[PhantomFilm, ...]) -> None:
    assert [[x["code"] for x in f.findings] for f in films] == [["mass"], ["mass", "effusion"], ["effusion"]]
    # 1.5 squared is 2.25; of the larger one more lies against the chest wall.
    assert films[1].masks["mass_right"].sum() > 1.5 * films[0].masks["mass_right"].sum()
    assert films[1].masks["effusion_left"].sum() > films[2].masks["effusion_left"].sum()


def test_a_growing_mass_keeps_its_place(films: tuple[PhantomFilm, ...]) -> None:
    centres = [f.findings[0]["parameters"]["centre_mm"] for f in films[:2]]
    assert np.allclose(centres[0], centres[1], atol=0.2)


def test_one_patient_has_one_birth_date_and_grows_older() -> None:
    dates = (dt.date(2026, 12, 30), dt.date(2024, 6, 1), dt.date(2025, 1, 1))
    films = progression(PhantomSpec(seed=4, size=64, age_years=50), dates, ((), (), ()))
    people = [person(film.spec) for film in films]
    assert {who.born for who in people} == {dt.date(1974, 1, 1)}
    assert [who.age_years for who in people] == [52, 50, 51]
    with pytest.raises(BadArguments, match="after the film"):
        PhantomSpec(date=dates[1], born=dates[0])


def test_progression_refuses_unequal_lists() -> None:
    with pytest.raises(BadArguments, match="dates"):
        progression(PhantomSpec(size=64), DATES, ((),))
