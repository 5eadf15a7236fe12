"""Tips of tubes and lines on outlines, and their distance from the carina. Pure: no film, no model.

For whoever outlines devices: `tip_of` finds the end of a device's outline, `tip_distance` says how far above the carina
it lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.anatomy.outlines import BoolMask
from tools.anatomy.strips import Point

END_ROWS = 3
"""Rows at a device's lower end over which its tip's column is averaged."""


@dataclass(frozen=True)
class TipDistance:
    """How far a tip lies above the carina, along the film's rows; negative below it.

    Attributes:
        above_px: in rows.
        above_mm: in mm of the plane of the film's spacing; None without a spacing.
    """

    above_px: float
    above_mm: float | None

    @property
    def above(self) -> float:
        """In mm where there is a spacing, else in rows."""
        return round(self.above_px if self.above_mm is None else self.above_mm, 1)

    @property
    def unit(self) -> str:
        """Of `above`."""
        return "px" if self.above_mm is None else "mm"


def tip_of(device: BoolMask) -> Point:
    """The lowest end of a device's outline bool [H, W]: (row, column). ValueError where it is empty.

    Tubes and lines from above end there; a line that turns upwards at its end, or a drain from below, does not.
    """
    rows = np.flatnonzero(device.any(axis=1))
    if not rows.size:
        raise ValueError("no device is outlined")
    end = device[max(0, int(rows[-1]) - END_ROWS + 1) : int(rows[-1]) + 1]
    return float(rows[-1]), float(np.nonzero(end)[1].mean())


def tip_distance(tip: Point, carina: Point, spacing_mm: tuple[float, float] | None = None) -> TipDistance:
    """How far a tip lies above the carina.

    Args:
        tip, carina: (row, column) in the film's pixels.
        spacing_mm: (row, column) spacing of the film, or None.
    """
    above = carina[0] - tip[0]
    return TipDistance(above, None if spacing_mm is None else above * spacing_mm[0])
