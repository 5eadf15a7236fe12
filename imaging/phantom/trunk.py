"""The outside of the patient: skin of neck, trunk, breasts and upper arms, hanging or raised."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imaging.phantom.body import Body, Point, _curve, capsule, ellipsoid, half_width, smooth_union, squircle

Array = npt.NDArray[np.float32]

OUTER_Y = np.array([-130, -75, -52, -38, -24, -8, 12, 40, 75, 110, 150, 200, 260, 330])
OUTER_HALF_WIDTH = np.array([62, 60, 64, 82, 112, 142, 162, 170, 168, 160, 154, 153, 152, 152])
OUTER_HALF_WIDTH_RAISED = np.array([62, 60, 64, 76, 90, 104, 116, 132, 146, 151, 151, 152, 152, 152])
"""The same with raised arms: the shoulders' muscle has gone up with them."""

OUTER_FRONT_Z = np.array([-52, -48, -40, -36, -44, -58, -73, -85, -92, -106, -119, -127, -131, -133])
OUTER_BACK_Z = np.array([62, 66, 72, 80, 90, 99, 106, 108, 110, 113, 113, 111, 106, 100])
"""Skin of neck, shoulder slope and trunk without arms (lean adult)."""

WIDE, RAISED, FRONT, BACK = (
    _curve(OUTER_Y, t) for t in (OUTER_HALF_WIDTH, OUTER_HALF_WIDTH_RAISED, OUTER_FRONT_Z, OUTER_BACK_Z)
)

SKULL = ((0.0, -262.0, -8.0), (78.0, 104.0, 95.0))
JAW = ((0.0, -190.0, -52.0), (58.0, 50.0, 58.0))
"""Centre and half axes (reference mm) of the head's two parts, the chin raised; only a field that cuts off the lungs'
bases reaches them."""

HEAD_FROM_Y, HEAD_BLEND_MM = -110.0, 14.0
"""Above this level there is a head, blended over this distance into the neck, which ends within it."""


def _breasts(body: Body, x: Array, y: Array) -> Array:
    """How far the breasts (mm) stand out of the chest: soft above, a rounded lower border."""
    r = body.breast
    down = y - (168.0 + 0.55 * r)
    v2 = (np.maximum(down, 0) / (0.95 * r)) ** 2 + (np.maximum(-down, 0) / (2.0 * r)) ** 2
    u2 = ((np.abs(x) - (66.0 + 0.25 * r)) / (1.15 * r)) ** 2
    rest = np.maximum(1 - v2 - u2, 0)
    result: Array = (0.62 * r * rest / np.sqrt(rest + 0.15)).astype(np.float32)
    return result


def upper_arm(body: Body, side: int, grow: float) -> tuple[Point, Point]:
    """Middle of the shoulder and the elbow (reference mm) of a trunk that is `grow` mm wider than the lean one."""
    if body.arms_up:
        return (side * (124.0 + 0.5 * grow), -4.0, 8.0), (side * (108.0 + 0.5 * grow), -250.0, -70.0)
    outward = 212.0 + 28.0 * body.arm_drop + grow
    return (side * (160.0 + 0.5 * grow), 32.0, 14.0), (side * outward, 210.0, 10.0)


WALL_MM = 12.0
"""Least thickness of ribs and muscles between pleura and fat at the side of the chest."""


def _grow(body: Body) -> float:
    """How much wider (mm) than the lean one the trunk is."""
    return 18.0 * body.habitus + (body.fat_mm - 12.0) * 0.6


def arms(body: Body, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
    """Distances to the skin of the left and the right upper arm."""
    thick = (34.0, 44.0) if body.arms_up else (44.0, 38.0)
    left, right = (capsule(x, y, z, *upper_arm(body, side, _grow(body)), thick) for side in (1, -1))
    return left, right


def skin(body: Body, x: Array, y: Array, z: Array, limbs: tuple[Array, Array], depth: float = 0.0) -> Array:
    """Distance to the skin of neck, trunk, arms and breasts; `depth` mm under the skin when positive.

    `limbs` are the distances that `arms` gives for the same points.
    """
    grow = _grow(body)
    level, y = y, np.maximum(y, float(OUTER_Y[0]))
    trunk_part = np.clip((y + 45) / 90, 0, 1)
    outer = RAISED(y) if body.arms_up else WIDE(y)
    half = (outer + grow * (0.35 + 0.65 * trunk_part)).astype(np.float32) - depth
    half = np.maximum(half, (half_width(body, y) + WALL_MM + body.fat_mm - depth) * np.clip(y / 40, 0, 1))
    front = (FRONT(y) - grow * (0.3 + 0.7 * trunk_part)).astype(np.float32) + depth
    back = (BACK(y) + 0.6 * grow * trunk_part).astype(np.float32) - depth
    if body.breast:
        front = front - _breasts(body, x, y)
    b = np.maximum((back - front) / 2, 5)
    d = (squircle(x / half, (z - (front + back) / 2) / b, 0.5) - 1) * np.minimum(half, b)
    for limb in limbs:
        d = smooth_union(d, limb + np.float32(depth), 48.0 if body.arms_up else 22.0)
    if not (level < HEAD_FROM_Y).any():
        return d
    d = np.maximum(d, SKULL[0][1] - level)
    for part in (JAW, SKULL):
        d = smooth_union(d, ellipsoid(x, level, z, *part) + np.float32(depth), HEAD_BLEND_MM)
    return d
