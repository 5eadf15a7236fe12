"""C5: where a finding is, with a box; and no place for what is not there."""

from __future__ import annotations

from collections.abc import Iterator

from agent.mentions import name_of
from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from evals.phantom_cases.judging import Box, overlap

SHOWN = {
    "effusion": ("effusion:{side}:{ml}ml", "effusion_{side}"),
    "mass": ("mass:{side}:{zone}:{mm}mm", "mass_{side}"),
    "consolidation": ("consolidation:{side}:{zone}:{wide}mm", "consolidation_{side}"),
    "pneumothorax": ("pneumothorax:{side}:{share}%", "pneumothorax_{side}"),
}
"""One-sided findings, and the name of the phantom's mask of each."""
ASKED = ("Where is the {name}?", "Show me the {name}", "locate the {name}", "Which side is the {name} on?")
NAMES = {
    "effusion": "pleural effusion",
    "mass": "mass",
    "consolidation": "consolidation",
    "pneumothorax": "pneumothorax",
}
ABSENT_CASES = 8
CASES = 32

SIDE_WORTH = 0.5
"""The side alone, without a box that meets the lesion, is half an answer."""
OVERLAP_FROM = 0.2
"""Intersection over union from which a box is right; boxes of an effusion or an ill-defined opacity rarely share more
(ChestX-ray14's localisation figures are given from 0.1 on; Wang et al. 2017, table 3)."""


def cases(draw: Draw) -> Iterator[Case]:
    """Findings on one side, and findings that are not there."""
    uniform = draw.random.uniform
    codes = list(SHOWN)
    for number in range(CASES):
        code, side = codes[number % len(codes)], draw.side()
        spec, mask = SHOWN[code]
        shown = spec.format(
            side=side, zone=draw.one(("upper", "lower")), ml=round(uniform(500, 1100)), mm=round(uniform(45, 75)),
            wide=round(uniform(80, 110)), share=round(uniform(30, 60)),
        )  # fmt: skip
        yield Case(
            f"located-{number}-{code}", "C5", (draw.film(shown),), (draw.one(ASKED).format(name=name_of(code)),),
            _place(code, side, mask.format(side=side)),
        )  # fmt: skip
    for number in range(ABSENT_CASES):
        code = codes[number % len(codes)]
        yield Case(
            f"located-none-{number}-{code}",
            "C5",
            (draw.film(),),
            (ASKED[0].format(name=name_of(code)),),
            _no_place(code),
        )


def _place(code: str, side: str, mask: str) -> Judge:
    def judge(outcome: Outcome) -> float:
        truth: Box = outcome.film.boxes[mask]
        sides = {row.laterality for row in outcome.last.findings if row.code == code and row.laterality}
        boxes = [
            overlay.as_box()
            for record in outcome.evidence("ground")
            for overlay in record.overlays
            if overlay.kind == "box"
        ]
        right_side = sides == {side}
        right_box = any(overlap(_whole(box), truth) >= OVERLAP_FROM for box in boxes)
        return SIDE_WORTH * right_side + (1 - SIDE_WORTH) * (right_side and right_box)

    return judge


def _no_place(code: str) -> Judge:
    """A box or side for what is not there is wrong."""

    def judge(outcome: Outcome) -> float:
        boxes = [o for record in outcome.evidence("ground") for o in record.overlays if o.kind == "box"]
        sided = [row for row in outcome.last.findings if row.code == code and row.laterality]
        return float(not boxes and not sided)

    return judge


def _whole(box: tuple[float, ...]) -> Box:
    row_min, col_min, row_max, col_max = (round(edge) for edge in box)
    return row_min, col_min, row_max, col_max


__all__ = ["cases"]
