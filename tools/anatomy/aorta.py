"""The aortic knob, the descending aorta and how it bends, on outlines.

Outlines are bool [H, W]; the patient's left is at high columns. A width counts both its end pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from tools.anatomy.outlines import BoolMask
from tools.anatomy.strips import Floats, Point, edges, filled_rows

KNOB_ABOVE = 0.5
"""The knob's widest place lies at least this many widths of the trachea above the carina: the arch crosses over the
left main bronchus."""

LEVEL = 0.0
"""Columns by which rows of the knob's bulge may fall short of its widest and still count as its plateau."""

TRIMMED = 0.05
"""Share of the descending aorta's height left out at either end (CXReasonBench)."""

BENDS = 6
"""Places on its left border at which the bend of the descending aorta is read (CXReasonBench)."""

STRETCH_LEAST = 0.2
"""Share of the film's height that must be outlined for a width or a bend (CXReasonBench)."""


@dataclass(frozen=True)
class Knob:
    """Where the arch bulges most to the left: the row, the column of its left border."""

    row: int
    column: int


@dataclass(frozen=True)
class Stretch:
    """The descending aorta: rows [n], first and last column [n]."""

    rows: Floats
    first: Floats
    last: Floats

    @property
    def widest(self) -> int:
        """Index of the widest of BENDS evenly spaced rows."""
        places = self.places
        return int(places[int(np.argmax((self.last - self.first)[places]))])

    @property
    def places(self) -> list[int]:
        """Indices of BENDS evenly spaced rows."""
        return [int(k) for k in np.linspace(0, len(self.rows) - 1, BENDS).round()]

    def width_px(self, index: int) -> float:
        """Width in one row."""
        return float(self.last[index] - self.first[index] + 1)

    @property
    def border(self) -> list[Point]:
        """The left border at BENDS rows."""
        return [(float(self.rows[k]), float(self.last[k])) for k in self.places]


def knob(aorta: BoolMask, carina_row: float, trachea_px: float) -> Knob:
    """Where the arch bulges most to the left above the carina. ValueError where no arch is outlined there."""
    rows = filled_rows(aorta, high=carina_row - KNOB_ABOVE * trachea_px)
    if not rows.size:
        raise ValueError("the aortic arch is not outlined above the carina")
    _, last = edges(aorta, rows)
    level = np.flatnonzero(last >= last.max() - LEVEL)
    row = int(rows[round(float(level.mean()))])
    return Knob(row, int(last.max()))


def descending(aorta: BoolMask, low: float, high: float, film_rows: int) -> Stretch:
    """The descending aorta between two rows without its ends. ValueError where too little is outlined."""
    rows = filled_rows(aorta, low, high)
    if rows.size:
        cut = round(TRIMMED * (rows[-1] - rows[0]))
        rows = rows[(rows >= rows[0] + cut) & (rows <= rows[-1] - cut)]
    if rows.size < STRETCH_LEAST * film_rows:
        raise ValueError("too little of the descending aorta is outlined")
    first, last = edges(aorta, rows)
    return Stretch(rows.astype(np.float64), first, last)


def bend(border: list[Point], aspect: float = 1.0) -> float:
    """Mean curvature, 1 / columns, of a border given at evenly spaced rows: |x'y'' - y'x''| / (x'^2 + y'^2)^1.5 by
    central differences of differences, as CXReasonBench takes it."""
    rows = np.array([point[0] for point in border]) * aspect
    columns = np.array([point[1] for point in border])
    dx, dy = np.gradient(columns), np.gradient(rows)
    ddx, ddy = np.gradient(dx), np.gradient(dy)
    speed = (dx**2 + dy**2) ** 1.5
    return float(np.mean(np.abs(ddx * dy - ddy * dx) / np.maximum(speed, 1e-9)))


def beyond(ascending: BoolMask, heart: Point, trachea: Point) -> float:
    """Share of the ascending aorta's outline, 0 to 1, on the lung's side of the line from the right heart border to the
    trachea's lower right edge. ValueError where it is not outlined or the line runs the wrong way."""
    if not ascending.any():
        raise ValueError("the ascending aorta is not outlined")
    if trachea[1] < heart[1] or trachea[0] >= heart[0]:
        raise ValueError("the trachea's lower edge does not lie above and medial to the right heart border")
    rows, columns = np.nonzero(ascending)
    slope = (trachea[1] - heart[1]) / (trachea[0] - heart[0])
    line = heart[1] + slope * (rows - heart[0])
    return float((columns < line).mean())


def smoothed(values: Floats, sigma: float) -> Floats:
    """Values [n] under a Gaussian of `sigma` places."""
    result: Floats = ndimage.gaussian_filter1d(values, sigma, mode="nearest")
    return result


def lower_right_edge(air: BoolMask, row: float) -> Point:
    """The trachea's edge on the patient's right in a row."""
    line = np.flatnonzero(air[math.floor(row)])
    if not line.size:
        raise ValueError("the trachea is not outlined down to its parting")
    return float(math.floor(row)), float(line[0])
