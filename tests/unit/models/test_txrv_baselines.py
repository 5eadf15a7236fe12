"""torchxrayvision's baselines of five findings against the package itself, from random files in its formats."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import MakeFilm

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from models.adapters.torchxrayvision import prepare
from models.adapters.txrv_baselines import TASKS
from models.catalog import Catalog, CatalogEntry, code_of
from models.outputs import ScoreKind, Scores, Task
from models.pool import ModelPool

xrv = pytest.importorskip("torchxrayvision")

jfhealthcare, chexpert = xrv.baseline_models.jfhealthcare, xrv.baseline_models.chexpert
JF = Catalog.read().get("txrv-jfhealthcare")
CHEXPERT = Catalog.read().get("txrv-chexpert").model_copy(update={"weights": "chexpert-1"})
"""With one member a group in place of thirty: the same code with a thirtieth of the bytes."""
SIDE = {JF.id: 256, CHEXPERT.id: 128}
"""Of the square where scores are compared: the networks take any, and their own 512 and 320 pixels cost more."""


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package fetches ImageNet's weights before it overwrites them all; here it finds none to fetch."""
    monkeypatch.setattr(jfhealthcare.classifier.densenet121.__globals__["model_zoo"], "load_url", lambda url: {})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home directory with JF Healthcare's file where the package keeps its own, random; CheXpert's archive beside."""
    folder = tmp_path_factory.mktemp("home") / ".torchxrayvision" / "models_data"
    folder.mkdir(parents=True)
    torch.manual_seed(4)
    settings = json.loads(Path(jfhealthcare.__file__).with_name("config").joinpath("example.json").read_text())
    network = jfhealthcare.classifier.Classifier(SimpleNamespace(**{**settings, "pretrained": False}))
    torch.save(network.state_dict(), folder / JF.source.file)
    listed = json.loads(Path(chexpert.__file__).with_name("predict_configs.json").read_text())["task2models"]
    first = {listed[task][0]["ckpt_path"]: listed[task][0]["is_3class"] for task in TASKS}
    with zipfile.ZipFile(folder / CHEXPERT.source.file, "w") as archive:
        for name, uncertain in first.items():
            sequence = {"No Finding": 0} | {task: index + 1 for index, task in enumerate(reversed(TASKS))}
            member = torch.nn.DataParallel(chexpert.model.DenseNet121(sequence, uncertain, use_gpu=False))
            held = {"task_sequence": sequence, "model_state": member.state_dict(), "ckpt_info": {"epoch": 1}}
            stream = io.BytesIO()
            torch.save(held, stream)
            archive.writestr(name, stream.getvalue())
    return folder.parent.parent


def scores_of(entry: CatalogEntry, folder: Path, film: Radiograph) -> Scores:
    pool = ModelPool(Catalog([entry]), device="cpu", model_dir=folder, profile="full")
    [prediction] = pool.predict(Task.CLASSIFY, [film], model_id=entry.id)
    assert isinstance(prediction.output, Scores)
    assert prediction.card.score_kind is ScoreKind.SIGMOID and "not a probability" in prediction.card.score_meaning
    assert [item.code for item in prediction.card.findings] == list(prediction.output.codes)
    return prediction.output


def theirs(entry: CatalogEntry, home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HOME", str(home))
    offline(monkeypatch)
    folder = home / ".torchxrayvision" / "models_data"
    return jfhealthcare.DenseNet() if entry is JF else chexpert.DenseNet(str(folder / entry.source.file), num_models=1)


@pytest.mark.parametrize("entry", [JF, CHEXPERT], ids=lambda entry: entry.id)
def test_scores_are_those_of_the_package(
    entry: CatalogEntry, home: Path, make_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expected: the package's class, constructor and forward on the same file and film."""
    monkeypatch.setattr(xrv.utils, "fix_resolution", lambda x, resolution, model: x)
    network, film, side = theirs(entry, home, monkeypatch), make_film(5), SIDE[entry.id]
    with torch.inference_mode():
        expected = network(torch.from_numpy(prepare(film.pixels, side))[None])[0].numpy()
    smaller = entry.model_copy(update={"input_size": side})
    ours = scores_of(smaller, home / ".torchxrayvision" / "models_data", film)
    assert list(network.targets) == list(entry.labels)
    assert ours.codes == tuple(code_of(label) for label in network.targets)
    np.testing.assert_allclose(ours.values, expected, atol=1e-5)
    assert len(set(np.round(ours.values, 5))) > 1, "random weights should not give one score for everything"


def test_addresses_and_sizes_are_those_of_the_package() -> None:
    """Expected: address and sizes in the package's source; its list has 90 checkpoints, 30 for each of three groups."""
    source = Path(jfhealthcare.__file__).read_text(encoding="utf-8")
    assert str(JF.source.url) in source and f"fix_resolution(x, {JF.input_size}, self)" in source
    source = Path(chexpert.__file__).read_text(encoding="utf-8")
    assert f"fix_resolution(x, {CHEXPERT.input_size}, self)" in source
    listed = json.loads(Path(chexpert.__file__).with_name("predict_configs.json").read_text())
    names = {member["ckpt_path"] for members in listed["task2models"].values() for member in members}
    assert len(names) == 90 and listed["aggregation_method"] == "mean" and set(listed["task2models"]) == set(TASKS)
    with torch.device("meta"):
        member = chexpert.model.DenseNet121(dict.fromkeys(TASKS), False, use_gpu=False)
    numbers = sum(value.numel() for value in member.state_dict().values() if value.is_floating_point())
    assert CHEXPERT.download_mb == pytest.approx(90 * 4 * numbers / 1e6, rel=0.01)


class Calling:
    """Pickles as a call of a function."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call[0], self.call[1:]


@pytest.mark.parametrize(
    ("held", "says"),
    [
        (None, "is not the archive of CheXpert's models"),
        ({"model_state": {"module.x": torch.zeros(2)}, "task_sequence": {}}, "no model of CheXpert's"),
        ({"model_state": {"module.x": torch.zeros(2)}, "task_sequence": dict.fromkeys(TASKS, 0)}, "another network"),
        ("CALL", "which weights do not need"),
    ],
)
def test_an_archive_that_is_not_chexperts_raises(held: Any, says: str, tmp_path: Path, make_film: MakeFilm) -> None:
    listed = json.loads(Path(chexpert.__file__).with_name("predict_configs.json").read_text())["task2models"]
    stream = io.BytesIO()
    torch.save(Calling(os.mkdir, str(tmp_path / "owned")) if held == "CALL" else held, stream)
    with zipfile.ZipFile(tmp_path / CHEXPERT.source.file, "w") as archive:
        archive.writestr(listed[TASKS[0]][0]["ckpt_path"] if held else "readme", stream.getvalue())
    with pytest.raises(Unavailable, match=says):
        scores_of(CHEXPERT, tmp_path, make_film())
    assert not (tmp_path / "owned").exists()
