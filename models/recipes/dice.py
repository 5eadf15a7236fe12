"""Overlap of found and drawn outlines: Dice per structure, with intervals, and the thresholds that make it best."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from imaging.geometry import dice
from models.networks import STRUCTURES, Segmenter, segment
from models.recipes.data import MaskedFilm
from models.recipes.segmenter_card import LUNGS

SEED = 20261123
RESAMPLES = 2000
THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
"""Candidates among which validation films choose, structure by structure."""


def measure(network: Segmenter, films: Sequence[MaskedFilm], thresholds: Sequence[float]) -> npt.NDArray[np.float64]:
    """Dice [N, 13] in the films' own geometry: the structures, then both lungs together; NaN where not drawn."""
    table = np.full((len(films), len(STRUCTURES) + 1), np.nan)
    for row, film in enumerate(films):
        _, masks = segment(network, film.pixels, thresholds)
        for column in np.flatnonzero(film.known):
            table[row, column] = dice(masks[column], film.masks[column])
        table[row, -1] = dice(masks[0] | masks[1], film.masks[0] | film.masks[1])
    return table


def choose_thresholds(network: Segmenter, films: Sequence[MaskedFilm]) -> list[float]:
    """Per structure, the candidate threshold with the best mean Dice on the validation films."""
    scores = np.stack(
        [np.nanmean(measure(network, films, [threshold] * len(STRUCTURES)), axis=0) for threshold in THRESHOLDS]
    )
    return [THRESHOLDS[int(best)] for best in scores[:, : len(STRUCTURES)].argmax(axis=0)]


def interval(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean with its 95% bootstrap interval over films."""
    kept = values[~np.isnan(values)]
    draws = np.random.default_rng(SEED).integers(0, len(kept), (RESAMPLES, len(kept)))
    low, high = np.percentile(kept[draws].mean(axis=1), (2.5, 97.5))
    return float(kept.mean()), float(low), float(high)


def figures(table: npt.NDArray[np.float64], dataset: str) -> dict[str, dict[str, Any]]:
    """Per structure (and `lungs`, both together) the films measured, mean Dice, its interval, and the worst film."""
    rows: dict[str, dict[str, Any]] = {}
    for column, name in enumerate((*STRUCTURES, LUNGS)):
        values = table[:, column]
        if np.isnan(values).all():
            continue
        value, low, high = interval(values)
        rows[name] = {
            "dataset": dataset,
            "films": int((~np.isnan(values)).sum()),
            "value": value,
            "low": low,
            "high": high,
            "worst": float(np.nanmin(values)),
        }
    return rows
