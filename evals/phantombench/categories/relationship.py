"""Relationship: how findings, devices and organs lie to each other."""

from __future__ import annotations

import random
from collections.abc import Iterator

from evals.phantombench.categories.parts import class_of, diseases, surely_absent
from evals.phantombench.drafts import Draft
from evals.phantombench.films import Shown
from evals.phantombench.patients import SIDES, name_of

COUPLES = (
    ("cavity", "effusion"),
    ("consolidation", "effusion"),
    ("effusion", "mass"),
    ("fracture", "pneumothorax"),
    ("nodule", "pleural_thickening"),
)
"""Findings that scenarios.toml has together, each on one side."""
TIP = (
    "less than 30 mm above the carina",
    "30 to 70 mm above the carina",
    "more than 70 mm above the carina",
)
TIP_BOUNDS_MM = (30.0, 70.0)
TIP_MARGIN_MM = 4.0
DOMES = (
    "the left dome is higher by more than 5 mm",
    "the domes are level within 5 mm",
    "the right dome is higher by 5 to 20 mm",
    "the right dome is higher by 20 to 35 mm",
    "the right dome is higher by more than 35 mm",
)
DOME_BOUNDS_MM = (-5.0, 5.0, 20.0, 35.0)
DOME_MARGIN_MM = 2.0
HIDING = {"effusion", "atelectasis", "hernia"}
"""What a dome can lie hidden behind."""
THERE = "there"
"""Where a finding is does not matter when the other is missing."""
NO_TUBE = "there is no such tube"
NO_AIR = "there is no pneumothorax"
SHIFT = ("pushed away from it", "drawn towards it", "not displaced")


def drafts(shown: Shown, rng: random.Random) -> list[Draft]:
    """Two findings, a tube and the carina, the mediastinum and a pneumothorax, the two domes of the diaphragm."""
    return [*_two(shown, rng), *_tube(shown), *_mediastinum(shown, rng), *_domes(shown)]


def _two(shown: Shown, rng: random.Random) -> Iterator[Draft]:
    absent = surely_absent(shown, rng)
    for one, other in COUPLES:
        sides = shown.side(one), shown.side(other)
        a, b = name_of(one), name_of(other)
        told: dict[tuple[str | None, str | None], str] = {
            (first, second): f"the {a} is on the {first}, the {b} on the {second}"
            for first in SIDES
            for second in SIDES
        }
        told |= {(None, THERE): f"there is no {a}", (THERE, None): f"there is no {b}"}
        key = (sides[0] and THERE, sides[1] and THERE) if None in sides else sides
        lacking = {code for code, side in zip((one, other), sides, strict=True) if side is None}
        if key in told and lacking <= set(absent):
            wrong = tuple(words for pair, words in told.items() if pair != key)
            regions = tuple(entry["mask"] for code in (one, other) for entry in shown.of(code))
            yield Draft(f"How do the {a} and the {b} lie to each other?", told[key], wrong, one, regions)


def _tube(shown: Shown) -> Iterator[Draft]:
    distance = shown.measure("ett_tip_to_carina_mm")
    for entry in shown.of("ett"):
        # Of the patient and on the film, which magnifies: both must be of one class.
        own = [v for name, v in entry["parameters"].items() if name.endswith("_mm") and isinstance(v, int | float)]
        if distance is None or not own:
            continue
        classes = {class_of(value, TIP_BOUNDS_MM, TIP_MARGIN_MM) for value in (distance, own[0])}
        number = classes.pop() if len(classes) == 1 else None
        if number is not None:
            yield _of_tube(TIP[number])
    if not shown.of("ett"):
        yield _of_tube(NO_TUBE)


def _of_tube(right: str) -> Draft:
    wrong = tuple(words for words in (*TIP, NO_TUBE) if words != right)
    return Draft("Where does the tip of the endotracheal tube lie?", right, wrong, "ett")


def _mediastinum(shown: Shown, rng: random.Random) -> Iterator[Draft]:
    kinds = {finding.kind for finding in shown.patient.spec.findings if finding.code == "pneumothorax"}
    there = kinds and shown.of("pneumothorax")
    if there or "pneumothorax" in surely_absent(shown, rng):
        right = NO_AIR if not there else SHIFT[0] if "tension" in kinds else SHIFT[2]
        wrong = tuple(words for words in (*SHIFT, NO_AIR) if words != right)
        yield Draft("How does the mediastinum lie to the pneumothorax?", right, wrong, "pneumothorax")


def _domes(shown: Shown) -> Iterator[Draft]:
    if HIDING & set(diseases(shown)):
        return
    lower_left_mm = shown.measure("dome_difference_mm")
    number = None if lower_left_mm is None else class_of(lower_left_mm, DOME_BOUNDS_MM, DOME_MARGIN_MM)
    if number is not None:
        wrong = [words for words in DOMES if words != DOMES[number]]
        yield Draft("How do the two domes of the diaphragm lie to each other on the film?", DOMES[number], tuple(wrong))
