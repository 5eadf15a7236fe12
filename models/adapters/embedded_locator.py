"""Hilum's embedded locator: findings, devices and retained objects as maps over the film, each with a film's score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imaging.radiograph import Radiograph
from models.adapters.embedded import demand, on_squares, read_network
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference
from models.locator import CLASSES, Locator, load_locator, located
from models.outputs import Output, Task


@dataclass(frozen=True)
class EmbeddedLocator:
    """The loaded locator; `side` is that of the square the network sees, pixels."""

    card: ModelCard
    network: Locator
    side: int
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """Heatmaps of all classes for each film, with tubes' tips, in order, from one batch."""
        squares, geometries = on_squares(films, self.side, self.device)
        with inference(self.device):
            logits, ends = (each.float().cpu() for each in self.network(squares))
        return [located(*one) for one in zip(logits, ends, geometries, strict=True)]


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> EmbeddedLocator:
    """The locator from its safetensors file.

    Raises:
        Unavailable: the file is not this network's, or the card lacks a class.
    """
    demand((item.code for item in card.findings), CLASSES, entry)
    network = read_network(load_locator, entry, path, device)
    return EmbeddedLocator(card, network, entry.input_size, device)
