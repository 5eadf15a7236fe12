"""Hilum's embedded segmenter: twelve structures as masks in the film's own geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from imaging.radiograph import FilmArray, Radiograph
from models.adapters.embedded import demand, on_squares, read_network
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference
from models.networks import STRUCTURES, Segmenter, clean, load_segmenter
from models.outputs import Masks, Output, Task
from models.preprocess import Geometry, restore_mask

SIDE_BY_SIDE = True


@dataclass(frozen=True)
class EmbeddedSegmenter:
    """The loaded segmenter.

    Attributes:
        thresholds: probability above which a pixel belongs to a structure, one per structure, from the card.
        side: of the square the network sees, pixels.
    """

    card: ModelCard
    network: Segmenter
    thresholds: tuple[float, ...]
    side: int
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """The masks of each film, in order, from one batch."""
        squares, geometries = on_squares(films, self.side, self.device)
        with inference(self.device):
            maps = torch.sigmoid(self.network(squares)).float().cpu()
        return [self._masks(one.numpy(), geometry) for one, geometry in zip(maps, geometries, strict=True)]

    def _masks(self, probabilities: FilmArray, geometry: Geometry) -> Masks:
        """Clean at the network's size and bring back one structure at a time, as `models.networks.segment` does."""
        masks = np.zeros((len(STRUCTURES), geometry.film_height, geometry.film_width), dtype=bool)
        quality = np.zeros(len(STRUCTURES), dtype=np.float32)
        named = zip(STRUCTURES, probabilities, self.thresholds, strict=True)
        for index, (name, probability, threshold) in enumerate(named):
            cleaned = clean(probability, threshold, name)
            masks[index] = restore_mask(cleaned, geometry, threshold)
            quality[index] = certainty(probability, cleaned > threshold)
        return Masks(STRUCTURES, masks, quality)


def certainty(probability: FilmArray, mask: npt.NDArray[np.bool_]) -> float:
    """Mean probability, in [0, 1], of a mask's pixels [h, w]; 0 where the mask is empty."""
    return float(probability[mask].mean()) if mask.any() else 0.0


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> EmbeddedSegmenter:
    """The segmenter from its safetensors file.

    Raises:
        Unavailable: the file is not this network's, or the card lacks a structure.
    """
    thresholds = {item.code: item.threshold for item in card.structures}
    demand(thresholds, STRUCTURES, entry)
    network = read_network(load_segmenter, entry, path, device)
    return EmbeddedSegmenter(card, network, tuple(thresholds[code] for code in STRUCTURES), entry.input_size, device)
