"""Hilum's embedded bone suppressor: a frontal film without ribs and clavicles, as far as the network sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imaging.radiograph import Radiograph
from models.adapters.embedded import on_squares, read_network
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference
from models.outputs import Output, Picture, Task
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
        squares, geometries = on_squares(films, self.side, self.device)
        with inference(self.device):
            shadows = self.network(squares).float().cpu()
        return [
            Picture(without_shadow(film.pixels, shadow, geometry), BONE_SUPPRESSED)
            for film, shadow, geometry in zip(films, shadows, geometries, strict=True)
        ]


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> EmbeddedBoneSuppressor:
    """The suppressor from its safetensors file.

    Raises:
        Unavailable: the file is not this network's.
    """
    network = read_network(load_suppressor, entry, path, device)
    return EmbeddedBoneSuppressor(card, network, entry.input_size, device)
