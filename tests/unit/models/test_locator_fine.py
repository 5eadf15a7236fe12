"""The locator's fine branch: what it adds at first, what it sees, and how its thresholds are chosen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.locator_fine import Fine, detail
from models.recipes.locator_card import best_threshold
from models.recipes.locator_fine import TRUST, trusted


def test_before_it_learns_the_fine_branch_adds_nothing() -> None:
    coarse = torch.randn(1, 7, 32, 32)
    assert torch.equal(Fine(7).eval()(torch.randn(1, 1, 64, 64), coarse), coarse)


def test_detail_is_as_strong_on_white_as_on_grey() -> None:
    """Expected: a faint stripe a tenth as strong, on grounds whose noise is a tenth too, looks alike but for FAINT."""
    noise = torch.randn(1, 1, 80, 80, generator=torch.Generator().manual_seed(1))
    stripe = torch.zeros(1, 1, 80, 80)
    stripe[..., 40] = 4
    strong, faint = (detail(scale * (noise + stripe))[0, 0, :, 40].mean() for scale in (1.0, 0.1))
    assert faint == pytest.approx(float(strong), rel=0.25)


def test_only_a_share_of_what_was_learnt_is_added() -> None:
    network, coarse, square = Fine(7).eval(), torch.zeros(1, 7, 32, 32), torch.randn(1, 1, 64, 64)
    torch.nn.init.normal_(network.told.weight)
    whole = network(square, coarse)
    network.load_state_dict(trusted(network.state_dict()))
    assert torch.allclose(network(square, coarse), TRUST * whole, atol=1e-5) and whole.abs().max() > 0


def test_threshold_goes_to_the_middle_of_a_gap_and_nothing_is_uncertain_below_it() -> None:
    """Expected: films with it from 0.8, the highest without at 0.4: 0.6, and uncertain from there."""
    without, found = np.linspace(0.1, 0.4, 20, dtype=np.float32), np.array([0.8, 0.9], dtype=np.float32)
    assert best_threshold(found, without, 0.37) == (pytest.approx(0.6), pytest.approx(0.4))


def test_threshold_stays_above_what_films_without_the_device_allow() -> None:
    without, found = np.linspace(0, 1, 50, dtype=np.float32), np.linspace(0, 0.7, 50, dtype=np.float32)
    threshold, uncertain = best_threshold(found, without, 0.65)
    assert 0.65 <= uncertain <= threshold <= 0.7
    assert best_threshold(found, without, 0.9) == (0.9, 0.9)
