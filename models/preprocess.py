"""From a film's pixels to the square tensor of the embedded networks, and from their maps back to the film."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from PIL import Image

from imaging.once import once_per_array

FloatImage = npt.NDArray[np.float32]

BORDER_SPREAD = 0.03
"""A row or column whose 5th to 95th percentile spread is below this share of the film's own range is border: 8-bit
JPEG noise in black frames spreads by less, anatomy, even collimated, by more."""

MINIMUM_CONTENT = 0.3
"""When less than this share of a side would remain, the border estimate is not trusted and the film is kept whole."""

TONE_PERCENTILES = (1.0, 99.0)
"""Grey levels mapped to 0 and 1: burnt-in letters and hot pixels lie outside, anatomy inside."""

STATISTICS_SIDE = 512
"""Percentiles are taken on a subsampled grid of about this side, so that a 4000 px film costs little more."""

INPUT_MEAN = 0.5
INPUT_SCALE = 0.5
"""The network sees (grey - mean) / scale, the [-1, 1] range EfficientNet-Lite was pretrained with (127/128 there)."""


@dataclass(frozen=True)
class Box:
    """A region in film pixels: rows top..bottom and columns left..right, the ends excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows in the box."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns in the box."""
        return self.right - self.left


@dataclass(frozen=True)
class Geometry:
    """How a film was placed on the network's square: the film's size, the region used, and where it lies.

    `tone` holds the film's grey levels that became 0 and 1.
    """

    film_height: int
    film_width: int
    region: Box
    placed: Box
    side: int
    tone: tuple[float, float] = (0.0, 1.0)


@once_per_array
def content_box(pixels: FloatImage) -> Box:
    """Region of a film [H, W] inside uniform borders (black collimation, white frames); the whole film when unsure."""
    height, width = pixels.shape
    step = max(1, max(height, width) // STATISTICS_SIDE)
    low, high = np.percentile(pixels[::step, ::step], TONE_PERCENTILES)
    least = max(BORDER_SPREAD * float(high - low), 1e-6)
    rows = _lively_span(pixels[:, ::step], 1, least)
    columns = _lively_span(pixels[rows[0] : rows[1] : step, :], 0, least)
    rows = _lively_span(pixels[:, columns[0] : columns[1] : step], 1, least)
    box = Box(rows[0], columns[0], rows[1], columns[1])
    if box.height < MINIMUM_CONTENT * height or box.width < MINIMUM_CONTENT * width:
        return Box(0, 0, height, width)
    return box


def _lively_span(pixels: FloatImage, axis: int, least: float) -> tuple[int, int]:
    low, high = np.percentile(pixels, (5.0, 95.0), axis=axis)
    lively = np.flatnonzero(high - low >= least)
    if lively.size == 0:
        return 0, pixels.shape[1 - axis]
    return int(lively[0]), int(lively[-1]) + 1


def prepare(pixels: FloatImage, side: int, region: Box | None = None) -> tuple[torch.Tensor, Geometry]:
    """Place a film on the network's square.

    Takes pixels float32 [H, W] in [0, 1] with 1 = dense, and optionally the region to use (default: the content box).
    Returns a float32 tensor [1, 1, side, side] in about [-1, 1], the aspect ratio kept by padding with the darkest
    grey, and the geometry that `restore` needs. Grey levels are stretched between two percentiles of the region.
    """
    height, width = pixels.shape
    box = content_box(pixels) if region is None else region
    # A copy even where none seems needed: a film's pixels are read-only, and torch takes writable memory only.
    crop = np.array(pixels[box.top : box.bottom, box.left : box.right], dtype=np.float32, order="C")
    step = max(1, max(crop.shape) // STATISTICS_SIDE)
    low, high = (float(value) for value in np.percentile(crop[::step, ::step], TONE_PERCENTILES))
    scale = side / max(crop.shape)
    rows, columns = (max(1, min(side, round(length * scale))) for length in crop.shape)
    resized = functional.interpolate(
        torch.from_numpy(crop)[None, None], size=(rows, columns), mode="bilinear", align_corners=False, antialias=True
    )
    toned = ((resized - low) / max(high - low, 1e-6)).clamp(0.0, 1.0)
    top, left = (side - rows) // 2, (side - columns) // 2
    square = torch.zeros(1, 1, side, side)
    square[:, :, top : top + rows, left : left + columns] = toned
    placed = Box(top, left, top + rows, left + columns)
    return (square - INPUT_MEAN) / INPUT_SCALE, Geometry(height, width, box, placed, side, (low, high))


def restore(maps: torch.Tensor, geometry: Geometry) -> FloatImage:
    """Bring maps [C, h, w] drawn on the network's square (any h = w) back to the film: float32 [C, H, W].

    Outside the region that the network saw, the maps are 0.
    """
    shrink = maps.shape[-1] / geometry.side
    if shrink != 1.0:
        size = (geometry.side, geometry.side)
        maps = functional.interpolate(maps[None].float(), size=size, mode="bilinear", align_corners=False)[0]
    placed, region = geometry.placed, geometry.region
    inner = maps[:, placed.top : placed.bottom, placed.left : placed.right].float()
    grown = functional.interpolate(
        inner[None], size=(region.height, region.width), mode="bilinear", align_corners=False, antialias=True
    )[0]
    film = np.zeros((maps.shape[0], geometry.film_height, geometry.film_width), dtype=np.float32)
    film[:, region.top : region.bottom, region.left : region.right] = grown.numpy()
    return film


def restore_mask(cleaned: FloatImage, geometry: Geometry, threshold: float) -> npt.NDArray[np.bool_]:
    """Where a map [h, w] drawn on the network's square (h = w = side) lies above a threshold: bool [H, W] of the film.

    The same pixels as `restore(...) > threshold`, but only the part of the film that can lie above it is computed.
    """
    mask = np.zeros((geometry.film_height, geometry.film_width), dtype=np.bool_)
    placed, region = geometry.placed, geometry.region
    inner = cleaned[placed.top : placed.bottom, placed.left : placed.right]
    rows, columns = np.flatnonzero((inner > 0).any(axis=1)), np.flatnonzero((inner > 0).any(axis=0))
    if not rows.size:
        return mask
    tall, wide = region.height / placed.height, region.width / placed.width
    top, left = max(0, math.floor((rows[0] - 1) * tall)), max(0, math.floor((columns[0] - 1) * wide))
    bottom = min(region.height, math.ceil((rows[-1] + 2) * tall))
    right = min(region.width, math.ceil((columns[-1] + 2) * wide))
    part = Image.fromarray(np.ascontiguousarray(inner, dtype=np.float32)).resize(
        (right - left, bottom - top), Image.Resampling.BILINEAR, (left / wide, top / tall, right / wide, bottom / tall)
    )
    window = (slice(region.top + top, region.top + bottom), slice(region.left + left, region.left + right))
    mask[window] = np.asarray(part) > np.float32(threshold)
    return mask
