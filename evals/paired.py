"""Two runs on the same questions: is their difference more than chance? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, permutation_test

from evals.stats import bootstrap_interval, cluster_sums

RESAMPLES = 9999


@dataclass(frozen=True)
class Compared:
    """Run B against run A.

    Attributes:
        n: questions that both were asked.
        difference: accuracy of B minus that of A, and low, high: its 95 % interval, by bootstrap over cases.
        only_a, only_b: questions that A alone, and B alone, got right.
        mcnemar_p: exact two-sided McNemar test; takes questions as independent.
        permutation_p: two-sided, by exchanging A and B case by case; to be trusted where cases have several questions.
    """

    n: int
    difference: float
    low: float | None
    high: float | None
    only_a: int
    only_b: int
    mcnemar_p: float
    permutation_p: float


def compare_paired(a: Sequence[bool], b: Sequence[bool], clusters: Sequence[str], seed: int = 0) -> Compared:
    """Right or not of both runs, question by question, with the case of each.

    Args:
        a: run A.
        b: run B.
        clusters: cases.
        seed: of bootstrap and permutations.

    Raises:
        ValueError: lengths differ or are 0.
    """
    if not len(a) == len(b) == len(clusters) or not len(a):
        raise ValueError(f"{len(a)}, {len(b)} answers and {len(clusters)} clusters")
    change = [float(y) - float(x) for x, y in zip(a, b, strict=True)]
    only_a, only_b = change.count(-1.0), change.count(1.0)
    interval = bootstrap_interval(change, clusters, seed=seed)
    return Compared(
        n=len(a),
        difference=sum(change) / len(a),
        low=interval[0] if interval else None,
        high=interval[1] if interval else None,
        only_a=only_a,
        only_b=only_b,
        mcnemar_p=binomtest(only_b, only_a + only_b).pvalue if only_a + only_b else 1.0,
        permutation_p=_permutation_p(a, b, clusters, seed),
    )


def _permutation_p(a: Sequence[bool], b: Sequence[bool], clusters: Sequence[str], seed: int) -> float:
    one, other = (np.array(list(cluster_sums([float(v) for v in run], clusters).values())) for run in (a, b))
    differing = one != other
    if np.count_nonzero(differing) < 2:
        return 1.0  # one case alone: turned round it differs by as much, so both of its permutations are as extreme
    tested = permutation_test(
        (one[differing], other[differing]),
        lambda x, y, axis: np.sum(x - y, axis=axis),
        permutation_type="samples",
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
        vectorized=True,
    )
    return float(tested.pvalue)
