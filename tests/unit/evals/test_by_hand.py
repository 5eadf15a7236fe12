"""Measurements that are run by hand (python -m evals.NAME) give, on a little, what can be told beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console

from evals import knowledge, phi, realism

SIDE = realism.SIDE


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each part ten questions that a passage answers, and five that none does."""
    every = knowledge.questions

    def some(part: str) -> list[knowledge.Labelled]:
        mine = every(part)
        return [*[q for q in mine if q.file][:10], *[q for q in mine if not q.file][:5]]

    monkeypatch.setattr(knowledge, "questions", some)


def test_passages_are_found_by_words(few: None) -> None:
    """Expected: as docs/evals.md says of all questions (0.894 and 0.686), within what ten questions can differ."""
    found = knowledge.measure(None)
    assert found["fitted"]["recall_at_3"]["n"] == 10 and found["fitted"]["false_answers"]["n"] == 5
    assert found["fitted"]["recall_at_3"]["value"] >= 0.7 and found["held_out"]["recall_at_3"]["value"] >= 0.3
    assert all(part["first_right"]["value"] <= part["recall_at_3"]["value"] for part in found.values())


def test_fitting_weighs_the_words_and_keeps_the_unanswerable_out(few: None) -> None:
    fitted = knowledge.fitted(None)
    assert "similarity" not in fitted["weights"] and max(fitted["weights"].values()) > 0
    assert 0 < fitted["cutoff"] < 1


def test_identifiers_are_found_where_they_stand() -> None:
    """Expected: the truth lies where the template's holes were filled; of the listed names hardly one is missed."""
    made = list(phi.cases(20, 0, "looked_at"))
    assert all(case.text[start:end].strip() for case in made for _, start, end in case.truth)
    told = phi.measure(40, 0, "looked_at")
    assert told["recall"]["all"]["value"] > 0.9 and told["precision_by_character"] > 0.8
    assert told["recall"]["names of the lists"]["value"] >= told["recall"]["names not of the lists"]["value"]


def film(grey: float) -> realism.Film:
    """Two lungs, squares of 160 pixels, 96 apart, with a heart of 100 x 120 between and before them."""
    left, right, heart = (np.zeros((SIDE, SIDE), bool) for _ in range(3))
    right[100:260, 48:208], left[100:260, 304:464], heart[180:280, 196:316] = True, True, True
    pixels = np.full((SIDE, SIDE), 0.8, np.float32)
    pixels[left | right] = grey
    pixels[heart] = 0.6
    pixels += np.random.default_rng(0).normal(0, 0.01, pixels.shape).astype(np.float32)
    return realism.Film(pixels, left & ~heart, right & ~heart, heart)


def test_features_of_a_drawn_film_are_those_it_was_drawn_with() -> None:
    told = realism.features(film(0.3))
    assert told["grey of the lungs"] == pytest.approx(0.3, abs=0.01)
    assert told["grey of the heart"] == pytest.approx(0.6, abs=0.01)
    assert told["grey of the mediastinum"] == pytest.approx(0.8, abs=0.01)
    assert told["lungs' width over height"] == pytest.approx((464 - 48) / 160)
    assert abs(told["lungs' outer fifth over their middle"]) < 0.01, "the lungs are flat"
    assert abs(told["slope of the power spectrum"]) < 3


def test_two_sets_are_compared_and_shown() -> None:
    """Expected: the same shapes overlap wholly; greys 0.1 apart in the lungs part the histograms by less than 0.1."""
    sets = {"real": [film(0.3)], "drawn": [film(0.4)]}
    rows = realism.figures(sets)
    assert rows["Dice of mean shapes with the real set: heart"]["drawn"][0] == 1.0
    assert 0.03 < rows["histogram's distance to the real set"]["drawn"][0] < 0.1
    with (console := Console(width=160)).capture() as told:
        console.print(realism.shown(rows, list(sets)))
    assert "grey of the lungs" in told.get()
