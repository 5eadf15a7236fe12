"""Pairs of an image and a text encoder: zero-shot scores, phrase heatmaps and vectors of films and texts.

SigLIP models (MedSigLIP, XraySigLIP) come in transformers' format, BiomedCLIP in open_clip's. A phrase is scored
against its own denial, "no PHRASE", as CheXzero does (Tiu et al., Nature Biomedical Engineering 2022): the share of the
phrase in a softmax over the two. That is a comparison of words, not a probability of disease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch.nn.functional import normalize

from imaging.failures import BadArguments
from imaging.radiograph import Radiograph
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference
from models.outputs import Embedding, Heatmaps, Output, Scores, Task
from models.request import Request

DENIAL = "no {}"
"""The text that a phrase is compared with."""

OPEN_CLIP_CONFIG = "open_clip_config.json"
"""What marks a folder of open_clip."""


class Pair(Protocol):
    """An image and a text encoder into one space. Vectors are not normalised yet."""

    @property
    def scale(self) -> float:
        """What cosine similarities were multiplied by in training (exp of logit_scale)."""

    def pixels(self, films: Sequence[Radiograph]) -> torch.Tensor:
        """Films as the image encoder sees them, float32 [N, 3, side, side], on the device."""

    def extent(self, shape: tuple[int, int]) -> tuple[float, float, float, float]:
        """The part of a film [H, W] that it sees: (row_min, col_min, row_max, col_max)."""

    def films(self, pixels: torch.Tensor) -> torch.Tensor:
        """Vectors [N, D] of whole films."""

    def cells(self, pixels: torch.Tensor) -> torch.Tensor:
        """Vectors [N, h, w, D] of the patches, each as if all of the film looked like it."""

    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Vectors [M, D] of texts."""


@dataclass(frozen=True)
class ClipFamily:
    """One loaded pair."""

    card: ModelCard
    pair: Pair
    device: str

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        """A vector of length 1 per film."""
        del task
        with inference(self.device):
            rows = normalize(self.pair.films(self.pair.pixels(films)).float(), dim=-1).cpu().numpy()
        return [Embedding(row, self.card.id) for row in rows]

    def answer(self, task: Task, requests: Sequence[Request]) -> list[Output]:
        """Scores of phrases (zero_shot), heatmaps of phrases (phrase) or vectors of texts (embed_text), in order.

        Codes are the phrases as given; values in [0, 1] are each phrase's share against its denial. A heatmap's cell is
        the score the film would have if all of it looked like that cell.

        Raises:
            BadArguments: no phrase, or an empty one.
        """
        questions = [request.question for request in requests if request.question is not None]
        with inference(self.device):
            if task is Task.EMBED_TEXT:
                if not all(question.text.strip() for question in questions):
                    raise BadArguments("A text to embed is empty.", "Give Question.text.")
                vectors = normalize(self.pair.texts([question.text for question in questions]).float(), dim=-1)
                return [Embedding(row, self.card.id) for row in vectors.cpu().numpy()]
            if not all(q.phrases and all(phrase.strip() for phrase in q.phrases) for q in questions):
                raise BadArguments("There is no phrase to look for, or an empty one.", "Give Question.phrases.")
            films = [request.film for request in requests if request.film is not None]
            pixels = self.pair.pixels(films)
            vectors = normalize(self.pair.films(pixels).float(), dim=-1)
            cells = normalize(self.pair.cells(pixels).float(), dim=-1) if task is Task.PHRASE else None
            known = self._contrasts(sorted({phrase for question in questions for phrase in question.phrases}))
            return [
                self._said(question.phrases, known, vectors[i], None if cells is None else cells[i], film.shape)
                for i, (question, film) in enumerate(zip(questions, films, strict=True))
            ]

    def _contrasts(self, phrases: Sequence[str]) -> dict[str, torch.Tensor]:
        """Per phrase, its vector [D] less its denial's, times the scale."""
        texts = [*phrases, *(DENIAL.format(phrase) for phrase in phrases)]
        vectors = normalize(self.pair.texts(texts).float(), dim=-1)
        differences = (vectors[: len(phrases)] - vectors[len(phrases) :]) * self.pair.scale
        return dict(zip(phrases, differences, strict=True))

    def _said(
        self,
        phrases: tuple[str, ...],
        known: dict[str, torch.Tensor],
        vector: torch.Tensor,
        cells: torch.Tensor | None,
        shape: tuple[int, int],
    ) -> Output:
        contrasts = torch.stack([known[phrase] for phrase in phrases])
        values = torch.sigmoid((contrasts @ vector).float()).cpu().numpy()
        if cells is None:
            return Scores(phrases, values)
        maps = torch.sigmoid(torch.einsum("hwd,nd->nhw", cells, contrasts).float()).cpu().numpy()
        return Heatmaps(phrases, values, np.ascontiguousarray(maps), self.pair.extent(shape))


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> ClipFamily:
    """The pair in a folder of transformers (SigLIP) or open_clip.

    Raises:
        Unavailable: the folder is neither's, or not whole, or open_clip is not installed.
    """
    if (path / OPEN_CLIP_CONFIG).is_file():
        from models.adapters.clip_open import open_clip_pair

        return ClipFamily(card, open_clip_pair(path, device), device)
    from models.adapters.clip_siglip import siglip_pair

    return ClipFamily(card, siglip_pair(entry, path, device), device)
