"""The torchxrayvision adapter against the package itself, through its real loading path on random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from catalog_entries import DENSENET, DENSENET_NIH, RESNET
from conftest import MakeFilm

from imaging.failures import Unavailable
from imaging.radiograph import FilmArray, Radiograph
from models.adapters import torchxrayvision as adapter
from models.catalog import Catalog
from models.outputs import Embedding, Heatmaps, ScoreKind, Scores, Task
from models.pool import ModelPool

xrv = pytest.importorskip("torchxrayvision")

BFLOAT16 = 2e-2
"""What a GPU's scores may differ by: tests/unit/models/test_numerics.py."""


def loaded(model_id: str, folder: Path, device: str = "cpu") -> ModelPool:
    return ModelPool(device=device, model_dir=folder, choices={"classify": model_id, "ground": model_id})


def theirs(model_id: str, folder: Path) -> torch.nn.Module:
    """The package's own model, loaded by its own constructor from the same file."""
    name = Catalog.read().get(model_id).weights
    kind = xrv.models.ResNet if name.startswith("resnet") else xrv.models.DenseNet
    return kind(weights=name, cache_dir=str(folder))


def scores_of(pool: ModelPool, film: Radiograph) -> Scores:
    [prediction] = pool.predict(Task.CLASSIFY, [film])
    assert isinstance(prediction.output, Scores)
    return prediction.output


@pytest.mark.parametrize("side", [224, 512])
@pytest.mark.parametrize("shape", [(300, 240), (241, 700), (224, 224), (100, 90), (901, 640)])
def test_preprocessing_is_the_packages_pixel_for_pixel(shape: tuple[int, int], side: int, make_film: MakeFilm) -> None:
    """Expected: normalize at 8 bits, XRayCenterCrop and XRayResizer of the package, as its README uses them.

    To 1e-6 of the range of 2048: float32's rounding, as sums are taken in another order.
    """
    eight_bit = np.round(make_film(3, shape).pixels * 255).astype(np.uint8)
    image = xrv.utils.normalize(eight_bit, 255)[None]
    expected = xrv.datasets.XRayResizer(side)(xrv.datasets.XRayCenterCrop()(image))
    ours = adapter.prepare(eight_bit.astype(np.float32) / np.float32(255), side)
    assert ours.shape == expected.shape == (1, side, side) and ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, rtol=0, atol=2e-3)


def test_preprocessing_spans_minus_to_plus_1024() -> None:
    """Expected: black -1024, white 1024, half 0 (2x - 1 times 1024, torchxrayvision.utils.normalize)."""
    for grey, value in ((0.0, -1024.0), (1.0, 1024.0), (0.5, 0.0)):
        assert np.all(adapter.prepare(np.full((224, 224), grey, np.float32), 224) == value)


@pytest.mark.parametrize("shape", [(300, 240), (241, 700), (225, 225), (101, 300)])
def test_the_middle_square_is_what_the_package_crops(shape: tuple[int, int]) -> None:
    """Expected: the pixels that XRayCenterCrop returns, found by numbering them."""
    numbered = np.arange(shape[0] * shape[1]).reshape(1, *shape)
    cropped = xrv.datasets.XRayCenterCrop()(numbered)[0]
    top, left, bottom, right = (int(value) for value in adapter.middle_square(shape))
    np.testing.assert_array_equal(numbered[0, top:bottom, left:right], cropped)


@pytest.mark.parametrize("model_id", [DENSENET, RESNET])
def test_scores_are_those_of_the_package(model_id: str, txrv_dir: Path, make_film: MakeFilm) -> None:
    """Expected: the package's class, constructor, thresholds and forward on the same file and film."""
    film = make_film(5)
    network = theirs(model_id, txrv_dir)
    with torch.inference_mode():
        raw = network(torch.from_numpy(package_input(film.pixels, network.input_resolution)))[0].numpy()
    expected = {
        label.lower().replace(" ", "_"): value
        for label, value, threshold in zip(network.targets, raw, network.op_threshs.tolist(), strict=True)
        if label and not np.isnan(threshold)
    }
    ours = scores_of(loaded(model_id, txrv_dir), film)
    assert list(ours.codes) == list(expected)
    np.testing.assert_allclose(ours.values, list(expected.values()), atol=1e-5)
    assert len(set(np.round(ours.values, 4))) > 1, "random weights should not give one score for everything"


def package_input(pixels: FilmArray, side: int) -> FilmArray:
    image = xrv.utils.normalize(pixels, 1)[None]
    square: FilmArray = xrv.datasets.XRayResizer(side)(xrv.datasets.XRayCenterCrop()(image))[None]
    return square


def test_outputs_without_a_meaning_are_not_reported(txrv_dir: Path, make_film: MakeFilm) -> None:
    """Expected: the NIH model has 14 of 18 labels; ResNet has no operating point for two (stack.md section 7)."""
    film = make_film()
    assert len(scores_of(loaded(DENSENET_NIH, txrv_dir), film).codes) == 14
    codes = scores_of(loaded(RESNET, txrv_dir), film).codes
    assert len(codes) == 16 and not {"lung_lesion", "enlarged_cardiomediastinum", ""} & set(codes)


def test_the_card_names_the_score_and_what_was_not_verified(txrv_dir: Path) -> None:
    card = loaded(DENSENET, txrv_dir).card(DENSENET)
    assert card.score_kind is ScoreKind.OPERATING_POINT and "not a probability" in card.score_meaning
    assert {item.threshold for item in card.findings} == {0.5} and len(card.findings) == 18
    assert card.revision.startswith("v1+sha256.") and any("sha256" in limit for limit in card.limits)


def test_vectors_are_the_packages_features(txrv_dir: Path, make_film: MakeFilm) -> None:
    """Expected: features2 of the package's own model from the same file, made of length 1."""
    film = make_film(5)
    with torch.inference_mode():
        raw = theirs(DENSENET, txrv_dir).features2(torch.from_numpy(package_input(film.pixels, 224)))[0].numpy()
    [prediction] = loaded(DENSENET, txrv_dir).predict(Task.EMBED, [film], model_id=DENSENET)
    vector = prediction.output
    assert isinstance(vector, Embedding) and vector.values.shape == (1024,)
    np.testing.assert_allclose(vector.values, raw / np.linalg.norm(raw), atol=1e-5)
    assert vector.space == f"{DENSENET}@{prediction.revision}"


@pytest.mark.parametrize("model_id", [DENSENET, RESNET])
def test_heatmaps_explain_the_score_and_know_where_they_lie(model_id: str, txrv_dir: Path, make_film: MakeFilm) -> None:
    """Expected: the same scores as classify; 32 pixels of input a cell in both networks (their stride)."""
    pool, film = loaded(model_id, txrv_dir), make_film(2, (400, 300))
    [prediction] = pool.predict(Task.GROUND, [film])
    heat = prediction.output
    assert isinstance(heat, Heatmaps)
    cells = Catalog.read().get(model_id).input_size // 32
    assert heat.maps.shape == (len(heat.codes), cells, cells) and heat.extent == (50.0, 0.0, 350.0, 300.0)
    assert heat.maps.min() >= 0 and heat.maps.max() <= 1
    np.testing.assert_allclose(heat.values, scores_of(pool, film).values, atol=1e-6)
    low, high = heat.maps.min(axis=(1, 2)), heat.maps.max(axis=(1, 2))
    assert np.all(low <= heat.values + 1e-5) and np.all(heat.values <= high + 1e-5), "a mean lies between its cells"


def test_a_batch_gives_each_film_what_it_gets_alone(txrv_dir: Path, make_film: MakeFilm) -> None:
    films = [make_film(seed, shape) for seed, shape in ((1, (240, 300)), (2, (224, 224)), (3, (500, 230)))]
    together = loaded(DENSENET, txrv_dir).predict(Task.CLASSIFY, films)
    alone = loaded(DENSENET, txrv_dir)
    for film, prediction in zip(films, together, strict=True):
        np.testing.assert_allclose(prediction.output.values, scores_of(alone, film).values, atol=1e-5)


def test_nothing_is_printed(txrv_dir: Path, make_film: MakeFilm, capsys: pytest.CaptureFixture[str]) -> None:
    """The package prints warnings and progress on stdout, which carries only results in Hilum."""
    loaded(DENSENET, txrv_dir).predict(Task.CLASSIFY, [make_film()])
    assert capsys.readouterr() == ("", "")


def test_another_networks_weights_are_refused_raises(tmp_path: Path, make_film: MakeFilm) -> None:
    padding = torch.zeros(Catalog.read().get(DENSENET).source.minimum_bytes // 4)
    stranger = torch.nn.Sequential(torch.nn.BatchNorm1d(2))
    stranger.register_buffer("padding", padding)
    torch.save(stranger, tmp_path / Catalog.read().get(DENSENET).source.file)
    pool = loaded(DENSENET, tmp_path)
    with pytest.raises(Unavailable, match="holds another network than the catalog says"):
        pool.predict(Task.CLASSIFY, [make_film()])
    assert not pool.serves(Task.CLASSIFY), "a file that did not load once is not offered again"


def test_weights_the_package_does_not_know_raises(txrv_dir: Path) -> None:
    entry = Catalog.read().get(DENSENET)
    card = loaded(DENSENET, txrv_dir).card(DENSENET)
    with pytest.raises(Unavailable, match="knows no weights 'densenet999'"):
        adapter.load(entry.model_copy(update={"weights": "densenet999"}), card, txrv_dir / entry.source.file, "cpu")


@pytest.mark.gpu
@pytest.mark.parametrize("model_id", [DENSENET, RESNET])
def test_a_gpu_gives_the_scores_of_the_processor(model_id: str, txrv_dir: Path, make_film: MakeFilm) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    film = make_film(4)
    ours = scores_of(loaded(model_id, txrv_dir, "cuda"), film).values
    np.testing.assert_allclose(
        ours, scores_of(loaded(model_id, txrv_dir), film).values, atol=2e-2
    )  # bfloat16: test_numerics
