"""A finding's coarse place by density, where no model tells one: the denser side or third of the lungs."""

from __future__ import annotations

from imaging.overlays import Overlay
from imaging.radiograph import Radiograph
from tools.anatomy import Anatomy
from tools.anatomy.density import DENSER_FROM, EVIDENCE, denser
from tools.contract import Finding
from tools.grounding.data import Asked, GroundData, GroundedBox
from tools.knowledge import FindingConcept, Region

COARSE = frozenset({"consolidation", "pneumonia", "infiltration", "effusion"})
"""Findings that make lung or pleura denser and whose side was measured; see tools.anatomy.density.EVIDENCE."""

COARSE_CAVEAT = (
    f"The place is coarse: no model told it, it is where one lung is denser than the other. {EVIDENCE} A turned "
    "patient, another disease or an operated chest do the same."
)


def coarse_place(
    film: Radiograph, concept: FindingConcept, seen: Finding, anatomy: Anatomy, asked: Asked, title: str
) -> tuple[GroundData, list[Overlay]] | None:
    """The denser third (of an effusion: the base of the denser side) with its box; None where neither lung is denser.

    Args:
        film: the film.
        concept: one of COARSE.
        seen: what the classifier says of it.
        anatomy: of the film.
        asked: the place asked about; another one is no answer.
        title: of the model that outlined the lungs.
    """
    found = denser(film, anatomy)
    if found is None or found.deviations < DENSER_FROM or asked.side not in (None, found.side):
        return None
    zone = None if concept.region is Region.PLEURA_BASE else found.zone
    spot = anatomy.region(concept.region, found.side, zone)
    at = anatomy.place(concept.region, spot)
    if asked.zone not in (None, at.zone):
        return None
    box = GroundedBox(box=anatomy.box(spot), side=at.side, zone=at.zone, place=at.words)
    data = GroundData(
        finding=concept.code, name=concept.name, localised=True, **asked.given, coarse=True,
        reason=f"the {found.side} lung is denser than the other in its {found.zone} third, by {found.deviations:.1f} "
        "standard deviations of films without a finding",
        confidence=round(found.deviations, 2), confidence_needed=DENSER_FROM, classifier_status=seen.status,
        boxes=[box], grounded_by=title,
    )  # fmt: skip
    return data, [Overlay.box(film.id, box.box, concept.name, text=f"about {box.place}")]
