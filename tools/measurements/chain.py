"""What a measurement is: numbers with units, and the chain of steps from region to conclusion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import pairwise

from pydantic import BaseModel, Field

from imaging.overlays import Overlay
from tools.anatomy.strips import Point
from tools.contract import Status

CENTRE = 0.5
"""Points are pixel indices; overlays count from pixel edges."""


class NotMeasured(Exception):
    """A measurement cannot be made on this film; the text is the reason, a whole sentence for the reader."""


class StepKind(StrEnum):
    """The links of a measurement's chain, in order."""

    REGION = "region"
    LANDMARK = "landmark"
    MEASUREMENT = "measurement"
    INDEX = "index"
    THRESHOLD = "threshold"
    CONCLUSION = "conclusion"


class Step(BaseModel):
    """One link: what was done, in words, with its number and the points it stands on.

    `points` are (row, column) of pixel centres; `drawn` says whether they are single points or a line's corners.
    """

    kind: StepKind
    text: str
    value: float | None = None
    unit: str = ""
    points: list[tuple[float, float]] = Field(default_factory=list)
    label: str = ""
    line: bool = False


class Quantity(BaseModel):
    """One number of a measurement. `code` ends in its unit where that is a length or an area."""

    code: str
    name: str
    value: float
    unit: str


class Measurement(BaseModel):
    """One thing measured, or why it was not.

    Attributes:
        code, title: of tools/knowledge/measurements.toml.
        measured: whether there is an index.
        reason: why not, or why the index was not judged.
        index, unit: the number that is held against the limits.
        limits: by name.
        error: half width of the band about a limit within which nothing is decided.
        status: PRESENT where the conclusion is the abnormal one, ABSENT where the usual, UNCERTAIN within the error.
        side: the patient's side the conclusion speaks of.
        sentences: the answer first.
        quantities: every number behind it.
        chain: region, landmark, measurement, index, threshold, conclusion.
        caveats: what a careful reader must know of this number.
    """

    code: str
    title: str
    measured: bool = True
    reason: str = ""
    index: float | None = None
    unit: str = ""
    limits: dict[str, float] = Field(default_factory=dict)
    error: float = 0.0
    status: Status = Status.NOT_ASSESSED
    side: str | None = None
    sentences: list[str] = Field(default_factory=list)
    quantities: list[Quantity] = Field(default_factory=list)
    chain: list[Step] = Field(default_factory=list)
    caveats: list[str] = Field(default_factory=list)

    def value(self, code: str) -> float | None:
        """The number of a quantity, None where there is none of that code."""
        return next((item.value for item in self.quantities if item.code == code), None)

    def overlays(self, image_id: str) -> list[Overlay]:
        """What the chain's steps draw on the film: points, and lines from corner to corner, each with its label."""
        return [overlay for step in self.chain for overlay in drawn(step, image_id)]


def drawn(step: Step, image_id: str) -> list[Overlay]:
    """The overlays of one step; its number stands beside the first of them, its label is for the legend."""
    if not step.label:
        return []
    moved = [(row + CENTRE, column + CENTRE) for row, column in step.points]
    text = None if step.value is None else told(step.value, step.unit)
    if step.line:
        return [
            Overlay.line(image_id, start, end, step.label, text=text if number == 0 else None)
            for number, (start, end) in enumerate(pairwise(moved))
        ]
    return [
        Overlay.point(image_id, place, step.label, text=text if number == 0 else None)
        for number, place in enumerate(moved)
    ]


def told(value: float, unit: str) -> str:
    """A number with its unit as people write it: 0.46, 72°, 64 mm, 312 px."""
    if unit == "deg":
        return f"{value:.0f}°"
    if unit in ("", "widths of the trachea", "share of the picture"):
        return f"{value:.2f}"
    return f"{value:.0f} {unit}"


def region(text: str) -> Step:
    """The link that says what was outlined by whom."""
    return Step(kind=StepKind.REGION, text=text)


def landmark(text: str, points: Iterable[Point], label: str, *, line: bool = False) -> Step:
    """A link that stands on points of the film."""
    return Step(kind=StepKind.LANDMARK, text=text, points=_points(points), label=label, line=line)


def length(text: str, value: float, unit: str, ends: Sequence[Point] = (), label: str = "") -> Step:
    """A measured number, with the line it was read on."""
    return Step(
        kind=StepKind.MEASUREMENT, text=text, value=round(value, 2), unit=unit, points=_points(ends), label=label,
        line=bool(label),
    )  # fmt: skip


def index(text: str, value: float, unit: str = "") -> Step:
    """The number that is held against a limit."""
    return Step(kind=StepKind.INDEX, text=text, value=round(value, 4), unit=unit)


def threshold(text: str, value: float | None = None, unit: str = "") -> Step:
    """The limit and its error."""
    return Step(kind=StepKind.THRESHOLD, text=text, value=value, unit=unit)


def conclusion(text: str) -> Step:
    """What it amounts to."""
    return Step(kind=StepKind.CONCLUSION, text=text)


def _points(points: Iterable[Point]) -> list[tuple[float, float]]:
    return [(round(float(row), 2), round(float(column), 2)) for row, column in points]
