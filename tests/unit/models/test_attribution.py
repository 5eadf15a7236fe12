"""Saliency maps against closed forms: both kinds of networks end in linear heads, for which the maps are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from catalog_entries import DENSENET
from conftest import MakeFilm
from safetensors.torch import load_file

from imaging.failures import BadArguments
from models.adapters import embedded_classifier
from models.attribution import Method, saliency
from models.networks import AVERAGES, FINDINGS, load_classifier
from models.outputs import Heatmaps, Task
from models.pool import ModelPool
from models.preprocess import prepare
from models.request import Question

WEIGHTS = Path(__file__).parents[3] / "models/embedded/embedded-classifier.safetensors"


def explained(pool: ModelPool, film: object, method: str, code: str) -> Heatmaps:
    question = Question(text=method, phrases=(code,))
    [prediction] = pool.predict(Task.EXPLAIN, [film], question=question)  # type: ignore[list-item]
    assert isinstance(prediction.output, Heatmaps) and prediction.output.codes == (code,)
    return prediction.output


def test_hires_cam_of_the_embedded_classifiers_averages_is_their_class_activation_map(make_film: MakeFilm) -> None:
    """Expected: what each cell adds to the logit, from the head's own weights; its positive part, highest 1. Without
    the peaks, whose maps are not linear."""
    network = load_classifier(load_file(WEIGHTS))
    network.head.weight.data[:, AVERAGES:] = 0
    square, geometry = prepare(make_film(3, (320, 320)).pixels, 320)
    index = FINDINGS.index("effusion")
    cells = saliency(embedded_classifier._Explained(network), square, index, Method.HIRES_CAM, "cpu")
    found, _ = embedded_classifier.on_film(cells[None], geometry)
    with torch.inference_mode():
        _, cam, _ = network.forward_with_cam(square)
        peaks = network.columns(network.levels(square))[0, AVERAGES:]
    expected = (cam[0, index] - network.head.bias.data[index]).clamp(min=0)
    wanted, _ = embedded_classifier.on_film((expected / expected.max())[None], geometry)
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=2e-3)
    assert 0.8 < found.max() <= 1 and found.min() >= 0
    assert peaks.shape == (len(FINDINGS),) and bool(torch.isfinite(peaks).all())


def test_grad_cam_of_a_densenet_is_its_class_activation_map(txrv_dir: Path, make_film: MakeFilm) -> None:
    """Expected: maps times the head's weights (Selvaraju et al. 2017, section 3.1: Grad-CAM generalises CAM)."""
    from models.adapters import torchxrayvision as adapter

    film = make_film(4)
    pool = ModelPool(device="cpu", model_dir=txrv_dir)
    entry = pool.catalog.get(DENSENET)
    loaded = adapter.load(entry, pool.card(DENSENET), txrv_dir / entry.source.file, "cpu")
    square = torch.from_numpy(adapter.prepare(film.pixels, 224))[None]
    with torch.inference_mode():
        last = loaded.network.features(square)[0]
        cams = torch.einsum("kc,chw->khw", loaded.network.head.weight[list(loaded.used)], last).clamp(min=0)
    best = int(cams.amax(dim=(1, 2)).argmax())
    cam = cams[best]
    maps = explained(pool, film, "grad_cam", loaded.codes[best])
    np.testing.assert_allclose(maps.maps[0], (cam / cam.max()).numpy(), atol=1e-4)
    assert maps.extent == adapter.middle_square(film.shape)


@pytest.mark.parametrize("method", list(Method))
def test_every_method_gives_a_map_in_range_and_the_models_own_score(method: Method, make_film: MakeFilm) -> None:
    pool, film = ModelPool(device="cpu", profile="embedded"), make_film(5)
    maps = explained(pool, film, method.value, "mass")
    [scored] = pool.predict(Task.CLASSIFY, [film])
    assert maps.values[0] == pytest.approx(float(scored.output.values[FINDINGS.index("mass")]), abs=1e-5)  # type: ignore[union-attr]
    assert np.isfinite(maps.maps).all() and 0 <= maps.maps.min() < maps.maps.max() <= 1


@pytest.mark.parametrize(("method", "code"), [("guess", "mass"), ("grad_cam", "sponge")])
def test_unknown_method_or_finding_raises(method: str, code: str, make_film: MakeFilm) -> None:
    with pytest.raises(BadArguments, match=method if method == "guess" else code):
        explained(ModelPool(device="cpu", profile="embedded"), make_film(), method, code)
