"""anomaly: unusual phantoms rank above normal ones of the same patients; verdicts by percentile; nothing is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from stub_pool import FILM_SIZE, context_of, phantom

from imaging.failures import Unavailable
from imaging.phantom import PhantomSpec, make_phantom, parse_finding
from imaging.radiograph import Radiograph
from imaging.store import ImageStore
from models import wire
from models.outputs import Picture, Task, Unusual
from models.pool import ModelPool
from models.unusual import lung_box, trunk_mark
from models.weights import EMBEDDED_DIR
from tools.anomaly import AnomalyData, anomaly
from tools.contract import Registry, Result, ToolContext


def told(result: Result) -> AnomalyData:
    assert isinstance(result.data, AnomalyData), result.failure
    return result.data


def embedded(film: Radiograph, pool: ModelPool) -> Result:
    films = ImageStore()
    shown = films.add(film)
    return anomaly.run(ToolContext(films=films, models=pool), {"image_id": shown.id})


def test_phantoms_with_gross_disease_rank_above_themselves_without_it() -> None:
    """Truth: the same four patients with and without a finding no reader would miss."""
    pool = ModelPool(device="cpu", profile="embedded")
    found = ("effusion:left:1000ml", "pneumothorax:right:55%", "mass:left:70mm", "cardiomegaly:0.65")
    higher, percentiles = [], []
    for seed, finding in enumerate(found, start=40):
        spec = PhantomSpec(seed=seed, size=384)
        pair = [make_phantom(one) for one in (spec, replace(spec, findings=(parse_finding(finding),)))]
        healthy, ill = (told(embedded(film.radiograph, pool)) for film in pair)
        assert healthy.population == ill.population == "phantoms (synthetic)"
        higher.append(ill.score > healthy.score)
        percentiles.append((healthy.percentile or 0.0, ill.percentile or 0.0))
    assert sum(higher) >= 3, percentiles
    assert np.mean([ill for _, ill in percentiles]) > np.mean([well for well, _ in percentiles]) + 0.2, percentiles


@pytest.mark.parametrize(("percentile", "verdict"), [(0.3, "usual"), (0.8, "borderline"), (0.95, "unusual")])
def test_verdict_is_by_percentile_and_the_place_is_told_where_it_stands_out(percentile: float, verdict: str) -> None:
    """The stub's map is twice as usual in the patient's left lower chest."""
    context, image_id, pool = context_of(phantom())
    pool.outputs = {**pool.outputs, Task.ANOMALY: replace(pool.outputs[Task.ANOMALY], percentile=percentile)}  # type: ignore[type-var]
    result = anomaly.run(context, {"image_id": image_id})
    data = told(result)
    assert data.verdict == verdict and data.place == "left lower zone" and data.highest == pytest.approx(2.0, abs=0.01)
    assert f"is {verdict}" in result.summary and "stub films" in result.summary and "names no finding" in result.summary
    assert ("left lower zone" in result.summary) is (verdict != "usual")
    assert [one.kind for one in result.overlays] == (["heatmap"] if verdict == "usual" else ["heatmap", "box"])
    assert result.findings == [] and "Unusual is not ill" in result.caveats[0]


def test_reconstruction_has_no_percentile_and_shows_where_the_copy_fails() -> None:
    """Truth: a copy that lacks a bright square in the patient's right upper chest."""
    context, image_id, pool = context_of(phantom())
    film = context.films.get(image_id)
    copy = film.pixels.copy()
    copy[80:140, 90:150] = 0.0
    picture = Picture(copy, "reconstruction", (0.0, 0.0, float(FILM_SIZE), float(FILM_SIZE)), 0.03)
    pool.outputs = {**pool.outputs, Task.RECONSTRUCT: picture}
    result = anomaly.run(context, {"image_id": image_id, "method": "reconstruction"})
    data = told(result)
    assert data.percentile is None and data.verdict == "not ranked" and "no percentile" in result.summary
    row, column = np.unravel_index(result.overlays[0].as_heatmap().argmax(), result.overlays[0].as_heatmap().shape)
    scale = FILM_SIZE / result.overlays[0].as_heatmap().shape[0]
    assert 75 < row * scale < 145 and 85 < column * scale < 155


def test_reconstruction_without_its_weights_is_unavailable_before_any_film_is_looked_at(tmp_path: Path) -> None:
    films = ImageStore()
    film = films.add(phantom().radiograph)
    pool = ModelPool(device="cpu", profile="standard", model_dir=tmp_path)
    result = anomaly.run(ToolContext(films=films, models=pool), {"image_id": film.id, "method": "reconstruction"})
    assert result.failure is not None and result.failure.kind == "unavailable" and result.failure.hint
    assert anomaly.name in Registry([anomaly]).ready(pool), "the usual way is always there"


def test_reference_was_made_with_the_classifiers_trunk_and_another_one_is_refused() -> None:
    """The mark leaves the head out: a new head on the same trunk needs no new reference."""
    state = load_file(EMBEDDED_DIR / "embedded-classifier.safetensors")
    card = ModelPool(device="cpu", profile="embedded").card("embedded-anomaly")
    mark = (card.model_extra or {})["trunk"]
    assert trunk_mark(state) == mark, "make it again: python -m models.recipes.anomaly"
    assert trunk_mark({**state, "head.weight": state["head.weight"] + 1}) == mark
    name = next(key for key in state if key.startswith("stages.") and state[key].is_floating_point())
    assert trunk_mark({**state, name: state[name] + 1}) != mark


def test_lung_box_has_its_margins_and_no_lungs_no_box() -> None:
    mask = np.zeros((200, 300), dtype=np.bool_)
    assert lung_box(mask) is None
    mask[50:150, 100:200] = True
    box = lung_box(mask)
    assert box is not None and (box.top, box.bottom, box.left, box.right) == (44, 160, 94, 206)


def test_output_crosses_a_pipe_whole() -> None:
    output = Unusual(1.2, 0.8, "films", np.ones((4, 4), dtype=np.float32), (0.0, 1.0, 2.0, 3.0))
    again = wire.decode(*wire.encode(output))
    assert isinstance(again, Unusual) and again.extent == output.extent and again.population == "films"


def test_trunk_of_another_file_is_unavailable(tmp_path: Path) -> None:
    from models.adapters.embedded_anomaly import load

    pool = ModelPool(device="cpu", profile="embedded")
    entry, card = pool.catalog.get("embedded-anomaly"), pool.card("embedded-anomaly")
    state = load_file(EMBEDDED_DIR / "embedded-classifier.safetensors")
    name = next(key for key in state if key.startswith("stages.") and state[key].is_floating_point())
    save_file({**state, name: state[name] + 1}, tmp_path / "embedded-classifier.safetensors")
    save_file(load_file(EMBEDDED_DIR / entry.source.file), tmp_path / entry.source.file)
    with pytest.raises(Unavailable, match="another trunk"):
        load(entry, card, tmp_path / entry.source.file, "cpu")
