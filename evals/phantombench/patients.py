"""The patients of PhantomBench: what each has, drawn from scenarios.toml, and how the tracks alter patient or film."""

from __future__ import annotations

import datetime as dt
import random
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from imaging.phantom import FindingSpec, PhantomSpec, parse_finding
from imaging.phantom.findings import ZONES
from imaging.radiograph import View

SIDES = ("left", "right")
FILM_PIXELS = 512
"""Rows and columns of every film: what the embedded models see."""
FIRST_DAY = dt.date(2024, 1, 1)
LATEST_DAYS = 700
"""Days after FIRST_DAY within which films are taken."""
APART_DAYS = (5, 90)
"""Days between the two films of a patient who has two."""
PAIRED_EVERY = 2
"""Every second patient has a prior film."""
GROWN = 2.2
"""A finding that grew or shrank did so by this factor: more than a radiologist calls unchanged."""
GROWING = {"effusion": "volume_ml", "pneumothorax": "fraction", "mass": "diameter_mm", "consolidation": "diameter_mm"}
"""Findings whose change of size is asked about, and FindingSpec's field for it."""
SIZES = {"effusion": (60, 2900), "pneumothorax": (0.05, 0.85), "mass": (30, 118), "consolidation": (25, 158)}
"""Sizes that the phantom can draw and a reader can see, in that field's unit."""

PERTURBED: dict[str, dict[str, Any]] = {
    "noise": {"dose": 0.1},
    "rotation": {"rotation_deg": 9.0},
    "dose": {"exposure_stops": -1.5},
}
"""What each perturbed track does to every film: a tenth of the dose (quantum noise), a patient turned by 9 degrees, and
an exposure that is one and a half stops short. Patient and truth are those of the standard track."""


@dataclass(frozen=True)
class Patient:
    """One patient before any film is made.

    Attributes:
        id: unique in a benchmark of one seed.
        diagnosis: the scenario's.
        spec: the current film.
        prior: findings of the prior film and the two dates, for a patient who has two films.
        change: (code, what became of it) between the films: "new", "resolved", "larger", "smaller", "unchanged".
    """

    id: str
    diagnosis: str
    spec: PhantomSpec
    prior: tuple[FindingSpec, ...] | None = None
    dates: tuple[dt.date, dt.date] | None = None
    change: tuple[str, str] | None = None


@cache
def scenarios() -> dict[str, Any]:
    """scenarios.toml."""
    return tomllib.loads((resources.files("evals.phantombench") / "scenarios.toml").read_text(encoding="utf-8"))


def name_of(code: str) -> str:
    """What a question calls a finding or device."""
    return str(scenarios()["names"][code])


def alike(code: str) -> set[str]:
    """Findings that a film may not tell from this one, itself included."""
    return {code}.union(*(group for group in scenarios()["alike"]["groups"] if code in group))


def draw_patient(seed: int, number: int, track: str) -> Patient:
    """Patient `number` of a seed; the same patient in every track, but for what the track alters.

    Args:
        seed: of the benchmark.
        number: from 0; scenarios and sides go round, so that they are balanced over any run of patients.
        track: "standard" or one of PERTURBED.
    """
    rng = random.Random(f"phantombench/{seed}/{number}")
    scenario, sides = _turn(seed, number)
    words = _words(rng, sides)
    findings = _findings(rng, scenario["findings"], words)
    base = PhantomSpec(
        seed=rng.randrange(2**31),
        size=FILM_PIXELS,
        view=View.PA if rng.random() < 0.7 else View.AP,
        position="erect",
        findings=findings,
        **PERTURBED.get(track, {}),
    )
    if number % PAIRED_EVERY:
        return Patient(f"{seed}-{number:05d}", scenario["diagnosis"], base)
    change, prior = _earlier(rng, findings, words)
    first = FIRST_DAY + dt.timedelta(days=rng.randrange(LATEST_DAYS))
    dates = (first, first + dt.timedelta(days=rng.randint(*APART_DAYS)))
    return Patient(f"{seed}-{number:05d}", scenario["diagnosis"], base, prior, dates, change)


def twin_of(patient: Patient, seed: int, number: int) -> Patient:
    """The same body, seen on a film that is easily confused with the patient's but has another answer.

    By turns: every finding on the other side; another scenario; or, of two films, the two in the opposite order.
    """
    rng = random.Random(f"phantombench-twin/{seed}/{number}")
    if patient.prior is not None and patient.change is not None:
        opposite = {"new": "resolved", "resolved": "new", "larger": "smaller", "smaller": "larger"}
        code, how = patient.change
        swapped = replace(patient.spec, findings=patient.prior)
        change = (code, opposite.get(how, how))
        return replace(patient, id=f"{patient.id}t", spec=swapped, prior=patient.spec.findings, change=change)
    sides = {"left": "right", "right": "left"}
    mirrored = tuple(replace(f, side=sides.get(f.side or "", f.side), place=None) for f in patient.spec.findings)
    if mirrored != patient.spec.findings and rng.random() < 0.5:
        return replace(patient, id=f"{patient.id}t", spec=replace(patient.spec, findings=mirrored))
    other = rng.choice([entry for entry in scenarios()["scenario"] if entry["diagnosis"] != patient.diagnosis])
    words = _words(rng, (rng.choice(SIDES), rng.choice(SIDES)))
    spec = replace(patient.spec, findings=_findings(rng, other["findings"], words))
    return replace(patient, id=f"{patient.id}t", diagnosis=other["diagnosis"], spec=spec)


def _turn(seed: int, number: int) -> tuple[dict[str, Any], tuple[str, str]]:
    """The scenario of a patient and its two sides: each scenario once a round, in drawn order; in four rounds each pair
    of sides once."""
    pool = scenarios()["scenario"]
    turn, place = divmod(number, len(pool))
    order = random.Random(f"phantombench-round/{seed}/{turn}").sample(range(len(pool)), len(pool))
    start = random.Random(f"phantombench-sides/{seed}/{order[place]}").randrange(4)
    pairs = ((one, other) for one in SIDES for other in SIDES)
    return pool[order[place]], list(pairs)[(start + turn) % 4]


def _words(rng: random.Random, sides: tuple[str, str]) -> dict[str, Any]:
    """What scenarios.toml leaves open, drawn."""
    side, free = sides
    third = "upper" if side == free else rng.choice(ZONES)
    words: dict[str, Any] = {"side": side, "free": free, "zone": rng.choice(("upper", "lower")), "third": third}
    for name, (low, high) in scenarios()["range"].items():
        words[name] = round(rng.uniform(low, high), 2 if high <= 1 else 0)
    return words


def _findings(rng: random.Random, written: list[str], words: dict[str, Any]) -> tuple[FindingSpec, ...]:
    told = scenarios()["device"]
    devices = [rng.choice(told["kinds"])] if rng.random() < told["share"] else []
    return tuple(parse_finding(text.format(**words)) for text in [*written, *devices])


def _earlier(
    rng: random.Random, now: tuple[FindingSpec, ...], words: dict[str, Any]
) -> tuple[tuple[str, str] | None, tuple[FindingSpec, ...]]:
    """What one finding that can change its size was at the prior film, and what became of it since."""
    able = [finding for finding in now if finding.code in GROWING]
    if not able:
        near = set().union(*(alike(finding.code) for finding in now))
        pool = [parse_finding(text.format(**words)) for text in scenarios()["gone"]["findings"]]
        gone = rng.choice([finding for finding in pool if finding.code not in near])
        return (gone.code, "resolved"), (*now, gone)
    finding = rng.choice(able)
    rest = tuple(other for other in now if other is not finding)
    how = rng.choice(("new", "unchanged", "larger", "smaller"))
    if how == "new":
        return (finding.code, how), rest
    if how == "unchanged":
        return (finding.code, how), now
    before, how = _other_size(finding, how)
    return (finding.code, how), (*rest, before)


def _other_size(finding: FindingSpec, how: str) -> tuple[FindingSpec, str]:
    """The finding GROWN times smaller or larger, whichever the phantom can draw, and what became of it since."""
    field = GROWING[finding.code]
    size, (low, high) = float(getattr(finding, field)), SIZES[finding.code]
    if how == "larger" and size / GROWN < low:
        how = "smaller"
    elif how == "smaller" and size * GROWN > high:
        how = "larger"
    before = size / GROWN if how == "larger" else size * GROWN
    return replace(finding, **{field: min(max(before, low), high)}), how  # type: ignore[arg-type]
