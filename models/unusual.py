"""How far a film's chest lies from those of normal films, cell by cell: Gaussians of a frozen network's features.

PaDiM (Defard et al., ICPR 2021) on the embedded classifier's trunk: the square around both lungs, two levels of maps,
and at each cell the Mahalanobis distance to the normal films. Hospitals differ more than diseases do, so a film's score
is ranked among the normal films of the population whose mean features are nearest to its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from imaging.geometry import extent
from models.networks import FIRST_LEVEL, Classifier
from models.preprocess import INPUT_MEAN, INPUT_SCALE, TONE_PERCENTILES, Box, FloatImage

SIDE = 256
"""Side of the square around the lungs, pixels."""

GRID = 16
"""Cells of the maps along a side."""

LEVELS = (4, 5)
"""Stages of the trunk whose maps are read: 112 and 192 channels. Chosen among stages 3 to 6 in cross-validation."""

ABOVE, BELOW, BESIDE = 0.06, 0.10, 0.06
"""Margins around both lungs as shares of their height and width; below, the diaphragm's angle belongs to them."""

MARK_DIGITS = 12

Maps = npt.NDArray[np.float32]


def lung_box(lungs: npt.NDArray[np.bool_]) -> Box | None:
    """The part of a film [H, W] around both lungs' mask with its margins; None where it is empty."""
    if not lungs.any():
        return None
    top, left, bottom, right = extent(lungs)
    height, width = bottom - top, right - left
    return Box(
        max(0, int(top - ABOVE * height)),
        max(0, int(left - BESIDE * width)),
        min(lungs.shape[0], int(bottom + BELOW * height)),
        min(lungs.shape[1], int(right + BESIDE * width)),
    )


def lung_square(pixels: FloatImage, box: Box) -> torch.Tensor:
    """The box of a film stretched to the square the trunk sees, float32 [1, 1, SIDE, SIDE] in [-1, 1]."""
    crop = np.array(pixels[box.top : box.bottom, box.left : box.right], dtype=np.float32, order="C")
    low, high = (float(value) for value in np.percentile(crop, TONE_PERCENTILES))
    square = functional.interpolate(
        torch.from_numpy(crop)[None, None], size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False
    )
    return (((square - low) / max(high - low, 1e-6)).clamp(0.0, 1.0) - INPUT_MEAN) / INPUT_SCALE


def maps_of(network: Classifier, squares: torch.Tensor) -> torch.Tensor:
    """Features of squares [N, 1, SIDE, SIDE]: float32 [N, 304, GRID, GRID]."""
    levels = network.levels(squares)
    read = [levels[stage - FIRST_LEVEL].float() for stage in LEVELS]
    return torch.cat([functional.interpolate(level, size=(GRID, GRID), mode="nearest") for level in read], dim=1)


def trunk_mark(state: Mapping[str, torch.Tensor]) -> str:
    """What tells one trunk from another: hex digits of the sha256 over its tensors, head and peaks left out."""
    digest = hashlib.sha256()
    for name in sorted(state):
        if not name.startswith(("head.", "peaks.")):
            digest.update(name.encode())
            digest.update(state[name].half().contiguous().numpy().tobytes())
    return digest.hexdigest()[:MARK_DIGITS]


@dataclass(frozen=True)
class Reference:
    """What normal films look like.

    Attributes:
        mean: float32 [C, GRID, GRID], of the scaled features.
        scale: float32 [C], their standard deviations.
        projection: float32 [C, d], onto the d directions in which normal films differ most, whitened.
        precision: float32 [GRID, GRID, d, d], of the projected features at each cell.
        centres: float32 [P, C], mean features of each population's normal films.
        within: float32 [C, C], precision of mean features within populations.
        typical: float32 [P, GRID, GRID], mean distance of each population's normal films at each cell.
        scores: of each population, its normal films' scores from folds they did not shape, rising.
        populations: their names.
    """

    mean: Maps
    scale: Maps
    projection: Maps
    precision: Maps
    centres: Maps
    within: Maps
    typical: Maps
    scores: tuple[Maps, ...]
    populations: tuple[str, ...]

    def distances(self, maps: Maps) -> Maps:
        """Distances [N, GRID, GRID] of features [N, C, GRID, GRID], about 1 on normal films."""
        shifted = maps / self.scale[:, None, None] - self.mean
        seen = np.einsum("nchw,cd->nhwd", shifted, self.projection, optimize=True)
        squared = np.einsum("nhwd,hwde,nhwe->nhw", seen, self.precision, seen, optimize=True)
        found: Maps = np.sqrt(np.maximum(squared, 0) / self.projection.shape[1]).astype(np.float32)
        return found

    def population(self, maps: Maps) -> npt.NDArray[np.int64]:
        """Number of the population nearest to each film, [N], by mean features."""
        away = maps.mean(axis=(2, 3))[:, None] - self.centres
        squared = np.einsum("npc,cd,npd->np", away, self.within, away, optimize=True)
        return np.asarray(squared.argmin(axis=1), dtype=np.int64)

    def percentile(self, score: float, population: int) -> float:
        """Share of the population's normal films with a lower score, in (0, 1)."""
        known = self.scores[population]
        return float((np.searchsorted(known, score) + 0.5) / (len(known) + 1))
