"""Paired tests and calibration against worked examples, closed forms and scipy."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.stats import binom

from evals.calibration import (
    calibration,
    calibration_error,
    equal_mass_bins,
    equal_width_bins,
    risk_area,
    selective_accuracy,
)
from evals.paired import compare_paired
from evals.stats import bootstrap_interval, clustered_error


def runs(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool], list[str]]:
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b, [str(number) for number in range(len(a))]


def test_mcnemar_is_the_exact_binomial_test() -> None:
    compared = compare_paired(*runs(40, 3, 12, 45))
    # Two-sided: twice the lower tail of 3 of 15 at one half.
    assert compared.mcnemar_p == pytest.approx(2 * sum(comb(15, k) for k in range(4)) / 2**15)
    assert (compared.n, compared.only_a, compared.only_b) == (100, 3, 12)
    assert compared.difference == pytest.approx(0.09)
    assert compared.low is not None and compared.high is not None and 0 < compared.low < 0.09 < compared.high


def test_permutation_agrees_with_mcnemar_where_each_case_has_one_question() -> None:
    compared = compare_paired(*runs(40, 3, 12, 45))
    assert compared.permutation_p == pytest.approx(compared.mcnemar_p, abs=0.01)


def test_cases_with_many_questions_make_less_of_a_difference() -> None:
    a, b, _ = runs(0, 0, 12, 12)
    clustered = compare_paired(a, b, [str(number // 6) for number in range(24)])
    assert clustered.mcnemar_p == pytest.approx(2 / 2**12)
    assert clustered.permutation_p == pytest.approx(2 / 2**2), "two cases differ: no test can be surer"


def test_equal_runs_do_not_differ() -> None:
    same = compare_paired([True, False], [True, False], ["x", "y"])
    assert (same.difference, same.mcnemar_p, same.permutation_p) == (0, 1, 1)


def test_one_case_that_differs_shows_nothing() -> None:
    """Expected: 1, for both turns of one case differ by as much; a category may have no more."""
    found = compare_paired([True, True, False], [False, False, False], ["x", "x", "y"])
    assert (found.only_a, found.permutation_p) == (2, 1)


def test_lengths_must_match() -> None:
    with pytest.raises(ValueError, match="2, 1 answers"):
        compare_paired([True, False], [True], ["x", "y"])


def test_clustered_error_of_single_questions_is_the_usual_one() -> None:
    values = [1.0] * 30 + [0.0] * 70
    error = clustered_error(values, [str(number) for number in range(100)])
    assert error == pytest.approx(np.std(values, ddof=1) / 10)


def test_clustered_error_of_agreeing_cases_is_that_of_the_cases() -> None:
    means = [1.0, 0.0, 0.0, 1.0, 0.0]
    values = [mean for mean in means for _ in range(8)]
    error = clustered_error(values, [str(number // 8) for number in range(40)])
    assert error == pytest.approx(np.std(means, ddof=1) / np.sqrt(5))
    assert clustered_error(values, ["one"] * 40) is None


def test_bootstrap_of_single_questions_is_near_the_binomial() -> None:
    values = [1.0] * 30 + [0.0] * 70
    interval = bootstrap_interval(values, [str(number) for number in range(100)])
    assert interval is not None
    assert interval == pytest.approx((binom.ppf(0.025, 100, 0.3) / 100, binom.ppf(0.975, 100, 0.3) / 100), abs=0.011)
    assert bootstrap_interval(values, ["one"] * 100) is None


def test_calibration_error_by_hand() -> None:
    confidence, right = [0.95, 0.85, 0.85, 0.25], [True, True, False, False]
    # Bins (0.9, 1]: |1 - 0.95|; (0.8, 0.9]: |0.5 - 0.85|, two answers; (0.2, 0.3]: |0 - 0.25|.
    assert calibration_error(equal_width_bins(confidence, right)) == pytest.approx((0.05 + 2 * 0.35 + 0.25) / 4)
    # Two bins of two by rank: {0.25, 0.85 right} and {0.85 wrong, 0.95}.
    assert calibration_error(equal_mass_bins(confidence, right, 2)) == pytest.approx(
        (abs(0.5 - 0.55) + abs(0.5 - 0.9)) / 2
    )
    assert calibration_error(equal_width_bins([], [])) is None


def test_a_calibrated_confidence_has_little_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(size=20000)
    right = rng.uniform(size=20000) < confidence
    assert calibration_error(equal_width_bins(list(confidence), list(right))) == pytest.approx(0, abs=0.015)
    squared = list(confidence**2)
    assert calibration_error(equal_mass_bins(squared, list(right))) == pytest.approx(1 / 2 - 1 / 3, abs=0.015)


def test_calibration_of_a_run_by_hand() -> None:
    """The four answers above and a question without a confidence, which is in the coverage and not in the error."""
    found = calibration([0.95, 0.85, 0.85, 0.25, None], [True, True, False, False, False])
    assert found is not None and found.n == 4 and found.error == pytest.approx((0.05 + 2 * 0.35 + 0.25) / 4)
    assert found.coverage == ((0.2, 1.0), (0.6, pytest.approx(2 / 3)), (0.8, 0.5), (1.0, 0.4))
    assert found.accuracy_at(0.75) == pytest.approx(2 / 3) and found.accuracy_at(0.1) is None
    assert calibration([None, None], [True, False]) is None and calibration([], []) is None


def test_selective_accuracy_takes_ties_together() -> None:
    curve = selective_accuracy([0.9, 0.5, 0.5, 0.1], [True, True, False, False])
    assert curve == [(0.25, 1.0), (0.75, pytest.approx(2 / 3)), (1.0, 0.5)]
    assert risk_area(curve) == pytest.approx(0.5 * (1 / 3) + 0.25 * 0.5)
    assert risk_area([]) is None
