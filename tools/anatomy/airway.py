"""The trachea, its bifurcation and the main bronchi on the outline of their air column.

The outline holds trachea and main bronchi as one mask, bool [H, W]. Points are (row, column) of pixel centres. `aspect`
is a pixel's height over its width: angles are those of the patient's picture, not of a stretched grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from tools.anatomy.outlines import BoolMask
from tools.anatomy.strips import Floats, Point, edges

FORK_ROWS = 3
"""Rows in a row that must show two bronchi before their parting is believed: one is a notch of the outline."""

BRONCHUS_MIN = 1.2
"""A main bronchus shorter than this many widths of the trachea has no direction to speak of. Main bronchi are 2.5 and 5
cm long, the trachea 1.5 to 2.5 cm wide."""

WALL_REACH = 1.0
"""Widths of a bronchus by which the carina may lie above the row in which the outline parts."""

SLICE_FROM, SLICE_TO = 0.15, 0.9
"""Part of a bronchus, from the fork to its end, whose middle line gives its direction: both ends are cut obliquely."""

STRAIGHT_FROM, STRAIGHT_TO = 0.25, 0.9
"""Part of the trachea, from its top to the fork, that its width and course are read on: above lies the neck, below it
widens (CXReasonBench leaves the same quarter out)."""


@dataclass(frozen=True)
class Fork:
    """Where the trachea parts.

    Attributes:
        carina: the highest point between the bronchi.
        right, left: two points each on the axis of the patient's right and left main bronchus, the upper first.
        right_deg, left_deg: each axis' angle from straight down, positive outwards.
    """

    carina: Point
    right: tuple[Point, Point]
    left: tuple[Point, Point]
    right_deg: float
    left_deg: float

    @property
    def angle_deg(self) -> float:
        """Angle between both axes (the interbronchial angle)."""
        return self.right_deg + self.left_deg


@dataclass(frozen=True)
class Tube:
    """The straight part of the trachea, row by row: rows [n], first and last column [n] of the air."""

    rows: Floats
    first: Floats
    last: Floats

    @property
    def centre(self) -> Floats:
        """Middle column of each row, [n]."""
        middle: Floats = (self.first + self.last) / 2
        return middle

    @property
    def width_px(self) -> float:
        """Median width across, in columns; both edge pixels counted."""
        return float(np.median(self.last - self.first + 1))

    @property
    def width_row(self) -> int:
        """Index of the row whose width is nearest the median."""
        return int(np.argmin(np.abs(self.last - self.first + 1 - self.width_px)))


def carina(air: BoolMask) -> Point:
    """The highest point between the main bronchi: where straight fits of their inner walls meet.

    A coarse outline closes the narrow gap between the bronchi, so that it parts lower than they do. ValueError where
    the outline does not fork.
    """
    lines = _runs(air)
    row = _parting(lines)
    first, second = _widest_two(lines[row])
    size = (second[1] - first[0] + 1) / 2
    below = [(k, *_widest_two(lines[k])) for k in range(row, row + max(FORK_ROWS, round(size)))
             if len(lines.get(k, [])) > 1]  # fmt: skip
    walls = np.array([(k, right[1], left[0]) for k, right, left in below], dtype=np.float64)
    right, left = (np.polyfit(walls[:, 0], walls[:, column], 1) for column in (1, 2))
    if left[0] <= right[0]:
        return float(row), (first[1] + second[0]) / 2
    meets = float((right[1] - left[1]) / (left[0] - right[0]))
    meets = min(max(meets, row - WALL_REACH * size), float(row))
    return meets, float(np.polyval(right, meets) + np.polyval(left, meets)) / 2


def straight_part(air: BoolMask, top: float, fork: float) -> Tube:
    """The trachea between rows `top` (the lung apex) and `fork` (the carina), without its ends; see STRAIGHT_FROM.

    ValueError where fewer than FORK_ROWS rows of it are outlined.
    """
    rows = np.flatnonzero(air.any(axis=1))
    start = max(float(rows[0]) if rows.size else top, top)
    low, high = start + STRAIGHT_FROM * (fork - start), start + STRAIGHT_TO * (fork - start)
    kept = rows[(rows >= low) & (rows <= high)]
    if kept.size < FORK_ROWS:
        raise ValueError("too little of the trachea is outlined above its parting")
    first, last = edges(air, kept)
    return Tube(kept.astype(np.float64), first, last)


def fork(air: BoolMask, width_px: float, aspect: float = 1.0) -> Fork:
    """Carina and the axes of both main bronchi; `width_px` is the trachea's.

    ValueError where the outline does not fork, or a bronchus is too short to have a direction.
    """
    point, row = carina(air), _parting(_runs(air))
    below = air.copy()
    below[:row] = False
    labels, _ = ndimage.label(below)
    axes: dict[str, tuple[tuple[Point, Point], float]] = {}
    for side, sign in (("right", -1), ("left", 1)):
        part = _branch(labels, row, point[1], sign)
        axes[side] = _axis(part, point, sign, width_px, aspect, side)
    return Fork(point, axes["right"][0], axes["left"][0], axes["right"][1], axes["left"][1])


def _branch(labels: npt.NDArray[np.int32], row: int, column: float, sign: int) -> BoolMask:
    """The piece that lies on one side of the carina's column in the rows where the outline parts."""
    line, at = labels[row : row + FORK_ROWS], round(column)
    half = line[:, at + 1 :] if sign > 0 else line[:, :at]
    found = half[half > 0]
    if not found.size:
        raise ValueError("the outline of the trachea does not show where it parts")
    part: BoolMask = labels == np.bincount(found).argmax()
    return part


def _axis(
    part: BoolMask, point: Point, sign: int, width_px: float, aspect: float, side: str
) -> tuple[tuple[Point, Point], float]:
    """Two points on a bronchus' middle line and its angle from straight down, outwards positive."""
    rows, columns = np.nonzero(part)
    place = np.stack([(rows - point[0]) * aspect, sign * (columns - point[1])])
    centre = place.mean(axis=1, keepdims=True)
    along = np.linalg.svd(place - centre, full_matrices=False)[0][:, 0]
    along = along if along @ centre[:, 0] >= 0 else -along
    for _ in range(2):  # the first direction is skewed by the oblique cut at the fork; slices across it are not
        reach = along @ place
        low, high = float(reach.min()), float(reach.max())
        if high - low < BRONCHUS_MIN * width_px:
            raise ValueError(f"too little of the {side} main bronchus is outlined")
        cuts = low + np.linspace(SLICE_FROM, SLICE_TO, 8) * (high - low)
        slices = [place[:, (reach >= a) & (reach < b)] for a, b in pairwise(cuts)]
        middles = np.stack([piece.mean(axis=1) for piece in slices if piece.size], axis=1)
        centre = middles.mean(axis=1, keepdims=True)
        along = np.linalg.svd(middles - centre, full_matrices=False)[0][:, 0]
        along = along if along @ centre[:, 0] >= 0 else -along
    ends = [centre[:, 0] + along * (t - along @ centre[:, 0]) for t in (low, high)]
    start, stop = ((point[0] + down / aspect, point[1] + sign * out) for down, out in ends)
    return (start, stop), math.degrees(math.atan2(float(along[1]), float(along[0])))


def _parting(lines: dict[int, list[tuple[int, int]]]) -> int:
    """The first row from which on two bronchi show. ValueError where there is none."""
    for row, runs in lines.items():
        if len(runs) > 1 and all(len(lines.get(row + k, [])) > 1 for k in range(FORK_ROWS)):
            return row
    raise ValueError("the outline of the trachea does not show where it parts")


def _widest_two(runs: list[tuple[int, int]]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The two widest runs of a row, the patient's right one first."""
    first, second = sorted(sorted(runs, key=lambda run: run[0] - run[1])[:2])
    return first, second


def _runs(mask: BoolMask) -> dict[int, list[tuple[int, int]]]:
    """First and last column of every run of each row that has any."""
    found: dict[int, list[tuple[int, int]]] = {}
    for row in np.flatnonzero(mask.any(axis=1)):
        steps = np.flatnonzero(np.diff(np.concatenate([[0], mask[row].astype(np.int8), [0]])))
        found[int(row)] = [(int(a), int(b) - 1) for a, b in zip(steps[::2], steps[1::2], strict=True)]
    return found
