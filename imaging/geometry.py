"""Where a model's picture lies on the film: crops, resizes and pads that can be undone.

Coordinates are continuous and count from pixel edges: pixel (r, c) covers rows r to r + 1 and columns c to c + 1, so
its centre is at (r + 0.5, c + 0.5), and a resize multiplies. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Box = tuple[float, float, float, float]
"""(row_min, col_min, row_max, col_max) in pixels of the film, edges as above."""

Point = tuple[float, float]
"""(row, column) in pixels of the film, edges as above."""


@dataclass(frozen=True)
class Axis:
    """One axis of a Placement: placed = scale * film + offset.

    Attributes:
        film: length of the film along this axis, in pixels.
        length: length of the placed picture, in pixels.
        scale: placed pixels per film pixel, above 0.
        offset: where the film's edge 0 lies in the placed picture; negative after a crop.
        low, high: part of the film that is in the picture, in film pixels.
    """

    film: int
    length: int
    scale: float
    offset: float
    low: float
    high: float

    def to_placed(self, position: float) -> float:
        """Film coordinate to placed coordinate."""
        return self.scale * position + self.offset

    def to_film(self, position: float) -> float:
        """Placed coordinate to film coordinate, held within what of the film is in the picture."""
        return min(max((position - self.offset) / self.scale, self.low), self.high)

    def crop(self, start: float, stop: float) -> Axis:
        """This axis cut to placed coordinates start to stop, a whole number of pixels apart."""
        length = round(stop - start)
        if length < 1 or start < 0 or stop > self.length:
            raise ValueError(f"a crop from {start} to {stop} does not lie in 0 to {self.length} or has no pixel")
        low, high = self.to_film(start), self.to_film(stop)
        return replace(self, length=length, offset=self.offset - start, low=low, high=high)

    def resize(self, length: int) -> Axis:
        """This axis scaled to `length` pixels."""
        if length < 1:
            raise ValueError(f"a picture of {length} pixels is none")
        factor = length / self.length
        return replace(self, length=length, scale=self.scale * factor, offset=self.offset * factor)

    def pad(self, before: int, after: int) -> Axis:
        """This axis with pixels added at both ends."""
        if before < 0 or after < 0:
            raise ValueError(f"padding {before}, {after} is negative; crop instead")
        return replace(self, length=self.length + before + after, offset=self.offset + before)

    def source(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """For each film pixel of this axis the placed coordinate of its centre, float64 [film], and if it is inside."""
        centres = np.arange(self.film, dtype=np.float64) + 0.5
        inside = (centres > self.low) & (centres < self.high)
        return np.asarray(centres * self.scale + self.offset, dtype=np.float64), inside


@dataclass(frozen=True)
class Placement:
    """An invertible record of crops, resizes and pads of one film.

    Start with `Placement.of(shape)` (nothing done) or with `letterbox`, `centre_square` or `stretch`; each of `crop`,
    `resize` and `pad` gives a new record. `apply` makes the picture; `box_to_film`, `mask_to_film` and the others
    bring what a model found on it back to the film.
    """

    rows: Axis
    columns: Axis

    @classmethod
    def of(cls, shape: tuple[int, int]) -> Placement:
        """The film itself, `shape` = (H, W)."""
        height, width = shape
        return cls(Axis(height, height, 1.0, 0.0, 0.0, height), Axis(width, width, 1.0, 0.0, 0.0, width))

    @classmethod
    def stretch(cls, shape: tuple[int, int], size: tuple[int, int]) -> Placement:
        """The whole film resized to `size` = (H, W), aspect ratio not kept."""
        return cls.of(shape).resize(size)

    @classmethod
    def letterbox(cls, shape: tuple[int, int], side: int) -> Placement:
        """The whole film, aspect ratio kept to the pixel, centred in a square of `side` pixels."""
        factor = side / max(shape)
        height, width = (max(1, round(length * factor)) for length in shape)
        top, left = (side - height) // 2, (side - width) // 2
        return cls.of(shape).resize((height, width)).pad(top, side - height - top, left, side - width - left)

    @classmethod
    def centre_square(cls, shape: tuple[int, int], side: int) -> Placement:
        """The largest centred square of the film, resized to `side` pixels (what torchxrayvision's models expect)."""
        edge = min(shape)
        top, left = (shape[0] - edge) // 2, (shape[1] - edge) // 2
        return cls.of(shape).crop((top, left, top + edge, left + edge)).resize((side, side))

    @property
    def film_shape(self) -> tuple[int, int]:
        """(H, W) of the film."""
        return self.rows.film, self.columns.film

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the placed picture."""
        return self.rows.length, self.columns.length

    def crop(self, box: Box) -> Placement:
        """Cut to a box in coordinates of the placed picture.

        Raises:
            ValueError: the box is empty or not within the picture.
        """
        return Placement(self.rows.crop(box[0], box[2]), self.columns.crop(box[1], box[3]))

    def resize(self, size: tuple[int, int]) -> Placement:
        """Scale to `size` = (H, W)."""
        return Placement(self.rows.resize(size[0]), self.columns.resize(size[1]))

    def pad(self, top: int, bottom: int, left: int, right: int) -> Placement:
        """Add pixels around the picture."""
        return Placement(self.rows.pad(top, bottom), self.columns.pad(left, right))

    def apply(self, pixels: npt.NDArray[np.float32], fill: float = 0.0) -> npt.NDArray[np.float32]:
        """The placed picture: float32 [h, w] from a film float32 [H, W], same units, `fill` where padded.

        Bilinear, averaging over the whole source pixel area when shrinking (no aliasing).

        Raises:
            ValueError: the film does not have the shape this record was made for.
        """
        if pixels.shape != self.film_shape:
            raise ValueError(f"the film is {pixels.shape}, the placement was made for {self.film_shape}")
        top, bottom = (round(self.rows.to_placed(edge)) for edge in (self.rows.low, self.rows.high))
        left, right = (round(self.columns.to_placed(edge)) for edge in (self.columns.low, self.columns.high))
        window = (self.columns.low, self.rows.low, self.columns.high, self.rows.high)
        placed = np.full(self.shape, fill, dtype=np.float32)
        if bottom > top and right > left:
            picture = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))
            size = (right - left, bottom - top)
            placed[top:bottom, left:right] = np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=window))
        return placed

    def point_to_film(self, point: Point) -> Point:
        """A point of the placed picture on the film, held within what of the film is in the picture."""
        return self.rows.to_film(point[0]), self.columns.to_film(point[1])

    def box_to_film(self, box: Box) -> Box:
        """A box of the placed picture as a box on the film; padding is cut off."""
        return (*self.point_to_film((box[0], box[1])), *self.point_to_film((box[2], box[3])))

    def mask_to_film(self, mask: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """A mask [h, w] of the placed picture as bool [H, W] on the film: the nearest pixel, False where cropped.

        Raises:
            ValueError: the mask does not have the placed picture's shape.
        """
        self._check(mask)
        (row, row_in), (column, column_in) = self.rows.source(), self.columns.source()
        nearest_row = np.clip(np.floor(row), 0, self.rows.length - 1).astype(np.intp)
        nearest_column = np.clip(np.floor(column), 0, self.columns.length - 1).astype(np.intp)
        found = mask.astype(np.bool_)[nearest_row][:, nearest_column]
        return np.asarray(found & row_in[:, None] & column_in[None, :])

    def _check(self, array: npt.NDArray[Any]) -> None:
        if array.shape != self.shape:
            raise ValueError(f"the array is {array.shape}, the placed picture {self.shape}")


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
