"""Accuracy with an interval that knows that questions of one case are not independent. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the standard normal."""

INTERVAL = "95% Wilson on the effective number of questions (design effect of case_id)"
"""The name of the interval wherever it is shown. Wilson (1927) holds near 0 and 1, where a bootstrap collapses to a
point; the number of questions is divided by the design effect as Korn and Graubard (1998) do for clustered surveys."""


@dataclass(frozen=True)
class Proportion:
    """Share of right answers with its interval.

    Attributes:
        n: questions, unscored ones included.
        value: right / n, or None where n is 0: no data is not zero.
        low, high: the interval, or None where n is 0.
        effective_n: questions after division by the design effect.
    """

    n: int
    value: float | None
    low: float | None
    high: float | None
    effective_n: float


def accuracy(right: Sequence[bool], clusters: Sequence[str]) -> Proportion:
    """Share of True in `right`, clustered by `clusters` (one entry each)."""
    n = len(right)
    if n != len(clusters):
        raise ValueError(f"{n} answers but {len(clusters)} clusters")
    if n == 0:
        return Proportion(0, None, None, None, 0.0)
    share = sum(right) / n
    effective = n / design_effect(right, clusters)
    low, high = wilson(share, effective)
    return Proportion(n, share, low, high, effective)


def design_effect(right: Sequence[bool], clusters: Sequence[str]) -> float:
    """Variance of the clustered share over that of independent questions, at least 1 and at most the mean cluster size.

    Where all answers agree the variance says nothing, so the worst case counts: one independent answer per cluster.
    """
    n, share = len(right), sum(right) / len(right)
    residuals = cluster_sums([hit - share for hit in right], clusters)
    groups = len(residuals)
    most = n / groups
    if groups == 1 or share in (0.0, 1.0):
        return most
    clustered = groups / (groups - 1) * sum(value**2 for value in residuals.values()) / n**2
    return min(max(clustered / (share * (1 - share) / n), 1.0), max(most, 1.0))


def wilson(share: float, n: float) -> tuple[float, float]:
    """The 95 % Wilson score interval of a share among n (which need not be whole)."""
    centre = (share + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 / (1 + Z_95**2 / n) * math.sqrt(share * (1 - share) / n + Z_95**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def share_json(values: Sequence[bool], digits: int = 3) -> dict[str, float]:
    """The share of True with its Wilson interval and n, JSON-ready."""
    share = sum(values) / len(values)
    low, high = wilson(share, len(values))
    return {"value": round(share, digits), "low": round(low, digits), "high": round(high, digits), "n": len(values)}


def clustered_error(right: Sequence[float], clusters: Sequence[str]) -> float | None:
    """Standard error of the mean with answers of one cluster correlated in any way; None for fewer than two clusters.

    The cluster-robust sandwich of Miller, Adding error bars to evals (2024), with the factor G / (G - 1).
    """
    n = len(right)
    sums = cluster_sums([value - sum(right) / n for value in right], clusters) if n else {}
    groups = len(sums)
    if groups < 2:
        return None
    return math.sqrt(groups / (groups - 1) * sum(value**2 for value in sums.values())) / n


def bootstrap_interval(
    values: Sequence[float], clusters: Sequence[str], resamples: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """95 % percentile interval of the mean over resampled clusters (Davison and Hinkley 1997, 3.8); None for under two.

    Args:
        values: one per answer.
        clusters: one per answer.
        resamples: how many.
        seed: of the resampling.
    """
    sums, sizes = cluster_sums(values, clusters), cluster_sums([1.0] * len(values), clusters)
    if len(sums) < 2:
        return None
    total, size = np.array(list(sums.values())), np.array(list(sizes.values()))
    drawn = np.random.default_rng(seed).integers(len(total), size=(resamples, len(total)))
    low, high = np.percentile(total[drawn].sum(1) / size[drawn].sum(1), [2.5, 97.5])
    return float(low), float(high)


def cluster_sums(values: Sequence[float], clusters: Sequence[str]) -> dict[str, float]:
    """Sum of the values of each cluster, in order of first appearance."""
    sums: dict[str, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value
    return sums
