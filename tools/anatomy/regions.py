"""Where on this film a finding can plausibly lie, and what to call the place.

All work is done on a grid of at most GRID_SIDE pixels a side; boxes go back to the film's own pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from imaging.geometry import extent
from tools.anatomy.outlines import BoolMask, Outlines
from tools.anatomy.widths import midline
from tools.knowledge import Region, Side

GRID_SIDE = 512
"""Longest side of the working grid: finer than any heat map, small enough to be quick on a 3,000-pixel film."""

BASE_FROM = 0.4
"""The pleural base starts this far down the lungs' common height: a large effusion reaches mid-chest."""

BASE_BELOW = 0.15
"""and ends this share of the lungs' height below them: fluid hides the lowest lung from the segmenter."""

SIDE_MARGIN = 0.03
"""Share of the film's width by which pleura is wider than the outlined lung."""

ZONES = ("upper", "middle", "lower")
"""Thirds of the lungs' common height, from apex to base."""

Zone = Literal["upper", "middle", "lower"]


@dataclass(frozen=True)
class Place:
    """Where something lies, in the patient's terms."""

    side: Side | None
    zone: Zone | None
    words: str


class Anatomy:
    """The plausible regions of one film. ValueError if neither lung was outlined."""

    def __init__(self, found: Outlines) -> None:
        height, width = found.masks.masks.shape[1:]
        self.step = max(1, -(-max(height, width) // GRID_SIDE))
        self.shape = (height, width)
        grids = {code: found.mask(code)[:: self.step, :: self.step] for code in found.masks.codes}
        empty = np.zeros((-(-height // self.step), -(-width // self.step)), dtype=np.bool_)
        self._heart = grids.get("heart", empty)
        self._lungs: dict[Side, BoolMask] = {
            "left": grids.get("left_lung", empty),
            "right": grids.get("right_lung", empty),
        }
        both = self._lungs["left"] | self._lungs["right"]
        if not both.any():
            raise ValueError("no lung was outlined")
        self._top, self._low, self._bottom, self._high = extent(both)
        try:
            self.middle = midline(self._lungs["left"], self._lungs["right"])
        except ValueError:
            self.middle = (self._low + self._high) / 2

    @property
    def grid_shape(self) -> tuple[int, int]:
        """(rows, columns) of the working grid."""
        rows, columns = self._heart.shape
        return rows, columns

    def region(self, region: Region, side: Side | None = None, zone: Zone | None = None) -> BoolMask:
        """bool on the working grid: where a finding of that region can lie, on one side of the patient, in one zone."""
        if region is Region.LUNG:
            whole = self._hulls()
        elif region is Region.PLEURA:
            whole = ndimage.binary_dilation(self._hulls(), iterations=self._margin())
        elif region is Region.PLEURA_BASE:
            whole = self._base()
        elif region is Region.HEART:
            whole = self._heart
        elif region is Region.MEDIASTINUM:
            both = self._lungs["left"] | self._lungs["right"]
            whole = convex_hull_image(both) & ~both
        else:
            whole = np.ones(self.grid_shape, dtype=np.bool_)
        whole = whole if side is None else whole & self._half(side)
        return whole if zone is None else whole & self._third(zone)

    def place(self, region: Region, spot: BoolMask) -> Place:
        """The side and zone of a non-empty spot on the working grid, by its centre of mass."""
        row, column = ndimage.center_of_mass(spot)
        side: Side = "right" if column < self.middle else "left"
        if region is Region.HEART:
            return Place(None, None, "heart")
        if region is Region.MEDIASTINUM:
            return Place(None, None, "mediastinum")
        if region is Region.WHOLE:
            return Place(side, None, f"{side} side of the film as the patient's")
        third = int((row - self._top) / max(1, self._bottom - self._top) * len(ZONES))
        zone: Zone = ("upper", "middle", "lower")[min(max(third, 0), len(ZONES) - 1)]
        return Place(side, zone, f"{side} {zone} zone")

    def on_film(self, spot: BoolMask) -> BoolMask:
        """A mask of the working grid in the film's own pixels."""
        grown: BoolMask = np.repeat(np.repeat(spot, self.step, axis=0), self.step, axis=1)
        return grown[: self.shape[0], : self.shape[1]]

    def box(self, spot: BoolMask) -> tuple[int, int, int, int]:
        """(row_min, col_min, row_max, col_max) in the film's own pixels around a non-empty spot of the working grid."""
        top, low, bottom, high = (value * self.step for value in extent(spot))
        return top, low, min(bottom, self.shape[0]), min(high, self.shape[1])

    def _margin(self) -> int:
        return max(1, round(SIDE_MARGIN * self.grid_shape[1]))

    def _hulls(self) -> BoolMask:
        """Convex hull of each lung: what opacity or air hid from the segmenter is inside it."""
        hulls = np.zeros(self.grid_shape, dtype=np.bool_)
        for lung in self._lungs.values():
            if lung.any():
                hulls |= convex_hull_image(lung)
        return hulls

    def _base(self) -> BoolMask:
        """Both half-chests, equally wide about the midline, from BASE_FROM down to below the lungs."""
        height = self._bottom - self._top
        reach = max(self.middle - self._low, self._high - self.middle) + self._margin()
        rows, columns = np.indices(self.grid_shape)
        lower = (rows >= self._top + BASE_FROM * height) & (rows < self._bottom + BASE_BELOW * height)
        base: BoolMask = lower & (np.abs(columns - self.middle) <= reach)
        return base

    def _third(self, zone: Zone) -> BoolMask:
        """The rows of one zone; the lowest has no lower end, as fluid hides the lowest lung from the segmenter."""
        rows = np.arange(self.grid_shape[0])[:, None]
        part = (rows - self._top) / max(1, self._bottom - self._top) * len(ZONES)
        number = np.clip(np.floor(part), 0, len(ZONES) - 1)
        third: BoolMask = np.broadcast_to(number == ZONES.index(zone), self.grid_shape)
        return third

    def _half(self, side: Side) -> BoolMask:
        columns = np.arange(self.grid_shape[1])[None, :]
        half: BoolMask = np.broadcast_to(
            columns < self.middle if side == "right" else columns >= self.middle, self.grid_shape
        )
        return half
