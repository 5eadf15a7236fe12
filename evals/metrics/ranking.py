"""Of scores against labels: areas under curves, F1, sensitivity at a specificity, with intervals over patients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score, roc_curve

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

RESAMPLES = 400
SPECIFICITY = 0.9


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % interval; None where one class is empty."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Ranked:
    """Of one finding: its counts and figures."""

    n: int
    positives: int
    auroc: Figure
    auprc: Figure
    f1: Figure | None
    sensitivity_at_90_specificity: Figure


def ranked(
    truth: Sequence[bool],
    scores: Sequence[float],
    patients: Sequence[str],
    called: Sequence[bool] | None = None,
    seed: int = 0,
) -> Ranked:
    """All figures of one finding.

    Args:
        truth: one per film.
        scores: higher is more likely.
        patients: films of one patient are resampled together.
        called: whether the finding was called present; no F1 without.
        seed: of the bootstrap.
    """
    labels, values = np.asarray(truth, bool), np.asarray(scores, float)
    calls = None if called is None else np.asarray(called, bool)
    return Ranked(
        n=len(labels),
        positives=int(labels.sum()),
        auroc=_figure(lambda rows: auroc(labels[rows], values[rows]), labels, patients, seed),
        auprc=_figure(lambda rows: auprc(labels[rows], values[rows]), labels, patients, seed),
        f1=None
        if calls is None
        else _figure(lambda rows: float(f1_score(labels[rows], calls[rows], zero_division=0)), labels, patients, seed),
        sensitivity_at_90_specificity=_figure(
            lambda rows: sensitivity_at(labels[rows], values[rows]), labels, patients, seed
        ),
    )


def auroc(truth: Flags, scores: Floats) -> float:
    """Area under the receiver operating characteristic (Hanley and McNeil 1982)."""
    return float(roc_auc_score(truth, scores))


def auprc(truth: Flags, scores: Floats) -> float:
    """Average precision: the area under the precision-recall curve as steps, without interpolation."""
    return float(average_precision_score(truth, scores))


def sensitivity_at(truth: Flags, scores: Floats, specificity: float = SPECIFICITY) -> float:
    """The highest sensitivity at which the specificity is at least this."""
    false_positive, true_positive, _ = roc_curve(truth, scores, drop_intermediate=False)
    return float(true_positive[false_positive <= 1 - specificity + 1e-12].max())


def _figure(
    measure: Callable[[npt.NDArray[np.int64]], float], truth: Flags, patients: Sequence[str], seed: int
) -> Figure:
    if not 0 < truth.sum() < len(truth):
        return Figure(None, None, None)
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    films = [np.flatnonzero(owner == number) for number in range(len(names))]
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([films[number] for number in rng.integers(len(names), size=len(names))])
        if 0 < truth[rows].sum() < len(rows):
            drawn.append(measure(rows))
    low, high = np.percentile(drawn, [2.5, 97.5]) if drawn else (np.nan, np.nan)
    return Figure(round(measure(np.arange(len(truth))), 4), round(float(low), 4), round(float(high), 4))
