"""Figures of merit of the cards: ranking, calibration, operating points, each with its interval over patients."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

SEED = 20261123
RESAMPLES = 1000
"""Bootstrap resamples of patients behind every 95% interval."""

INTERVAL = (2.5, 97.5)
CALIBRATION_BINS = 10
"""Equal-mass bins of the expected calibration error (the usual choice)."""

WEAK_PLATT = 1e6
"""Inverse penalty of the logistic fit: practically none, as Platt scaling has two parameters only."""


@dataclass(frozen=True)
class Interval:
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Platt:
    """Probability = sigmoid(slope * logit + intercept)."""

    slope: float
    intercept: float

    def __call__(self, logits: Floats) -> Floats:
        """Calibrated probabilities of raw logits."""
        return 1.0 / (1.0 + np.exp(-(self.slope * logits + self.intercept)))


def patient_weights(patients: Counts) -> Counts:
    """How often each film counts in each bootstrap resample of patients: [RESAMPLES, N]."""
    names, rows = np.unique(patients, return_inverse=True)
    draws = np.random.default_rng(SEED).multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    return np.asarray(draws[:, rows], dtype=np.int64)


def resampled(
    figure: Callable[[Floats, Floats, Counts], float], truth: Floats, scores: Floats, weights: Counts
) -> Interval:
    """A figure (truth, scores, weights) on all films, with its interval over resampled patients."""
    values = []
    for row in weights:
        kept = row > 0
        if 0 < truth[kept].sum() < kept.sum():
            values.append(figure(truth[kept], scores[kept], row[kept]))
    low, high = np.percentile(values, INTERVAL)
    return Interval(figure(truth, scores, np.ones(len(truth), dtype=np.int64)), float(low), float(high))


def auroc(truth: Floats, scores: Floats, weights: Counts) -> float:
    """Area under the receiver operating characteristic."""
    return float(roc_auc_score(truth, scores, sample_weight=weights))


def auprc(truth: Floats, scores: Floats, weights: Counts) -> float:
    """Average precision."""
    return float(average_precision_score(truth, scores, sample_weight=weights))


def calibration_error(truth: Floats, probabilities: Floats) -> float:
    """Expected calibration error over equal-mass bins."""
    order = np.argsort(probabilities, kind="stable")
    bins = [chunk for chunk in np.array_split(order, CALIBRATION_BINS) if len(chunk)]
    gaps = [len(chunk) * abs(truth[chunk].mean() - probabilities[chunk].mean()) for chunk in bins]
    return float(sum(gaps) / len(truth))


def fit_platt(truth: Floats, logits: Floats) -> Platt:
    """Platt's two parameters by maximum likelihood."""
    model = LogisticRegression(C=WEAK_PLATT).fit(logits[:, None], truth)
    return Platt(float(model.coef_[0, 0]), float(model.intercept_[0]))


def cross_fitted(truth: Floats, logits: Floats, folds: Counts) -> Floats:
    """Probabilities of each fold from a Platt fit on the other folds only."""
    probabilities = np.zeros_like(logits)
    for fold in np.unique(folds):
        here = folds == fold
        probabilities[here] = fit_platt(truth[~here], logits[~here])(logits[here])
    return probabilities


def youden(truth: Floats, probabilities: Floats, weights: Counts) -> float:
    """The threshold with the largest sensitivity + specificity."""
    fallout, recall, thresholds = roc_curve(truth, probabilities, sample_weight=weights)
    best = int(np.argmax(recall[1:] - fallout[1:])) + 1
    return float(thresholds[best])


def operating_rates(truth: Floats, probabilities: Floats, threshold: float) -> tuple[float, float]:
    """Sensitivity and specificity when `probability >= threshold` is called positive."""
    called = probabilities >= threshold
    return float(called[truth == 1].mean()), float(1 - called[truth == 0].mean())


RATES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99)
"""Sensitivities and specificities at which a card tells the threshold."""

ROC_DIGITS = 4


def roc_points(truth: Floats, probabilities: Floats) -> list[list[float]]:
    """Points of the ROC curve for a card: [threshold, sensitivity, specificity], thresholds rising.

    Thresholds are rounded first, so that the rates are those of the very threshold that is told; `probability >=
    threshold` is called positive.
    """
    fallout, recall, thresholds = roc_curve(truth, probabilities, drop_intermediate=False)
    fallout, recall, thresholds = fallout[1:], recall[1:], thresholds[1:]
    wanted = {float(thresholds[np.argmax(recall >= rate)]) for rate in (*RATES, 1.0)}
    wanted |= {
        float(thresholds[np.flatnonzero(1 - fallout >= rate)[-1]]) for rate in RATES if (1 - fallout).max() >= rate
    }
    rounded = sorted({math.floor(value * 10**ROC_DIGITS) / 10**ROC_DIGITS for value in wanted})
    return [
        [value, *(round(rate, ROC_DIGITS) for rate in operating_rates(truth, probabilities, value))]
        for value in rounded
    ]
