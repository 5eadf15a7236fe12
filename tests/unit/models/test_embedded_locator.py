"""The embedded locator on the shipped weights: where its maps lie on the film, and phantoms' devices and findings."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from imaging.failures import Unavailable
from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.radiograph import View
from models import weights
from models.adapters import embedded_locator
from models.catalog import Catalog
from models.locator import CLASSES, SIDE, TIPPED, Locator, located, peak
from models.locator_fine import FOLD, OUTSIDE
from models.outputs import Heatmaps, Task
from models.pool import ModelPool
from models.preprocess import prepare

NAME = "embedded-locator"


@cache
def seen(*findings: str) -> tuple[PhantomFilm, Heatmaps]:
    """A bedside phantom and what the locator says of it."""
    spec = PhantomSpec(seed=11, size=384, view=View.AP, findings=tuple(parse_finding(finding) for finding in findings))
    film = make_phantom(spec)
    output = ModelPool(device="cpu", profile="embedded").predict(Task.DETECT, [film.radiograph])[0].output
    assert isinstance(output, Heatmaps)
    return film, output


def test_the_catalog_says_what_the_network_draws() -> None:
    entry = Catalog.read().get(NAME)
    assert entry.labels == CLASSES and entry.input_size == SIDE


@pytest.mark.parametrize("shape", [(300, 240), (260, 420), (512, 512)])
def test_a_hot_cell_lies_on_the_film_where_the_network_saw_it(shape: tuple[int, int]) -> None:
    """Expected: the middle of a bright square of the film, which is put through the same geometry, to two cells."""
    pixels = np.random.default_rng(3).uniform(0.2, 0.4, shape).astype(np.float32)
    row, column = round(shape[0] * 0.7), round(shape[1] * 0.3)
    pixels[row - 6 : row + 6, column - 6 : column + 6] = 1
    square, geometry = prepare(pixels, SIDE)
    seen_at = torch.nn.functional.avg_pool2d(square, FOLD)[0]
    found = located(seen_at.expand(len(CLASSES), -1, -1), 40 * seen_at, geometry)
    top, left, bottom, right = found.extent
    at = np.unravel_index(int(np.argmax(found.maps[0])), found.maps[0].shape)
    height, width = found.maps[0].shape
    assert top + (at[0] + 0.5) * (bottom - top) / height == pytest.approx(row, abs=8)
    assert left + (at[1] + 0.5) * (right - left) / width == pytest.approx(column, abs=8)
    assert found.tips is not None and found.tips[CLASSES.index(TIPPED), :2] == pytest.approx((row, column), abs=8)
    assert np.isnan(found.tips[CLASSES.index("pacemaker")]).all()


def test_a_films_score_is_the_mean_of_its_highest_cells() -> None:
    logits = torch.zeros(1, len(CLASSES), 160, 160)
    logits[0, 3, :2, :12] = 4.0
    assert peak(logits)[0, 3] == pytest.approx(4.0) and peak(logits)[0, 2] == 0


def test_a_tube_in_the_midline_that_ends_nowhere_scores_low() -> None:
    """Expected: the softmax's share of one cell at 2 against none at 0, e^2 / (1 + e^2), times the peak's sigmoid."""
    _, geometry = prepare(np.random.default_rng(3).uniform(size=(64, 64)).astype(np.float32), SIDE)
    logits = torch.full((len(CLASSES), SIDE // FOLD, SIDE // FOLD), 3.0)
    ends = torch.full((1, SIDE // FOLD, SIDE // FOLD), OUTSIDE)
    index, tube = CLASSES.index(TIPPED), 1 / (1 + np.exp(-3))
    assert located(logits, ends, geometry).values[index] == pytest.approx(0, abs=1e-6)
    ends[0, 40, 80] = 2.0
    values = located(logits, ends, geometry).values
    assert values[index] == pytest.approx(tube / (1 + np.exp(-2)), abs=1e-4)
    assert np.delete(values, index) == pytest.approx(tube, abs=1e-4)


@pytest.mark.parametrize("code", ["pacemaker:left", "chest_drain:right", "ett:50mm"])
def test_a_phantoms_device_is_found_where_it_is(code: str) -> None:
    """Expected: the phantom's own mask; the score above the card's threshold, the highest cell within 2 % of it."""
    film, maps = seen("pacemaker:left", "chest_drain:right", "ett:50mm")
    name = code.split(":")[0]
    worth = ModelPool(device="cpu").card(NAME).finding(name)
    index = CLASSES.index(name)
    assert worth is not None and worth.usable and maps.values[index] >= worth.threshold
    grid = maps.maps[index]
    row, column = np.unravel_index(int(np.argmax(grid)), grid.shape)
    top, left, bottom, right = maps.extent
    at = (top + (row + 0.5) * (bottom - top) / grid.shape[0], left + (column + 0.5) * (right - left) / grid.shape[1])
    mask = film.masks[next(one for one in film.boxes if one.startswith(name))]
    assert np.abs(np.argwhere(mask) - at).max(axis=1).min() <= 0.02 * film.radiograph.shape[0]


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    entry, card = Catalog.read().get(NAME), ModelPool(device="cpu").card(NAME)
    copy = tmp_path / "other.safetensors"
    shutil.copy(weights.EMBEDDED_DIR / "embedded-segmenter.safetensors", copy)
    with pytest.raises(Unavailable, match="not the file of embedded-locator"):
        embedded_locator.load(entry, card, copy, "cpu")


def test_a_card_without_a_class_is_refused() -> None:
    entry, card = Catalog.read().get(NAME), ModelPool(device="cpu").card(NAME)
    rows = [row for row in card.findings if row.code != "effusion"]
    with pytest.raises(Unavailable, match="lacks effusion"):
        embedded_locator.load(entry, card.model_copy(update={"findings": rows}), Path("none"), "cpu")


def test_every_map_has_the_size_of_a_quarter_of_the_square() -> None:
    logits, ends = Locator().eval()(torch.zeros(1, 1, 128, 128))
    assert logits.shape == (1, len(CLASSES), 32, 32) and ends.shape == (1, 1, 32, 32)
