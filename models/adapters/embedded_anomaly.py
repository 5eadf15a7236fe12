"""Hilum's embedded judge of what is unusual: distances of a chest's features to those of normal films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from imaging.failures import BadArguments, Unavailable
from models.adapters.embedded import made_again
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.device import inference, place
from models.networks import Classifier, load_classifier
from models.outputs import Output, Task, Unusual
from models.preprocess import Box
from models.request import Request
from models.unusual import Reference, lung_square, maps_of, trunk_mark

SIDE_BY_SIDE = True

TRUNK = "embedded-classifier.safetensors"
"""File beside the reference that holds the trunk."""


@dataclass(frozen=True)
class EmbeddedAnomaly:
    """The loaded trunk and reference."""

    card: ModelCard
    network: Classifier
    reference: Reference
    device: str

    def answer(self, task: Task, requests: Sequence[Request]) -> list[Output]:
        """How unusual each film is in the box that its question names, that around the lungs, in order."""
        del task
        boxes = [_box(request) for request in requests]
        films = [request.film for request in requests if request.film is not None]
        squares = torch.cat([lung_square(film.pixels, box) for film, box in zip(films, boxes, strict=True)])
        with inference(self.device):
            maps = maps_of(self.network, squares.to(self.device)).float().cpu().numpy()
        distances, nearest = self.reference.distances(maps), self.reference.population(maps)
        return [
            self._said(distance, int(population), box)
            for distance, population, box in zip(distances, nearest, boxes, strict=True)
        ]

    def _said(self, distance: np.ndarray, population: int, box: Box) -> Unusual:
        score = float(distance.mean())
        return Unusual(
            score=score,
            percentile=self.reference.percentile(score, population),
            population=self.reference.populations[population],
            ratio=(distance / self.reference.typical[population]).astype(np.float32),
            extent=(float(box.top), float(box.left), float(box.bottom), float(box.right)),
        )


def _box(request: Request) -> Box:
    boxes = request.question.boxes if request.question else ()
    if request.film is None or len(boxes) != 1:
        raise BadArguments("An anomaly score needs a film and one box around its lungs.", "Give Question.boxes.")
    top, left, bottom, right = (round(edge) for edge in boxes[0])
    return Box(top, left, bottom, right)


def load(entry: CatalogEntry, card: ModelCard, path: Path, device: str) -> EmbeddedAnomaly:
    """The reference from its safetensors file, the trunk from the classifier's beside it.

    Raises:
        Unavailable: the file is no reference, or was made with another trunk.
    """
    try:
        held = {name: value.float().numpy() for name, value in load_file(path).items()}
        state = load_file(path.with_name(TRUNK))
    except SafetensorError as error:
        raise Unavailable(f"{path} cannot be read: {error}", made_again(entry)) from error
    told = card.model_extra or {}
    populations = tuple(item["name"] for item in told.get("populations", ()))
    if told.get("trunk") != trunk_mark(state) or not populations:
        raise Unavailable(f"{path} was made with another trunk than {TRUNK} holds.", made_again(entry))
    scores = tuple(held.pop(f"scores_{number}") for number in range(len(populations)))
    reference = Reference(**held, scores=scores, populations=populations)
    return EmbeddedAnomaly(card, place(load_classifier(state), device), reference, device)
