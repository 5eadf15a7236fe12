"""SigLIP in transformers' format, as a pair of encoders for models.adapters.clip_family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoImageProcessor, AutoTokenizer, SiglipModel

from imaging.radiograph import Radiograph
from models.adapters.hub import LOCAL, dtype_on, picture, reading, weights_of
from models.catalog import CatalogEntry
from models.device import place


@dataclass(frozen=True)
class SiglipPair:
    """A SigLIP model with its own processor and tokenizer; see clip_family.Pair."""

    model: Any
    processor: Any
    tokenizer: Any
    device: str

    @property
    def scale(self) -> float:
        """exp of the trained logit_scale. The bias is the same for a phrase and its denial and falls out."""
        return float(self.model.logit_scale.float().exp())

    def pixels(self, films: Sequence[Radiograph]) -> torch.Tensor:
        """The whole film, stretched to the square, by the folder's own processor."""
        squares = self.processor(images=[picture(film) for film in films], return_tensors="pt").pixel_values
        placed: torch.Tensor = squares.to(self.device, self.model.dtype)
        return placed

    def extent(self, shape: tuple[int, int]) -> tuple[float, float, float, float]:
        """All of the film."""
        return 0.0, 0.0, float(shape[0]), float(shape[1])

    def films(self, pixels: torch.Tensor) -> torch.Tensor:
        """transformers' image features: the vision tower's attention pooling."""
        pooled: torch.Tensor = self.model.vision_model(pixel_values=pixels).pooler_output
        return pooled

    def cells(self, pixels: torch.Tensor) -> torch.Tensor:
        """The attention pooling of each patch alone."""
        tower = self.model.vision_model
        states = tower(pixel_values=pixels).last_hidden_state
        count, patches, width = states.shape
        side = round(patches**0.5)
        alone: torch.Tensor = tower.head(states.reshape(count * patches, 1, width))
        return alone.reshape(count, side, patches // side, -1)

    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Text features; padded to the trained length, as SigLIP was (transformers' documentation of SigLIP)."""
        longest = self.model.config.text_config.max_position_embeddings
        tokens = self.tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=longest, return_tensors="pt"
        )
        found: torch.Tensor = self.model.text_model(input_ids=tokens["input_ids"].to(self.device)).pooler_output
        return found


def siglip_pair(entry: CatalogEntry, path: Path, device: str) -> SiglipPair:
    """The pair in a folder; Unavailable where it is no SigLIP model's, or not whole."""
    with reading(path):
        processor = AutoImageProcessor.from_pretrained(path, **LOCAL)
        tokenizer = AutoTokenizer.from_pretrained(path, **LOCAL)
        model = weights_of(SiglipModel, path, dtype=dtype_on(entry, device))
    return SiglipPair(place(model, device), processor, tokenizer, device)
