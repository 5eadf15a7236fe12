"""Landmarks and widths on the outlines of lungs and heart, in columns and rows of the film's own pixels.

Columns are pixel indices from the film's left edge; the patient's right is at low columns. A width counts both its end
pixels. Nothing here knows millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imaging.geometry import extent
from tools.anatomy.outlines import BoolMask

MIDLINE_ROWS = 0.5
"""Share of the lungs' common height, from the top, in which the midline is read: above the heart."""

OUTERMOST = 0.05
BESIDE = 0.12
"""See `bordered`. On 200 JSRT films, whose hearts are free, no border lay against the lung for less than 0.53."""


@dataclass(frozen=True)
class Reach:
    """The outermost points of the heart and its distances from the midline, in columns.

    Attributes:
        right, left: (row, column) of the outermost heart pixel towards the patient's right and left.
        right_px, left_px: transverse distance of each from the midline; their sum is the heart's width.
    """

    right: tuple[int, int]
    left: tuple[int, int]
    right_px: float
    left_px: float

    @property
    def width_px(self) -> float:
        """Maximal transverse width: the two distances from the midline together."""
        return self.right_px + self.left_px


@dataclass(frozen=True)
class Span:
    """A horizontal line across the chest: one row, first and last column, both inside."""

    row: int
    first: int
    last: int

    @property
    def width_px(self) -> int:
        """Pixels from first to last, both counted."""
        return self.last - self.first + 1


def midline(left_lung: BoolMask, right_lung: BoolMask) -> float:
    """Column of the chest's midline: median of the midpoints between the lungs' inner edges, above the heart.

    An estimate; on a rotated film it moves with the lungs, not with the spine. ValueError where the lungs share no row.
    """
    rows = np.flatnonzero(left_lung.any(axis=1) & right_lung.any(axis=1))
    if rows.size == 0:
        raise ValueError("the lungs share no row")
    rows = rows[: max(1, round(rows.size * MIDLINE_ROWS))]
    inner_left = left_lung[rows].argmax(axis=1)
    inner_right = right_lung.shape[1] - 1 - right_lung[rows, ::-1].argmax(axis=1)
    return float(np.median((inner_left + inner_right) / 2))


def heart_reach(heart: BoolMask, middle: float) -> Reach:
    """The heart's outermost points on either side of the midline column; see Reach."""
    _, low, _, high = extent(heart)
    right = (_middle_row(heart[:, low]), low)
    left = (_middle_row(heart[:, high - 1]), high - 1)
    half = 0.5  # the pixel's own half width: columns are pixel centres
    return Reach(right, left, max(0.0, middle - low + half), max(0.0, high - 1 - middle + half))


def bordered(heart: BoolMask, lung: BoolMask, to_the_left: bool) -> float:
    """Share of the outermost part of the heart's border on one side, row by row, that lies against that side's lung.

    The outermost part is where the border is within OUTERMOST of the heart's width of its furthest column; it lies
    against the lung where the next lung pixel is no further than BESIDE of that width.
    """
    if to_the_left:
        heart, lung = heart[:, ::-1], lung[:, ::-1]
    _, low, _, high = extent(heart)
    width = high - low
    rows = np.flatnonzero(heart.any(axis=1))
    edge = heart[rows].argmax(axis=1)
    rows, edge = rows[edge <= low + OUTERMOST * width], edge[edge <= low + OUTERMOST * width]
    first, last = edge - BESIDE * width, edge
    columns = np.arange(heart.shape[1])
    beside = (columns >= first[:, None]) & (columns < last[:, None])
    return float((lung[rows] & beside).any(axis=1).mean())


def widest_chest(left_lung: BoolMask, right_lung: BoolMask) -> Span:
    """The widest horizontal line between the lungs' outer edges: the chest's inner width. ValueError if none."""
    rows = np.flatnonzero(left_lung.any(axis=1) & right_lung.any(axis=1))
    if rows.size == 0:
        raise ValueError("the lungs share no row")
    both = left_lung[rows] | right_lung[rows]
    first = both.argmax(axis=1)
    last = both.shape[1] - 1 - both[:, ::-1].argmax(axis=1)
    best = int((last - first).argmax())
    return Span(int(rows[best]), int(first[best]), int(last[best]))


def _middle_row(column: BoolMask) -> int:
    rows = np.flatnonzero(column)
    return int(rows[rows.size // 2])
