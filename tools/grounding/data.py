"""What the tool ground answers, and where the user wants it looked for."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, Field

from tools.anatomy.regions import Zone
from tools.contract import Status
from tools.knowledge import FindingConcept, Side

LOCALISED_FROM = 0.4
"""Share of the map's hot area that must lie where the finding can lie; below it the map points elsewhere and the
finding is not localised. A judgement. On the 54 NIH films of boxes.csv no value made the embedded classifier's maps
point well (right side in 29 of 44 films with a box on one side, at any limit): such a model says so on its card."""


class GroundedBox(BaseModel):
    """One place. `box` is (row_min, col_min, row_max, col_max) in the film's pixels; `side` is the patient's."""

    box: tuple[int, int, int, int]
    side: Side | None
    zone: Zone | None
    place: str


class GroundData(BaseModel):
    """Where the finding is, or why it is not localised.

    `confidence` is the outlining model's score of the finding, or the share of the heat map's hot area that lies in
    plausible anatomy (for the heart: the outline's quality); it is no probability. `outlined_as` is the broader class
    that was outlined where the model has none for the finding itself. `coarse`: no model outlined it; the place is the
    side or third of the lungs that is denser than its mirror image, and `confidence` is by how many standard deviations
    of films without a finding; or the one over which a model's map is higher, and `confidence` is by how much in log
    odds.
    """

    finding: str
    name: str
    localised: bool
    reason: str
    side_asked: Side | None
    zone_asked: Zone | None = None
    confidence: float | None
    confidence_needed: float
    boxes: list[GroundedBox] = Field(default_factory=list)
    classifier_status: Status
    locator_status: Status | None = None
    outlined_as: str = ""
    tried_on_real_films: bool = True
    """False where the outlining model's card has no figures for it on real films that have it."""
    grounded_by: str = ""
    coarse: bool = False


@dataclass(frozen=True)
class Asked:
    """Where the user wants it looked for: a side of the patient and a third of the lungs, or anywhere."""

    side: Side | None
    zone: Zone | None

    @property
    def given(self) -> dict[str, str | None]:
        """As GroundData takes it."""
        return {"side_asked": self.side, "zone_asked": self.zone}

    @property
    def words(self) -> str:
        """ " in the left lower zone", " on the left", or nothing."""
        if self.zone is not None:
            return f" in the {' '.join(part for part in (self.side, self.zone) if part)} zone"
        return f" on the {self.side}" if self.side else ""


def not_localised(
    status: Status,
    reason: str,
    concept: FindingConcept,
    asked: Asked,
    confidence: float | None = None,
    needed: float = LOCALISED_FROM,
) -> GroundData:
    """Why a finding has no place; `confidence` and `needed` as GroundData takes them."""
    return GroundData(
        finding=concept.code, name=concept.name, localised=False, reason=reason, **asked.given,
        confidence=confidence, confidence_needed=needed, classifier_status=status,
    )  # fmt: skip
