"""Where a film lies on a square that keeps its aspect ratio, and small measures of masks. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Box = tuple[float, float, float, float]
"""(row_min, col_min, row_max, col_max) in pixels of the film, counted from pixel edges: pixel (r, c) covers rows r to
r + 1 and columns c to c + 1."""

Point = tuple[float, float]
"""(row, column) in pixels of the film, edges as above."""


@dataclass(frozen=True)
class Letterbox:
    """A whole film in the middle of a square, its aspect ratio kept to the pixel; what was found there can be undone.

    Attributes:
        film_shape: (H, W) of the film.
        side: of the square, pixels.
    """

    film_shape: tuple[int, int]
    side: int

    @cached_property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the square that the film covers."""
        height, width = (max(1, round(length * self.side / max(self.film_shape))) for length in self.film_shape)
        return height, width

    @property
    def scale(self) -> tuple[float, float]:
        """Rows of the square per row of the film, and columns per column."""
        return self.size[0] / self.film_shape[0], self.size[1] / self.film_shape[1]

    @property
    def corner(self) -> tuple[int, int]:
        """Row and column of the square at which the film begins."""
        return (self.side - self.size[0]) // 2, (self.side - self.size[1]) // 2

    @property
    def window(self) -> tuple[slice, slice]:
        """The part of the square that the film covers."""
        top, left = self.corner
        return slice(top, top + self.size[0]), slice(left, left + self.size[1])

    def apply(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The square float32 [side, side] from a film float32 [H, W], same units, 0 beside the film.

        Bilinear, averaging over the whole source pixel area when shrinking (no aliasing).

        Raises:
            ValueError: the film has another shape.
        """
        self._check(pixels, self.film_shape)
        picture = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))
        placed = np.zeros((self.side, self.side), dtype=np.float32)
        placed[self.window] = np.asarray(picture.resize(self.size[::-1], Image.Resampling.BILINEAR))
        return placed

    def mask_to_film(self, mask: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """A mask [side, side] of the square as bool [H, W] on the film: the nearest pixel.

        Raises:
            ValueError: the mask has another shape.
        """
        self._check(mask, (self.side, self.side))
        rows, columns = (
            ((np.arange(film) + 0.5) * placed / film).astype(np.intp)
            for film, placed in zip(self.film_shape, self.size, strict=True)
        )
        return np.asarray(mask[self.window].astype(np.bool_)[np.ix_(rows, columns)])

    @staticmethod
    def _check(array: npt.NDArray[Any], shape: tuple[int, int]) -> None:
        if array.shape != shape:
            raise ValueError(f"the array is {array.shape}, not {shape}")


def extent(mask: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """(row_min, col_min, row_max, col_max) of a mask [H, W] that is not empty, the last two one past its last pixel."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def mask_box(mask: npt.NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """As `extent`, or None for an empty mask."""
    return extent(mask) if mask.any() else None


def dice(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    """Dice's coefficient of two masks of one shape; two empty masks agree (1)."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0
