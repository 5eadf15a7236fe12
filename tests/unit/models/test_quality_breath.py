"""How the breath is taught: changed films keep their ribs, a neck learns what can be learnt, figures by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from models.quality import TRUNK_CHANNELS
from models.recipes import quality_breath as recipe
from models.recipes.data import MaskedFilm
from models.recipes.quality_breath import COUNTS, BreathFilm, Lessons, breath_spec, changed, count, held_out, teach

SIDE = 10
"""Of the trunk's map."""


def drawn(number: int) -> tuple[torch.Tensor, np.ndarray]:
    """Maps whose first channels rise with the ribs of each film, between channels that say nothing."""
    rng = np.random.default_rng(3)
    ribs = rng.uniform(7, 10, number)
    maps = rng.standard_normal((number, TRUNK_CHANNELS, SIDE, SIDE)).astype(np.float32)
    maps[:, :16] += 2 * (ribs[:, None, None, None] - 8.5).astype(np.float32)
    return torch.from_numpy(maps).half(), ribs


def test_a_neck_finds_the_ribs_only_where_there_is_something_to_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expected: the first channels tell the ribs, so other films' ribs are told; shuffled ribs are not."""
    monkeypatch.setattr(recipe, "EPOCHS", 40)
    monkeypatch.setattr(recipe, "FOLDS", 2)
    maps, ribs = drawn(240)
    films = np.arange(240)
    told = held_out(Lessons(maps, ribs, films, np.ones(240, dtype=bool)))
    assert np.corrcoef(told, ribs)[0, 1] > 0.85 and np.abs(told - ribs).mean() < 0.6
    shuffled = np.random.default_rng(5).permutation(ribs)
    neck = teach(maps[:120], shuffled[:120])
    assert abs(np.corrcoef(count(neck, maps[120:]), shuffled[120:])[0, 1]) < 0.3


def test_changed_films_keep_their_lungs() -> None:
    """Expected by hand: lungs are the only bright part, from row 30 to 90; whatever is done, most of them is left."""
    pixels = np.full((120, 100), 20, dtype=np.uint8)
    pixels[30:90, 25:75] = 235
    film = BreathFilm(pixels, (30, 25, 90, 75), 9.0, "PA")
    shapes = set()
    for seed in range(12):
        picture = changed(film, np.random.default_rng(seed))
        bright = picture > (int(picture.max()) + int(picture.min())) / 2
        rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
        tall, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
        # 60 rows on 50 columns, stretched by up to 14 %, tilted a little, perhaps with letters beside them.
        assert tall / picture.shape[0] > 0.4 and wide / picture.shape[1] > 0.4
        shapes.add(picture.shape)
    assert len(shapes) > 6


def test_breaths_are_drawn_evenly_whatever_the_view() -> None:
    """Expected: even over 0 to 1, and neither view nor position tells them."""
    specs = [breath_spec(seed) for seed in range(8_000_000, 8_000_400)]
    depths = np.array([spec.inspiration for spec in specs])
    assert np.abs(np.quantile(depths, (0.25, 0.5, 0.75)) - (0.25, 0.5, 0.75)).max() < 0.08
    for told in (np.array([spec.view.value == "AP" for spec in specs]), np.array([spec.supine for spec in specs])):
        assert 0.1 < told.mean() < 0.6 and abs(depths[told].mean() - depths[~told].mean()) < 0.12


def test_figures_by_hand() -> None:
    """Expected by hand: all told half a rib too many: error 0.5, correlation and rank 1, shallow films told apart."""
    truth = np.array([7.2, 7.6, 8.5, 9.0, 9.8])
    row = recipe.figure("error", "drawn", recipe._error, truth + 0.5, truth)
    assert row["value"] == pytest.approx(0.5) and row["low"] == pytest.approx(0.5) and row["films"] == 5
    assert recipe._correlation(truth + 0.5, truth) == pytest.approx(1.0) and recipe._shallow(truth, truth) == 1.0
    assert np.isnan(recipe._shallow(truth[2:], truth[2:]))


def test_the_height_of_outlined_lungs_by_hand() -> None:
    """Expected by hand: right lung rows 10 to 60 (50 apart), lungs from column 10 to 110 (100 apart): one half."""
    masks = np.zeros((2, 120, 120), dtype=np.bool_)
    masks[1, 10:61, 10:50], masks[0, 20:100, 70:111] = True, True
    film = MaskedFilm("test", "a", 0, np.zeros((120, 120), dtype=np.float32), masks, np.ones(2, dtype=np.bool_))
    assert recipe.lung_height(film) == pytest.approx(0.5)


def test_counts_by_eye_are_of_films_named_once() -> None:
    """Expected: each film in one use only, ribs of a human chest."""
    table = pd.read_csv(COUNTS)
    assert table["file"].is_unique and set(table["use"]) == {"choice", "check"}
    assert table["ribs"].between(5, 12).all() and all(len(Path(name).parts) == 2 for name in table["file"])
