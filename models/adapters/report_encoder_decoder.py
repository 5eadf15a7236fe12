"""Report writers of a picture encoder and a text decoder (VisionEncoderDecoderModel): SwinV2/BERT baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from transformers import AutoImageProcessor, AutoTokenizer, VisionEncoderDecoderModel

from imaging.radiograph import Radiograph
from models.adapters.hub import LOCAL, dtype_on, picture, reading, weights_of
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference, place
from models.outputs import Output, Task, Text
from models.request import Request


@dataclass(frozen=True)
class ReportWriter:
    """One loaded model; it sees the film alone and reads neither question nor indication."""

    card: ModelCard
    model: Any
    processor: Any
    tokenizer: Any
    device: str

    def answer(self, task: Task, requests: Sequence[Request]) -> list[Output]:
        """One section of a report per film, in order; the most likely words, so the same film gives the same text."""
        del task
        written: list[Output] = []
        for longest, group in groupby(requests, key=lambda item: item.question.max_new_tokens if item.question else 0):
            written += self._write([item.film for item in group if item.film is not None], longest)
        return written

    def _write(self, films: Sequence[Radiograph], longest: int) -> list[Text]:
        settings, tokenizer = self.model.generation_config, self.tokenizer
        end = tokenizer.sep_token_id if settings.eos_token_id is None else settings.eos_token_id
        positions = self.model.config.decoder.max_position_embeddings
        with inference(self.device):
            pixels = prepare(self.model, self.processor, films).to(self.device, self.model.dtype)
            ids = self.model.generate(
                pixels,
                max_length=None,
                max_new_tokens=min(longest, positions - 1),
                do_sample=False,
                decoder_start_token_id=tokenizer.cls_token_id,
                eos_token_id=end,
                pad_token_id=tokenizer.pad_token_id,
            )
        texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
        ends = torch.isin(ids[:, 1:].cpu(), torch.tensor(end)).any(dim=1).tolist()
        return [Text(text.strip(), truncated=not ended) for text, ended in zip(texts, ends, strict=True)]


def prepare(model: Any, processor: Any, films: Sequence[Radiograph]) -> torch.Tensor:
    """Films as the encoder sees them, float32 [N, 3, side, side]: by the folder's processor, at the encoder's size."""
    side = model.config.encoder.image_size
    height, width = side if isinstance(side, (list, tuple)) else (side, side)
    pictures = [picture(film) for film in films]
    size = {"height": height, "width": width}
    pixels: torch.Tensor = processor(images=pictures, size=size, return_tensors="pt").pixel_values
    return pixels


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> ReportWriter:
    """The model of a folder as transformers writes it, with its processor and tokenizer.

    Raises:
        Unavailable: the folder is no such model's, or not whole.
    """
    with reading(path):
        processor = AutoImageProcessor.from_pretrained(path, **LOCAL)
        tokenizer = AutoTokenizer.from_pretrained(path, **LOCAL)
        model = weights_of(VisionEncoderDecoderModel, path, dtype=dtype_on(entry, device))
    return ReportWriter(card, place(model, device), processor, tokenizer, device)
