"""Overlay: a mask, box, heat map, line or point drawn on a film, as it stands in the JSON of a Result or an Answer."""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from imaging.geometry import Box, Point
from imaging.limits import MAX_PIXELS

HEAT_SIDE = 256
"""Longest side in pixels of a stored heat map; saliency maps have no finer detail."""

HEAT_LEVELS = 255

FiniteBox = tuple[float, float, float, float]
Ends = tuple[tuple[float, float], tuple[float, float]]
Place = tuple[float, float]


class Mask(BaseModel):
    """A binary mask as COCO's uncompressed run lengths: down the columns, first run 0s (it may be 0 long)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[int, int] = Field(description="[H, W] of the film in pixels")
    counts: list[int] = Field(description="run lengths in column-major order, alternately of 0 and 1")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if min(self.size) < 1 or min(self.counts, default=0) < 0 or sum(self.counts) != self.size[0] * self.size[1]:
            raise ValueError(f"runs of {sum(self.counts)} pixels do not fill a mask of {self.size[0]} x {self.size[1]}")
        if self.size[0] * self.size[1] > MAX_PIXELS:
            raise ValueError(f"a mask of {self.size[0]} x {self.size[1]} pixels is larger than any film read here")
        return self


class Heat(BaseModel):
    """A coarse map of values over the whole film: value = grey level / 255 * vmax."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[int, int] = Field(description="[H, W] of the film in pixels")
    grid: str = Field(description="base64 of an 8-bit grey PNG that spans the film")
    vmax: float = Field(gt=0, allow_inf_nan=False, description="value of grey level 255")


class Overlay(BaseModel):
    """One thing to draw on one film, in that film's original pixels.

    `data` is a Mask, a box [row_min, col_min, row_max, col_max], a Heat, a line [[row, col], [row, col]], or a point
    [row, col].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["mask", "box", "heatmap", "line", "point"]
    image_id: str
    label: str
    color: str | None = Field(default=None, description="a role or colour name of imaging.inks.PALETTE")
    text: str | None = Field(default=None, description="what is written beside it, such as a length with its unit")
    data: Mask | Heat | FiniteBox | Ends | Place

    @model_validator(mode="after")
    def _kind_and_data_agree(self) -> Self:
        numbers: list[float] = []
        if self.kind == "mask" and isinstance(self.data, Mask):
            return self
        if self.kind == "heatmap" and isinstance(self.data, Heat):
            return self
        if self.kind == "box" and isinstance(self.data, tuple) and len(self.data) == 4:
            numbers = [float(edge) for edge in self.data]
            if numbers[0] > numbers[2] or numbers[1] > numbers[3]:
                raise ValueError(f"box {self.data} is not (row_min, col_min, row_max, col_max)")
        elif self.kind == "line" and isinstance(self.data, tuple) and isinstance(self.data[0], tuple):
            numbers = [float(part) for end in self.data if isinstance(end, tuple) for part in end]
        elif self.kind == "point" and isinstance(self.data, tuple) and isinstance(self.data[0], float):
            numbers = [float(part) for part in self.data if isinstance(part, float)]
        else:
            raise ValueError(f"an overlay of kind {self.kind!r} cannot hold {type(self.data).__name__}")
        if not np.isfinite(numbers).all():
            raise ValueError(f"{self.kind} {self.data} is not finite")
        return self

    @classmethod
    def mask(cls, image_id: str, mask: npt.NDArray[Any], label: str, **more: str | None) -> Self:
        """An overlay of a mask, bool or 0/1 [H, W], in the film's own size."""
        return cls(kind="mask", image_id=image_id, label=label, data=encode_mask(mask), **more)

    @classmethod
    def box(cls, image_id: str, box: Box, label: str, **more: str | None) -> Self:
        """An overlay of a box (row_min, col_min, row_max, col_max) in the film's pixels."""
        row_min, col_min, row_max, col_max = (float(edge) for edge in box)
        return cls(kind="box", image_id=image_id, label=label, data=(row_min, col_min, row_max, col_max), **more)

    @classmethod
    def heatmap(
        cls, image_id: str, values: npt.NDArray[Any], size: tuple[int, int], label: str, **more: str | None
    ) -> Self:
        """An overlay of values >= 0, [h, w] of any size, that span the whole film of `size` = (H, W)."""
        return cls(kind="heatmap", image_id=image_id, label=label, data=encode_heat(values, size), **more)

    @classmethod
    def line(cls, image_id: str, start: Point, end: Point, label: str, **more: str | None) -> Self:
        """An overlay of a measuring line between two points (row, column) of the film."""
        ends = ((float(start[0]), float(start[1])), (float(end[0]), float(end[1])))
        return cls(kind="line", image_id=image_id, label=label, data=ends, **more)

    @classmethod
    def point(cls, image_id: str, place: Point, label: str, **more: str | None) -> Self:
        """An overlay of a landmark (row, column) of the film."""
        return cls(kind="point", image_id=image_id, label=label, data=(float(place[0]), float(place[1])), **more)

    def as_mask(self) -> npt.NDArray[np.bool_]:
        """The mask, bool [H, W].

        Raises:
            TypeError: the overlay is of another kind.
        """
        if not isinstance(self.data, Mask):
            raise TypeError(f"an overlay of kind {self.kind!r} is not a mask")
        return decode_mask(self.data)

    def as_box(self) -> Box:
        """The box (row_min, col_min, row_max, col_max).

        Raises:
            TypeError: the overlay is of another kind.
        """
        if isinstance(self.data, tuple) and len(self.data) == 4:
            return self.data
        raise TypeError(f"an overlay of kind {self.kind!r} is not a box")

    def as_line(self) -> tuple[Point, Point]:
        """The two ends (row, column) of the line.

        Raises:
            TypeError: the overlay is of another kind.
        """
        if self.kind == "line" and isinstance(self.data, tuple):
            start, end = self.data[:2]
            if isinstance(start, tuple) and isinstance(end, tuple):
                return start, end
        raise TypeError(f"an overlay of kind {self.kind!r} is not a line")

    def as_point(self) -> Point:
        """The place (row, column) of the point.

        Raises:
            TypeError: the overlay is of another kind.
        """
        if self.kind == "point" and isinstance(self.data, tuple):
            row, column = self.data[:2]
            if not isinstance(row, tuple) and not isinstance(column, tuple):
                return float(row), float(column)
        raise TypeError(f"an overlay of kind {self.kind!r} is not a point")

    def as_heatmap(self) -> npt.NDArray[np.float32]:
        """The coarse map of values, float32 [h, w] in [0, vmax], spanning the film.

        Raises:
            TypeError: the overlay is of another kind.
            ValueError: the grid is not a PNG.
        """
        if not isinstance(self.data, Heat):
            raise TypeError(f"an overlay of kind {self.kind!r} is not a heatmap")
        return decode_heat(self.data)


def encode_mask(mask: npt.NDArray[Any]) -> Mask:
    """COCO run lengths of a mask [H, W]; whatever is not 0 is in it.

    Raises:
        ValueError: the mask is not two-dimensional or is empty.
    """
    if mask.ndim != 2 or not mask.size:
        raise ValueError(f"a mask has shape [H, W], not {mask.shape}")
    flat = np.asarray(mask != 0).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    if flat[0]:
        counts.insert(0, 0)
    return Mask(size=(mask.shape[0], mask.shape[1]), counts=counts)


def decode_mask(mask: Mask) -> npt.NDArray[np.bool_]:
    """The mask bool [H, W] of COCO run lengths."""
    values = np.arange(len(mask.counts)) % 2 == 1
    return np.ascontiguousarray(np.repeat(values, mask.counts).reshape(mask.size, order="F"))


def encode_heat(values: npt.NDArray[Any], size: tuple[int, int]) -> Heat:
    """Values >= 0, [h, w], that span a film of `size`, as an 8-bit map of at most HEAT_SIDE pixels a side.

    Raises:
        ValueError: not two-dimensional, or a value is negative or not finite.
    """
    array = np.asarray(values, dtype=np.float32)
    if array.ndim != 2 or not array.size or not np.isfinite(array).all() or array.min() < 0:
        raise ValueError("heat-map values have shape [h, w], are finite and not negative")
    vmax = float(array.max()) or 1.0
    if max(array.shape) > HEAT_SIDE:
        factor = HEAT_SIDE / max(array.shape)
        width, height = (max(1, round(length * factor)) for length in (array.shape[1], array.shape[0]))
        array = np.asarray(Image.fromarray(array).resize((width, height), Image.Resampling.BILINEAR))
    levels = np.rint(np.clip(array / vmax, 0, 1) * HEAT_LEVELS).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "PNG")
    return Heat(size=size, grid=base64.b64encode(stream.getvalue()).decode("ascii"), vmax=vmax)


def decode_heat(heat: Heat) -> npt.NDArray[np.float32]:
    """The values float32 [h, w] in [0, vmax] of a heat map.

    Raises:
        ValueError: the grid is not a base64 PNG of at most HEAT_SIDE pixels a side.
    """
    try:
        with Image.open(io.BytesIO(base64.b64decode(heat.grid, validate=True)), formats=["PNG"]) as picture:
            if max(picture.size) > HEAT_SIDE:
                raise ValueError(f"a heat map of {picture.size} is larger than {HEAT_SIDE} pixels a side")
            levels = np.asarray(picture.convert("L"), dtype=np.float32)
    except (binascii.Error, OSError, SyntaxError) as error:
        raise ValueError("the heat map's grid is not a base64 PNG") from error
    return levels * np.float32(heat.vmax / HEAT_LEVELS)
