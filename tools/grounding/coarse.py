"""A finding's coarse place where no model tells one: the denser side or third of the lungs, or the side over which a
model's map is higher."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logit

from imaging.overlays import Overlay
from imaging.radiograph import Radiograph
from models.card import ModelCard
from models.outputs import Heatmaps
from tools.anatomy import Anatomy
from tools.anatomy.density import DENSER_FROM, EVIDENCE, denser
from tools.anatomy.heat import HeatGrid, on_grid
from tools.anatomy.outlines import BoolMask
from tools.anatomy.regions import Zone
from tools.anatomy.sightings import Sighting
from tools.contract import Finding
from tools.grounding.data import Asked, GroundData, GroundedBox
from tools.knowledge import FindingConcept, Region, Side

COARSE = frozenset({"consolidation", "pneumonia", "infiltration", "effusion"})
"""Findings that make lung or pleura denser and whose side was measured; see tools.anatomy.density.EVIDENCE."""

DENSITY_CAVEAT = (
    f"The place is coarse: no model told it, it is where one lung is denser than the other. {EVIDENCE} A turned "
    "patient, another disease or an operated chest do the same."
)

SIDE_CAVEAT = "The place is coarse: no model outlined it, the map of {by} tells the side alone. {evidence}"

OPACITY = "lung_opacity"
SIDES: tuple[Side, Side] = ("left", "right")
THIRDS: tuple[Zone, ...] = ("upper", "middle", "lower")

LEAST = 1e-6
"""A map's values are kept this far from 0 and 1, where log odds end."""


@dataclass(frozen=True)
class CoarsePlace:
    """A place, what to draw, and what a reader must know of how it came about."""

    data: GroundData
    overlays: list[Overlay]
    caveat: str


@dataclass(frozen=True)
class SidedMap:
    """A model's map of which the card says that it may tell a side.

    Attributes:
        heat: float32 on the working grid, in [0, 1].
        side_from: log odds by which its highest value on one side must be above that on the other.
        evidence: how often the higher side was the right one, as the card says it.
        by: title of the model.
    """

    heat: HeatGrid
    side_from: float
    evidence: str
    by: str


@dataclass(frozen=True)
class Coarse:
    """Tells a coarse place of one finding on one film.

    Attributes:
        film: the film.
        concept: one of COARSE.
        seen: what the classifier says of it.
        anatomy: of the film.
        asked: the place asked about; another one is no answer.
    """

    film: Radiograph
    concept: FindingConcept
    seen: Finding
    anatomy: Anatomy
    asked: Asked

    def by_density(self, title: str) -> CoarsePlace | None:
        """The denser third (of an effusion: the base of the denser side) with its box; None where neither lung is
        denser. `title` is of the model that outlined the lungs."""
        found = denser(self.film, self.anatomy)
        if found is None or found.deviations < DENSER_FROM or self.asked.side not in (None, found.side):
            return None
        zone = None if self.concept.region is Region.PLEURA_BASE else found.zone
        reason = (
            f"the {found.side} lung is denser than the other in its {found.zone} third, by {found.deviations:.1f} "
            "standard deviations of films without a finding"
        )
        spot = self.anatomy.region(self.concept.region, found.side, zone)
        return self._told(spot, reason, (round(found.deviations, 2), DENSER_FROM), title, DENSITY_CAVEAT)

    def by_side(self, found: SidedMap) -> CoarsePlace | None:
        """The third (of an effusion: the base) of the side over which a map is higher; None where it is higher over
        neither, or not by enough."""
        region, heat = self.concept.region, found.heat
        left, right = (_peak(heat, self.anatomy.region(region, side)) for side in SIDES)
        side = SIDES[right > left]
        if abs(left - right) < found.side_from or self.asked.side not in (None, side):
            return None
        zones: tuple[Zone | None, ...] = (None,) if region is Region.PLEURA_BASE else THIRDS
        spot = max((self.anatomy.region(region, side, zone) for zone in zones), key=lambda part: _peak(heat, part))
        higher = abs(left - right)
        reason = f"the map of {found.by} is higher on the {side} than on the other side, by {higher:.1f} in log odds"
        caveat = SIDE_CAVEAT.format(by=found.by, evidence=found.evidence)
        return self._told(spot, reason, (round(higher, 2), found.side_from), found.by, caveat)

    def _told(
        self, spot: BoolMask, reason: str, measured: tuple[float, float], by: str, caveat: str
    ) -> CoarsePlace | None:
        """A spot as the place; None where another zone was asked about."""
        at = self.anatomy.place(self.concept.region, spot)
        if self.asked.zone not in (None, at.zone):
            return None
        box = GroundedBox(box=self.anatomy.box(spot), side=at.side, zone=at.zone, place=at.words)
        data = GroundData(
            finding=self.concept.code, name=self.concept.name, localised=True, **self.asked.given, coarse=True,
            reason=reason, confidence=measured[0], confidence_needed=measured[1], classifier_status=self.seen.status,
            boxes=[box], grounded_by=by,
        )  # fmt: skip
        drawn = Overlay.box(self.film.id, box.box, self.concept.name, text=f"about {box.place}")
        return CoarsePlace(data, [drawn], caveat)


def sided_map(sighting: Sighting | None, maps: Heatmaps, card: ModelCard, anatomy: Anatomy) -> SidedMap | None:
    """The map that may tell a side: an outlining model's of the finding, or a classifier's of lung opacity; None where
    the card does not allow it (`side_from`, `side_evidence`: of the class, or under `localisation`)."""
    extra = (sighting.worth.model_extra or {}) if sighting else (card.model_extra or {}).get("localisation") or {}
    code = sighting.code if sighting else OPACITY
    if "side_from" not in extra or code not in maps.codes:
        return None
    values = np.asarray(maps.maps[maps.codes.index(code)], dtype=np.float32)
    heat = on_grid(values, maps.extent, anatomy.grid_shape, anatomy.step)
    return SidedMap(heat, float(extra["side_from"]), str(extra["side_evidence"]), card.title)


def _peak(heat: HeatGrid, region: BoolMask) -> float:
    """Highest log odds of a map within a region."""
    highest = float(heat[region].max()) if region.any() else 0.0
    return float(logit(np.clip(highest, LEAST, 1 - LEAST)))
