"""RAD-DINO and other DINOv2 encoders in transformers' format: one vector per film (EMBED)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoImageProcessor, Dinov2Model

from imaging.radiograph import Radiograph
from models.adapters.hub import LOCAL, dtype_on, picture, reading, weights_of
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference, place
from models.outputs import Embedding, Output, Task


@dataclass(frozen=True)
class Dino:
    """One loaded encoder; `processor` prepares pictures as the folder's preprocessor_config.json says."""

    card: ModelCard
    model: Any
    processor: Any
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """The CLS token after the last normalisation (transformers' pooler_output) of each film, made of length 1."""
        del task
        with inference(self.device):
            pixels = prepare(self.processor, films).to(self.device, self.model.dtype)
            tokens = self.model(pixel_values=pixels).pooler_output.float()
            rows = torch.nn.functional.normalize(tokens, dim=-1).cpu().numpy()
        return [Embedding(row, self.card.id) for row in rows]


def prepare(processor: Any, films: Sequence[Radiograph]) -> torch.Tensor:
    """Films as the network sees them, float32 [N, 3, side, side], by the folder's own processor."""
    pixels: torch.Tensor = processor(images=[picture(film) for film in films], return_tensors="pt").pixel_values
    return pixels


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> Dino:
    """The encoder of a folder as transformers writes it.

    Raises:
        Unavailable: the folder is no DINOv2 model's, or not whole.
    """
    with reading(path):
        processor = AutoImageProcessor.from_pretrained(path, **LOCAL)
        model = weights_of(Dinov2Model, path, dtype=dtype_on(entry, device))
    return Dino(card, place(model, device), processor, device)
