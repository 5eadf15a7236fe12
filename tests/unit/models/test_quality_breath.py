"""The study of the breath's depth: its regression against another library, its figures against counts by hand."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from models.quality import VIEWS
from models.recipes.quality_breath import SPREAD_FLOOR, held_out, phantom_figures, real_figures, ridge


def drawn(count: int, width: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Maps whose first number is the depth, between numbers that say nothing."""
    rng = np.random.default_rng(3)
    maps = rng.standard_normal((count, width)).astype(np.float32)
    return maps, 0.5 + 0.2 * maps[:, 0].astype(np.float64)


def test_the_dual_ridge_is_scikit_learns() -> None:
    """Expected: sklearn's Ridge on equally standardised numbers; its penalty is ours times the number of columns."""
    maps, depths = drawn(60)
    asked, _ = drawn(9)
    middle, spread = maps.mean(axis=0), maps.std(axis=0) + SPREAD_FLOOR
    other = Ridge(alpha=0.3 * maps.shape[1], fit_intercept=False).fit((maps - middle) / spread, depths - depths.mean())
    expected = other.predict((asked - middle) / spread) + depths.mean()
    assert ridge(maps, depths, asked, 0.3) == pytest.approx(expected, abs=1e-4)


def test_held_out_depths_are_found_only_where_there_is_something_to_learn() -> None:
    """Expected: the depth is the first number, so another part's films tell it; shuffled depths tell nothing."""
    maps, depths = drawn(300)
    assert np.corrcoef(held_out(maps, depths), depths)[0, 1] > 0.9
    shuffled = np.random.default_rng(5).permutation(depths)
    assert abs(np.corrcoef(held_out(maps, shuffled), shuffled)[0, 1]) < 0.25


def test_figures_of_phantoms_by_hand() -> None:
    """Expected by hand: PA told 0.1 too deep each, so r = 1, error 0.3 ribs, the one poor film lowest; AP reversed."""
    depths = np.array([0.2, 0.5, 0.8, 0.2, 0.8])
    told = np.array([0.3, 0.6, 0.9, 0.9, 0.1])
    figures = phantom_figures(told, depths, ["PA", "PA", "PA", "AP", "AP"])
    assert figures["PA"] == pytest.approx(
        {"films": 3, "correlation": 1.0, "error_ribs": 0.3, "median_error_ribs": 0.6, "auc_poor": 1.0}
    )
    assert figures["AP"]["correlation"] == pytest.approx(-1.0) and figures["AP"]["auc_poor"] == 0.0


def test_figures_of_real_films_by_hand() -> None:
    """Expected by hand: means of the two sets; a view of -1 is unknown."""
    views = np.array([VIEWS.index("PA"), VIEWS.index("PA"), -1], dtype=np.float32)
    figures = real_figures(np.array([0.4, 0.6, 0.9]), ["A", "A", "B"], views)
    assert figures == {
        "A PA": {"films": 2.0, "mean": pytest.approx(0.5), "spread": pytest.approx(0.1)},
        "B ?": {"films": 1.0, "mean": pytest.approx(0.9), "spread": pytest.approx(0.0)},
    }
