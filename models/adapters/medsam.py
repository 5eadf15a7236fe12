"""MedSAM (Ma et al., Nature Communications 15:654, 2024): structures from boxes or points drawn on a film (PROMPTED).

Pictures are prepared as the authors' own inference does (bowang-lab/MedSAM, MedSAM_Inference.py), not as transformers'
SamProcessor would: the whole film stretched to a square of 1,024 by cubic interpolation, then its range to [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from skimage import transform
from torch.nn import functional
from transformers import SamModel

from imaging.failures import BadArguments
from imaging.radiograph import FilmArray, Radiograph
from models.adapters.hub import WHITE, dtype_on, reading, weights_of
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference, place
from models.outputs import Masks, Output, Task
from models.request import Question, Request

THRESHOLD = 0.5
"""Of the mask's sigmoid; the authors' own."""

RANGE_FLOOR = 1e-8
"""Least range of grey levels divided by; the authors' own."""


@dataclass(frozen=True)
class MedSam:
    """The loaded model; `side` of the square it sees, in pixels."""

    card: ModelCard
    model: Any
    side: int
    device: str

    def answer(self, task: Task, requests: Sequence[Request]) -> list[Output]:
        """One mask per box ("box_1" ...) and one for all points together ("points"), in each film's own geometry.

        `quality` is the mean of the sigmoid over the mask, 0 for an empty one.

        Raises:
            BadArguments: neither box nor point, one outside the film, or a box without area.
        """
        del task
        asked = [(request.film, request.question) for request in requests if request.film and request.question]
        for film, question in asked:
            check(question, film.shape)
        with inference(self.device):
            squares = np.stack([prepare(film.pixels, self.side) for film, _ in asked])
            pixels = torch.from_numpy(squares).to(self.device, self.model.dtype)
            seen = self.model.get_image_embeddings(pixels)
            return [self._masks(seen[i : i + 1], film, question) for i, (film, question) in enumerate(asked)]

    def _masks(self, seen: torch.Tensor, film: Radiograph, question: Question) -> Masks:
        """The masks of one film from its image embedding [1, C, h, w]."""
        height, width = film.shape
        to_square = np.array([self.side / width, self.side / height])
        codes, soft = [], []
        if question.boxes:
            corners = np.array([[left, top, right, bottom] for top, left, bottom, right in question.boxes])
            boxes = torch.tensor(corners * np.tile(to_square, 2), dtype=torch.float32)
            soft.append(self._soft(seen, film.shape, input_boxes=boxes[None].to(self.device)))
            codes += [f"box_{number}" for number in range(1, len(question.boxes) + 1)]
        if question.points:
            places = np.array([[column, row] for row, column, _ in question.points]) * to_square
            inside = torch.tensor([[[label for *_, label in question.points]]], device=self.device)
            points = torch.tensor(places, dtype=torch.float32)[None, None].to(self.device)
            soft.append(self._soft(seen, film.shape, input_points=points, input_labels=inside))
            codes.append("points")
        shares = np.concatenate(soft)
        masks = shares > THRESHOLD
        quality = [float(share[mask].mean()) if mask.any() else 0.0 for share, mask in zip(shares, masks, strict=True)]
        return Masks(tuple(codes), masks, np.array(quality, dtype=np.float32))

    def _soft(self, seen: torch.Tensor, shape: tuple[int, int], **prompts: torch.Tensor) -> npt.NDArray[np.float32]:
        """Sigmoids float32 [prompts, H, W], resized after the sigmoid as the authors do."""
        logits = self.model(image_embeddings=seen, multimask_output=False, **prompts).pred_masks[0]
        grown = functional.interpolate(torch.sigmoid(logits.float()), size=shape, mode="bilinear", align_corners=False)
        found: npt.NDArray[np.float32] = grown[:, 0].cpu().numpy()
        return found


def prepare(pixels: FilmArray, side: int) -> FilmArray:
    """A film float32 [H, W] in [0, 1] as the network sees it: float32 [3, side, side], range stretched to [0, 1]."""
    grey = np.rint(pixels * WHITE).astype(np.uint8)
    square = transform.resize(grey, (side, side), order=3, preserve_range=True, anti_aliasing=True).astype(np.uint8)
    low, high = int(square.min()), int(square.max())
    scaled = ((square - low) / max(high - low, RANGE_FLOOR)).astype(np.float32)
    return np.repeat(scaled[None], 3, axis=0)


def check(question: Question, shape: tuple[int, int]) -> None:
    """Raise BadArguments unless boxes and points lie on a film [H, W] and there is at least one."""
    height, width = shape
    if not question.boxes and not question.points:
        raise BadArguments("There is neither a box nor a point.", "Give Question.boxes or Question.points.")
    for box in question.boxes:
        top, left, bottom, right = box
        if not (0 <= top < bottom <= height and 0 <= left < right <= width):
            raise BadArguments(
                f"The box {box} does not lie on the film of {height} rows and {width} columns.",
                "Boxes are (row_min, col_min, row_max, col_max) in the film's pixels.",
            )
    for row, column, inside in question.points:
        if not (0 <= row < height and 0 <= column < width) or inside not in (0, 1):
            raise BadArguments(
                f"The point {(row, column, inside)} is not on the film of {height} rows and {width} columns, or wrong.",
                "Points are (row, column, 1 inside or 0 outside) in the film's pixels.",
            )


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> MedSam:
    """The model of a folder as transformers writes it (SamModel).

    Raises:
        Unavailable: the folder is no SAM model's, or not whole.
    """
    with reading(path):
        model = weights_of(SamModel, path, dtype=dtype_on(entry, device))
    return MedSam(card, place(model, device), model.config.vision_config.image_size, device)
