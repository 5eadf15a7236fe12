"""Hilum's embedded locator: findings, devices and retained objects as maps over the film, each with a film's score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference, place
from models.locator import CLASSES, Locator, load_locator, located
from models.outputs import Output, Task
from models.preprocess import prepare


@dataclass(frozen=True)
class EmbeddedLocator:
    """The loaded locator; `side` is that of the square the network sees, pixels."""

    card: ModelCard
    network: Locator
    side: int
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """Heatmaps of all classes for each film, in order, from one batch."""
        placed = [prepare(film.pixels, self.side) for film in films]
        squares = torch.cat([square for square, _ in placed])
        with inference(self.device):
            logits = self.network(squares.to(self.device)).float().cpu()
        return [located(one, geometry) for one, (_, geometry) in zip(logits, placed, strict=True)]


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> EmbeddedLocator:
    """The locator from its safetensors file.

    Raises:
        Unavailable: the file is not this network's, or the card lacks a class.
    """
    absent = [code for code in CLASSES if card.finding(code) is None]
    if absent:
        raise Unavailable(
            f"The card of {entry.id} lacks {', '.join(absent)}.", f"Make it again with {entry.reference}."
        )
    try:
        network = load_locator(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise Unavailable(f"{path} is not the locator's: {error}", f"Make it again with {entry.reference}.") from error
    placed: Locator = place(network, device)  # type: ignore[assignment]
    return EmbeddedLocator(card, placed, entry.input_size, device)
