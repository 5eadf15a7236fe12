"""Asking the segmenter for a film's structures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imaging.radiograph import Radiograph
from models.card import ModelCard
from models.outputs import Masks, Task
from tools.contract.tool import ToolContext

BoolMask = npt.NDArray[np.bool_]

FREE_AIR = ("left_pneumothorax", "right_pneumothorax")
"""The free air of a pneumothorax, by side."""

LESION = "lung_lesion"
"""A nodule or mass."""

BY_THE_USER = (*FREE_AIR, LESION)
"""What no segmenter here outlines and a user may draw."""


@dataclass(frozen=True)
class Outlines:
    """One film's structures and who drew them.

    Attributes:
        masks: in the film's own geometry.
        card: of the segmenter.
        model, revision: who answered.
        corrected: structures whose outline is the user's.
    """

    masks: Masks
    card: ModelCard
    model: str
    revision: str
    corrected: tuple[str, ...] = ()

    def has(self, code: str) -> bool:
        """True when this segmenter makes the structure and found some of it."""
        return code in self.masks.codes and bool(self.masks.get(code).any())

    def mask(self, code: str) -> BoolMask:
        """bool [H, W] of one structure; empty where it was not found."""
        return self.masks.get(code)

    def quality(self, code: str) -> float:
        """Mean certainty of the mask's pixels, in [0, 1]; not a Dice."""
        return float(self.masks.quality[self.masks.codes.index(code)])


def outline(context: ToolContext, film: Radiograph, model: str | None = None) -> Outlines:
    """The film's structures by the session's segmenter, or by the one named, with the user's own corrections.

    A repeated call is answered from cache.
    """
    [prediction] = context.models.predict(Task.SEGMENT, [film], model_id=model)
    if not isinstance(prediction.output, Masks):
        raise TypeError(f"{prediction.model_id} serves segment but returned {type(prediction.output).__name__}")
    masks = prediction.output
    kept = {code: one.mask for code, one in context.corrections.of(film.id).items()}
    if kept:
        masks = with_corrections(masks, kept)
    return Outlines(masks, prediction.card, prediction.model_id, prediction.revision, tuple(kept))


def with_corrections(masks: Masks, kept: Mapping[str, BoolMask]) -> Masks:
    """The masks with the user's in their place, or added; a corrected outline's certainty is 1."""
    codes = tuple(dict.fromkeys((*masks.codes, *kept)))
    stack = np.zeros((len(codes), *masks.masks.shape[1:]), dtype=np.bool_)
    quality = np.ones(len(codes), dtype=np.float32)
    stack[: len(masks.codes)], quality[: len(masks.codes)] = masks.masks, masks.quality
    for code, mask in kept.items():
        stack[codes.index(code)], quality[codes.index(code)] = mask, 1.0
    return Masks(codes, stack, quality)
