"""The phantom's speed bench, on small films."""

from __future__ import annotations

import pytest

from evals.speed import phantom


def test_bench_compares_the_same_films_and_counts_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phantom, "SIZE", 64)
    told = phantom.measure(films=2).to_json("phantom")
    assert told["same_pixels"] is True and told["baseline"]["count"] == told["candidate"]["count"] == 2
    assert told["batch"]["films"] == 2 and told["batch"]["films_per_s"] > 0
