"""What differs between two aligned films, beyond what exposure, grey scale and the fit of the two explain.

The prior is laid over the current film and its greys are mapped to the current one's by the monotone curve that suits
most of the chest (isotonic regression on binned medians, changed parts left out). What then differs is smoothed and
told in shares of the film's contrast between lung and mediastinum. A patch is a place in a lung field where it exceeds
both a floor and a multiple of the pair's own noise, and is thicker than a misplaced border.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image, disk
from sklearn.isotonic import IsotonicRegression

from imaging.geometry import extent
from tools.anatomy.outlines import BoolMask
from tools.comparison.alignment import WHOLE, Alignment, Grid
from tools.knowledge import Side

SIDES: tuple[Side, Side] = ("left", "right")

TONE_BINS = 32
TONE_ROUNDS = 3
"""The curve is fitted again without what differs, so many times."""

TONE_KEEPS = 2.5
"""Robust standard deviations within which a pixel counts as unchanged for the curve."""

SMOOTH_PX = 3.0
"""Sigma of the difference: ribs that do not quite meet cancel, a change of 1 cm stays."""

FLOOR = 0.08
"""Least difference that can be a change, in shares of the contrast between lung and mediastinum."""

NOISES = 3.5
"""Multiples of the pair's own noise that a change must exceed."""

THICK_PX = 3
"""Radius of the disk that must fit into a patch: thinner ones are borders (ribs, dome, chest wall) that do not meet."""

SMALLEST_PX = 30
"""Area below which a patch is none."""

HEART_MARGIN_PX = 4
"""The heart's outlines on both films, widened by this, are left out: its border moves with rotation and breath."""

BESIDE_PX = 6
"""A patch within this of the heart (margin included) may be its border, which a larger heart moves."""

RIM = 0.22
"""Share of a lung field's width, from the outer wall and the apex, that counts as its rim: where free air collects."""

RIM_TO = 0.75
"""The rim is read down to this share of the lungs' height; below it the dome moves with every breath."""

BASE_FROM = 0.55
"""Share of the lungs' height from which a patch lies at the base."""

NEAR_PX = 3
"""How far around a patch its extent on either film is measured."""

HALF = 0.5
"""The extent of an opacity is the area above half its height over its surroundings (full area at half maximum)."""

BODY_PX = 4
"""Radius of the disk that must fit into what counts as already there, or still there: ribs are thinner."""

BLUR_PX = 1.0
"""Sigma of the pictures on which extents are read: noise of single pixels."""

FADED = 0.01
"""Grey added to what counts as unchanged for the curve, so that a perfect fit does not exclude everything."""

LEAST_CONTRAST = 0.05
"""Of a film between lung and mediastinum, in grey levels of [0, 1]: below it the film is flat."""

DENSE, AERATED = 95.0, 25.0
"""Percentiles of the chest's box and of the lungs that stand for mediastinum and aerated lung."""

TO_SIGMA = 1.4826
"""From a median absolute deviation to the standard deviation of a normal distribution."""

SIDEWAYS = 1 / 3
"""Share of a patch that must have a counterpart in the other lung field to be judged against it."""

GROUND = 20.0
"""Percentile of the greys around a patch, on the film with less of it, that stands for its ground."""

TOP_OF = 75.0
"""Percentile of a patch's greys that stands for its height."""

Nature = Literal["opacity", "lucency"]


@dataclass(frozen=True)
class Patch:
    """One place in a lung field that differs.

    Attributes:
        side: the patient's.
        mask: bool on the current film's grid.
        nature: an opacity that came, grew, shrank or went; or a lucency (darker than lung).
        more: whether there is more of it on the current film.
        share: area over that of the lung field.
        strength: mean difference, in shares of contrast, above 0.
        prior_share, current_share: extent on either film, area over that of the lung field.
        remnant: the body of the lesser extent over that of the larger one, in [0, 1]: about 0 where there was, or is,
            nothing on one of the films.
        at_base, in_rim, at_heart: share of its area at the base, in the rim, and beside the heart's border, in [0, 1].
        thickness_px: radius of the largest disk in it, in pixels of the grid.
    """

    side: Side
    mask: BoolMask
    nature: Nature
    more: bool
    share: float
    strength: float
    prior_share: float
    current_share: float
    remnant: float
    at_base: float
    in_rim: float
    at_heart: float
    thickness_px: float

    @property
    def weight(self) -> float:
        """Area times strength: how much changed."""
        return self.share * self.strength


@dataclass(frozen=True)
class SideChange:
    """Means over parts of one lung field above the base, in shares of contrast.

    Attributes:
        rim: difference in the outer and upper rim, where free air collects.
        core: difference in the rest.
        rim_before, rim_now: how much brighter than the other side's rim this one is on either film.
    """

    rim: float
    core: float
    rim_before: float
    rim_now: float


@dataclass(frozen=True)
class Changes:
    """The difference of two aligned films.

    Attributes:
        difference: float32 [SIDE, SIDE] on the current film's grid, current less prior, smoothed; shares of contrast.
        prior: the prior's picture on the current one's grid, in the current one's greys.
        fields: by side the lung field of both films together (convex), without the heart.
        noise: robust standard deviation of the difference in the calmer lung field.
        threshold: what a patch exceeds.
        top, bottom: first row of both lung fields, and one past their last.
        patches: the largest first.
        sides: means over parts of each lung field.
    """

    difference: Grid
    prior: Grid
    fields: dict[Side, BoolMask]
    noise: float
    threshold: float
    top: int
    bottom: int
    patches: tuple[Patch, ...]
    sides: dict[Side, SideChange] = field(default_factory=dict)


def changes(aligned: Alignment) -> Changes:
    """Everything that differs in the lung fields; see the module."""
    current = aligned.current
    moved = aligned.carried(aligned.prior.pixels)
    shared = (aligned.carried(aligned.prior.inside.astype(np.float32)) > WHOLE) & current.inside
    chest = _chest(current.lungs) & shared
    toned = _toned(moved, current.pixels, chest)
    contrast = _contrast(current.pixels, chest, current.lungs & shared)
    difference = (ndimage.gaussian_filter(current.pixels - toned, SMOOTH_PX) / contrast).astype(np.float32)
    frame = _Frame(aligned, shared)
    noise = min(_spread(difference[frame.calm(side)]) for side in SIDES if frame.calm(side).any())
    threshold = max(FLOOR, NOISES * noise)
    patches = [
        _patch(frame, side, sign, spot, difference, toned)
        for side in SIDES
        for sign in (1, -1)
        for spot in _spots(frame.fields[side] & (sign * difference > threshold))
    ]
    patches.sort(key=lambda patch: -patch.weight)
    return Changes(
        difference, toned, frame.fields, noise, threshold, frame.top, frame.bottom, tuple(patches),
        {side: _side(frame, side, difference, toned / contrast) for side in SIDES},
    )  # fmt: skip


def other(side: Side) -> Side:
    """The other side of the patient."""
    return "right" if side == "left" else "left"


class _Frame:
    """The lung fields of both films together and their parts, on the current film's grid."""

    def __init__(self, aligned: Alignment, shared: BoolMask) -> None:
        self.aligned = aligned
        prior, current = aligned.prior, aligned.current
        self.whole: dict[Side, BoolMask] = {
            "left": convex_hull_image(aligned.carried_mask(prior.left) | current.left) & shared,
            "right": convex_hull_image(aligned.carried_mask(prior.right) | current.right) & shared,
        }
        hearts = aligned.carried_mask(prior.heart) | current.heart
        heart = ndimage.binary_dilation(hearts, iterations=HEART_MARGIN_PX)
        self.beside_heart: BoolMask = ndimage.binary_dilation(heart, iterations=BESIDE_PX)
        self.fields: dict[Side, BoolMask] = {side: whole & ~heart for side, whole in self.whole.items()}
        self.top, _, self.bottom, _ = extent(self.whole["left"] | self.whole["right"])
        self.rows, self.columns = np.indices(shared.shape)
        centres = [np.flatnonzero(self.whole[side].any(axis=0)) for side in SIDES]
        self.middle = (centres[0][0] + centres[1][-1]) / 2

    @property
    def height(self) -> int:
        """Rows from apex to base of both fields."""
        return self.bottom - self.top

    def depth(self, side: Side) -> Grid:
        """Distance of each pixel from the outer wall and the apex of a lung field, over the field's width."""
        whole = self.whole[side]
        width = float(whole.sum(axis=1).max())
        inward = np.logical_or.accumulate(whole[:, ::-1] if side == "left" else whole, axis=1)
        filled = inward[:, ::-1] if side == "left" else inward
        down = np.concatenate([filled[: self.bottom], np.repeat(filled[self.bottom - 1 : self.bottom], len(filled), 0)])
        distance: Grid = ndimage.distance_transform_edt(down)[: len(filled)].astype(np.float32) / width
        return distance

    def rim(self, side: Side) -> BoolMask:
        """The field's outer and upper rim, above the base."""
        upper = self.rows < self.top + RIM_TO * self.height
        rim: BoolMask = self.fields[side] & upper & (self.depth(side) < RIM)
        return rim

    def core(self, side: Side) -> BoolMask:
        """What of the field above the base is not rim."""
        upper = self.rows < self.top + RIM_TO * self.height
        core: BoolMask = self.fields[side] & upper & (self.depth(side) >= RIM)
        return core

    def base(self, side: Side) -> BoolMask:
        """The field's lower part."""
        base: BoolMask = self.fields[side] & (self.rows >= self.top + BASE_FROM * self.height)
        return base

    def calm(self, side: Side) -> BoolMask:
        """The field without its border."""
        return ndimage.binary_erosion(self.whole[side], iterations=HEART_MARGIN_PX) & self.fields[side]

    def mirrored(self, mask: BoolMask, side: Side) -> BoolMask:
        """The mask on the other side of the midline, as far as it lies in that lung field."""
        rows, columns = np.nonzero(mask)
        across = np.rint(2 * self.middle - columns).astype(int)
        kept = (across >= 0) & (across < mask.shape[1])
        opposite = np.zeros_like(mask)
        opposite[rows[kept], across[kept]] = True
        return opposite & self.fields[other(side)]


def _chest(lungs: BoolMask) -> BoolMask:
    """A box around the lungs: body on a frontal film, air beside it left out."""
    top, low, bottom, high = extent(lungs)
    box = np.zeros_like(lungs)
    box[top:bottom, low:high] = True
    return box


def _spread(values: Grid) -> float:
    """Robust standard deviation."""
    return float(TO_SIGMA * np.median(np.abs(values - np.median(values))))


def _mean(values: Grid, where: BoolMask) -> float:
    return float(values[where].mean()) if where.any() else 0.0


def _toned(prior: Grid, current: Grid, chest: BoolMask) -> Grid:
    """The prior's greys mapped to the current film's."""
    kept, toned = chest, prior
    for _ in range(TONE_ROUNDS):
        edges = np.unique(np.quantile(prior[kept], np.linspace(0, 1, TONE_BINS + 1)))
        which = np.clip(np.digitize(prior[kept], edges) - 1, 0, max(0, len(edges) - 2))
        bins = np.unique(which)
        x = [float(np.median(prior[kept][which == each])) for each in bins]
        y = [float(np.median(current[kept][which == each])) for each in bins]
        curve = IsotonicRegression(out_of_bounds="clip").fit(x, y, [float((which == each).sum()) for each in bins])
        toned = curve.predict(prior.ravel()).reshape(prior.shape).astype(np.float32)
        off = ndimage.gaussian_filter(current - toned, SMOOTH_PX)
        kept = chest & (np.abs(off) < TONE_KEEPS * _spread(off[chest]) + FADED)
    return toned


def _contrast(pixels: Grid, chest: BoolMask, lungs: BoolMask) -> float:
    """Distance between the film's dense parts within the chest's box and its lungs."""
    return max(float(np.percentile(pixels[chest], DENSE) - np.percentile(pixels[lungs], AERATED)), LEAST_CONTRAST)


def _spots(where: BoolMask) -> list[BoolMask]:
    """Connected parts into which a disk fits."""
    opened = ndimage.binary_opening(where, disk(THICK_PX))
    labels, count = ndimage.label(opened)
    return [labels == each for each in range(1, count + 1) if (labels == each).sum() >= SMALLEST_PX]


def _side(frame: _Frame, side: Side, difference: Grid, prior: Grid) -> SideChange:
    """The means of one lung field; `prior` is its picture in shares of contrast."""
    rim, opposite = frame.rim(side), frame.rim(other(side))
    before = _mean(prior, rim) - _mean(prior, opposite)
    change = _mean(difference, rim)
    return SideChange(
        change, _mean(difference, frame.core(side)), before, before + change - _mean(difference, opposite)
    )


def _patch(frame: _Frame, side: Side, sign: int, spot: BoolMask, difference: Grid, prior: Grid) -> Patch:
    """What became of one spot, judged against the other lung field on the same film."""
    now, before = (ndimage.gaussian_filter(each, BLUR_PX) for each in (frame.aligned.current.pixels, prior))
    mirror = frame.mirrored(spot, side)
    if mirror.sum() < SIDEWAYS * spot.sum():
        mirror = frame.fields[other(side)]
    usual = [_mean(each, mirror) if mirror.any() else _mean(each, frame.fields[side]) for each in (before, now)]
    over = [_mean(each, spot) - level for each, level in zip((before, now), usual, strict=True)]
    size = float(spot.sum())
    at_base = float((spot & frame.base(side)).sum()) / size
    dark = over[0] + over[1] < -HALF * abs(over[1] - over[0]) and at_base < HALF
    nature: Nature = "lucency" if dark else "opacity"
    more = (sign > 0) == (nature == "opacity")
    way = 1 if nature == "opacity" else -1
    near = ndimage.binary_dilation(convex_hull_image(spot), iterations=NEAR_PX) & frame.fields[side]
    strong, weak = (now, before) if more else (before, now)
    base = float(np.percentile(weak[near], GROUND if nature == "opacity" else 100 - GROUND))
    level = base + HALF * (float(np.percentile(strong[spot], TOP_OF if nature == "opacity" else 100 - TOP_OF)) - base)
    across = frame.mirrored(near, side)
    extents, bodies = zip(*(_extent(way * each > way * level, near, across) for each in (before, now)), strict=True)
    area = float(frame.fields[side].sum())
    return Patch(
        side=side, mask=spot, nature=nature, more=more, share=size / area, strength=abs(_mean(difference, spot)),
        prior_share=extents[0] / area, current_share=extents[1] / area,
        remnant=bodies[0 if more else 1] / max(bodies[1 if more else 0], 1.0),
        at_base=at_base, in_rim=float((spot & frame.rim(side)).sum()) / size,
        at_heart=float((spot & frame.beside_heart).sum()) / size,
        thickness_px=float(ndimage.distance_transform_edt(np.pad(spot, 1)).max()),
    )  # fmt: skip


def _extent(over: BoolMask, near: BoolMask, across: BoolMask) -> tuple[float, float]:
    """Area over a level near a patch, and of its body, in pixels: without what the other lung shows at the same place.

    Args:
        over: where the film exceeds the level.
        near: the patch's surroundings.
        across: their mirror image in the other lung field; not used where little of it lies there.
    """
    areas = [np.array([each.sum(), ndimage.binary_opening(each, disk(BODY_PX)).sum()]) for each in
             (over & near, over & across)]  # fmt: skip
    usual = areas[1] * (near.sum() / across.sum()) if across.sum() >= HALF * near.sum() else 0.0
    extent, body = np.maximum(areas[0] - usual, 0.0)
    return float(extent), float(body)
