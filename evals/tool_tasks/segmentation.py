"""The segmenter's outlines against those that people drew: Dice, intersection over union, 95th centile of distance."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.transform import resize

from evals.formats import masks
from evals.metrics.overlap import hd95, mask_iou
from evals.stats import bootstrap_interval
from evals.tool_tasks.kind import DIGITS, Choice, Items, Kind
from evals.tool_tasks.runner import Runner
from imaging.geometry import dice

GRID = (128, 128)
"""On which the mean shape is laid: the baseline that sees no film."""


def _load(name: str, data: Path | None) -> Items:
    return Items(masks.load(name, data))


def _score(films: Sequence[masks.MaskedFilm], runner: Runner, choice: Choice) -> dict[str, Any]:
    del choice
    runner.begin(len(films))
    told: dict[str, list[tuple[float, float, float | None, str]]] = {}
    shapes: dict[str, list[npt.NDArray[np.bool_]]] = {}
    for film in films:
        truth = film.read()
        ran = runner.run(film.name, film.film)
        ours = {} if ran is None else {o.label: o.as_mask() for o in ran[1].overlays if o.kind == "mask"}
        if masks.ANY_LUNG in truth and {"left_lung", "right_lung"} <= set(ours):
            ours[masks.ANY_LUNG] = ours["left_lung"] | ours["right_lung"]
        for structure, mask in truth.items():
            drawn = _fitted(ours.get(structure), mask.shape)
            row = (dice(drawn, mask), mask_iou(drawn, mask), hd95(drawn, mask), film.name)
            told.setdefault(structure, []).append(row)
            shapes.setdefault(structure, []).append(_fitted(mask, GRID))
    return {
        "n": len(films),
        "structures": {s: {**_overlaps(rows), "mean_shape_dice": _blind(shapes[s])} for s, rows in told.items()},
        "hd95_unit": "pixels of the set's masks",
    }


def _fitted(mask: npt.NDArray[np.bool_] | None, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """A mask at the size of the set's; empty where there is none."""
    if mask is None:
        return np.zeros(shape, bool)
    return mask if mask.shape == shape else resize(mask.astype(np.float32), shape, order=1) > 0.5


def _blind(shapes: list[npt.NDArray[np.bool_]]) -> float | None:
    """Mean Dice of the shape that most other films have there, each film stretched to GRID; None for a single film."""
    if len(shapes) < 2:
        return None
    total = np.sum(shapes, axis=0)
    others = [(total - shape.astype(int)) * 2 > len(shapes) - 1 for shape in shapes]
    return round(statistics.fmean(dice(mean, shape) for mean, shape in zip(others, shapes, strict=True)), DIGITS)


def _overlaps(rows: list[tuple[float, float, float | None, str]]) -> dict[str, Any]:
    values = [row[0] for row in rows]
    interval = bootstrap_interval(values, [row[3] for row in rows])
    distances = [row[2] for row in rows if row[2] is not None]
    return {
        "n": len(rows),
        "dice": round(statistics.fmean(values), DIGITS),
        "dice_interval": [round(end, DIGITS) for end in interval] if interval else None,
        "iou": round(statistics.fmean(row[1] for row in rows), DIGITS),
        "hd95": round(statistics.fmean(distances), 2) if distances else None,
        "not_drawn": len(rows) - len(distances),
    }


SEGMENTATION = Kind("segmentation", "segment", tuple(masks.LOADERS), _load, lambda film: str(film.name), _score)
