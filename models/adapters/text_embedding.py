"""BERT encoders of text in transformers' format: the packaged MiniLM and MedCPT (EMBED_TEXT)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, BertModel

from imaging.failures import BadArguments
from models.adapters.hub import LOCAL, dtype_on, reading, weights_of
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference, place
from models.outputs import Embedding, Output, Task
from models.request import Request

POOLING = Path("1_Pooling", "config.json")
"""Where the sentence-transformers format says how tokens become one vector; without it, the first token is taken."""


@dataclass(frozen=True)
class TextEncoder:
    """One loaded encoder.

    Attributes:
        longest: tokens read of a text; what follows is cut off.
        mean: whether the tokens' mean is the text's vector; the first token otherwise.
        space: name of its vectors' space; the two encoders of MedCPT share one.
    """

    card: ModelCard
    model: Any
    tokenizer: Any
    longest: int
    mean: bool
    space: str
    device: str

    def answer(self, task: Task, requests: Sequence[Request]) -> list[Output]:
        """One vector of length 1 per text; padding never changes a text's vector.

        Raises:
            BadArguments: a text is empty.
        """
        del task
        texts = [request.question.text if request.question else "" for request in requests]
        if not all(text.strip() for text in texts):
            raise BadArguments("A text to embed is empty.", "Give Question.text.")
        tokens = self.tokenizer(texts, padding=True, truncation=True, max_length=self.longest, return_tensors="pt")
        tokens = tokens.to(self.device)
        with inference(self.device):
            states = self.model(**tokens).last_hidden_state.float()
            weight = tokens["attention_mask"].unsqueeze(-1).float()
            pooled = (states * weight).sum(1) / weight.sum(1) if self.mean else states[:, 0]
            rows = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
        return [Embedding(row, self.space) for row in rows]


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> TextEncoder:
    """The encoder of a folder; an entry's `weights` names the space that it shares with others, if it does.

    Raises:
        Unavailable: the folder is no BERT model's, or not whole.
    """
    with reading(path):
        tokenizer = AutoTokenizer.from_pretrained(path, **LOCAL)
        model = weights_of(BertModel, path, dtype=dtype_on(entry, device))
        described = path / POOLING
        told = json.loads(described.read_text(encoding="utf-8")) if described.is_file() else {}
    mean = bool(told.get("pooling_mode_mean_tokens", False))
    space = entry.weights or entry.id
    return TextEncoder(card, place(model, device), tokenizer, entry.input_size, mean, space, device)
