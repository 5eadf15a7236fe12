"""The bench of GPU memory without a GPU: a stand-in for torch's counter, and the weights it writes for absent ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from catalog_entries import DENSENET, entry

from evals.speed import gpu_memory
from imaging.failures import Unavailable
from imaging.radiograph import Radiograph, Source, canonical, film_id
from models.adapters import torchxrayvision
from models.catalog import Catalog, CatalogEntry
from models.describe import describe
from models.numerics import current
from models.outputs import Scores, Task
from models.weights import locate

ALONE_MB, POOLED_MB, BEFORE_MB = 8, 3, 100


class Counter:
    """Bytes that torch says it holds, and who asked for them."""

    def __init__(self) -> None:
        self.bytes = BEFORE_MB * 1_000_000
        self.loaded: list[tuple[str, str, str]] = []
        self.closed = False

    def take(self, megabytes: int) -> None:
        self.bytes += megabytes * 1_000_000


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """A GPU that counts, and an adapter whose models take ALONE_MB of it."""
    told = Counter()
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.memory_allocated", lambda: told.bytes)
    monkeypatch.setattr("torch.cuda.synchronize", lambda: None)

    def load(item: CatalogEntry, card: object, path: Path, device: str) -> object:
        told.loaded.append((item.id, device, current().gpu_dtype))
        told.take(ALONE_MB)
        return object()

    monkeypatch.setitem(sys.modules, "models.adapters.counting", SimpleNamespace(load=load))  # type: ignore[arg-type]
    return told


def put(folder: Path, model_id: str) -> None:
    """Weights and card of a model that the user supplies."""
    (folder / f"{model_id}.pt").write_bytes(b"\x80weights")
    (folder / f"{model_id}.toml").write_text(
        f'id = "{model_id}"\ntitle = "t"\ntask = "classify"\nrevision = "r1"\nlicence = "none"\nsource = "test"\n'
        'training_data = "none"\nscore_kind = "uncalibrated_sigmoid"\nscore_meaning = "none"\n'
    )


def test_both_ways_load_the_same_models_and_only_theirs_is_counted(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = [entry("one"), entry("two")]
    for item in here:
        put(tmp_path, item.id)

    def pooled(entries: Sequence[CatalogEntry], folder: Path) -> object:
        counter.take(POOLED_MB * len(entries))
        return SimpleNamespace(close=lambda: setattr(counter, "closed", True))

    monkeypatch.setattr(gpu_memory, "_through_the_pool", pooled)
    monkeypatch.setattr(gpu_memory, "_to_be_had", lambda catalog, folder: (here, ["absent"]))
    monkeypatch.setattr(Catalog, "read", classmethod(lambda cls: Catalog(here)))
    monkeypatch.setattr("tempfile.TemporaryDirectory", lambda: _Kept(tmp_path))
    measured = gpu_memory.measure()
    assert measured.baseline.seconds == (2 * ALONE_MB,) and measured.candidate.seconds == (2 * POOLED_MB,)
    assert measured.ratio == pytest.approx(ALONE_MB / POOLED_MB)
    assert measured.facts == {"models": ["one", "two"], "left_out": ["absent"]}
    assert counter.loaded == [("one", "cuda:0", "float32"), ("two", "cuda:0", "float32")]
    assert counter.closed, "the pool's threads end with the bench"


class _Kept:
    """A folder that stays."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> str:
        return str(self.path)

    def __exit__(self, *raised: object) -> None:
        pass


@pytest.mark.usefixtures("counter")
def test_weights_that_went_away_are_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="gone is not here"):
        gpu_memory._each_alone([entry("gone")], tmp_path)


def test_absent_classifiers_get_random_weights_that_their_adapter_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.weights.PACKAGE_MODEL_DIR", tmp_path / "none")
    monkeypatch.setenv("HILUM_STATE_DIR", str(tmp_path / "state"))
    shipped = Catalog.read()
    densenet = shipped.get(DENSENET)
    others = [entry("absent"), entry("full-one", profile="full"), shipped.get("embedded-quality")]
    folder = tmp_path / "made"
    folder.mkdir()
    entries, left_out = gpu_memory._to_be_had(Catalog([densenet, *others]), folder)
    assert ([item.id for item in entries], left_out) == ([DENSENET, "embedded-quality"], ["absent"])
    assert [path.name for path in folder.iterdir()] == [densenet.source.file]
    found = locate(densenet, folder)
    assert found.present and found.path is not None
    adapter: Any = torchxrayvision.load(densenet, describe(densenet, found), found.path, "cpu")
    [scores] = adapter.predict(Task.CLASSIFY, [grey_film()])
    assert isinstance(scores, Scores) and np.isfinite(scores.values).all()


def grey_film() -> Radiograph:
    pixels = canonical(np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64))
    return Radiograph(id=film_id(pixels), pixels=pixels, source=Source("array", 64, 64, 8, "L"))
