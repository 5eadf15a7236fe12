"""Tubes, lines, devices and retained objects among a film's sightings: pieces, middle lines and tips on the film."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imaging.geometry import extent
from tools.anatomy.curves import Line, middle_line
from tools.anatomy.outlines import BoolMask
from tools.anatomy.regions import Anatomy
from tools.anatomy.sightings import Sighting, Sightings, pieces
from tools.anatomy.strips import Point
from tools.anatomy.tips import tip_of
from tools.contract.results import Status
from tools.knowledge.objects import ObjectConcept, objects

GRID_SIDE = 384
"""Longest side of the grid on which maps are traced: about the network's own, so that lines stay thin."""

LINE_POINTS = 24
"""Points of a middle line that are kept: enough to draw it."""


@dataclass(frozen=True)
class Traced:
    """One piece of one object.

    Attributes:
        mask: on the grid.
        box: (row_min, col_min, row_max, col_max) in the film's pixels.
        line: [n, 2] (row, column) in the film's pixels, along the middle; empty where it has none.
    """

    mask: BoolMask
    box: tuple[int, int, int, int]
    line: Line


@dataclass(frozen=True)
class DeviceSeen:
    """One class of device or object on one film.

    Attributes:
        concept: what it is.
        sighting: the model's score, status and map.
        traced: its pieces, the surest first; empty where it is called absent.
        tip: (row, column) in the film's pixels where the device has a tip, it was traced, and the card lets it be told.
    """

    concept: ObjectConcept
    sighting: Sighting
    traced: tuple[Traced, ...]
    tip: Point | None

    @property
    def status(self) -> Status:
        """Present, uncertain or absent, and not assessed where the card withholds the class.

        One that is scored but nowhere outlined is uncertain at best.
        """
        if not self.sighting.worth.usable:
            return Status.NOT_ASSESSED
        if self.sighting.status is Status.PRESENT and not self.traced:
            return Status.UNCERTAIN
        return self.sighting.status


def devices_seen(found: Sightings, shape: tuple[int, int], anatomy: Anatomy | None) -> list[DeviceSeen]:
    """Every class of object that the model draws, in the order of objects.toml.

    Args:
        found: of the film.
        shape: its rows and columns.
        anatomy: of the film, whose midline tells which end of a line is the inner one; None where no lung is outlined.
    """
    step = max(1, -(-max(shape) // GRID_SIDE))
    grid = (-(-shape[0] // step), -(-shape[1] // step))
    middle = grid[1] / 2 if anatomy is None else anatomy.middle * anatomy.step / step
    return [
        _seen(found, concept, sighting, grid, shape, step, middle)
        for code, concept in objects().items()
        if (sighting := found.get(code)) is not None and sighting.code == code
    ]


def device_tips(seen: list[DeviceSeen]) -> dict[str, Point]:
    """The tips of the devices called present, by code."""
    return {one.concept.code: one.tip for one in seen if one.tip is not None and one.status is Status.PRESENT}


def _seen(
    found: Sightings,
    concept: ObjectConcept,
    sighting: Sighting,
    grid: tuple[int, int],
    shape: tuple[int, int],
    step: int,
    middle: float,
) -> DeviceSeen:
    if sighting.status is Status.ABSENT or not sighting.worth.usable:
        return DeviceSeen(concept, sighting, (), None)
    values = found.on(sighting, grid, step)
    traced = []
    for mask in pieces(values, sighting.outlined_from):
        top, low, bottom, high = (edge * step for edge in extent(mask))
        line = middle_line(mask) if concept.shape == "tube" else np.zeros((0, 2))
        traced.append(Traced(mask, (top, low, min(bottom, shape[0]), min(high, shape[1])), (line + 0.5) * step))
    return DeviceSeen(concept, sighting, tuple(traced), _tip(concept, sighting, traced, middle * step, step))


def _tip(concept: ObjectConcept, sighting: Sighting, traced: list[Traced], middle: float, step: int) -> Point | None:
    """Where the device ends: where the model says so, or else its lowest place, or the end of its middle line that is
    nearer to the midline."""
    lines = [piece for piece in traced if len(piece.line)]
    if concept.tip is None or not lines or sighting.tip_reason:
        return None
    if sighting.tip is not None:
        return sighting.tip[:2]
    if concept.tip == "lower":
        row, column = tip_of(np.any([piece.mask for piece in lines], axis=0))
        return (row + 0.5) * step, (column + 0.5) * step
    row, column = min((end for piece in lines for end in (piece.line[0], piece.line[-1])),
                      key=lambda end: abs(end[1] - middle))  # fmt: skip
    return float(row), float(column)


def thinned(line: Line) -> list[Point]:
    """At most LINE_POINTS points of a line, its ends among them."""
    if not len(line):
        return []
    kept = np.unique(np.linspace(0, len(line) - 1, LINE_POINTS).round().astype(int))
    return [(round(float(row), 1), round(float(column), 1)) for row, column in line[kept]]
