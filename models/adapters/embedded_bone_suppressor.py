"""Hilum's embedded bone suppressor: a frontal film without ribs and clavicles, as far as the network sees them."""

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
from models.outputs import Output, Picture, Task
from models.preprocess import prepare
from models.suppression import BoneSuppressor, load_suppressor, without_shadow

SIDE_BY_SIDE = True

BONE_SUPPRESSED = "bone suppressed"


@dataclass(frozen=True)
class EmbeddedBoneSuppressor:
    """The loaded suppressor; `side` is that of the square the network sees, pixels."""

    card: ModelCard
    network: BoneSuppressor
    side: int
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """Each film without its bone shadow, in order, from one batch."""
        placed = [prepare(film.pixels, self.side) for film in films]
        squares = torch.cat([square for square, _ in placed])
        with inference(self.device):
            shadows = self.network(squares.to(self.device)).float().cpu()
        return [
            Picture(without_shadow(film.pixels, shadow, geometry), BONE_SUPPRESSED)
            for film, shadow, (_, geometry) in zip(films, shadows, placed, strict=True)
        ]


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> EmbeddedBoneSuppressor:
    """The suppressor from its safetensors file.

    Raises:
        Unavailable: the file is not this network's.
    """
    try:
        network = load_suppressor(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise Unavailable(
            f"{path} is not the bone suppressor's: {error}", f"Make it again with {entry.reference}."
        ) from error
    placed: BoneSuppressor = place(network, device)  # type: ignore[assignment]
    return EmbeddedBoneSuppressor(card, placed, entry.input_size, device)
