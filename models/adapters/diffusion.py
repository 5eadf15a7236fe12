"""Latent diffusion of chest films from words (GENERATE): RoentGen and its like, in diffusers' folder format."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imaging.failures import BadArguments, Unavailable
from models.adapters.hub import dtype_on, reading, require
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.outputs import Output, Picture, Task
from models.request import Request

STEPS = 75
"""Denoising steps, as RoentGen's users run it; entered from memory, unchecked."""

GUIDANCE = 4.0
"""How strongly the words steer, likewise; entered from memory, unchecked."""

LIBRARIES = ("diffusers", "transformers")
"""Where a folder's parts may come from: nothing else is imported because a file names it."""


@dataclass(frozen=True)
class Diffusion:
    """One loaded pipeline; `side` of the pictures it makes, in pixels."""

    card: ModelCard
    pipeline: Any
    side: int
    device: str

    def answer(self, task: Task, requests: Sequence[Request]) -> list[Output]:
        """One film per request, drawn from Question.text and Question.seed; a film in the request is not looked at.

        The same words and seed give the same picture on the same kind of device.

        Raises:
            BadArguments: there are no words.
        """
        del task
        questions = [request.question for request in requests if request.question is not None]
        if not all(question.text.strip() for question in questions):
            raise BadArguments("There are no words to draw from.", "Give Question.text.")
        return [self._draw(question.text, question.seed) for question in questions]

    def _draw(self, words: str, seed: int) -> Picture:
        # On the processor, so that a seed draws the same noise everywhere.
        noise = torch.Generator("cpu").manual_seed(seed)
        size = {"height": self.side, "width": self.side}
        drawn = self.pipeline(
            words, num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=noise, output_type="np", **size
        )
        grey = np.nan_to_num(drawn.images[0]).mean(axis=-1).clip(0.0, 1.0).astype(np.float32)
        return Picture(grey, "generated")


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> Diffusion:
    """The pipeline of a folder as diffusers writes it.

    Raises:
        Unavailable: diffusers is not installed, or the folder is no Stable Diffusion pipeline's, not whole, or names
            parts of other libraries.
    """
    require("diffusers", "full", entry.id)
    from diffusers import StableDiffusionPipeline
    from diffusers.utils.logging import disable_progress_bar

    disable_progress_bar()
    index = path / "model_index.json"
    if not index.is_file():
        raise Unavailable(f"{path} has no model_index.json.", "Put a folder there as diffusers writes it.")
    with reading(path):
        parts = [part for part in json.loads(index.read_text(encoding="utf-8")).values() if isinstance(part, list)]
        strange = [part[0] for part in parts if part[0] is not None and part[0] not in LIBRARIES]
        if strange:
            raise Unavailable(f"{index} names parts of {strange[0]!r}.", f"Allowed: {', '.join(LIBRARIES)}.")
        pipeline = StableDiffusionPipeline.from_pretrained(
            path,
            local_files_only=True,
            dtype=dtype_on(entry, device),
            low_cpu_mem_usage=importlib.util.find_spec("accelerate") is not None,
            safety_checker=None,
            feature_extractor=None,
        )
    pipeline.set_progress_bar_config(disable=True)
    return Diffusion(card, pipeline.to(device), entry.input_size, device)
