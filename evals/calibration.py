"""How far a confidence can be believed: calibration error, and accuracy without the least sure answers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 10
LEAST = -1.0
"""Confidence of a question that got none: below every other."""


@dataclass(frozen=True)
class Bin:
    """Answers of like confidence: how many, their mean confidence, and the share that is right."""

    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """How far the confidences of a run can be believed.

    Attributes:
        n: answers with a confidence; the errors are of these.
        error, adaptive: expected calibration error with bins of equal width, and of equally many answers.
        coverage: (coverage, accuracy among the surest) of all questions; those without a confidence come last.
        risk: area under the error over coverage.
    """

    n: int
    error: float
    adaptive: float
    coverage: tuple[tuple[float, float], ...]
    risk: float

    def accuracy_at(self, coverage: float) -> float | None:
        """Accuracy among the surest answers, at the largest coverage told that is no larger than this."""
        return next((accuracy for share, accuracy in reversed(self.coverage) if share <= coverage), None)


def calibration(confidence: Sequence[float | None], right: Sequence[bool]) -> Calibration | None:
    """Both errors and the curve; None where no answer has a confidence.

    Args:
        confidence: of every question, in [0, 1]; None where none was told.
        right: one per question.
    """
    told = [(value, hit) for value, hit in zip(confidence, right, strict=True) if value is not None]
    if not told:
        return None
    values, hits = [value for value, _ in told], [hit for _, hit in told]
    error = calibration_error(equal_width_bins(values, hits))
    adaptive = calibration_error(equal_mass_bins(values, hits))
    curve = selective_accuracy([LEAST if value is None else value for value in confidence], right)
    risk = risk_area(curve)
    assert error is not None and adaptive is not None and risk is not None
    return Calibration(len(told), error, adaptive, tuple(curve), risk)


def equal_width_bins(confidence: Sequence[float], right: Sequence[bool], bins: int = BINS) -> list[Bin]:
    """Bins (0, 1/bins], (1/bins, 2/bins] ..., as Guo et al. (2017) draw them; empty ones left out.

    Args:
        confidence: in [0, 1].
        right: one per answer.
        bins: how many.
    """
    values = np.asarray(confidence, dtype=float)
    number = np.clip(np.ceil(values * bins).astype(int) - 1, 0, bins - 1)
    return _binned([np.nonzero(number == index)[0] for index in range(bins)], values, right)


def equal_mass_bins(confidence: Sequence[float], right: Sequence[bool], bins: int = BINS) -> list[Bin]:
    """Bins of as many answers each, by rank of confidence (adaptive: Nguyen and O'Connor 2015).

    Args:
        confidence: in [0, 1].
        right: one per answer.
        bins: how many; fewer where there are fewer answers.
    """
    values = np.asarray(confidence, dtype=float)
    return _binned(np.array_split(np.argsort(values, kind="stable"), min(bins, max(len(values), 1))), values, right)


def calibration_error(binned: Sequence[Bin]) -> float | None:
    """Expected calibration error: the gap between confidence and accuracy, weighted by answers; None for no answers."""
    n = sum(item.n for item in binned)
    return sum(item.n * abs(item.accuracy - item.confidence) for item in binned) / n if n else None


def selective_accuracy(confidence: Sequence[float], right: Sequence[bool]) -> list[tuple[float, float]]:
    """(coverage, accuracy among the surest) for every coverage, equal confidences taken in together.

    Args:
        confidence: any scale; higher is surer.
        right: one per answer; an unanswered question has the lowest confidence and is not right.
    """
    order = np.argsort(-np.asarray(confidence, dtype=float), kind="stable")
    sorted_confidence = np.asarray(confidence, dtype=float)[order]
    hits = np.cumsum(np.asarray(right, dtype=float)[order])
    n = len(order)
    last_of_ties = [i for i in range(n) if i == n - 1 or sorted_confidence[i] != sorted_confidence[i + 1]]
    return [((i + 1) / n, float(hits[i] / (i + 1))) for i in last_of_ties]


def risk_area(curve: Sequence[tuple[float, float]]) -> float | None:
    """Area under the error over coverage (El-Yaniv and Wiener 2010), as steps; None for no answers."""
    area, before = 0.0, 0.0
    for coverage, accuracy in curve:
        area += (coverage - before) * (1 - accuracy)
        before = coverage
    return area if curve else None


def _binned(groups: Sequence[np.ndarray], values: np.ndarray, right: Sequence[bool]) -> list[Bin]:
    hits = np.asarray(right, dtype=float)
    return [Bin(len(g), float(values[g].mean()), float(hits[g].mean())) for g in groups if len(g)]
