"""The border of a round lesion and its two axes: as a user outlined it, or traced ray by ray around a model's outline.

A model's outline is coarse (about 1 cm). Around its middle the film is read along rays; the cheapest closed path
through the steepest fall of brightness is the border (dynamic programming on the polar picture, as for cells and
vessels in cross-section). Lengths are in pixels of the film's columns, rows scaled by `aspect`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull
from skimage.measure import find_contours

from imaging.radiograph import FilmArray
from tools.anatomy.outlines import BoolMask
from tools.anatomy.strips import Floats, Point

RAYS = 72
ROUNDS = 3
"""The path is sought so often, each time around the last one's middle and from its median radius."""

NEAR, FAR = 0.65, 1.5
"""Where on a ray the border is sought, as shares of the expected radius."""

BLUR = 0.06
"""Smoothing before the fall is read, as a share of the expected radius."""

KEEP = 4.0
"""Cost of leaving the expected radius, for each factor e."""

EDGE_INSIDE = 0.90
"""The steepest fall lies at this share of the outline: a ball thins out to its edge. Median over 16 masses and nodules
of the phantom (33 to 79 mm on the film), 0.84 to 0.95; `python -m evals.sizes` measures the error on others."""

STARTS, AGREE = (0.85, 1.0, 1.2), 0.10
"""The border is sought from so many times the outlined radius; unless all agree on its size within that share, it was
not found."""

FAINT, FAINT_MAX = 0.3, 0.25
"""Where the fall from inside to outside is less than that share of the border's median, the border is faint; a lesion
whose border is faint along more than that share of it is not measured. Both rules were set on 45 phantoms on which 9 of
10 borders that were off by 8 mm or more break one of them or that of the lungs' hull (tools.measurements.lesions)."""

INNER, OUTER = 0.7, 1.15
"""Where inside and outside are read, as shares of the outline's radius."""

AXIS_STEP_DEG = 3


@dataclass(frozen=True)
class Lesion:
    """One lesion's border and axes.

    Attributes:
        border: (row, column) [RAYS], closed.
        long, short: ends of the longest diameter and of the widest extent at a right angle to it.
        long_px, short_px: their lengths.
    """

    border: tuple[Point, ...]
    long: tuple[Point, Point]
    short: tuple[Point, Point]
    long_px: float
    short_px: float

    @property
    def mean_px(self) -> float:
        """Average of long and short axis, as nodules are told (Fleischner Society 2017)."""
        return (self.long_px + self.short_px) / 2


def outlined(mask: BoolMask, aspect: float = 1.0) -> Lesion:
    """The lesion as a user outlined it: its border is the outline's own.

    Args:
        mask: bool [H, W].
        aspect: height of a pixel over its width.

    Raises:
        ValueError: nothing is outlined.
    """
    if not mask.any():
        raise ValueError("the lesion is not outlined")
    border = max(find_contours(np.pad(mask, 1).astype(np.float64), 0.5), key=len) - 1
    place = border * (aspect, 1)
    long, short, long_px, short_px = axes(place)
    rays = place[np.linspace(0, len(place) - 1, RAYS, endpoint=False).round().astype(int)]
    return Lesion(_points(rays, aspect), _ends(long, aspect), _ends(short, aspect), long_px, short_px)


def traced(pixels: FilmArray, outlined: BoolMask, aspect: float = 1.0) -> Lesion:
    """The lesion that a coarse outline marks.

    Args:
        pixels: film [H, W] in [0, 1], dense is bright.
        outlined: bool [H, W], one piece.
        aspect: height of a pixel over its width.

    Raises:
        ValueError: no closed border is found around it.
    """
    if not outlined.any():
        raise ValueError("the lesion is not outlined")
    rows, columns = np.nonzero(outlined)
    middle = (float(rows.mean()) * aspect, float(columns.mean()))
    radius = math.sqrt(float(outlined.sum()) * aspect / math.pi)
    sought = {start: _settled(pixels, middle, start * radius, aspect) for start in STARTS}
    sizes = [axes(place)[2] for place in sought.values()]
    if max(sizes) > (1 + AGREE) * min(sizes):
        raise ValueError("no single border is seen around the lesion: it fades into what lies beside it")
    inner = sought[1.0]
    if _faint(pixels, inner, aspect) > FAINT_MAX:
        raise ValueError("the lesion's border is too faint to be followed all around")
    place = inner.mean(axis=0) + (inner - inner.mean(axis=0)) / EDGE_INSIDE
    long, short, long_px, short_px = axes(place)
    return Lesion(_points(place, aspect), _ends(long, aspect), _ends(short, aspect), long_px, short_px)


def _settled(pixels: FilmArray, middle: Point, radius: float, aspect: float) -> Floats:
    """The border [RAYS, 2] after ROUNDS, each from the last one's middle and radius."""
    place: Floats = np.empty((0, 2))
    for _ in range(ROUNDS):
        place = _path(pixels, middle, radius, aspect)
        radius = float(np.median(np.hypot(*(place - middle).T)))
        middle = (float(place[:, 0].mean()), float(place[:, 1].mean()))
    return place


def _faint(pixels: FilmArray, border: Floats, aspect: float) -> float:
    """Share of a border [RAYS, 2] across which brightness falls by less than FAINT of what it usually does there."""
    middle = border.mean(axis=0)
    out = (border - middle)[:, None] * np.array([INNER, OUTER])[:, None] / EDGE_INSIDE
    radius = float(np.median(np.hypot(*(border - middle).T)))
    place = middle + out
    bright = _around(pixels, place[..., 0] / aspect, place[..., 1], max(1.0, BLUR * radius), aspect)
    fall = bright[:, 0] - bright[:, 1]
    return float((fall < FAINT * np.median(fall)).mean())


def _path(pixels: FilmArray, middle: Point, radius: float, aspect: float) -> Floats:
    """(row in column pixels, column) [RAYS, 2] of the cheapest closed path around a middle."""
    from skimage.graph import route_through_array

    reach = max(4, math.ceil(FAR * radius))
    angles = 2 * np.pi * np.arange(RAYS) / RAYS
    out = np.arange(reach, dtype=np.float64)
    rows = (middle[0] + out * np.sin(angles)[:, None]) / aspect
    columns = middle[1] + out * np.cos(angles)[:, None]
    smooth = _around(pixels, rows, columns, max(1.0, BLUR * radius), aspect)
    fall = -np.gradient(smooth, axis=1)
    sought = out >= NEAR * radius
    usual = np.percentile(np.clip(fall[:, sought], 0, None), 95) + 1e-6
    cost = 1 / (0.05 + np.clip(fall / usual, 0, 1)) + KEEP * np.abs(np.log(np.maximum(out, 1) / radius))
    cost[:, ~sought] = 1e4
    # Twice around, so that the middle turn joins itself.
    start = int(np.argmin(cost[0]))
    path, _ = route_through_array(np.vstack([cost, cost]), (0, start), (2 * RAYS - 1, start), fully_connected=True)
    twice = np.zeros(2 * RAYS)
    for ray, at in path:
        twice[ray] = at
    length = np.concatenate([twice[RAYS : RAYS + RAYS // 2], twice[RAYS // 2 : RAYS]])
    result: Floats = np.stack([middle[0] + length * np.sin(angles), middle[1] + length * np.cos(angles)], axis=1)
    return result


def _around(pixels: FilmArray, rows: Floats, columns: Floats, blur_px: float, aspect: float) -> Floats:
    """The smoothed film at places; only what lies about them is smoothed."""
    margin = math.ceil(4 * blur_px)
    top, left = max(0, math.floor(rows.min()) - margin), max(0, math.floor(columns.min()) - margin)
    part = pixels[top : math.ceil(rows.max()) + margin + 1, left : math.ceil(columns.max()) + margin + 1]
    smooth = ndimage.gaussian_filter(part.astype(np.float64), (blur_px / aspect, blur_px))
    found: Floats = ndimage.map_coordinates(smooth, [rows - top, columns - left], order=1, mode="nearest")
    return found


def axes(place: Floats) -> tuple[Floats, Floats, float, float]:
    """(ends of the long axis [2, 2], of the short one [2, 2], both lengths) of places [N, 2] as (row, column)."""
    hull = place[ConvexHull(place).vertices]
    angles = np.deg2rad(np.arange(0, 180, AXIS_STEP_DEG))
    along = hull @ np.stack([np.sin(angles), np.cos(angles)])
    widths = np.ptp(along, axis=0)
    best = int(np.argmax(widths))
    across = (best + 90 // AXIS_STEP_DEG) % len(angles)
    ends = [hull[[along[:, k].argmin(), along[:, k].argmax()]] for k in (best, across)]
    middle = place.mean(axis=0)
    way = np.array([np.sin(angles[across]), np.cos(angles[across])])
    # The short axis is drawn through the middle, as wide as the extent across.
    low, high = ((end - middle) @ way for end in ends[1])
    return ends[0], np.stack([middle + low * way, middle + high * way]), float(widths[best]), float(widths[across])


def _points(place: Floats, aspect: float) -> tuple[Point, ...]:
    return tuple((float(row) / aspect, float(column)) for row, column in place)


def _ends(ends: Floats, aspect: float) -> tuple[Point, Point]:
    first, last = _points(ends, aspect)
    return first, last
