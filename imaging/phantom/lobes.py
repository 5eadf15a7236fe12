"""Lobes of the lungs: their names, and the fissures between them as signed distances.

The oblique fissure runs from the level of T4/T5 at the back down to the front of the dome; the right lung's horizontal
fissure leaves it at the level of the hilum and runs forward to the fourth rib (textbook anatomy; the planes' numbers
were set by eye on this phantom's ribs).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from imaging.phantom.body import Body
from imaging.phantom.bones import Cloud
from imaging.phantom.breath import HILUM_SHARE, followed
from imaging.phantom.findings import LOBES
from imaging.phantom.vessels import lung_distance

Array = npt.NDArray[np.float32]

OBLIQUE_BACK = (75.0, 80.0)
"""(y, z) in reference mm of the oblique fissure at the back: the disc of T4/T5."""

OBLIQUE_FRONT_Z = -62.0
"""z at which the oblique fissure meets the dome, about a third of the way from the front wall."""

OBLIQUE_BELOW_DOME_MM = 12.0
"""How far below the dome's top that is."""

HORIZONTAL_Y, HORIZONTAL_SLOPE = 119.0, -0.06
"""Height (reference mm) of the horizontal fissure at z = 0 at the usual breath, and its fall towards the front, mm of y
per mm of z."""

HORIZONTAL_WAVE_MM = 3.5
"""It is no plane but gently bent: half the height of its wave; set by eye."""

HORIZONTAL_TWIST = 0.0035
"""Its slope changes by this much per mm to the side, mm/mm²: along the beam it runs only in part; set by eye."""

BEND_X = 55.0
"""Distance (reference mm) from the midline of the line about which the oblique fissures are bent; set by eye."""

BOW_MM, TWIST_MM, SAG_MM = 4.0, 11.0, 6.0
"""How far the oblique fissures leave their planes that far from that line, and half way along it.
Only where a bent fissure runs along the beam does it show, as on real films."""

FISSURE_MM = 0.4
"""Thickness of both layers of visceral pleura with the fluid between them (each layer 0.1-0.2 mm; set by eye)."""


def oblique(body: Body, side: int, x: Array, y: Array, z: Array) -> Array:
    """Signed distance (reference mm) to one lung's oblique fissure: negative below and behind it, in the lower lobe.

    Args:
        side: +1 left, -1 right.
        x, y, z: broadcastable points in reference mm.
    """
    fall, depth = _oblique_run(body, side)
    result: Array = ((oblique_y(body, side, x, z) - y) * np.float32(depth / math.hypot(fall, depth))).astype(np.float32)
    return result


def _oblique_run(body: Body, side: int) -> tuple[float, float]:
    """(fall, depth) in reference mm of one oblique fissure from the back to the dome."""
    front_y = (body.dome_left if side > 0 else body.dome_right) + OBLIQUE_BELOW_DOME_MM
    return front_y - OBLIQUE_BACK[0], OBLIQUE_BACK[1] - OBLIQUE_FRONT_Z


def oblique_y(body: Body, side: int, x: Array, z: Array) -> Array:
    """Height (reference mm) of one lung's oblique fissure over (x, z): a plane bent and twisted like a propeller."""
    fall, depth = _oblique_run(body, side)
    forward = (np.float32(OBLIQUE_BACK[1]) - z) / np.float32(depth)
    out = np.clip((side * x - np.float32(BEND_X)) / np.float32(BEND_X), -1.2, 1.5)
    twist = np.float32(TWIST_MM * (1 + 0.2 * body.wobble[22])) * np.cos(np.float32(np.pi) * forward)
    sag = np.float32(SAG_MM) * np.sin(np.float32(np.pi) * np.clip(forward, 0, 1))
    bent = np.float32(BOW_MM) * out * out + twist * out - sag
    result: Array = (OBLIQUE_BACK[0] + fall * forward + bent).astype(np.float32)
    return result


def horizontal(body: Body, x: Array, y: Array, z: Array) -> Array:
    """Signed distance (reference mm) to the right lung's horizontal fissure: negative below it."""
    result: Array = (horizontal_y(body, x, z) - y).astype(np.float32)
    return result


def horizontal_y(body: Body, x: Array, z: Array) -> Array:
    """Height (reference mm) of the horizontal fissure over (x, z)."""
    bend = np.sin((x + 20) / np.float32(26.0)) + 0.5 * np.sin((z + 15) / np.float32(22.0))
    level = np.float32(HORIZONTAL_Y + followed(body.dome_right, HILUM_SHARE)) + np.float32(HORIZONTAL_SLOPE) * z
    level = level + np.float32(HORIZONTAL_TWIST) * (x + np.float32(BEND_X)) * (z + 30)
    result: Array = (level + np.float32(HORIZONTAL_WAVE_MM) * bend).astype(np.float32)
    return result


def lobe_distance(body: Body, side: int, lobe: str, x: Array, y: Array, z: Array) -> Array:
    """Signed distance (reference mm) to one lobe as far as fissures bound it, negative inside; cut it to the lung.

    Args:
        side: +1 left, -1 right.
        lobe: one of findings.LOBES; on the left the upper lobe holds what is the middle lobe on the right.
        x, y, z: broadcastable points in reference mm.

    Raises:
        ValueError: no such lobe in this lung.
    """
    if lobe not in LOBES or (lobe == "middle_lobe" and side > 0):
        raise ValueError(f"no {lobe} in the {'left' if side > 0 else 'right'} lung")
    behind = oblique(body, side, x, y, z)
    if lobe == "lower_lobe":
        return behind
    if side > 0:
        return -behind
    below = horizontal(body, x, y, z)
    return np.maximum(-behind, below if lobe == "middle_lobe" else -below)


def lobe_of(body: Body, side: int, x: float, y: float, z: float) -> str:
    """The lobe, one of findings.LOBES, that holds a point (reference mm) of one lung (+1 left, -1 right)."""
    px, py, pz = (np.array(v, dtype=np.float32) for v in (x, y, z))
    if oblique(body, side, px, py, pz) < 0:
        return "lower_lobe"
    return "middle_lobe" if side < 0 and horizontal(body, px, py, pz) < 0 else "upper_lobe"


def fissure_surfaces(
    body: Body, side: int, pitch_mm: float, rng: np.random.Generator | None = None
) -> dict[str, Cloud]:
    """The fissures of one lung (+1 left, -1 right) inside it: points [N, 3] and their volumes in reference mm.

    Points lie on a grid of `pitch_mm` over (x, z), shaken within their cells by rng.
    """
    across = np.arange(-20.0, 150.0, pitch_mm, dtype=np.float32)
    deep = np.arange(-112.0, 100.0, pitch_mm, dtype=np.float32)
    x, z = (v.ravel() for v in np.meshgrid(side * across, deep))
    if rng is not None:
        x = x + (rng.random(len(x), dtype=np.float32) - np.float32(0.5)) * np.float32(pitch_mm)
        z = z + (rng.random(len(z), dtype=np.float32) - np.float32(0.5)) * np.float32(pitch_mm)
    fall, depth = _oblique_run(body, side)
    surfaces = {"oblique_fissure": (oblique_y(body, side, x, z), math.hypot(fall, depth) / depth)}
    if side < 0:
        surfaces["horizontal_fissure"] = (horizontal_y(body, x, z), 1.0)
    result = {}
    for name, (y, steepness) in surfaces.items():
        kept = (y > 0) & (y < 300)
        if name == "horizontal_fissure":
            kept &= oblique(body, side, x, y, z) > 0
        points = np.stack([x, y, z], axis=1)[kept]
        points = points[lung_distance(body, side, *points.T) < 0]
        volume = np.full(len(points), FISSURE_MM * steepness * pitch_mm**2, dtype=np.float32)
        result[name] = Cloud(points, volume)
    return result
