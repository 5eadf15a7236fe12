"""What a model of the task "detect" sees of findings and objects on a film, as pieces on a working grid.

A finding that the model does not draw by its own code is looked for under the broader one that the ontology gives
(a mass under lung lesion, consolidation under lung opacity).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from imaging.radiograph import Radiograph
from models.card import FindingCard
from models.outputs import Heatmaps, Task
from models.pool import ModelPool
from models.predictions import Prediction
from tools.anatomy.heat import HeatGrid, on_grid
from tools.anatomy.outlines import BoolMask
from tools.contract.results import Status
from tools.knowledge import findings

PIECE_SHARE = 0.35
"""A piece is kept when its highest value is at least this share of the highest piece's. A judgement."""

PIECES_MAX = 4
"""More pieces than this of one finding are told by the largest only."""

OUTLINED_FROM = 0.5
"""Value of a map from which a pixel belongs to the outline, where the card names no other (`outlined_from`)."""


TIP_UNMEASURED = "how far off this model places it was not measured"

Tip = tuple[float, float, float]
"""(row, column) in the film's pixels, and the probability that it lies about there."""


@dataclass(frozen=True)
class Sighting:
    """One class on one film.

    Attributes:
        code: the model's class: the finding asked for, or a broader one.
        score: that it is on the film, in [0, 1]; what it means is the card's `score_kind`.
        status: present, uncertain or absent by the card's threshold and band.
        worth: what the card says of the class.
        map: float32 on the model's own grid, in [0, 1].
        tip: where the model says that a tube or line ends; None where it does not say so.
    """

    code: str
    score: float
    status: Status
    worth: FindingCard
    map: HeatGrid
    tip: Tip | None = None

    @property
    def outlined_from(self) -> float:
        """Value of the map from which a pixel belongs to the class."""
        return float((self.worth.model_extra or {}).get("outlined_from", OUTLINED_FROM))

    @property
    def tip_reason(self) -> str:
        """Why the class's tip may not be told: by its card (`tip_usable`, `tip_reason`), or because the model is less
        certain of it than the card asks (`tip_from`); empty where it may."""
        said = self.worth.model_extra or {}
        if not said.get("tip_usable", False):
            return str(said.get("tip_reason") or TIP_UNMEASURED)
        least = float(said.get("tip_from", 0.0))
        if self.tip is None or self.tip[2] >= least:
            return ""
        return f"the model is not certain enough of the place on this film ({self.tip[2]:.2f}, {least:.2f} is needed)"

    @property
    def measured_on_real_films(self) -> bool:
        """Whether the card has figures of this class on real films with it."""
        return bool((self.worth.model_extra or {}).get("measured_on_real_films", False))


@dataclass(frozen=True)
class Sightings:
    """Everything a model of the task "detect" says of one film."""

    prediction: Prediction
    maps: Heatmaps

    def get(self, code: str) -> Sighting | None:
        """The class of that code or of the nearest broader one that the model draws; None if it draws none of them."""
        known = code if code in self.maps.codes else _broader(code, self.maps.codes)
        if known is None:
            return None
        worth = self.prediction.card.finding(known)
        if worth is None:
            return None
        index = self.maps.codes.index(known)
        score = float(self.maps.values[index])
        return Sighting(known, score, status_of(score, worth), worth, self.maps.maps[index], _tip(self.maps, index))

    def on(self, sighting: Sighting, shape: tuple[int, int], step: int) -> HeatGrid:
        """The class's map on a working grid of every step-th pixel of the film."""
        return on_grid(np.asarray(sighting.map, dtype=np.float32), self.maps.extent, shape, step)

    def __iter__(self) -> Iterator[Sighting]:
        return (found for code in self.maps.codes if (found := self.get(code)) is not None)


def sightings(models: ModelPool, film: Radiograph) -> Sightings | None:
    """What is seen on a film; None where no model here serves the task."""
    if not models.serves(Task.DETECT):
        return None
    [prediction] = models.predict(Task.DETECT, [film])
    if not isinstance(prediction.output, Heatmaps):
        raise TypeError(f"{prediction.model_id} serves detect but returned {type(prediction.output).__name__}")
    return Sightings(prediction, prediction.output)


def _tip(maps: Heatmaps, index: int) -> Tip | None:
    if maps.tips is None or np.isnan(maps.tips[index]).any():
        return None
    row, column, certainty = (float(number) for number in maps.tips[index])
    return row, column, certainty


def status_of(score: float, worth: FindingCard) -> Status:
    """Present, uncertain or absent: uncertain within the card's band around its threshold."""
    if worth.uncertain_low <= score < worth.uncertain_high:
        return Status.UNCERTAIN
    return Status.PRESENT if score >= worth.threshold else Status.ABSENT


def pieces(values: HeatGrid, outlined_from: float, within: BoolMask | None = None) -> list[BoolMask]:
    """Connected parts of a map on the working grid from a value on, the highest first; see PIECE_SHARE."""
    hit = values >= outlined_from
    if within is not None:
        hit &= within
    labels, count = ndimage.label(hit, structure=np.ones((3, 3), dtype=int))
    if count == 0:
        return []
    numbers = np.arange(1, count + 1)
    peaks = np.asarray(ndimage.maximum(values, labels, numbers))
    sizes = np.asarray(ndimage.sum_labels(hit, labels, numbers))
    weight = peaks * np.sqrt(sizes)
    kept = [int(index) for index in np.argsort(-weight) if weight[index] >= PIECE_SHARE * weight.max()]
    return [labels == numbers[index] for index in kept[:PIECES_MAX]]


def _broader(code: str, known: tuple[str, ...]) -> str | None:
    concept = findings().get(code)
    while concept is not None and concept.parent is not None:
        if concept.parent in known:
            return concept.parent
        concept = findings().get(concept.parent)
    return None
