"""Of boxes (row_min, col_min, row_max, col_max): intersection over union, average precision, the pointing game."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Box = Sequence[float]
HALF = 0.5


@dataclass(frozen=True)
class Predicted:
    """One box that was drawn: on which film, how sure, where."""

    film: str
    score: float
    box: Box


def iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    both = max(height, 0.0) * max(width, 0.0)
    areas = sum(max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0) for box in (one, other))
    return both / (areas - both) if areas > both else 0.0


def average_precision(
    predicted: Sequence[Predicted], truth: Mapping[str, Sequence[Box]], threshold: float = HALF
) -> float | None:
    """Area under the precision-recall curve of one label with all points interpolated (PASCAL VOC 2010 on).

    Boxes are taken from the surest; each matches the true box of its film it overlaps most, once; a second is wrong.

    Args:
        predicted: boxes of all films.
        truth: film -> its true boxes.
        threshold: least intersection over union of a match; 0.5 gives AP50.

    Returns:
        None where there is no true box.
    """
    total = sum(map(len, truth.values()))
    if not total:
        return None
    taken: set[tuple[str, int]] = set()
    hits = []
    for item in sorted(predicted, key=lambda item: -item.score):
        overlaps = [iou(item.box, box) for box in truth.get(item.film, ())]
        best = int(np.argmax(overlaps)) if overlaps else -1
        hit = best >= 0 and overlaps[best] >= threshold and (item.film, best) not in taken
        if hit:
            taken.add((item.film, best))
        hits.append(hit)
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    recall = np.concatenate([[0.0], found / total])
    return float(np.sum(np.diff(recall) * envelope))


def points_inside(point: Sequence[float], boxes: Sequence[Box]) -> bool:
    """The pointing game (Zhang et al. 2018): whether a point (row, column) lies in one of the true boxes."""
    return any(box[0] <= point[0] < box[2] and box[1] <= point[1] < box[3] for box in boxes)


def centre(box: Box) -> tuple[float, float]:
    """The middle of a box as (row, column): what a box points at."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
