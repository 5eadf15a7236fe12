"""The radiopaque stripe of a tube followed down a frontal film: where it begins, and where it ends.

A network's outline of an endotracheal tube says which tube it is, but not where it ends: its cells are coarse. The
stripe in the tube's wall is a bright ridge of about a millimetre that ends with the tube.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from tools.anatomy.outlines import BoolMask

Floats = npt.NDArray[np.float64]

SIDE = 384
"""Longest side of the grid on which a stripe is followed: on a film of a whole chest about one millimetre a cell."""

NEAR, WIDE = 9, 18
"""Cells around each over which greys are levelled, and their spread is taken."""

ACROSS, ALONG = 1.0, 2.0
"""Cells of the Gaussian across the ridge (its second derivative) and along it."""

BESIDE = 12
"""Cells beside the outline in which the stripe may run."""

BEND = 0.25
"""What a step to the next column costs, in shares of the stripe's own strength."""

AHEAD, BEFORE = 30, 30
"""Cells below and above a place whose strengths are compared: a stripe fades slowly into the mediastinum."""

END_SHARE = 0.4
"""Share of the strength above a place below which the stripe ends. Chosen with AHEAD on 80 phantoms, 23 with a tube:
of 12 ends above the carina, 11 lay within 10 mm of the tip."""

LEAST_STRENGTH = 0.35
"""Strength from which a ridge counts as a stripe. Chosen on phantoms."""


@dataclass(frozen=True)
class Stripe:
    """A stripe from its upper to its lower end.

    Attributes:
        line: [n, 2] (row, column) in the film's pixels, from above.
        strength: median of the ridge, in spreads of the greys around it per cell squared.
    """

    line: Floats
    strength: float


def ridges(pixels: npt.NDArray[np.float32]) -> Floats:
    """How much each cell of a film [H, W] (bright = dense) is a bright ridge that runs down the film: [H, W]."""
    level = pixels.astype(np.float64)
    off = level - ndimage.uniform_filter(level, 2 * NEAR + 1)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(off**2, 2 * WIDE + 1), 0))
    flat = np.clip(off / (spread + 1e-2 * float(np.ptp(level)) + 1e-9), -4, 4)
    across = -ndimage.gaussian_filter1d(flat, ACROSS, axis=1, order=2)
    ridge: Floats = ndimage.gaussian_filter1d(across, ALONG, axis=0)
    return ridge


def stripe(pixels: npt.NDArray[np.float32], outlined: BoolMask) -> Stripe | None:
    """The stripe in and below a tube's outline; None where there is no ridge.

    Args:
        pixels: the film [H, W], bright = dense.
        outlined: where the tube is about, on a grid of any size over the whole film.
    """
    shrunk = min(1.0, SIDE / max(pixels.shape))
    soft = ndimage.gaussian_filter(pixels, 0.4 / shrunk) if shrunk < 1 else pixels
    grey = ndimage.zoom(soft, shrunk, order=1)
    scale = np.array(grey.shape) / np.array(outlined.shape)
    rows, columns = (np.nonzero(outlined)[axis] * scale[axis] for axis in (0, 1))
    top, low = int(rows.min()), int(rows.max())
    left = max(int(columns.min()) - BESIDE, 0)
    band = ridges(grey)[top:, left : int(columns.max()) + BESIDE + 1]
    sure = max((low - top) // 2, 8)
    begun = _path(band[: sure + 1], 0.1)
    strength = float(np.median(band[: sure + 1][begun[:, 0], begun[:, 1]]))
    if strength < LEAST_STRENGTH:
        return None
    path = _path(band, BEND * strength)
    path = path[: _end(band[path[:, 0], path[:, 1]])]
    back = np.array(pixels.shape) / np.array(grey.shape)
    return Stripe((path + np.array([top, left]) + 0.5) * back, strength)


def _end(strengths: Floats) -> int:
    """How many cells of a path belong to the stripe: up to where the next ones are much weaker than those before."""
    for cell in range(AHEAD, len(strengths)):
        before = float(np.median(strengths[max(0, cell - BEFORE) : cell]))
        ahead = strengths[cell : cell + AHEAD]
        if float(ahead.mean()) < END_SHARE * before:
            return cell + int(np.argmax(ahead < END_SHARE * before))
    return len(strengths)


def _path(band: Floats, bend: float) -> npt.NDArray[np.intp]:
    """Cells [n, 2] of the path down a band with the greatest sum of values; a step to the next column costs `bend`."""
    total = band.copy()
    step = np.zeros(band.shape, dtype=np.intp)
    for row in range(1, len(band)):
        before = np.pad(total[row - 1], 1, constant_values=-np.inf)
        ways = np.stack([before[:-2] - bend, before[1:-1], before[2:] - bend])
        step[row] = ways.argmax(axis=0)
        total[row] = ways.max(axis=0) + band[row]
    column = int(total[-1].argmax())
    cells = [(len(band) - 1, column)]
    for row in range(len(band) - 1, 0, -1):
        column += int(step[row, column]) - 1
        cells.append((row - 1, column))
    return np.array(cells[::-1])
