"""torchxrayvision's models of view, age, sex and (for audits only) race, on its own preprocessing and file formats.

The networks are built here without its constructors, which download what is missing and unpickle what they find;
architecture, order of the labels, size and normalisation are those of torchxrayvision.baseline_models (1.5.7):
xinario (view), riken (age), mira (sex), emory_hiti (race).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from models.adapters.torchxrayvision import prepare
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference, place
from models.outputs import Attributes, Output, Task
from models.pickled import first_line, state_dict_of
from models.scripted import load_script

SIDE_BY_SIDE = True

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of the three channels, as the package's own normalisation has them (torchvision's pretrained models)."""

SEX_SCALE = 255.0
"""mira.SexModel is fed 0 to 255 and no further normalisation."""


@dataclass(frozen=True)
class Family:
    """How one of the four models is built and read.

    Attributes:
        trait: what it tells; see Attributes.
        labels: its outputs in order.
        build: path and device -> network from [N, 3, side, side] to [N, len(labels) or more].
        scaled: pixels in [0, 1], float32 [N, 3, side, side] -> what the network is fed.
        share: logits to shares of the labels; False for a number.
    """

    trait: str
    labels: tuple[str, ...]
    build: Callable[[Path, str], Any]
    scaled: Callable[[torch.Tensor], torch.Tensor]
    share: bool = True


@dataclass(frozen=True)
class TraitModel:
    """One loaded model; `side` of the square it sees, in pixels."""

    card: ModelCard
    family: Family
    network: Any
    side: int
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """What the model takes the trait of each film to be, in order, from one batch."""
        del task
        squares = torch.from_numpy(np.stack([prepare(film.pixels, self.side) for film in films]))
        with inference(self.device) if self.family.share else torch.inference_mode():  # years need all their digits
            unit = ((squares.to(self.device) + 1024) / 2048).repeat(1, 3, 1, 1)
            raw = self.network(self.family.scaled(unit))[:, : len(self.family.labels)].float()
            values = torch.softmax(raw, dim=1) if self.family.share else raw
        return [Attributes(self.family.trait, self.family.labels, row) for row in values.cpu().numpy()]


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> TraitModel:
    """The model of a catalog entry whose `weights` is one of FAMILIES.

    Raises:
        Unavailable: the file is not that network's weights, or the entry names no model of this module.
    """
    family = FAMILIES.get(entry.weights)
    if family is None:
        raise Unavailable(f"There is no model {entry.weights!r} of a trait.", f"Known: {', '.join(FAMILIES)}.")
    network = family.build(path, device)
    return TraitModel(card, family, network, entry.input_size, device)


def normalised(unit: torch.Tensor) -> torch.Tensor:
    """Pixels [N, 3, h, w] in [0, 1] less ImageNet's mean, by its deviation."""
    mean = torch.tensor(IMAGENET_MEAN, device=unit.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=unit.device).view(1, 3, 1, 1)
    return (unit - mean) / std


def _view(path: Path, device: str) -> nn.Module:
    """xinario.ViewModel: ResNet-50 with its 1,000 ImageNet outputs, of which the first two were trained."""
    return _filled(torchvision.models.resnet50(weights=None), path, device)


def _sex(path: Path, device: str) -> nn.Module:
    """mira.SexModel: ResNet-34 with two outputs, in a Lightning checkpoint."""
    network = torchvision.models.resnet34(weights=None)
    network.fc = nn.Linear(network.fc.in_features, 2)
    return _filled(network, path, device, prefix="model.")


def _race(path: Path, device: str) -> nn.Module:
    """emory_hiti.RaceModel: ResNet-34 with three outputs, saved from within DataParallel."""
    network = torchvision.models.resnet34(weights=None)
    network.fc = nn.Sequential(nn.Linear(network.fc.in_features, 3), nn.LogSoftmax(dim=1))
    return _filled(network, path, device, prefix="module.")


def _filled(network: nn.Module, path: Path, device: str, prefix: str = "") -> nn.Module:
    try:
        network.load_state_dict(state_dict_of(path, prefix))
    except RuntimeError as error:
        raise Unavailable(
            f"{path} holds another network than the catalog says: {first_line(error)}.", "Get the file again."
        ) from error
    return place(network, device)


FAMILIES = {
    "view": Family("view", ("FRONTAL", "LATERAL"), _view, normalised),
    "age": Family("age_years", ("years",), load_script, normalised, share=False),
    "sex": Family("sex", ("M", "F"), _sex, lambda unit: unit * SEX_SCALE),
    "race": Family("race", ("Asian", "Black", "White"), _race, normalised),
}
"""By the entry's `weights`. softmax of the race model's log-softmax is its softmax."""
