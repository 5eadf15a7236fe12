"""What the evidence says of a stated side or zone."""

from __future__ import annotations

from typing import Any

from agent.planner.facts import Facts
from agent.planner.naming import words_of
from agent.planner.particulars import thirds_in
from tools.contract import Status
from tools.knowledge import with_signs

AGREES, DIFFERS = 0.7, -1.4
"""Weight of a side or zone that is the one found, and of another: less than that of the finding itself."""
BOTH_SIDES = -0.3
"""What "on both sides" weighs where no side was found: one side is commoner."""
ANGLES, BLUNTING, ANGLE_STEP_DEG = "costophrenic_angles", "costophrenic_blunting", 10.0
"""The measurement that tells each side's angle, the finding it tells, and how many degrees weigh 1."""


def zones_in(text: str) -> set[str]:
    """The zones of the lung that a text names: "upper", "middle", "lower"."""
    return set(thirds_in(words_of(text)))


def weigh_place(code: str, side: str | None, zones: set[str], film: str, facts: Facts) -> float:
    """Weight of a finding's stated side and zones beside that of the finding itself.

    Args:
        code: the finding.
        side: "left", "right", "bilateral" or None.
        zones: as zones_in gives them; empty where none is stated.
        film: id of the film.
        facts: the evidence.
    """
    codes = with_signs([code])
    weight = _weigh_side(side, _side(codes, film, facts)) if side else 0.0
    found = {zone for each in codes for region in _regions(each, film, facts) for zone in zones_in(region)}
    if zones and found:
        weight += AGREES if zones & found else DIFFERS
    return weight


def _side(codes: list[str], film: str, facts: Facts) -> str | None:
    return next((side for code in codes if (side := facts.side(code, film)) is not None), None)


def _weigh_side(stated: str, found: str | None) -> float:
    if found is None:
        return BOTH_SIDES if stated == "bilateral" else 0.0
    if stated == found:
        return AGREES
    return 0.0 if found == "bilateral" else DIFFERS


def _regions(code: str, film: str, facts: Facts) -> list[str]:
    return [row.region for row in facts.about(code, film) if row.region and row.status is not Status.ABSENT]


def angles(film: str, facts: Facts) -> dict[str, float]:
    """Weight of each side's costophrenic angle being blunted, by its measured width; empty where none was measured."""
    weights: dict[str, float] = {}
    for record in facts.of("measure", film):
        for item in record.data.get("measurements", []):
            if item["code"] == ANGLES and item["measured"]:
                weights |= {quantity["code"].partition("_")[0]: _blunted(quantity["value"], item["limits"])
                            for quantity in item["quantities"]}  # fmt: skip
    return weights


def _blunted(angle_deg: float, limits: dict[str, Any]) -> float:
    """Above 0 beyond the middle between the usual range and a right angle."""
    middle = (limits["usual"] + limits["blunted"]) / 2
    return float(max(-2.0, min(2.0, (angle_deg - middle) / ANGLE_STEP_DEG)))
