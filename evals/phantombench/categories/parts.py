"""What several categories ask with: codes by kind, what is surely absent, and classes of a number with a margin."""

from __future__ import annotations

import random
from collections.abc import Sequence

from evals.phantombench.films import Shown
from evals.phantombench.patients import alike, name_of

DEVICES = ("ett", "ng_tube", "central_line", "pacemaker")
FOCAL = ("mass", "nodule", "cavity", "consolidation")
"""Findings with one place in one lung."""
SUBTLE = {"fracture"}
"""Findings that even a reader misses on a frontal film; never the true option of a detection."""


def diseases(shown: Shown) -> list[str]:
    """Codes of what the current film shows, without devices."""
    return list(dict.fromkeys(entry["code"] for entry in shown.found if entry["code"] not in DEVICES))


def surely_absent(shown: Shown, rng: random.Random) -> list[str]:
    """Codes without device that the patient does not have and that look like nothing it has, in drawn order."""
    near = set().union(*(alike(code) for code in diseases(shown)), DEVICES)
    codes = [c for c in shown.now["absent"] if c not in near and not c.startswith("retained") and c != "chest_drain"]
    rng.shuffle(codes)
    return codes


def named(codes: Sequence[str]) -> list[str]:
    """What questions call them."""
    return [name_of(code) for code in codes]


def class_of(value: float, bounds: Sequence[float], margin: float) -> int | None:
    """Which class between ascending bounds a value is in; None within `margin` of a bound: too close to tell.

    Args:
        value: the number.
        bounds: ascending.
        margin: in the value's unit.
    """
    if any(abs(value - bound) < margin for bound in bounds):
        return None
    return sum(value > bound for bound in bounds)
