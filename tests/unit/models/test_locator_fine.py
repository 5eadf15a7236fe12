"""The locator's fine parts: what they see, what devices are learnt from, and how thresholds are chosen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.locator_fine import (
    ABOUT_CELLS,
    DARK,
    NEAR_PX,
    OUTSIDE,
    SHRINK,
    STRIP,
    STRIP_NEAR_PX,
    Ends,
    Fine,
    detail,
    tip_of,
)
from models.outputs import Heatmaps
from models.recipes.lesion_phantoms import CANVAS
from models.recipes.locator_card import best_threshold, exceeded_by
from models.recipes.locator_ends import loss_of_tips
from models.recipes.locator_figures import on_canvas
from models.recipes.pasting import Layer, moved
from models.recipes.rates import share_of_rate


def test_before_it_learns_every_device_is_rare_everywhere() -> None:
    told = torch.sigmoid(Fine(7).eval()(torch.randn(1, 1, 128, 128))).detach()
    assert told.shape == (1, 7, 32, 32) and float(told.max()) < 0.05


@pytest.mark.parametrize(("near", "shrink"), [(STRIP_NEAR_PX, 1), (NEAR_PX, SHRINK)])
def test_detail_is_as_strong_on_white_as_on_grey(near: int, shrink: int) -> None:
    """Expected: a faint stripe a tenth as strong, on grounds whose noise is a tenth too, looks alike but for FAINT."""
    noise = torch.randn(1, 1, 80, 80, generator=torch.Generator().manual_seed(1))
    stripe = torch.zeros(1, 1, 80, 80)
    stripe[..., 40] = 4
    strong, faint = (detail(scale * (noise + stripe), near, shrink)[0, 0, :, 40].mean() for scale in (1.0, 0.1))
    assert faint == pytest.approx(float(strong), rel=0.25)


def test_threshold_goes_to_the_middle_of_a_gap_and_nothing_is_uncertain_below_it() -> None:
    """Expected: films with it from 0.8, the highest without at 0.4: 0.6, and uncertain from there."""
    without, found = np.linspace(0.1, 0.4, 20, dtype=np.float32), np.array([0.8, 0.9], dtype=np.float32)
    assert best_threshold(found, without, 0.37) == (pytest.approx(0.6), pytest.approx(0.4))


def test_threshold_stays_above_what_films_without_the_device_allow() -> None:
    without, found = np.linspace(0, 1, 50, dtype=np.float32), np.linspace(0, 0.7, 50, dtype=np.float32)
    threshold, uncertain = best_threshold(found, without, 0.65)
    assert 0.65 <= uncertain <= threshold <= 0.7
    assert best_threshold(found, without, 0.9) == (0.9, 0.9)


def test_one_patient_with_many_films_counts_as_one() -> None:
    """Expected: of 11 patients the tenth part is one; the one with ten high films does not decide alone."""
    scores = np.concatenate((np.linspace(0.8, 0.89, 10), np.linspace(0.1, 0.55, 10))).astype(np.float32)
    patients = np.array(["clips"] * 10 + [f"other {number}" for number in range(10)])
    assert exceeded_by(scores, patients, 0.1) == pytest.approx(0.55)
    assert exceeded_by(scores, np.arange(20), 0.1) == pytest.approx(0.87)


def test_tip_is_the_surest_place_and_its_certainty_the_probability_about_it() -> None:
    """Expected: one cell of logit 5 among cells of -30 against none at 0: e^5 / (1 + e^5)."""
    ends = torch.full((20, 30), OUTSIDE)
    ends[7, 21] = 5.0
    row, column, certainty = tip_of(ends)
    assert (row, column) == (pytest.approx(7.5, abs=1e-3), pytest.approx(21.5, abs=1e-3))
    assert certainty == pytest.approx(0.9933, abs=1e-4)


def test_two_places_far_apart_share_the_certainty() -> None:
    ends = torch.full((40, 30), OUTSIDE)
    ends[5, 5], ends[5 + 3 * ABOUT_CELLS, 5] = 9.0, 9.1
    row, _, certainty = tip_of(ends)
    assert row == pytest.approx(5.5 + 3 * ABOUT_CELLS, abs=1e-3) and 0.5 < certainty < 0.55


@pytest.mark.parametrize("column", [3, 80, 157])
def test_strip_lies_about_the_tube_and_its_answer_where_it_was_seen(column: int) -> None:
    """Expected: a network that answers with the grey itself puts a bright spot where it is, borders included."""
    network = Ends().eval()
    network.forward = lambda strip: torch.nn.functional.avg_pool2d(strip, 2)  # type: ignore[method-assign]
    square, tube = torch.full((1, 1, 320, 320), DARK), torch.full((1, 1, 160, 160), -20.0)
    square[0, 0, 60:62, 2 * column : 2 * column + 2], tube[0, 0, :50, column] = 1.0, 5.0
    ends = network.on_square(square, tube)
    assert ends.shape == tube.shape and int(ends.argmax()) == 30 * 160 + column
    assert (ends[0, 0, STRIP[0] // 2 :] == OUTSIDE).all()


def test_learning_prefers_the_right_cell_and_none_where_there_is_no_tube() -> None:
    logits = torch.full((2, 1, 20, 16), -8.0)
    tips = torch.tensor([[21.0, 11.0], [torch.nan, torch.nan]])
    before = loss_of_tips(logits, tips)
    logits[0, 0, 8:13, 3:8] = 3.0
    assert loss_of_tips(logits, tips) < before
    logits[1, 0, 3, 3] = 6.0
    assert loss_of_tips(logits, tips) > before


def test_strip_that_cuts_the_tip_off_does_not_count() -> None:
    assert loss_of_tips(torch.randn(1, 1, 20, 16), torch.tensor([[-30.0, 11.0]])) == 0


def test_masks_of_any_size_are_moved_as_the_attenuation_is() -> None:
    """Expected: the same square of the film, whatever the size at which it is kept."""
    nepers, masks = torch.zeros(1, 1, 96, 96), torch.zeros(1, 2, 48, 48)
    nepers[..., 40:60, 20:44], masks[:, 1, 20:30, 10:22] = 1.0, 1.0
    lungs, others = torch.zeros(1, 2, 48, 48), torch.zeros(1, 2, 96, 96)
    lungs[:, 0, 8:40, 4:20], lungs[:, 1, 8:40, 26:44] = 1.0, 1.0
    others[:, 0, 20:70, 12:40], others[:, 1, 20:70, 50:86] = 1.0, 1.0
    placed = moved(Layer(nepers, masks, torch.zeros_like(nepers), lungs), others, torch.Generator().manual_seed(4))
    coarse = torch.nn.functional.avg_pool2d(placed.nepers, 2)[0, 0]
    assert placed.masks.shape == masks.shape and placed.masks[0, 0].max() == 0 and coarse.max() == 1
    assert (coarse - placed.masks[0, 1]).abs().mean() < 0.01


def test_rate_rises_stays_and_falls() -> None:
    shares = [share_of_rate(step, 100, 0.1, level=0.4) for step in range(101)]
    assert shares[0] == 0.1 and shares[10:41] == [1.0] * 31
    assert shares[70] == pytest.approx(0.5) and shares[100] == pytest.approx(0)
    assert shares[40:] == sorted(shares[40:], reverse=True)


@pytest.mark.parametrize("side", [CANVAS, 512, 768])
def test_a_map_lies_on_the_canvas_where_it_lies_on_its_film(side: int) -> None:
    """Expected: a cell at a quarter and three quarters of the film, whatever the film's size. Maps of JSRT's films were
    once read as if the film were as small as the canvas, and no nodule of theirs was found."""
    maps = np.zeros((1, 40, 40), dtype=np.float32)
    maps[0, 10, 30] = 1.0
    one = Heatmaps(("lung_lesion",), np.zeros(1, dtype=np.float32), maps, (0.0, 0.0, float(side), float(side)))
    row, column = np.unravel_index(int(on_canvas(one, 0, side).argmax()), (CANVAS, CANVAS))
    assert (row / CANVAS, column / CANVAS) == (pytest.approx(10.5 / 40, abs=0.01), pytest.approx(30.5 / 40, abs=0.01))
