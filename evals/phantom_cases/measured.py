"""C4: numbers and outlines against the phantom's own."""

from __future__ import annotations

import math
from collections.abc import Iterator

from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from evals.phantom_cases.seen import words

RATIO_WITHIN = 0.02
"""A cardiothoracic ratio this near the truth is right."""
DICE_FROM = 0.9
"""An outline with this Dice against the truth is right."""

CTR_CASES = 20
OUTLINE_CASES = 16
OUTLINED = {
    "left_lung": "Outline the left lung",
    "right_lung": "Segment the right lung please",
    "heart": "Outline the heart",
    "spine": "Show me the spine",
}
CTR_ASKED = ("What is the cardiothoracic ratio?", "How big is the heart?", "measure the heart", "CTR?")


def cases(draw: Draw) -> Iterator[Case]:
    """Cardiothoracic ratios and outlines, of normal and ill patients."""
    for number in range(CTR_CASES):
        shown = [words(draw, "cardiomegaly")] if number % 2 else []
        yield Case(
            f"measured-ctr-{number}", "C4", (draw.film(*shown),), (draw.one(CTR_ASKED),), _ratio("cardiothoracic_ratio")
        )
    for number in range(OUTLINE_CASES):
        code = list(OUTLINED)[number % len(OUTLINED)]
        yield Case(f"measured-{code}-{number}", "C4", (draw.film(),), (OUTLINED[code],), _outline(code))


def _ratio(measure: str) -> Judge:
    """Right if a finding of a measuring tool carries the true number, within RATIO_WITHIN."""

    def judge(outcome: Outcome) -> float:
        truth = outcome.film.measures[measure]
        told = [row.score for record in outcome.evidence("measure") for row in record.findings if row.score is not None]
        if math.isnan(truth):
            return float(not told)
        return float(any(abs(value - truth) <= RATIO_WITHIN for value in told))

    return judge


def _outline(code: str) -> Judge:
    """Right if the outline of that structure has a Dice of DICE_FROM or more against the phantom's mask."""

    def judge(outcome: Outcome) -> float:
        truth = outcome.film.masks[code]
        for record in outcome.evidence("segment"):
            for overlay in record.overlays:
                if overlay.kind == "mask" and overlay.label == code:
                    mask = overlay.as_mask()
                    return float(2 * (mask & truth).sum() / max(mask.sum() + truth.sum(), 1) >= DICE_FROM)
        return 0.0

    return judge


__all__ = ["cases"]
