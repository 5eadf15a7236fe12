"""The mean of classifiers: which scores, which spread, what its card says, and what cannot be a mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from catalog_entries import DENSENET, DENSENET_NIH, RESNET
from conftest import MakeFilm

from imaging.failures import BadArguments, Unavailable
from models.catalog import Catalog
from models.outputs import ScoreKind, Scores, Task
from models.pool import ModelPool

BOTH = f"ensemble:{DENSENET_NIH}+{RESNET}"


def scores_of(pool: ModelPool, film: object, model_id: str | None = None) -> Scores:
    [prediction] = pool.predict(Task.CLASSIFY, [film], model_id=model_id)  # type: ignore[list-item]
    assert isinstance(prediction.output, Scores)
    return prediction.output


def test_the_mean_is_over_the_members_that_know_a_finding(txrv_dir: Path, make_film: MakeFilm) -> None:
    """Expected: NumPy's mean and range of what members say alone; NIH knows 14 findings, ResNet-50 two more."""
    film = make_film(5)
    pool = ModelPool(device="cpu", model_dir=txrv_dir, choices={"classify": BOTH})
    assert pool.resolve(Task.CLASSIFY).id == BOTH
    mean = scores_of(pool, film)
    alone = ModelPool(device="cpu", model_dir=txrv_dir)
    members = [scores_of(alone, film, model_id) for model_id in (DENSENET_NIH, RESNET)]
    said = [dict(zip(member.codes, member.values.tolist(), strict=True)) for member in members]
    assert len(mean.codes) == 16 and mean.spread is not None
    for code, value, spread in zip(mean.codes, mean.values, mean.spread, strict=True):
        known = [scores[code] for scores in said if code in scores]
        assert value == pytest.approx(np.mean(known), abs=1e-6) and spread == pytest.approx(np.ptp(known), abs=1e-6)
    assert mean.spread[mean.codes.index("fracture")] == 0, "one member alone knows it"
    assert mean.spread.max() > 0


def test_members_are_loaded_and_cached_as_themselves(txrv_dir: Path, make_film: MakeFilm) -> None:
    film = make_film(5)
    pool = ModelPool(device="cpu", model_dir=txrv_dir)
    scores_of(pool, film, BOTH)
    [member] = pool.predict(Task.CLASSIFY, [film], model_id=RESNET)
    [again] = pool.predict(Task.CLASSIFY, [film], model_id=BOTH)
    assert member.cached and again.cached and again.elapsed_ms == 0
    assert {item.id for item in pool.status() if item.loaded} == {DENSENET_NIH, RESNET}


def test_the_card_says_what_was_not_done(txrv_dir: Path) -> None:
    card = ModelPool(device="cpu", model_dir=txrv_dir).card(BOTH)
    assert card.score_kind is ScoreKind.OPERATING_POINT and len(card.findings) == 16
    assert card.revision.startswith(f"mean of {DENSENET_NIH}@v1+sha256.") and f"{RESNET}@v1" in card.revision
    assert any("No calibration was made" in limit for limit in card.limits)
    assert any("spread" in limit for limit in card.limits)


def test_the_shipped_mean_is_one_of_the_same_kind(txrv_dir: Path) -> None:
    """Expected: what the catalog says of it is what it would say had a user named these members."""
    catalog = Catalog.read()
    shipped = catalog.get("txrv-ensemble")
    named = catalog.get("ensemble:" + "+".join(shipped.members))
    assert shipped.members == (DENSENET, RESNET) == named.members
    for fact in ("labels", "download_mb", "memory_mb", "input_size", "profile", "source", "tasks", "on_request"):
        assert getattr(shipped, fact) == getattr(named, fact)
    pool = ModelPool(device="cpu", model_dir=txrv_dir)
    [status] = [item for item in pool.status() if item.id == shipped.id]
    assert status.present and not status.first_for


def test_a_mean_of_scores_that_mean_different_things_raises(txrv_dir: Path, make_film: MakeFilm) -> None:
    pool = ModelPool(device="cpu", model_dir=txrv_dir)
    with pytest.raises(BadArguments, match="embedded-classifier gives calibrated_probability"):
        pool.predict(Task.CLASSIFY, [make_film()], model_id=f"ensemble:embedded-classifier+{DENSENET}")


def test_a_member_that_is_not_here_raises(tmp_path: Path, make_film: MakeFilm) -> None:
    with pytest.raises(Unavailable, match=f"its member {DENSENET_NIH} is not here"):
        ModelPool(device="cpu", model_dir=tmp_path).predict(Task.CLASSIFY, [make_film()], model_id=BOTH)


@pytest.mark.parametrize(
    ("model_id", "says"),
    [
        (f"ensemble:{DENSENET}", "two or more different models"),
        (f"ensemble:{DENSENET}+{DENSENET}", "two or more different models"),
        (f"ensemble:{DENSENET}+embedded-segmenter", "embedded-segmenter is no single classifier"),
        (f"ensemble:{DENSENET}+txrv-ensemble", "txrv-ensemble is no single classifier"),
        (f"ensemble:{DENSENET}+txrv-densenet", "No model has the id 'txrv-densenet'"),
    ],
)
def test_what_is_no_ensemble_raises(model_id: str, says: str) -> None:
    with pytest.raises(BadArguments, match=says):
        ModelPool(device="cpu", choices={"classify": model_id})
