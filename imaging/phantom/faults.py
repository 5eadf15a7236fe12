"""Faults of positioning and handling: lung beyond the field's edge, and pictures turned, mirrored or inverted."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from imaging.phantom.body import Body
from imaging.phantom.exposure import expose
from imaging.phantom.lesions import Lesion
from imaging.phantom.masks import Mask, collect
from imaging.phantom.projection import Geometry
from imaging.phantom.spec import PhantomSpec
from imaging.radiograph import View

Kind = TypeVar("Kind", bound=np.generic)

WIDE = 1.5
"""Side of the field in which the whole lungs are looked for, over the side of the film's own."""

WIDE_PIXELS, WIDE_GRID = 600, 160
"""Pixels and rays a side of that field: about 1 mm and 4 mm."""

OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}
"""Directions of Patient Orientation (0020,0020), PS3.3 C.7.6.1.1.1."""


def turn(picture: npt.NDArray[Kind], spec: PhantomSpec) -> npt.NDArray[Kind]:
    """A picture or mask [H, W] of any dtype as the film shows it: mirrored first, then turned clockwise."""
    flipped = picture[:, ::-1] if spec.mirrored else picture
    return np.ascontiguousarray(np.rot90(flipped, -(spec.turned_deg // 90)))


def upright(picture: npt.NDArray[Kind], spec: PhantomSpec) -> npt.NDArray[Kind]:
    """The inverse of `turn`."""
    back = np.rot90(picture, spec.turned_deg // 90)
    return np.ascontiguousarray(back[:, ::-1] if spec.mirrored else back)


def turn_point(row: float, column: float, size: int, spec: PhantomSpec) -> tuple[float, float]:
    """(row, column) in pixels (centres are whole numbers) of a point of the upright square film after `turn`."""
    if spec.mirrored:
        column = size - 1 - column
    for _ in range(spec.turned_deg // 90):
        row, column = column, size - 1 - row
    return row, column


def turn_measures(measures: dict[str, float], size: int, spec: PhantomSpec) -> dict[str, float]:
    """Measures with every pair NAME_row, NAME_column moved as `turn` moves the picture of `size` pixels."""
    result = dict(measures)
    for name in measures:
        stem, _, kind = name.rpartition("_")
        if kind == "row" and f"{stem}_column" in measures:
            moved = turn_point(measures[name], measures[f"{stem}_column"], size, spec)
            result[name], result[f"{stem}_column"] = moved
    return result


def orientation(spec: PhantomSpec) -> tuple[str, str]:
    """Directions of the rows and of the columns, the two values of Patient Orientation (PS3.3 C.7.6.1.1.1)."""
    along_row, along_column = ("P" if spec.view is View.LATERAL else "L"), "F"
    if spec.mirrored:
        along_row = OPPOSITE[along_row]
    for _ in range(spec.turned_deg // 90):
        along_row, along_column = OPPOSITE[along_column], along_row
    return along_row, along_column


@dataclass(frozen=True)
class Wide:
    """Both lungs, whatever the film shows of them.

    Attributes:
        lungs: 'left_lung' and 'right_lung' [WIDE_PIXELS, WIDE_PIXELS] on a field WIDE times as large as the film's.
        geometry: of the film around whose centre that field lies.
    """

    lungs: dict[str, Mask]
    geometry: Geometry


def aim(spec: PhantomSpec, body: Body, lesions: list[Lesion], geometry: Geometry) -> tuple[Geometry, Wide | None]:
    """The geometry displaced as `spec.clip` asks, unchanged without it, and what was computed for that."""
    if spec.clip is None:
        return geometry, None
    edge, share = spec.clip
    wide = whole_lungs(body, lesions, geometry)
    fields = wide.lungs
    mask = fields.get(f"{edge}_lung")
    if mask is None:
        mask = np.logical_or.reduce([fields["left_lung"], fields["right_lung"]])
    across = edge in ("left", "right")
    profile = mask.sum(0 if across else 1).astype(float)
    part = np.concatenate([[0.0], np.cumsum(profile)]) / profile.sum()
    # The patient's left and the feet lie at the far end of their axis.
    far = edge in ("left", "base")
    position = float(np.interp(1 - share if far else share, part, np.arange(len(part))))
    half = geometry.pixel_mm * geometry.size / 2
    mm = (position / WIDE_PIXELS - 0.5) * 2 * half * WIDE + (geometry.centre_u if across else geometry.centre_v)
    centre = mm - half if far else mm + half
    moved = replace(geometry, centre_u=centre) if across else replace(geometry, centre_v=centre)
    return moved, wide


def whole_lungs(body: Body, lesions: list[Lesion], geometry: Geometry) -> Wide:
    """The lungs on a field WIDE times as large as the film's around the same centre."""
    pixel = geometry.pixel_mm * geometry.size * WIDE / WIDE_PIXELS
    field = replace(geometry, size=WIDE_PIXELS, pixel_mm=pixel)
    no_bone: dict[str, npt.NDArray[np.float32]] = defaultdict(
        lambda: np.zeros((WIDE_PIXELS, WIDE_PIXELS), dtype=np.float32)
    )
    masks = collect(expose(body, lesions, field, WIDE_GRID), no_bone, [])
    return Wide({name: masks[name] for name in ("left_lung", "right_lung")}, geometry)


def outside(
    masks: dict[str, Mask], body: Body, lesions: list[Lesion], geometry: Geometry, wide: Wide | None
) -> dict[str, float]:
    """Share 0..1 of each lung's area outside the field, 'left_lung_outside' and 'right_lung_outside'.

    Exactly 0 for a lung of `masks` (upright) that keeps clear of the film's border. `wide` is what `aim` gave.
    """
    shares = {f"{name}_outside": 0.0 for name in ("left_lung", "right_lung")}
    cut = [name for name in ("left_lung", "right_lung") if touches(masks[name])]
    if not cut:
        return shares
    wide = wide or whole_lungs(body, lesions, geometry)
    side = geometry.pixel_mm * geometry.size
    columns = _covered((geometry.centre_u - wide.geometry.centre_u) / side)
    rows = _covered((geometry.centre_v - wide.geometry.centre_v) / side)
    for name in cut:
        total = float(wide.lungs[name].sum())
        seen = float(rows @ wide.lungs[name] @ columns)
        shares[f"{name}_outside"] = max(0.0, 1 - seen / total) if total else 0.0
    return shares


def _covered(shift: float) -> npt.NDArray[np.float64]:
    """Share 0..1 of each pixel of a wide field's axis that a film covers whose centre lies `shift` of its side off."""
    edges = (np.arange(WIDE_PIXELS + 1) / WIDE_PIXELS - 0.5) * WIDE
    inside = np.minimum(edges[1:], shift + 0.5) - np.maximum(edges[:-1], shift - 0.5)
    result: npt.NDArray[np.float64] = np.clip(inside * (WIDE_PIXELS / WIDE), 0, 1)
    return result


def touches(mask: Mask, sides: str = "all") -> bool:
    """Whether a mask [H, W] reaches the film's border; `sides` 'all' or 'lateral' (first and last column)."""
    lateral = bool(mask[:, 0].any() or mask[:, -1].any())
    return lateral or (sides == "all" and bool(mask[0].any() or mask[-1].any()))


def withhold(measures: dict[str, float], masks: dict[str, Mask]) -> dict[str, float]:
    """The measures with nan for those that need what the film does not show: a thorax or heart cut off at its side has
    no width, a lung cut off has no area, costophrenic angle or dome height, a right one no count of ribs."""
    lost = set()
    if touches(masks["left_lung"], "lateral") or touches(masks["right_lung"], "lateral"):
        lost |= {"cardiothoracic_ratio", "thorax_width_mm"}
    if touches(masks["heart"], "lateral"):
        lost |= {"cardiothoracic_ratio", "heart_width_mm"}
    for side in ("left", "right"):
        if touches(masks[f"{side}_lung"]):
            lost |= {f"{side}_lung_area_mm2", f"{side}_costophrenic_angle_deg", f"{side}_dome_height_mm"}
    if touches(masks["right_lung"]):
        lost.add("posterior_ribs")
    return {name: math.nan if name in lost else value for name, value in measures.items()}
