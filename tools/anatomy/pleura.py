"""Costophrenic angles and the size of a pneumothorax, on outlines.

Outlines are bool [H, W]; lengths are in pixels of the film's columns, rows scaled by `aspect` (a pixel's height over
its width). Sides are the patient's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from imaging.geometry import extent
from tools.anatomy.outlines import BoolMask
from tools.anatomy.strips import Floats, Point

READ_FROM, READ_TO = 0.014, 0.085
"""Distances from the angle's tip, as shares of the chest's width, between which wall and dome are read: 4 to 24 mm in a
chest of 28 cm, as the phantom's truth has them (imaging.phantom.measures)."""

FEWEST = 3
"""Pixels of a border that give it a direction."""


@dataclass(frozen=True)
class Recess:
    """One costophrenic angle: its tip, the far end of each border as read, and the angle between them."""

    tip: Point
    wall: Point
    dome: Point
    angle_deg: float


def costophrenic(lung: BoolMask, patients_left: bool, chest_px: float, aspect: float = 1.0) -> Recess:
    """The angle between chest wall and dome at the lung's lowest lateral point.

    The tip is the pixel furthest down and outwards in equal parts; both borders are straight fits between READ_FROM and
    READ_TO of the chest's width from it. ValueError where a border is too short.
    """
    sign = 1 if patients_left else -1
    rows, columns = np.nonzero(lung)
    if not rows.size:
        raise ValueError("the lung is not outlined")
    best = int(np.argmax(rows * aspect + sign * columns))
    tip = (int(rows[best]), int(columns[best]))
    near, far = READ_FROM * chest_px, READ_TO * chest_px
    wall = _wall(lung, tip, sign, near / aspect, far / aspect)
    dome = _dome(lung, tip, sign, near, far)
    bearings, ends = [], []
    for border in (wall, dome):
        if len(border) < FEWEST:
            raise ValueError("the lung's border beside the costophrenic angle is too short")
        bearing, end = _direction(border, tip, sign, aspect)
        bearings.append(bearing)
        ends.append(end)
    return Recess((float(tip[0]), float(tip[1])), ends[0], ends[1], abs(bearings[0] - bearings[1]))


def _wall(lung: BoolMask, tip: tuple[int, int], sign: int, near: float, far: float) -> list[tuple[int, int]]:
    """The lung's outermost pixels in the rows above the tip."""
    low, high = max(0, math.ceil(tip[0] - far)), math.floor(tip[0] - near)
    found = []
    for row in range(low, high + 1):
        hit = np.flatnonzero(lung[row])
        if hit.size:
            found.append((row, int(hit[-1] if sign > 0 else hit[0])))
    return found


def _dome(lung: BoolMask, tip: tuple[int, int], sign: int, near: float, far: float) -> list[tuple[int, int]]:
    """The lung's lowest pixels in the columns on the tip's medial side."""
    found = []
    for away in range(math.ceil(near), math.floor(far) + 1):
        column = tip[1] - sign * away
        if 0 <= column < lung.shape[1]:
            hit = np.flatnonzero(lung[:, column])
            if hit.size:
                found.append((int(hit[-1]), column))
    return found


def _direction(border: list[tuple[int, int]], tip: tuple[int, int], sign: int, aspect: float) -> tuple[float, Point]:
    """(degrees from straight up, positive medially; far end of the straight fit) of a border seen from the tip."""
    offsets = np.array(border, dtype=np.float64) - tip
    place: Floats = np.stack([-offsets[:, 0] * aspect, -sign * offsets[:, 1]])
    centre = place.mean(axis=1)
    along = np.linalg.svd(place - centre[:, None], full_matrices=False)[0][:, 0]
    along = along if along @ centre >= 0 else -along
    reach = float((along @ place).max())
    up, medial = centre + along * (reach - along @ centre)
    return math.degrees(math.atan2(along[1], along[0])), (tip[0] - up / aspect, tip[1] - sign * medial)


DOME_REACH = 0.01
"""How far below the lung's border the diaphragm may begin, as a share of the film's rows: outlines leave a gap."""


def dome_top(lung: BoolMask, diaphragm: BoolMask) -> Point:
    """The highest point of the lung's lower border that lies on the diaphragm.

    Args:
        lung: of one side.
        diaphragm: of that side, without what the heart hides.

    Raises:
        ValueError: nowhere in its lower half does the lung end on the diaphragm.
    """
    if not lung.any():
        raise ValueError("the lung is not outlined")
    top, _, bottom, _ = extent(lung)
    columns = np.flatnonzero(lung.any(axis=0))
    low = lung.shape[0] - 1 - np.argmax(lung[::-1, columns], axis=0)
    beneath = np.zeros(columns.shape, dtype=np.bool_)
    for step in range(max(3, round(DOME_REACH * lung.shape[0]))):
        beneath |= diaphragm[np.minimum(low + step, lung.shape[0] - 1), columns]
    kept = beneath & (low > (top + bottom) / 2)
    if not kept.any():
        raise ValueError("the lung does not end on the diaphragm where it is seen, as with fluid at the base")
    row = int(low[kept].min())
    return float(row), float(np.median(columns[kept][low[kept] == row]))


@dataclass(frozen=True)
class Collapse:
    """How large a pneumothorax is on a frontal film.

    Attributes:
        share: of the hemithorax' area, lung and free air together, that is free air, 0 to 1.
        apex: the free air's highest point and the lung's highest point under it.
        lateral: chest wall and lung edge in the row half way down the hemithorax.
        apex_px, lateral_px: their distances; None where there is no free air between them.
    """

    share: float
    apex: tuple[Point, Point] | None
    apex_px: float | None
    lateral: tuple[Point, Point] | None
    lateral_px: float | None


def collapse(air: BoolMask, lung: BoolMask, patients_left: bool, aspect: float = 1.0) -> Collapse:
    """Size of a pneumothorax from the outline of its free air and of the lung (which may or may not hold that air).

    The apex-to-cupola distance and the interpleural distance at mid height are those of the ACCP (Baumann, Chest
    2001;119:590) and the BTS guidelines (MacDuff, Thorax 2010;65 Suppl 2:ii18). ValueError without free air.
    """
    if not air.any():
        raise ValueError("no free air is outlined")
    inside = lung & ~air
    whole = air | lung
    top, _, bottom, _ = extent(whole)
    apex = _apex(air, inside, top)
    row = (top + bottom) // 2
    free, kept = np.flatnonzero(air[row]), np.flatnonzero(inside[row])
    lateral, across = None, None
    if free.size:
        wall = free[-1] if patients_left else free[0]
        edge = None if not kept.size else kept[-1] if patients_left else kept[0]
        if edge is not None and (edge < wall if patients_left else edge > wall):
            lateral = ((float(row), float(wall)), (float(row), float(edge)))
            across = float(abs(int(wall) - int(edge)))
    return Collapse(
        share=float(air.sum() / whole.sum()),
        apex=apex,
        apex_px=None if apex is None else (apex[1][0] - apex[0][0]) * aspect,
        lateral=lateral,
        lateral_px=across,
    )


def _apex(air: BoolMask, inside: BoolMask, top: int) -> tuple[Point, Point] | None:
    """From the top of the hemithorax straight down to the highest lung beneath it; None where lung reaches the top."""
    if not inside.any() or not air[top].any():
        return None
    row = int(np.flatnonzero(inside.any(axis=1))[0])
    if row <= top:
        return None
    column = float(np.flatnonzero(inside[row]).mean())
    return (float(top), column), (float(row), column)
