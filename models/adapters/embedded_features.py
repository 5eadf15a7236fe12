"""Hilum's embedded classifier as an encoder: the mean of its features, for finding similar films without downloads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from imaging.radiograph import Radiograph
from models.adapters.embedded import on_squares, read_network
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference
from models.networks import Classifier, load_classifier
from models.outputs import Embedding, Output, Task

SIDE_BY_SIDE = True


@dataclass(frozen=True)
class EmbeddedFeatures:
    """The loaded network; `side` of the square it sees, in pixels."""

    card: ModelCard
    network: Classifier
    side: int
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """What the classifier's linear head reads of each film, made of length 1.

        The space carries the weights' revision: vectors of two trainings cannot be compared.
        """
        del task
        squares, _ = on_squares(films, self.side, self.device)
        with inference(self.device):
            features = self.network.features(squares).float()
            rows = torch.nn.functional.normalize(features, dim=-1).cpu().numpy()
        return [Embedding(row, f"{self.card.id}@{self.card.revision}") for row in rows]


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> EmbeddedFeatures:
    """The encoder from the classifier's own safetensors file.

    Raises:
        Unavailable: the file is not the classifier's.
    """
    network = read_network(load_classifier, entry, path, device)
    return EmbeddedFeatures(card, network, entry.input_size, device)
