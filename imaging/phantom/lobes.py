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
from imaging.phantom.findings import LOBES

Array = npt.NDArray[np.float32]

OBLIQUE_BACK = (75.0, 80.0)
"""(y, z) in reference mm of the oblique fissure at the back: the disc of T4/T5."""

OBLIQUE_FRONT_Z = -62.0
"""z at which the oblique fissure meets the dome, about a third of the way from the front wall."""

OBLIQUE_BELOW_DOME_MM = 12.0
"""How far below the dome's top that is."""

HORIZONTAL_Y, HORIZONTAL_SLOPE = 119.0, -0.06
"""Height (reference mm) of the horizontal fissure at z = 0 and its fall towards the front, mm of y per mm of z."""


def oblique(body: Body, side: int, x: Array, y: Array, z: Array) -> Array:
    """Signed distance (reference mm) to one lung's oblique fissure: negative below and behind it, in the lower lobe.

    Args:
        side: +1 left, -1 right.
        x, y, z: broadcastable points in reference mm; the fissure is a plane that does not depend on x.
    """
    front_y = (body.dome_left if side > 0 else body.dome_right) + OBLIQUE_BELOW_DOME_MM
    fall, depth = front_y - OBLIQUE_BACK[0], OBLIQUE_BACK[1] - OBLIQUE_FRONT_Z
    length = math.hypot(fall, depth)
    below = (y - np.float32(OBLIQUE_BACK[0])) * np.float32(depth / length)
    behind = (z - np.float32(OBLIQUE_BACK[1])) * np.float32(fall / length)
    result: Array = (-(below + behind) + np.zeros_like(x)).astype(np.float32)
    return result


def horizontal(x: Array, y: Array, z: Array) -> Array:
    """Signed distance (reference mm) to the right lung's horizontal fissure: negative below it."""
    surface = np.float32(HORIZONTAL_Y) + np.float32(HORIZONTAL_SLOPE) * z
    result: Array = ((surface - y) + np.zeros_like(x)).astype(np.float32)
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
    below = horizontal(x, y, z)
    return np.maximum(-behind, below if lobe == "middle_lobe" else -below)
