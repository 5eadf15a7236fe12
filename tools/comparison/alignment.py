"""Laying a prior film over the current one: an affine map from the lungs' outlines, refined on the pictures themselves.

Work is done on a grid of SIDE pixels. The outlines give position and size (apices, midline, width of the chest); the
refinement then matches the locally normalised pictures, in which ribs, clavicles and borders count and exposure and
grey scale do not, by least squares with a robust loss (coarse to fine; scipy). What has changed in the patient matches
nowhere and weighs little. The map cannot bend: a deeper breath or a turned patient stays as residual, which is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage, optimize

from imaging.geometry import Letterbox, extent
from imaging.radiograph import Radiograph
from tools.anatomy.outlines import BoolMask, Outlines
from tools.anatomy.widths import midline

Grid = npt.NDArray[np.float32]
Affine = npt.NDArray[np.float64]
"""[2, 3]: (row, column) of the prior's grid = Affine @ (row, column, 1) of the current one's."""

SIDE = 256
"""Side of the working grid: about 1.5 mm on an adult's film, finer than any change that is called."""

LOCAL_PX = 6.0
"""Sigma of the neighbourhood in which the pictures are normalised before they are matched: about a rib's width."""

BLURS_PX = (4.0, 2.0, 1.0)
"""Sigma of the pictures at each step of the refinement, coarse to fine."""

AROUND = 0.12
"""The lungs' box is widened by this share of its height for matching: shoulders, chest wall and diaphragm belong."""

LOSS_AT = 0.5
"""Residual, in local standard deviations, beyond which a pixel loses weight."""

WHOLE = 0.99
"""Share of a grid pixel that must lie on a film for the pixel to count."""

FLAT = 0.01
"""Added to the local standard deviation, in grey levels of [0, 1], so that flat parts stay flat."""

WIDEST = 90.0
"""Percentile of the lungs' width over their rows that stands for the chest's width."""

UPPER = 2 / 3
"""Share of the lungs' height, from the top, in which their borders are compared: disease hides the bases."""

OVERLAP_MIN = 0.25
"""Share of the chest that must lie on both films for their fit to mean anything."""

STEPS_MAX = 40
"""Evaluations per step of the refinement."""

STRAY = (0.10, 0.10, 0.05)
"""How far scale, shear and position (share of SIDE) usually stray from what the outlines say, one standard deviation;
the refinement is held to it, so that a film with little to match on keeps the outlines' map."""

STRAY_WEIGHT = 30.0
"""What one standard deviation of straying costs, in squared residuals. A judgement."""


@dataclass(frozen=True)
class GridFilm:
    """One film on the working grid.

    Attributes:
        film: the film itself.
        placement: from film to grid.
        pixels: float32 [SIDE, SIDE] in [0, 1], 0 where the grid lies beyond the film.
        inside: whether the grid pixel lies on the film.
        left, right, heart: the outlines; `heart` may be empty.
    """

    film: Radiograph
    placement: Letterbox
    pixels: Grid
    inside: BoolMask
    left: BoolMask
    right: BoolMask
    heart: BoolMask

    @classmethod
    def of(cls, film: Radiograph, found: Outlines) -> GridFilm:
        """A frontal film whose lungs were outlined."""
        placement = Letterbox(film.shape, SIDE)

        def scaled(mask: BoolMask) -> BoolMask:
            return placement.apply(mask.astype(np.float32)) > 0.5

        empty = np.zeros(film.shape, dtype=np.bool_)
        return cls(
            film=film,
            placement=placement,
            pixels=placement.apply(film.pixels),
            inside=placement.apply(np.ones(film.shape, dtype=np.float32)) > WHOLE,
            left=scaled(found.mask("left_lung")),
            right=scaled(found.mask("right_lung")),
            heart=scaled(found.mask("heart") if found.has("heart") else empty),
        )

    @property
    def lungs(self) -> BoolMask:
        """Both lungs."""
        return self.left | self.right

    @cached_property
    def pixel_mm(self) -> float | None:
        """Millimetres per grid pixel, in the plane of the film's spacing; None without one."""
        spacing = self.film.spacing_mm
        return float(np.mean(spacing)) / self.placement.scale[0] if spacing else None


@dataclass(frozen=True)
class Alignment:
    """The map from the current film's grid to the prior's, and how well the two then fit.

    Attributes:
        prior, current: both films on their grids.
        affine: see Affine.
        correlation: of the two locally normalised pictures over the chest, in [-1, 1].
        correlation_before: the same with the outlines' map alone.
        outline_distance: mean distance between the lungs' outer borders above the bases, in shares of the chest's
            width.
    """

    prior: GridFilm
    current: GridFilm
    affine: Affine
    correlation: float
    correlation_before: float
    outline_distance: float

    def carried(self, picture: npt.NDArray[np.float32], order: int = 1) -> Grid:
        """A picture on the prior's grid, as it lies on the current one's; 0 beyond it."""
        return _carried(picture, self.affine, order)

    def carried_mask(self, mask: BoolMask) -> BoolMask:
        """A mask on the prior's grid, as it lies on the current one's."""
        return self.carried(mask.astype(np.float32)) > 0.5

    @property
    def scale(self) -> float:
        """Size of the prior's anatomy over that of the current one, on the grids."""
        return float(np.sqrt(abs(np.linalg.det(self.affine[:, :2]))))

    @property
    def turn_deg(self) -> float:
        """Turn in the picture's plane that the map makes."""
        return float(
            np.degrees(np.arctan2(self.affine[1, 0] - self.affine[0, 1], self.affine[0, 0] + self.affine[1, 1]))
        )


def align(prior: GridFilm, current: GridFilm) -> Alignment:
    """The prior laid over the current film; see the module. ValueError where the lungs of one share no row."""
    start = _from_outlines(_frame(prior), _frame(current))
    region = _around(current.lungs) & current.inside
    there, here = _normalised(prior.pixels), _normalised(current.pixels)
    affine = start
    for blur in BLURS_PX:
        affine = _refined(there, here, region, affine, start, blur)
    correlations = [_fit(there, here, prior, region, each) for each in (start, affine)]
    if correlations[0] > correlations[1]:
        affine, correlations = start, [correlations[0]] * 2
    return Alignment(prior, current, affine, correlations[1], correlations[0], _border_distance(prior, current, affine))


def _frame(film: GridFilm) -> tuple[float, float, float]:
    """(row of the apices, column of the midline, width of the chest) of the outlined lungs."""
    middle = midline(film.left, film.right)
    apex = float(np.mean([extent(lung)[0] for lung in (film.left, film.right)]))
    both = film.lungs
    rows = np.flatnonzero(film.left.any(axis=1) & film.right.any(axis=1))
    widths = both.shape[1] - both[rows].argmax(axis=1) - both[rows, ::-1].argmax(axis=1)
    return apex, middle, float(np.percentile(widths, WIDEST))


def _from_outlines(prior: tuple[float, float, float], current: tuple[float, float, float]) -> Affine:
    scale = prior[2] / current[2]
    return np.array([[scale, 0.0, prior[0] - scale * current[0]], [0.0, scale, prior[1] - scale * current[1]]])


def _around(lungs: BoolMask) -> BoolMask:
    top, low, bottom, high = extent(lungs)
    margin = round(AROUND * (bottom - top))
    box = np.zeros_like(lungs)
    box[max(0, top - margin) : bottom + margin, max(0, low - margin) : high + margin] = True
    return box


def _normalised(pixels: Grid) -> Grid:
    """Each pixel less its neighbourhood's mean, over its standard deviation."""
    mean = ndimage.gaussian_filter(pixels, LOCAL_PX)
    spread = np.sqrt(ndimage.gaussian_filter((pixels - mean) ** 2, LOCAL_PX))
    result: Grid = ((pixels - mean) / (spread + FLAT)).astype(np.float32)
    return result


def _refined(there: Grid, here: Grid, region: BoolMask, affine: Affine, start: Affine, blur: float) -> Affine:
    """The affine map that lays the blurred prior best over the current film, starting from one."""
    moving, fixed = ndimage.gaussian_filter(there, blur), ndimage.gaussian_filter(here, blur)
    down, across = np.gradient(moving)
    rows, columns = np.nonzero(region)
    target = fixed[rows, columns]
    unit = np.array([[1 / SIDE, 1 / SIDE, 1.0]] * 2).ravel()
    scale, shear, place = STRAY
    usual = np.array([[scale, shear, place * SIDE], [shear, scale, place * SIDE]]).ravel()
    weight = np.sqrt(STRAY_WEIGHT) / usual * unit

    def sampled(picture: Grid, numbers: Affine) -> npt.NDArray[np.float64]:
        a = numbers * unit
        places = [a[0] * rows + a[1] * columns + a[2], a[3] * rows + a[4] * columns + a[5]]
        values: npt.NDArray[np.float64] = ndimage.map_coordinates(picture, places, order=1, mode="nearest")
        return values

    def residuals(numbers: Affine) -> npt.NDArray[np.float64]:
        return np.concatenate([sampled(moving, numbers) - target, weight * (numbers - start.ravel() / unit)])

    def slopes(numbers: Affine) -> npt.NDArray[np.float64]:
        by_row, by_column = sampled(down, numbers), sampled(across, numbers)
        each = [by_row * rows, by_row * columns, by_row, by_column * rows, by_column * columns, by_column]
        return np.concatenate([np.stack(each, axis=1) * unit, np.diag(weight)])

    found = optimize.least_squares(
        residuals, affine.ravel() / unit, jac=slopes, loss="soft_l1", f_scale=LOSS_AT, max_nfev=STEPS_MAX
    )
    result: Affine = (found.x * unit).reshape(2, 3)
    return result


def _carried(picture: Grid, affine: Affine, order: int = 1) -> Grid:
    moved: Grid = ndimage.affine_transform(
        picture, affine[:, :2], affine[:, 2], output_shape=(SIDE, SIDE), order=order, mode="constant", cval=0.0
    )
    return moved


def _fit(there: Grid, here: Grid, prior: GridFilm, region: BoolMask, affine: Affine) -> float:
    shared = region & (_carried(prior.inside.astype(np.float32), affine) > WHOLE)
    if shared.sum() < OVERLAP_MIN * region.sum():
        return -1.0
    return float(np.corrcoef(_carried(there, affine)[shared], here[shared])[0, 1])


def _border_distance(prior: GridFilm, current: GridFilm, affine: Affine) -> float:
    """Mean distance of the outer lung borders in the upper two thirds of the lungs, over the chest's width."""
    old = _carried(prior.lungs.astype(np.float32), affine) > 0.5
    new = current.lungs
    rows = np.flatnonzero(old.any(axis=1) & new.any(axis=1))
    rows = rows[: max(1, round(len(rows) * UPPER))]
    if not len(rows):
        return float("inf")
    ends = [(mask[rows].argmax(axis=1), SIDE - mask[rows, ::-1].argmax(axis=1)) for mask in (old, new)]
    apart = np.abs(ends[0][0] - ends[1][0]) + np.abs(ends[0][1] - ends[1][1])
    width = float(np.percentile(ends[1][1] - ends[1][0], WIDEST))
    return float(apart.mean() / 2 / width)
