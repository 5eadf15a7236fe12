"""The embedded adapters on the shipped weights, against their networks called by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import MakeFilm
from safetensors.torch import load_file, save_file

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from models import weights
from models.adapters import embedded_segmenter
from models.catalog import Catalog
from models.networks import (
    CLASSIFIER_SIDE,
    FINDINGS,
    SEGMENTER_SIDE,
    STRUCTURES,
    load_classifier,
    load_segmenter,
    segment,
)
from models.outputs import Heatmaps, Masks, Output, Picture, ScoreKind, Scores, Task
from models.pool import ModelPool
from models.preprocess import content_box, prepare
from models.suppression import SUPPRESSOR_SIDE, load_suppressor, suppress

CLASSIFIER, SEGMENTER, SUPPRESSOR = "embedded-classifier", "embedded-segmenter", "embedded-bone-suppressor"
SHAPES = [(300, 240), (260, 420)]
BFLOAT16 = 2e-2
"""What a GPU's scores may differ by: tests/unit/models/test_numerics.py."""


def output_of(task: Task, film: Radiograph, device: str = "cpu") -> Output:
    return ModelPool(device=device, profile="embedded").predict(task, [film])[0].output


def test_the_catalog_says_what_the_networks_see_and_draw() -> None:
    """Expected: the constants of models/networks.py."""
    catalog = Catalog.read()
    assert catalog.get(CLASSIFIER).labels == FINDINGS and catalog.get(CLASSIFIER).input_size == CLASSIFIER_SIDE
    assert catalog.get(SEGMENTER).labels == STRUCTURES and catalog.get(SEGMENTER).input_size == SEGMENTER_SIDE
    suppressor = catalog.get(SUPPRESSOR)
    assert suppressor.labels == ("bone_suppressed",) and suppressor.input_size == SUPPRESSOR_SIDE


def test_the_embedded_profile_is_served_from_the_repository() -> None:
    pool = ModelPool(device="cpu", profile="embedded")
    served = (Task.CLASSIFY, Task.SEGMENT, Task.GROUND, Task.QUALITY, Task.ENHANCE)
    assert {task: pool.resolve(task).id for task in served} == {
        Task.CLASSIFY: CLASSIFIER,
        Task.SEGMENT: SEGMENTER,
        Task.GROUND: CLASSIFIER,
        Task.QUALITY: "embedded-quality",
        Task.ENHANCE: SUPPRESSOR,
    }
    assert pool.card(CLASSIFIER).score_kind is ScoreKind.CALIBRATED_PROBABILITY


@pytest.mark.parametrize("shape", SHAPES)
def test_scores_are_the_calibrated_logits(shape: tuple[int, int], make_film: MakeFilm) -> None:
    """Expected: sigmoid(slope * logit + intercept) with the card's numbers, as its score_meaning says."""
    film, card = make_film(1, shape), ModelPool(device="cpu").card(CLASSIFIER)
    network = load_classifier(load_file(weights.EMBEDDED_DIR / f"{CLASSIFIER}.safetensors"))
    logits = network(prepare(film.pixels, CLASSIFIER_SIDE)[0])[0].numpy()
    expected = []
    for code, logit in zip(FINDINGS, logits, strict=True):
        known = card.finding(code)
        assert known is not None and known.platt is not None
        expected.append(1 / (1 + np.exp(-(known.platt["slope"] * logit + known.platt["intercept"]))))
    scores = output_of(Task.CLASSIFY, film)
    assert isinstance(scores, Scores) and scores.codes == FINDINGS
    np.testing.assert_allclose(scores.values, expected, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_heatmaps_lie_on_the_region_the_network_saw(shape: tuple[int, int], make_film: MakeFilm) -> None:
    """Expected: the content box of models/preprocess.py, and the scores of classify."""
    film = make_film(2, shape)
    heat, scores, box = output_of(Task.GROUND, film), output_of(Task.CLASSIFY, film), content_box(film.pixels)
    assert isinstance(heat, Heatmaps) and isinstance(scores, Scores)
    assert heat.extent == (box.top, box.left, box.bottom, box.right)
    assert (
        heat.codes == (*FINDINGS, "lung_opacity")
        and len(heat.maps) == len(heat.codes)
        and max(heat.maps.shape[1:]) == 32
    )
    assert heat.maps.shape[1] / heat.maps.shape[2] == pytest.approx(box.height / box.width, rel=0.05)
    assert heat.maps.min() >= 0 and heat.maps.max() <= 1
    np.testing.assert_allclose(heat.values[:-1], scores.values, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_masks_are_those_of_the_recipes_own_measurement(shape: tuple[int, int], make_film: MakeFilm) -> None:
    """Expected: models.networks.segment with the card's thresholds: what the Dice figures were measured with."""
    film, card = make_film(3, shape), ModelPool(device="cpu").card(SEGMENTER)
    network = load_segmenter(load_file(weights.EMBEDDED_DIR / f"{SEGMENTER}.safetensors"))
    _, expected = segment(network, film.pixels, [item.threshold for item in card.structures])
    masks = output_of(Task.SEGMENT, film)
    assert isinstance(masks, Masks) and masks.codes == STRUCTURES and masks.masks.dtype == np.bool_
    np.testing.assert_array_equal(masks.masks, expected)
    assert masks.quality.dtype == np.float32 and masks.quality.min() >= 0 and masks.quality.max() <= 1


def test_quality_is_the_mean_probability_of_the_mask() -> None:
    probability = np.array([[0.9, 0.7], [0.1, 0.2]], np.float32)
    assert embedded_segmenter.certainty(probability, probability > 0.5) == pytest.approx(0.8)
    assert embedded_segmenter.certainty(probability, probability > 1) == 0.0


def test_a_batch_gives_each_film_what_it_gets_alone(make_film: MakeFilm) -> None:
    films = [make_film(seed, shape) for seed, shape in enumerate(SHAPES)]
    for task in (Task.CLASSIFY, Task.GROUND):
        for film, prediction in zip(
            films, ModelPool(device="cpu").predict(task, films, model_id=CLASSIFIER), strict=True
        ):
            np.testing.assert_allclose(prediction.output.values, output_of(task, film).values, atol=1e-5)


def test_a_batch_of_films_without_bone_is_what_each_gets_alone(make_film: MakeFilm) -> None:
    """Expected: models.suppression.suppress, with which the card's figures were measured."""
    films = [make_film(seed, shape) for seed, shape in enumerate(SHAPES)]
    network = load_suppressor(load_file(weights.EMBEDDED_DIR / f"{SUPPRESSOR}.safetensors"))
    for film, prediction in zip(films, ModelPool(device="cpu").predict(Task.ENHANCE, films), strict=True):
        made = prediction.output
        assert isinstance(made, Picture) and made.what == "bone suppressed"
        assert made.pixels.dtype == np.float32 and made.pixels.shape == film.pixels.shape
        np.testing.assert_allclose(made.pixels, suppress(network, film.pixels), atol=1e-5)


@pytest.fixture
def own_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the embedded folder that a test may spoil."""
    folder = tmp_path / "embedded"
    shutil.copytree(weights.EMBEDDED_DIR, folder)
    monkeypatch.setattr(weights, "EMBEDDED_DIR", folder)
    return folder


def test_one_flipped_byte_of_the_shipped_weights_is_refused_raises(own_weights: Path, make_film: MakeFilm) -> None:
    path = own_weights / f"{CLASSIFIER}.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(Unavailable, match=r"No model that serves ground is here: .*not the expected") as caught:
        ModelPool(device="cpu", profile="embedded").predict(Task.GROUND, [make_film()])
    assert "git checkout" in caught.value.hint


@pytest.mark.parametrize(
    ("model_id", "task"), [(CLASSIFIER, Task.CLASSIFY), (SEGMENTER, Task.SEGMENT), (SUPPRESSOR, Task.ENHANCE)]
)
def test_weights_of_another_network_are_refused_raises(
    model_id: str, task: Task, own_weights: Path, make_film: MakeFilm
) -> None:
    save_file({"a": torch.zeros(3)}, own_weights / f"{model_id}.safetensors")
    digest = weights.sha256_of(own_weights / f"{model_id}.safetensors")
    card = own_weights / f"{model_id}.toml"
    kept = [line for line in card.read_text().splitlines() if not line.startswith("sha256")]
    card.write_text("\n".join([f'sha256 = "{digest}"', *kept]))
    with pytest.raises(Unavailable, match=rf"{model_id}\.safetensors is not the"):
        ModelPool(device="cpu", profile="embedded").predict(task, [make_film()])


@pytest.mark.gpu
@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.GROUND])
def test_a_gpu_gives_the_scores_of_the_processor(task: Task, make_film: MakeFilm) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    film = make_film(4)
    np.testing.assert_allclose(
        output_of(task, film, "cuda").values, output_of(task, film).values, atol=2e-2
    )  # bfloat16: test_numerics


@pytest.mark.gpu
def test_a_gpu_draws_the_masks_of_the_processor(make_film: MakeFilm) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    film = make_film(4)
    ours, theirs = output_of(Task.SEGMENT, film, "cuda"), output_of(Task.SEGMENT, film)
    assert isinstance(ours, Masks) and isinstance(theirs, Masks)
    assert (ours.masks != theirs.masks).mean() < 1e-3


@pytest.mark.gpu
def test_a_gpu_takes_the_bone_away_as_the_processor_does(make_film: MakeFilm) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    film = make_film(4)
    ours, theirs = output_of(Task.ENHANCE, film, "cuda"), output_of(Task.ENHANCE, film)
    assert isinstance(ours, Picture) and isinstance(theirs, Picture)
    np.testing.assert_allclose(ours.pixels, theirs.pixels, atol=5e-3)
