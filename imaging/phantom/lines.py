"""Lines of the film as polylines: mediastinal lines and stripes, fissures and domes, from the patient's own surfaces.

A mediastinal line is seen where lung meets soft tissue along the beam. It is found as the most medial lung within a
window of depth at each height, and projected; cone and rotation move that by less than a pixel or two.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from imaging.phantom import body as shapes
from imaging.phantom.anatomy import SIDES, Anatomy
from imaging.phantom.body import Body
from imaging.phantom.lobes import fissure_surfaces
from imaging.phantom.masks import Mask
from imaging.phantom.projection import splat
from imaging.phantom.thin import FISSURE_PITCH_MM, follow
from imaging.phantom.vessels import lung_distance
from imaging.radiograph import View

Points = npt.NDArray[np.float32]
Window = Callable[[Points], tuple[Points, Points]]

STEP_MM = 2.0
"""Distance of a line's points in the patient."""

PLEURA_MM = 1.2
"""Pleura along the ray from which a fissure counts as seen: three times its thickness."""

REACH_MM = 45.0
"""Lung further from the midline than this does not border on the mediastinum."""

JUNCTION_MM = 8.0
"""Lungs closer to each other than this make an anterior junction line."""


def lines(anatomy: Anatomy) -> dict[str, Points]:
    """Polylines [N, 2] (row, column) in pixels of the upright film, float32, from above or from the picture's left.

    Frontal: 'right_paratracheal_stripe', 'azygo_oesophageal_line', 'left_paraspinal_line', 'right_paraspinal_line',
    'descending_aortic_line', 'anterior_junction_line', 'horizontal_fissure'. Lateral: 'horizontal_fissure',
    'oblique_fissure_left', 'oblique_fissure_right'. Both: 'dome_left', 'dome_right', over columns with lung. A line
    that does not show is absent; fissures are given within their lung field.
    """
    body, geometry = anatomy.body, anatomy.geometry
    result = {}
    for side in SIDES:
        beside = anatomy.fields[f"{side}_lung"].any(0)
        result[f"dome_{side}"] = top(anatomy.mask(f"diaphragm_{side}") & beside)
    result.update(fissures(anatomy))
    if geometry.view is not View.LATERAL:
        scale = np.array(body.scale, dtype=np.float32)
        for name, points in mediastinal(body).items():
            if len(points):
                row, column, _ = geometry.project(points * scale)
                result[name] = np.stack([row, column], axis=1)
    half = geometry.size - 0.5
    inside = {k: v[(v > -0.5).all(1) & (v < half).all(1)].astype(np.float32) for k, v in result.items()}
    return {name: line for name, line in inside.items() if len(line) > 1}


def top(mask: Mask) -> Points:
    """Upper border [N, 2] of a mask, one point per column; columns where the mask begins at the film's edge are left
    out."""
    columns = np.flatnonzero(mask.any(0))
    rows = np.argmax(mask[:, columns], axis=0)
    return np.stack([rows, columns], axis=1).astype(np.float32)[rows > 0]


def fissures(anatomy: Anatomy) -> dict[str, Points]:
    """In each column the row in which a fissure is thickest along the ray, where it is thick enough to be seen."""
    body, geometry = anatomy.body, anatomy.geometry
    scale = np.array(body.scale, dtype=np.float32)
    result = {}
    for side, sign in SIDES.items():
        for name, cloud in fissure_surfaces(body, sign, FISSURE_PITCH_MM).items():
            if name == "oblique_fissure" and geometry.view is not View.LATERAL:
                continue
            sheet = follow(cloud, anatomy.lesions, sign)
            thickness = splat(geometry, sheet.points * scale, (sheet.volume * np.prod(scale)).astype(np.float32))
            columns = np.flatnonzero(thickness.max(0) > PLEURA_MM)
            rows = thickness[:, columns].argmax(0)
            shown = anatomy.fields[f"{side}_lung"][rows, columns]
            line = np.stack([rows, columns], axis=1)[shown].astype(np.float32)
            result[name if sign < 0 and name == "horizontal_fissure" else f"{name}_{side}"] = line
    return result


def mediastinal(body: Body) -> dict[str, Points]:
    """The mediastinal lines of a frontal film as points [N, 3] in reference mm, from above."""

    def between(low: float, high: float) -> Points:
        return np.arange(low, high, STEP_MM, dtype=np.float32)

    def fixed(low: float, high: float) -> Window:
        return lambda y: (np.full_like(y, low), np.full_like(y, high))

    def beside_spine(y: Points) -> tuple[Points, Points]:
        centre = shapes.spine_centre_z(y)
        return centre - 6, centre + 6

    floor = {sign: (body.dome_left if sign > 0 else body.dome_right) for sign in (1, -1)}
    down = between(body.knob_y + 24, floor[1] - 4)
    back = float(shapes.spine_centre_z(body.knob_y + 20)) - 18
    start, end = np.array((body.knob_x, body.knob_y + 10, back)), shapes.descending_aorta_end()
    t = (down - start[1]) / (end[1] - start[1])
    edge = start + t[:, None] * (end - start)
    edge[:, 0] += body.aorta_mm - 0.5 - 2.0 * t + shapes.shift_at(body, down)
    right, left = (
        interface(body, sign, between(body.knob_y - 30, 135.0), fixed(-84.0, -60.0), JUNCTION_MM) for sign in (-1, 1)
    )
    shared = np.intersect1d(right[:, 1], left[:, 1])
    middle = (right[np.isin(right[:, 1], shared)] + left[np.isin(left[:, 1], shared)]) / 2
    return {
        "right_paratracheal_stripe": interface(body, -1, between(24, 84), fixed(-8.0, 16.0), REACH_MM),
        "azygo_oesophageal_line": interface(body, -1, between(118, floor[-1] - 4), fixed(32.0, 46.0), REACH_MM),
        "left_paraspinal_line": interface(body, 1, between(70, floor[1] - 4), beside_spine, REACH_MM),
        "right_paraspinal_line": interface(body, -1, between(70, floor[-1] - 4), beside_spine, REACH_MM),
        "descending_aortic_line": edge.astype(np.float32),
        "anterior_junction_line": middle,
    }


def interface(body: Body, sign: int, heights: Points, window: Window, reach_mm: float) -> Points:
    """The most medial point [N, 3] (reference mm) of one lung (+1 left, -1 right) at each of some heights.

    Args:
        heights: y, [M].
        window: (least, greatest) z between which lung is looked for, at heights [M].
        reach_mm: lung further than this from the midline is not counted; such heights are left out.
    """
    low, high = window(heights)
    share = np.linspace(0, 1, 9, dtype=np.float32)
    z = (low[:, None] + share * (high - low)[:, None])[:, :, None]
    out = np.arange(-12.0, reach_mm, 0.25, dtype=np.float32)
    y = heights[:, None, None]
    x = sign * out[None, None, :] + shapes.shift_at(body, y)
    lung = lung_distance(body, sign, x, y, z) < 0
    first = np.where(lung.any(2), lung.argmax(2), len(out))
    depth = first.argmin(1)
    rows = np.arange(len(heights))
    found = first[rows, depth] < len(out)
    rows, depth = rows[found], depth[found]
    medial = np.broadcast_to(x, lung.shape)[rows, depth, first[rows, depth]]
    return np.stack([medial, heights[rows], z[rows, depth, 0]], axis=1).astype(np.float32)
