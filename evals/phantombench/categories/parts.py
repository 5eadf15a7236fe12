"""What several categories ask with: codes by kind, what is surely absent, and classes of a number with a margin."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

from evals.phantombench.films import Shown
from evals.phantombench.patients import alike, name_of, scenarios

DEVICES = ("ett", "ng_tube", "central_line", "pacemaker")
FOCAL = ("mass", "nodule", "cavity", "consolidation")
"""Findings with one place in one lung."""
SUBTLE = {"fracture"}
"""Findings that even a reader misses on a frontal film; never the true option of a detection."""


def diseases(shown: Shown) -> list[str]:
    """Codes of what the current film shows, without devices."""
    return list(dict.fromkeys(entry["code"] for entry in shown.found if entry["code"] not in DEVICES))


def surely_absent(shown: Shown, rng: random.Random) -> list[str]:
    """Askable codes that the patient does not have and that look like nothing it has, in drawn order."""
    near = set().union(*(alike(code) for code in diseases(shown)))
    codes = [code for code in shown.now["absent"] if code in askable() and code not in near]
    rng.shuffle(codes)
    return codes


@cache
def askable() -> frozenset[str]:
    """Findings that some patient has and that a reader can see: what is never true is no option to be weighed."""
    written = (text for entry in scenarios()["scenario"] for text in entry["findings"])
    return frozenset(text.split(":")[0] for text in written) - SUBTLE


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
