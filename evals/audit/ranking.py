"""AUROC with an interval over patients, of many groups on the same resamples, so that gaps have intervals too. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tools.audits import Figure

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SEED = 20261128
RESAMPLES = 500
INTERVAL = (2.5, 97.5)

LEAST_OF_EACH = 10
"""Films with and without the finding that a group needs: with fewer an AUROC says nothing."""


class Resamples:
    """How often each film counts in each bootstrap resample of patients.

    Args:
        patients: one name per film; films of one patient come and go together.
        resamples: how many.
    """

    def __init__(self, patients: npt.NDArray[np.str_], resamples: int = RESAMPLES) -> None:
        names, rows = np.unique(patients, return_inverse=True)
        draws = np.random.default_rng(SEED).multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
        self.weights: Floats = np.concatenate((np.ones((1, len(names))), draws))[:, rows].astype(np.float64)
        """float64 [1 + resamples, films]; the first row counts every film once."""


def auroc(truth: Flags, scores: Floats, weights: Floats) -> Floats:
    """Area under the receiver operating characteristic for each row of weights [r, n]; NaN where a class is empty.

    The probability that a film with the finding has a higher score than one without, ties counting half (Hanley and
    McNeil, Radiology 1982;143:29).
    """
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    positive = np.add.reduceat(weights[:, order] * truth[order], starts, axis=1)
    negative = np.add.reduceat(weights[:, order] * ~truth[order], starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative
    won = (positive * (below + negative / 2)).sum(axis=1)
    total = positive.sum(axis=1) * negative.sum(axis=1)
    return np.where(total > 0, won / np.where(total > 0, total, 1), np.nan)


def enough(truth: Flags) -> bool:
    """Whether a group has enough films of each class."""
    return bool(min(truth.sum(), (~truth).sum()) >= LEAST_OF_EACH)


def figure(values: Floats, truth: Flags) -> Figure:
    """The figure of `values` [1 + resamples], the first being that of all films."""
    low, high = np.nanpercentile(values[1:], INTERVAL)
    rounded = [round(float(value), 4) for value in (values[0], low, high)]
    return Figure(
        value=rounded[0], low=rounded[1], high=rounded[2], positives=int(truth.sum()), negatives=int((~truth).sum())
    )
