"""torchxrayvision's models of view, age, sex and race against the package itself, from random files in its formats."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import MakeFilm

from agent.core import make_pool
from agent.settings import Settings
from imaging.failures import BadArguments, Unavailable
from models.adapters.torchxrayvision import prepare
from models.catalog import Catalog, CatalogEntry
from models.outputs import Attributes, ScoreKind, Task
from models.pool import ModelPool
from models.weights import locate

torchvision = pytest.importorskip("torchvision")
xrv = pytest.importorskip("torchxrayvision")

FOLDER = Path(".torchxrayvision", "models_data")
"""Where the package keeps its files below the home directory."""
CATALOG = Catalog.read(audit=True)
ENTRIES = {entry.weights: entry for entry in CATALOG if entry.adapter == "txrv_attributes"}
PACKAGE = {"view": ("xinario", "ViewModel"), "age": ("riken", "AgeModel"), "sex": ("mira", "SexModel"),
           "race": ("emory_hiti", "RaceModel")}  # fmt: skip


class Callback:
    """A class of a Lightning checkpoint's callbacks, which are keyed by class."""


class Estimator(torch.nn.Module):
    """A small network of the age model's form: RGB in, one number out."""

    def __init__(self) -> None:
        super().__init__()
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3, stride=8), torch.nn.BatchNorm2d(4), torch.nn.ReLU()
        )
        self.head = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Linear(8, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.features(x)
        pooled = torch.cat([torch.nn.functional.adaptive_max_pool2d(maps, 1), maps.mean([2, 3], keepdim=True)], 1)
        return self.head(pooled.flatten(1)) * 10 + 50


def resnet(layers: int, outputs: int) -> Any:
    return getattr(torchvision.models, f"resnet{layers}")(weights=None, num_classes=outputs)


@pytest.fixture(scope="module")
def lightning() -> Any:
    """A stand-in for the package that a Lightning checkpoint names, here while such a file is written or read back."""
    module = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    module.Callback = Callback  # type: ignore[attr-defined]
    Callback.__module__ = module.__name__
    with pytest.MonkeyPatch.context() as patch:
        for name in ("pytorch_lightning", "pytorch_lightning.callbacks"):
            patch.setitem(sys.modules, name, types.ModuleType(name))
        patch.setitem(sys.modules, module.__name__, module)
        yield module


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, lightning: Any) -> Path:
    """A home directory with four random files where torchxrayvision keeps its own, in the formats it reads."""
    home = tmp_path_factory.mktemp("home")
    folder = home / FOLDER
    folder.mkdir(parents=True)
    torch.manual_seed(3)

    def place(weights: str) -> Path:
        return folder / ENTRIES[weights].source.file

    torch.save(resnet(50, 1000).state_dict(), place("view"))
    sex = {f"model.{name}": value for name, value in resnet(34, 2).state_dict().items()}
    checkpoint = {"epoch": 13, "state_dict": sex, "callbacks": {Callback: {"best_model_score": torch.tensor(0.1)}}}
    torch.save(checkpoint, place("sex"))
    race = resnet(34, 3)
    race.fc = torch.nn.Sequential(race.fc, torch.nn.LogSoftmax(dim=1))
    torch.save(torch.nn.DataParallel(race).state_dict(), place("race"))
    with pytest.warns(FutureWarning):
        torch.jit.trace(Estimator().eval(), torch.rand(1, 3, 320, 320)).save(place("age"))
    return home


def pool_of(home: Path) -> ModelPool:
    return ModelPool(CATALOG, device="cpu", model_dir=home / FOLDER)


def said_by(pool: ModelPool, weights: str, film: Any) -> Attributes:
    [prediction] = pool.predict(Task.ATTRIBUTES, [film], model_id=ENTRIES[weights].id)
    assert isinstance(prediction.output, Attributes)
    return prediction.output


@pytest.fixture(autouse=True)
def small_files_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the age model's random file is of another size than the real one, and the catalog names no size for it."""
    assert ENTRIES["age"].source.minimum_bytes == 0


@pytest.mark.parametrize("weights", list(PACKAGE))
def test_answers_are_those_of_the_package(
    weights: str, home: Path, lightning: Any, make_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expected: the package's own class, constructor and forward on the same file and film."""
    monkeypatch.setenv("HOME", str(home))
    module, name = PACKAGE[weights]
    theirs = getattr(getattr(xrv.baseline_models, module), name)().eval()
    film, entry = make_film(5), ENTRIES[weights]
    with torch.inference_mode():
        raw = theirs(torch.from_numpy(prepare(film.pixels, entry.input_size))[None])[0]
    ours = said_by(pool_of(home), weights, film)
    assert ours.labels == entry.labels
    if weights == "age":
        assert ours.trait == "age_years" and ours.choice == "years"
        assert ours.values[0] == pytest.approx(float(raw[0]), abs=1e-3)
    else:
        np.testing.assert_allclose(ours.values, torch.softmax(raw, 0).numpy(), atol=1e-5)
        given = {"Frontal": "FRONTAL", "Lateral": "LATERAL", "Male": "M", "Female": "F"}
        assert [given.get(label, label) for label in theirs.targets] == list(ours.labels)
        assert ours.values.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("weights", list(PACKAGE))
def test_addresses_and_sizes_are_those_of_the_package(weights: str) -> None:
    """Expected: the address in the package's source, and four bytes a floating-point number of its network."""
    module, _ = PACKAGE[weights]
    source = Path(getattr(xrv.baseline_models, module).__file__).read_text(encoding="utf-8")
    entry = ENTRIES[weights]
    assert str(entry.source.url) in source and f"fix_resolution(x, {entry.input_size}, self)" in source
    network = {"view": (50, 1000), "sex": (34, 2), "race": (34, 3)}.get(weights)
    if network:
        numbers = sum(value.numel() for value in resnet(*network).state_dict().values() if value.is_floating_point())
        assert entry.source.minimum_bytes == 4 * numbers
        assert entry.download_mb == pytest.approx(4 * numbers / 1e6, abs=0.1)


def test_a_batch_gives_each_film_what_it_gets_alone(home: Path, make_film: MakeFilm) -> None:
    films = [make_film(seed, shape) for seed, shape in ((1, (240, 330)), (2, (320, 320)))]
    entry = ENTRIES["age"]
    together = pool_of(home).predict(Task.ATTRIBUTES, films, model_id=entry.id)
    alone = pool_of(home)
    for film, prediction in zip(films, together, strict=True):
        np.testing.assert_allclose(prediction.output.values, said_by(alone, "age", film).values, atol=1e-3)


def test_race_is_off_unless_audits_are_on_and_is_never_chosen_by_itself(home: Path, make_film: MakeFilm) -> None:
    race = ENTRIES["race"]
    assert race.audit and race.id not in Catalog.read()
    folder = home / FOLDER
    off = make_pool(Settings(model_dir=folder, device="cpu"))
    with pytest.raises(BadArguments, match="No model has the id"):
        off.predict(Task.ATTRIBUTES, [make_film()], model_id=race.id)
    on = make_pool(Settings(model_dir=folder, device="cpu", audit=True))
    assert on.resolve(Task.ATTRIBUTES).id == ENTRIES["view"].id
    assert said_by(on, "race", make_film()).labels == ("Asian", "Black", "White")


def test_cards_say_what_a_value_is_and_is_not(home: Path) -> None:
    pool = pool_of(home)
    view, age = pool.card(ENTRIES["view"].id), pool.card(ENTRIES["age"].id)
    assert view.task is Task.ATTRIBUTES and "not a probability" in view.score_meaning
    assert age.score_kind is ScoreKind.MEASUREMENT and "years" in age.score_meaning
    assert all(any("sha256" in limit for limit in card.limits) for card in (view, age))
    assert any("never to describe a patient" in limit for limit in pool.card(ENTRIES["race"].id).limits)


class Calling:
    """Pickles as a call of a function."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call[0], self.call[1:]


def only(weights: str, folder: Path, **changes: Any) -> tuple[ModelPool, CatalogEntry]:
    """A pool whose one model reads a file of this test, of whatever size."""
    entry = ENTRIES[weights]
    entry = entry.model_copy(update={"source": entry.source.model_copy(update={"minimum_bytes": 0}), **changes})
    return ModelPool(Catalog([entry]), device="cpu", model_dir=folder), entry


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ({"state_dict": {"model.x": torch.zeros(2)}}, "another network"),
        ({"state_dict": {"model.x": torch.zeros(2)}, "extra": "CALL"}, "which weights do not need"),
        ({"state_dict": {"model.x": 3}}, "no state dict"),
        ([1, 2], "no state dict but a list"),
    ],
)
def test_a_checkpoint_that_is_not_the_models_raises(held: Any, says: str, tmp_path: Path, make_film: MakeFilm) -> None:
    if isinstance(held, dict) and held.get("extra") == "CALL":
        held["extra"] = Calling(os.mkdir, str(tmp_path / "owned"))
    pool, entry = only("sex", tmp_path)
    torch.save(held, tmp_path / entry.source.file)
    with pytest.raises(Unavailable, match=says):
        pool.predict(Task.ATTRIBUTES, [make_film()])
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("weights", list(PACKAGE))
def test_the_real_weights_answer_within_their_range(weights: str, make_film: MakeFilm) -> None:
    """With the real file in place: shares sum to one; an age lies between 0 and 120."""
    presence = locate(ENTRIES[weights])
    if not presence.present:
        pytest.skip(f"the real weights are not here: {presence.reason}")
    said = said_by(ModelPool(CATALOG, device="cpu"), weights, make_film())
    assert 0 < said.values[0] < 120 if weights == "age" else said.values.sum() == pytest.approx(1, abs=1e-4)
