"""torchxrayvision's baselines of five findings: JF Healthcare's DenseNet-121 and Stanford's CheXpert ensemble.

The networks are built here without the constructors that download what is missing and unpickle what they find;
architecture, order of the labels, size, scaling and the mean over members are those of torchxrayvision.baseline_models
(1.5.7): jfhealthcare, chexpert.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from models.adapters.torchxrayvision import prepare, xrv
from models.card import ModelCard
from models.catalog import CatalogEntry, code_of
from models.device import inference, place
from models.outputs import Output, Scores, Task
from models.pickled import checkpoint_of, first_line, state_dict_of

SIDE_BY_SIDE = True

jfhealthcare, chexpert = xrv.baseline_models.jfhealthcare, xrv.baseline_models.chexpert

SCALE = 512.0
"""Both are fed -2 to 2: what the package makes of a film, -1024 to 1024, divided by this."""

MAX_MEMBER_BYTES = 1 << 30
"""A larger file within CheXpert's archive is none of its DenseNets (28 MB, and thrice that with its optimiser)."""

TASKS = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
"""CheXpert's own words, in the order in which chexpert.DenseNet.forward gives them."""


@dataclass(frozen=True)
class Baseline:
    """One loaded baseline.

    Attributes:
        network: float32 [N, 3, side, side] in [-2, 2] -> sigmoids or shares float32 [N, 5] in [0, 1].
        codes: finding codes of its outputs, in order.
        side: of the square the network sees, pixels.
    """

    card: ModelCard
    network: Callable[[torch.Tensor], torch.Tensor]
    codes: tuple[str, ...]
    side: int
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """The scores of each film, in order, from one batch."""
        del task
        squares = torch.from_numpy(np.stack([prepare(film.pixels, self.side) for film in films])).to(self.device)
        with inference(self.device):
            scores = self.network((squares / SCALE).repeat(1, 3, 1, 1))
        return [Scores(self.codes, row) for row in scores.float().cpu().numpy()]


@dataclass(frozen=True)
class Member:
    """One DenseNet-121 of the CheXpert ensemble.

    Attributes:
        positions: where TASKS' indices of its group lie among its own outputs: index in TASKS -> position.
    """

    network: Any
    positions: Mapping[int, int]


@dataclass(frozen=True)
class Chexpert:
    """The ensemble: each finding is the mean over the members of its group."""

    members: tuple[Member, ...]

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures [N, 3, 320, 320] in [-2, 2] -> float32 [N, 5] in [0, 1], in the order of TASKS."""
        total = torch.zeros(len(pictures), len(TASKS), device=pictures.device)
        count = [0] * len(TASKS)
        for member in self.members:
            shares = member.network(pictures).float()
            for index, position in member.positions.items():
                total[:, index] += shares[:, position]
                count[index] += 1
        return total / torch.tensor(count, device=pictures.device)


class _Shares(nn.Module):
    """A member with its last step: a sigmoid, or the share of "positive" against "negative"."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures [N, 3, side, side] in [-2, 2] -> shares float32 [N, tasks] in [0, 1]."""
        shares: torch.Tensor = self.network.get_probs(self.network(pictures).float())
        return shares


class _Sigmoids(nn.Module):
    """JF Healthcare's network, whose five logits come as a list."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures [N, 3, side, side] in [-2, 2] -> sigmoids float32 [N, 5]."""
        logits, _ = self.network(pictures)
        return torch.sigmoid(torch.cat(logits, dim=1).float())


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> Baseline:
    """The baseline of a catalog entry whose `weights` is "jfhealthcare" or "chexpert-N", N members a group.

    Raises:
        Unavailable: the file is not that network's weights, or the entry names no model of this module.
    """
    network: Callable[[torch.Tensor], torch.Tensor]
    ensemble = re.fullmatch(r"chexpert-(\d+)", entry.weights)
    if ensemble:
        targets, network = chexpert.DenseNet.targets, _chexpert(path, int(ensemble.group(1)), device)
    elif entry.weights == "jfhealthcare":
        targets, network = jfhealthcare.DenseNet.targets, place(_jfhealthcare(path), device)
    else:
        raise Unavailable(f"There is no baseline {entry.weights!r}.", "Known: jfhealthcare, chexpert-N.")
    codes = tuple(code_of(label) for label in targets)
    return Baseline(card, network, codes, entry.input_size, device)


def _jfhealthcare(path: Path) -> nn.Module:
    """jfhealthcare.DenseNet of the package's own settings, but without the ImageNet weights it would download first."""
    settings = json.loads(Path(jfhealthcare.__file__).with_name("config").joinpath("example.json").read_text("utf-8"))
    network = jfhealthcare.classifier.Classifier(SimpleNamespace(**{**settings, "pretrained": False}))
    _fill(network, state_dict_of(path), str(path))
    return _Sigmoids(network)


def _chexpert(path: Path, count: int, device: str) -> Chexpert:
    """The first `count` members of each group of findings, read one after the other from the archive."""
    groups: dict[tuple[tuple[str, bool], ...], list[int]] = {}
    listed = json.loads(Path(chexpert.__file__).with_name("predict_configs.json").read_text("utf-8"))["task2models"]
    for index, task in enumerate(TASKS):
        wanted = tuple((member["ckpt_path"], member["is_3class"]) for member in listed[task][:count])
        groups.setdefault(wanted, []).append(index)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [
                _member(archive, name, uncertain, indices, f"{path}: {name}", device)
                for wanted, indices in groups.items()
                for name, uncertain in wanted
            ]
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise Unavailable(
            f"{path} is not the archive of CheXpert's models: {first_line(error)}.", "Get the file again."
        ) from error
    return Chexpert(tuple(members))


def _member(
    archive: zipfile.ZipFile, name: str, uncertain: bool, indices: list[int], where: str, device: str
) -> Member:
    """One checkpoint of the archive: its state dict from within DataParallel, and the positions of its findings."""
    if archive.getinfo(name).file_size > MAX_MEMBER_BYTES:
        raise Unavailable(f"{where} is larger than any of CheXpert's models.", "Get the file again.")
    held = checkpoint_of(BytesIO(archive.read(name)), where)
    parts = held if isinstance(held, dict) else {}
    state, sequence = parts.get("model_state"), parts.get("task_sequence")
    if not isinstance(state, dict) or not isinstance(sequence, dict) or any(TASKS[i] not in sequence for i in indices):
        raise Unavailable(f"{where} holds no model of CheXpert's with the findings wanted.", "Get the file again.")
    with torch.device("meta"):  # nothing is drawn at random for weights that are put in place right away
        network = chexpert.model.DenseNet121(sequence, uncertain, use_gpu=False)
    _fill(network, {key.removeprefix("module."): value for key, value in state.items()}, where, assign=True)
    positions = {index: int(sequence[TASKS[index]]) for index in indices}
    return Member(place(_Shares(network), device), positions)


def _fill(network: nn.Module, state: Mapping[str, torch.Tensor], where: str, *, assign: bool = False) -> None:
    """Put a state dict into a network; every name and shape must match."""
    try:
        network.load_state_dict(state, assign=assign)
    except RuntimeError as error:
        raise Unavailable(
            f"{where} holds another network than the catalog says: {first_line(error)}.", "Get the file again."
        ) from error
