"""C13: asked why, a heat map that lies on the finding, and a masking test whose outcome is told."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from evals.phantom_cases.seen import ASKED, words

CODES = ("effusion", "pneumothorax", "cardiomegaly", "mass")
WHY = ("Why do you think so?", "Show the saliency map.", "What is the model looking at?", "Show me the Grad-CAM.")
NEAR = 0.05
"""A highlighted area may miss the finding by this share of the film: the maps are coarse."""
CASES = 12


def cases(draw: Draw) -> Iterator[Case]:
    """A finding asked for by name, then why."""
    for number in range(CASES):
        code = CODES[number % len(CODES)]
        turns = (draw.one(ASKED[code]), WHY[number // len(CODES) % len(WHY)])
        yield Case(f"explained-{number}-{code}", "C13", (draw.film(words(draw, code)),), turns, _judge(code))


def _judge(code: str) -> Judge:
    """A third each for an explanation with its test told, for the area on the finding, and for one that mattered."""

    def judge(outcome: Outcome) -> float:
        records = [record for record in outcome.evidence("explain") if record.data["finding"] == code]
        if not records:
            return 0.0
        record = records[-1]
        told = "highlighted area mattered" in outcome.last.text
        areas = [overlay.as_mask() for overlay in record.overlays if overlay.kind == "mask"]
        return (told + _on_it(outcome, code, areas) + bool(record.data["mattered"])) / 3

    return judge


def _on_it(outcome: Outcome, code: str, areas: list[np.ndarray]) -> bool:
    """Whether most of the highlighted area lies on the finding or near it."""
    masks = [mask for name, mask in outcome.film.masks.items() if name.startswith(code)]
    truth = np.any(masks, axis=0) if masks else outcome.film.masks["heart"]
    reach = max(1, round(NEAR * max(truth.shape)))
    near = ndimage.distance_transform_edt(~truth) <= reach
    return bool(areas) and float(near[areas[0]].mean()) > 0.5


__all__ = ["cases"]
