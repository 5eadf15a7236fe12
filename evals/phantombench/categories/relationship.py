"""Relationship: how findings, devices and organs lie to each other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import combinations

from evals.phantombench.categories.parts import class_of, diseases
from evals.phantombench.drafts import Draft
from evals.phantombench.films import Shown
from evals.phantombench.patients import name_of

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
SHIFT = ("pushed away from it", "drawn towards it", "not displaced")


def drafts(shown: Shown, rng: random.Random) -> list[Draft]:
    """Two findings, a tube and the carina, the mediastinum and a pneumothorax; the two domes where there are none."""
    return [*_two(shown), *_tube(shown), *_mediastinum(shown)] or [*_domes(shown)]


def _two(shown: Shown) -> Iterator[Draft]:
    sided = [code for code in diseases(shown) if shown.side(code) in ("left", "right")]
    for one, other in combinations(sorted(sided), 2):
        a, b = name_of(one), name_of(other)
        told = {
            (left, right): f"the {a} is on the {left}, the {b} on the {right}"
            for left in ("left", "right")
            for right in ("left", "right")
        }
        right = told[str(shown.side(one)), str(shown.side(other))]
        wrong = [*(words for words in told.values() if words != right), f"there is no {a}", f"there is no {b}"]
        regions = tuple(entry["mask"] for code in (one, other) for entry in shown.of(code))
        yield Draft(f"How do the {a} and the {b} lie to each other?", right, tuple(wrong), one, regions)


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
            wrong = [words for words in (*TIP, "below the carina", "there is no such tube") if words != TIP[number]]
            yield Draft("Where does the tip of the endotracheal tube lie?", TIP[number], tuple(wrong), "ett")


def _mediastinum(shown: Shown) -> Iterator[Draft]:
    kinds = {finding.kind for finding in shown.patient.spec.findings if finding.code == "pneumothorax"}
    if kinds and shown.of("pneumothorax"):
        right = SHIFT[0] if "tension" in kinds else SHIFT[2]
        wrong = [words for words in (*SHIFT, "there is no pneumothorax") if words != right]
        yield Draft("How does the mediastinum lie to the pneumothorax?", right, tuple(wrong), "pneumothorax")


def _domes(shown: Shown) -> Iterator[Draft]:
    lower_left_mm = shown.measure("dome_difference_mm")
    number = None if lower_left_mm is None else class_of(lower_left_mm, DOME_BOUNDS_MM, DOME_MARGIN_MM)
    if number is not None:
        wrong = [words for words in DOMES if words != DOMES[number]]
        yield Draft("How do the two domes of the diaphragm lie to each other on the film?", DOMES[number], tuple(wrong))
