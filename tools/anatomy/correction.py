"""An outline put right by a user's marks: box, points and strokes on the film.

A box draws the outline out to itself. A mark lets the outline give way around it and nowhere else: there the film's
grey levels decide, by a random walker (Grady, IEEE TPAMI 2006;28:1768, in scikit-image) between the mark and what stays
as it was. Pure: no model.

Work is done on a grid of at most GRID_SIDE pixels a side. Points are (row, column) in the film's pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage
from skimage.draw import line as line_pixels
from skimage.segmentation import random_walker

from imaging.geometry import extent
from imaging.radiograph import FilmArray
from tools.anatomy.outlines import BoolMask
from tools.anatomy.strips import Floats, Point

GRID_SIDE = 256
"""Longest side of the working grid: that of the embedded segmenter's own square."""

MARK = 0.008
"""Radius of a mark as a share of the grid's side: nobody clicks to the pixel."""

REACH = 1.4
"""How far around a mark the outline gives way, in the mark's own distance from it: its far side lies about as far."""

BETA = 130.0
"""How strongly grey levels part inside from outside (scikit-image's own default)."""

BOX_CORE = 0.6
"""Half axes of the ellipse that is surely inside a box, as a share of the box's, where there is no outline."""

LESION_CORE = 0.75
"""The same in a box around a nodule or mass, which is round: of 0.6, 0.75, 0.85 and 0.95 the one whose diameters were
nearest on both 125 JSRT nodules and 16 phantoms (bias of tight boxes 0.5 and -3.4 mm)."""

END_SHARE = 0.35
"""Part of an outline at either end that a box draws out or pushes in; what lies between was right before."""

DRAWN_MOST = 4.5
"""An end is not drawn out by more than this factor: the outline is then of another shape than what the box holds."""

LOOSE = 3
"""Pixels of the grid around what a box moved in which the film's grey levels have a say beside the box."""

TOUCH = 2
"""Columns of the grid along a box's left and right side in which what touches them stays: the box was drawn tight, and
widths are read there."""

FILM_SHARE = 0.52
"""Weight of the film's grey levels against the box's own drawing out, where both have a say."""

INSIDE, OUTSIDE = 1, 2
"""Labels of the random walker."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Marks:
    """What the user drew; at least one of them.

    Attributes:
        inside, outside: points that belong to the structure, and that do not.
        inside_strokes, outside_strokes: polylines likewise.
        box: (row_min, col_min, row_max, col_max) tight around the structure.
        core: see BOX_CORE.
    """

    inside: tuple[Point, ...] = ()
    outside: tuple[Point, ...] = ()
    inside_strokes: tuple[tuple[Point, ...], ...] = ()
    outside_strokes: tuple[tuple[Point, ...], ...] = ()
    box: Box | None = None
    core: float = BOX_CORE


def correct(pixels: FilmArray, outline: BoolMask | None, marks: Marks, bound: BoolMask | None = None) -> BoolMask:
    """The outline bool [H, W] after the marks.

    Args:
        pixels: the film [H, W].
        outline: what is to be put right; None where there is none yet.
        marks: what the user drew.
        bound: where a structure without an outline can lie; None for anywhere.

    Raises:
        ValueError: nothing says where the structure is: neither outline nor box nor a mark inside.
    """
    begun = None if outline is None or not outline.any() else outline
    moved = np.zeros(pixels.shape, dtype=np.bool_)
    if begun is not None and marks.box is not None:
        drawn_out = stretched(begun, marks.box)
        moved, begun = begun ^ drawn_out, drawn_out
    step = max(1, math.ceil(max(pixels.shape) / GRID_SIDE))
    labels = _labels(begun, marks, step, pixels.shape)
    if moved.any() and marks.box is not None:
        near = ndimage.binary_dilation(_coarse(moved, step) >= 0.5, iterations=LOOSE)
        sides = _box(marks.box, labels.shape, step)
        inside_box, off_sides = np.zeros_like(near), np.zeros_like(near)
        inside_box[sides] = True
        off_sides[:, sides[1].start + TOUCH : max(sides[1].start, sides[1].stop - TOUCH)] = True
        labels[near & inside_box & (off_sides | (labels == OUTSIDE))] = 0
    if begun is None and bound is not None:
        labels[~(_coarse(bound, step) > 0) & (labels == 0)] = OUTSIDE
    if not (labels == INSIDE).any():
        raise ValueError("nothing says where the structure is: give a box or a mark inside it")
    if not (labels == OUTSIDE).any():
        labels[0, :] = labels[-1, :] = labels[:, 0] = labels[:, -1] = OUTSIDE
    if begun is not None and not (labels == 0).any():
        return begun
    share = _walked(_coarse(pixels, step), labels)
    if moved.any() and begun is not None:
        share = FILM_SHARE * share + (1 - FILM_SHARE) * _coarse(begun, step)
    grown = _fine(share, step, pixels.shape) > 0.5
    if begun is not None:
        undecided = np.kron(labels == 0, np.ones((step, step), dtype=np.bool_))[: pixels.shape[0], : pixels.shape[1]]
        marked = np.kron(_drawn(marks, INSIDE, labels.shape, step) | _drawn(marks, OUTSIDE, labels.shape, step),
                         np.ones((step, step), dtype=np.bool_))[: pixels.shape[0], : pixels.shape[1]]  # fmt: skip
        grown = np.where(undecided | marked, grown, begun)
    return _pieces(grown, np.kron(labels == INSIDE, np.ones((step, step), dtype=np.bool_)))


def stretched(outline: BoolMask, box: Box) -> BoolMask:
    """The outline drawn out, or pushed in, so that it just fills a box of the film; its middle stays where it is."""
    top, low, bottom, high = extent(outline)
    at = [
        _positions(length, (start, stop), (box[axis], box[axis + 2]))
        for axis, (length, start, stop) in enumerate(zip(outline.shape, (top, low), (bottom, high), strict=True))
    ]
    filled = ndimage.map_coordinates(outline.astype(np.float32), np.meshgrid(*at, indexing="ij"), order=1)
    result: BoolMask = filled > 0.5
    return result


def _positions(length: int, before: tuple[float, float], after: tuple[float, float]) -> Floats:
    """Where each of `length` pixels comes from when an extent (edges) becomes another; outside of it from nowhere."""
    share = END_SHARE * (before[1] - before[0])
    inner = before[0] + share, before[1] - share
    pixels = np.arange(length) + 0.5
    knots, sources = after, before
    if after[0] < inner[0] and inner[1] < after[1]:
        drawn = max(inner[0] - after[0], after[1] - inner[1]) / max(share, 1e-6)
        knots = (after[0], *inner, after[1]) if drawn <= DRAWN_MOST else before  # type: ignore[assignment]
        sources = (before[0], *inner, before[1]) if drawn <= DRAWN_MOST else before  # type: ignore[assignment]
    came: Floats = np.interp(pixels, knots, sources) - 0.5
    came[(pixels < after[0]) | (pixels > after[1])] = -1.0
    return came


def _labels(begun: BoolMask | None, marks: Marks, step: int, shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Seeds of the random walker: what stays by the outline, the box and the marks; 0 where the film decides."""
    grid = (-(-shape[0] // step), -(-shape[1] // step))
    inner, outer = (_drawn(marks, label, grid, step) for label in (INSIDE, OUTSIDE))
    labels = np.zeros(grid, dtype=np.int32)
    if begun is not None:
        known = _coarse(begun, step) >= 0.5
        labels[:] = np.where(known, INSIDE, OUTSIDE)
        depth = ndimage.distance_transform_edt(known)
        _give_way(labels, inner & ~known, ndimage.distance_transform_edt(~known), OUTSIDE, float(depth.max()))
        _give_way(labels, outer & known, depth, INSIDE, float(depth.max()))
    elif marks.box is not None:
        sides = _box(marks.box, grid, step)
        labels[:] = OUTSIDE
        labels[sides] = 0
        labels[_ellipse(grid, sides, marks.core)] = INSIDE
    labels[outer] = OUTSIDE
    labels[inner] = INSIDE
    return labels


def _give_way(
    labels: npt.NDArray[np.int32], marked: BoolMask, distance: npt.NDArray[np.float64], label: int, most: float
) -> None:
    """Undecide a label around the marks that lie in it, as far as they are from the outline, at most its half width."""
    if not marked.any():
        return
    to_mark, nearest = ndimage.distance_transform_edt(~marked, return_indices=True)
    reach = REACH * np.minimum(distance[tuple(nearest)], most)
    labels[(labels == label) & (to_mark <= reach)] = 0


def _coarse(picture: npt.NDArray[np.generic], step: int) -> Floats:
    """Block means; the last rows and columns are repeated to fill a block."""
    rows, columns = picture.shape
    padded = np.pad(picture.astype(np.float64), ((0, -rows % step), (0, -columns % step)), mode="edge")
    means: Floats = padded.reshape(padded.shape[0] // step, step, -1, step).mean(axis=(1, 3))
    return means


def _fine(share: Floats, step: int, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A map of the grid at the film's size."""
    size = (share.shape[1] * step, share.shape[0] * step)
    grown = Image.fromarray(share.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
    fine: npt.NDArray[np.float32] = np.asarray(grown)[: shape[0], : shape[1]]
    return fine


def _drawn(marks: Marks, label: int, shape: tuple[int, ...], step: int) -> BoolMask:
    """Grid pixels that marks of one kind cover."""
    points = marks.inside if label == INSIDE else marks.outside
    strokes = marks.inside_strokes if label == INSIDE else marks.outside_strokes
    canvas = np.zeros(shape, dtype=np.bool_)
    for corners in (*((point,) for point in points), *strokes):
        placed = [
            (min(max(int(row // step), 0), shape[0] - 1), min(max(int(column // step), 0), shape[1] - 1))
            for row, column in corners
        ]
        canvas[placed[0]] = True
        for start, end in pairwise(placed):
            canvas[line_pixels(*start, *end)] = True
    if canvas.any():
        canvas = ndimage.distance_transform_edt(~canvas) <= max(1.0, MARK * max(shape))
    return canvas


def _box(box: Box, shape: tuple[int, ...], step: int) -> tuple[slice, slice]:
    top, low, bottom, high = (edge / step for edge in box)
    rows = slice(max(0, math.floor(top)), min(shape[0], math.ceil(bottom)))
    return rows, slice(max(0, math.floor(low)), min(shape[1], math.ceil(high)))


def _ellipse(shape: tuple[int, ...], box: tuple[slice, slice], core: float) -> BoolMask:
    rows, columns = np.indices(shape)
    reach = np.zeros(shape)
    for axis, side in ((rows, box[0]), (columns, box[1])):
        middle, half = (side.start + side.stop - 1) / 2, max(0.5, core * (side.stop - side.start) / 2)
        reach = reach + ((axis - middle) / half) ** 2
    mask: BoolMask = reach <= 1
    return mask


def _walked(grey: Floats, labels: npt.NDArray[np.int32]) -> Floats:
    """Share [h, w] in [0, 1] with which each pixel belongs inside."""
    if not (labels == 0).any():
        return (labels == INSIDE).astype(np.float64)
    smooth = ndimage.gaussian_filter(grey, 0.7)
    low, high = np.percentile(smooth, (1, 99))
    toned = np.clip((smooth - low) / max(float(high - low), 1e-6), 0, 1)
    shares: Floats = random_walker(toned, labels, beta=BETA, mode="cg_j", tol=1e-4, return_full_prob=True)[0]
    return shares


def _pieces(mask: BoolMask, seeds: BoolMask) -> BoolMask:
    """The pieces of a mask that hold a seed, their holes filled."""
    labels, count = ndimage.label(mask)
    if not count:
        return mask
    kept = np.unique(labels[seeds[: mask.shape[0], : mask.shape[1]]])
    result: BoolMask = ndimage.binary_fill_holes(np.isin(labels, kept[kept > 0]))
    return result
