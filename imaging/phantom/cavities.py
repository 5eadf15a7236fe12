"""Cavitary disease: an air-filled hole in a thick-walled lesion, small nodules around it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imaging.phantom.body import Body, cage
from imaging.phantom.bones import Cloud
from imaging.phantom.findings import FindingSpec
from imaging.phantom.lesions import Lesion, lobulated, place
from imaging.phantom.vessels import lung_distance

Array = npt.NDArray[np.float32]

WALL_SHARE = 0.15
"""Thickness of a cavity's wall as a share of its diameter where none is said: 7 mm at 45 mm, a thick wall."""

FLUID_SHARE = 0.30
"""Height of the fluid in a cavity with a level, as a share of its inner diameter."""

SATELLITES = 20
"""Small nodules scattered about a cavity."""

SATELLITE_MM = (2.2, 4.8)
"""Their radii in mm."""


def cavity(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Lesion:
    """A thick-walled cavity, in the upper zone unless another is said; with a fluid level where asked."""
    radius = spec.value / 2
    wall = spec.wall_mm if spec.wall_mm is not None else WALL_SHARE * spec.value
    centre = place(body, spec, sign, radius / body.mean_scale, rng)
    outer = lobulated(body, centre, radius, 0.06, rng)
    inner = lobulated(body, centre, radius - wall, 0.08, rng)
    level = None
    if spec.kind == "fluid_level":
        depth = FLUID_SHARE * 2 * (radius - wall)
        level = np.float32(centre[1] + (radius - wall - depth) / body.scale[1])

    def hollow(x: Array, y: Array, z: Array) -> Array:
        # Where the lesion reaches the chest wall, half of its own wall is left inside the pleura.
        rind = cage(body, sign, x, y, z) + np.float32(wall / 2 / body.mean_scale)
        air = np.maximum(inner(x, y, z), rind)
        return air if level is None else np.maximum(air, y - level)

    told = {
        "diameter_mm": spec.value,
        "wall_mm": round(wall, 1),
        "fluid_level": level is not None,
        "centre_mm": [round(c * s, 1) for c, s in zip(centre, body.scale, strict=True)],
        "satellites": SATELLITES,
    }
    return Lesion(
        f"cavity_{side}", "cavity", side, outer, 1.03, sign, parameters=told, hollow=hollow,
        cloud=_satellites(body, sign, centre, radius, rng),
    )  # fmt: skip


def _satellites(
    body: Body, sign: int, centre: tuple[float, float, float], radius: float, rng: np.random.Generator
) -> Cloud:
    """Small solid nodules (reference mm, mm³) within 2.2 radii of the centre; those outside the lung are left out."""
    direction = rng.normal(size=(SATELLITES, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    away = (radius / body.mean_scale) * rng.uniform(1.15, 2.2, (SATELLITES, 1))
    middle = np.array(centre) + direction * away
    size = rng.uniform(*SATELLITE_MM, SATELLITES)
    each = 500
    local = rng.normal(size=(SATELLITES, each, 3))
    local *= (rng.random((SATELLITES, each, 1)) ** (1 / 3)) / np.linalg.norm(local, axis=2, keepdims=True)
    points = middle[:, None] + local * size[:, None, None]
    inside = lung_distance(body, sign, *middle.astype(np.float32).T) < 0
    volume = np.repeat(4 / 3 * np.pi * size[inside] ** 3 / each, each)
    return Cloud(points[inside].reshape(-1, 3).astype(np.float32), volume.astype(np.float32))
