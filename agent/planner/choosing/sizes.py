"""Sizes as options give them, in the patient, where a film tells another number.

It is no measurement: it orders the options, and the reason says what it stands on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.planner.question import LESION_DIAMETER
from agent.planner.wording import say

FILM_OVER_PATIENT = 1.17
"""A lesion's mean diameter on the film over its own: magnification and lobes. Median over 30 phantoms, 1.09 to 1.20."""
LESION_ERROR_MM = 3.0
"""By how much an option may be missed before another is as likely by e."""


@dataclass(frozen=True)
class Size:
    """A number in an option's unit, how far off it easily is, and what it stands on, in words."""

    value: float
    unit: str
    error: float
    words: str


def size_in_patient(item: Mapping[str, Any]) -> Size | None:
    """What a measurement of the tool says of the patient's own size; None for one that needs no turning."""
    if item["unit"] != "mm" or not item["measured"]:
        return None
    if item["code"] == LESION_DIAMETER:
        mean = next(one["value"] for one in item["quantities"] if one["code"] == "lesion_mean_mm")
        value = mean / FILM_OVER_PATIENT
        return Size(value, "mm", LESION_ERROR_MM, say("choice.diameter", mm=f"{value:.0f}"))
    return None


__all__ = ["Size", "size_in_patient"]
