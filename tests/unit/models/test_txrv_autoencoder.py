"""torchxrayvision's autoencoder against the package itself, from a random file in its format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import MakeFilm

from imaging.failures import Unavailable
from models import wire
from models.adapters.torchxrayvision import middle_square, prepare
from models.catalog import Catalog
from models.outputs import Picture, ScoreKind, Task
from models.pool import ModelPool

xrv = pytest.importorskip("torchxrayvision")

ENTRY = Catalog.read().get("txrv-resnetae-101-elastic")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the network, random, as the state dict that the package reads."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(6)
    torch.save(xrv.autoencoders.ResNetAE101().state_dict(), folder / ENTRY.source.file)
    return folder


def test_reconstructions_are_those_of_the_package(folder: Path, make_film: MakeFilm) -> None:
    """Expected: the package's own function and forward on the same file and film; the score from its two pictures."""
    film = make_film(5)
    square = torch.from_numpy(prepare(film.pixels, 224))[None]
    with torch.inference_mode():
        drawn = xrv.autoencoders.ResNetAE(weights=ENTRY.weights, cache_dir=str(folder))(square)["out"]
    pool = ModelPool(device="cpu", model_dir=folder)
    [prediction] = pool.predict(Task.RECONSTRUCT, [film])
    picture = prediction.output
    assert isinstance(picture, Picture) and picture.pixels.shape == (224, 224)
    np.testing.assert_allclose(picture.pixels, np.clip((drawn[0, 0].numpy() + 1024) / 2048, 0, 1), atol=1e-5)
    unit_film, unit_drawn = (square.numpy() + 1024) / 2048, (drawn.numpy() + 1024) / 2048
    assert picture.score == pytest.approx(float(np.abs(unit_film - unit_drawn).mean()), rel=1e-4)
    assert picture.extent == middle_square(film.shape) == (30.0, 0.0, 270.0, 240.0)
    assert (
        prediction.card.score_kind is ScoreKind.MEASUREMENT and "0 is a perfect copy" in prediction.card.score_meaning
    )
    again = wire.decode(*wire.encode(picture))
    assert isinstance(again, Picture) and (again.score, again.extent) == (picture.score, picture.extent)


def test_address_and_size_are_those_of_the_package(folder: Path) -> None:
    """Expected: the package's own table, and four bytes a floating-point number of its network."""
    table = xrv.autoencoders.model_urls[ENTRY.weights]
    assert ENTRY.source.url == table["weights_url"] and ENTRY.input_size == table["resolution"]
    state = torch.load(folder / ENTRY.source.file, weights_only=True)
    numbers = sum(value.numel() for value in state.values() if value.is_floating_point())
    assert ENTRY.source.minimum_bytes == 4 * numbers
    assert ENTRY.download_mb == pytest.approx(4 * numbers / 1e6, abs=0.1)


def test_another_networks_file_raises(tmp_path: Path, make_film: MakeFilm) -> None:
    torch.save({"x": torch.zeros(ENTRY.source.minimum_bytes // 4)}, tmp_path / ENTRY.source.file)
    with pytest.raises(Unavailable, match="another network"):
        ModelPool(device="cpu", model_dir=tmp_path).predict(Task.RECONSTRUCT, [make_film()])
