"""What the outlining model gives to measure: free pleural air, lesions, and the tips of tubes and lines."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from imaging.radiograph import Radiograph
from models.pool import ModelPool
from tools.anatomy.devices import DeviceSeen, device_tips, devices_seen
from tools.anatomy.outlines import LESION, BoolMask, Outlines
from tools.anatomy.regions import Anatomy
from tools.anatomy.sightings import Sighting, Sightings, pieces, sightings
from tools.anatomy.strips import Point
from tools.contract.results import Status
from tools.contract.wording import sentence_case
from tools.knowledge import Region, Side

SIDES: tuple[Side, Side] = ("left", "right")

SURE_FROM = 0.5
"""Value of the map from which a lesion is outlined before its border is sought on the film itself: there the outlines
of 12 phantoms were about as large as the lesions, smaller from 0.7 on and larger from 0.3 on."""

OUTLINED_BY = "{what} outlined by {title}, which learnt it from synthetic films: check it on the film."


@dataclass(frozen=True)
class Located:
    """What was found of it on one film.

    Attributes:
        air: side -> free air's outline in the film's pixels.
        lesions: outlines of nodules and masses, the surest first.
        tips: device -> (row, column) of its tip in the film's pixels.
        caveats: who outlined them.
        no_tip: why there is no tip; empty where there is one, or no model that could tell.
        no_lesion: why no nodule or mass is outlined; empty where one is, or no model could tell.
    """

    air: dict[str, BoolMask] = field(default_factory=dict)
    lesions: tuple[BoolMask, ...] = ()
    tips: dict[str, Point] = field(default_factory=dict)
    caveats: list[str] = field(default_factory=list)
    no_tip: str = ""
    no_lesion: str = ""


def located(models: ModelPool, film: Radiograph, found: Outlines) -> Located:
    """Free air, lesions and devices' tips where the model is sure of them; nothing without one."""
    seen = sightings(models, film)
    if seen is None:
        return Located()
    try:
        anatomy = Anatomy(found)
    except ValueError:
        return Located()
    devices = devices_seen(seen, film.shape, anatomy)
    air, tips, lesions = _air(seen, anatomy), device_tips(devices), _lesions(seen, anatomy)
    title = seen.prediction.card.title
    named = [what for what, there in (("Free air was", air), ("The device was", tips)) if there]
    caveats = [OUTLINED_BY.format(what=what, title=title) for what in named]
    no_tip, no_lesion = "" if tips else _no_tip(devices), "" if lesions else _no_lesion(seen)
    return Located(air, lesions, tips, caveats, no_tip, no_lesion)


def _no_lesion(seen: Sightings) -> str:
    """Why no nodule or mass is outlined."""
    sighting, title = seen.get(LESION), seen.prediction.card.title
    if sighting is None:
        return f"{title} does not draw it."
    if not sighting.worth.usable:
        return f"{title} does not draw it reliably: {sighting.worth.reason}."
    label = sighting.worth.label
    if sighting.status is not Status.PRESENT:
        needed = sighting.worth.threshold
        return f"{title} is sure of no {label} on this film (score {sighting.score:.2f}, {needed:.2f} is needed)."
    return f"{title} scores {label} ({sighting.score:.2f}) but outlines it nowhere surely enough to be measured."


def _lesions(seen: Sightings, anatomy: Anatomy) -> tuple[BoolMask, ...]:
    sighting = _sure(seen, LESION)
    if sighting is None:
        return ()
    values = seen.on(sighting, anatomy.grid_shape, anatomy.step)
    return tuple(anatomy.on_film(one) for one in pieces(values, SURE_FROM, anatomy.region(Region.PLEURA)))


def _sure(seen: Sightings, code: str) -> Sighting | None:
    """The class where it is called present by a card that calls it usable."""
    sighting = seen.get(code)
    if sighting is None or not sighting.worth.usable or sighting.status is not Status.PRESENT:
        return None
    return sighting


def _no_tip(devices: list[DeviceSeen]) -> str:
    """Why no tip is told: no tube or line is seen, or the card withholds the tips of those that are."""
    seen = [one for one in devices if one.status is Status.PRESENT and one.concept.tip is not None]
    if not seen:
        return "No tube or line is called present on this film."
    told = [f"{one.concept.name}: {one.sighting.tip_reason or 'it was not traced'}" for one in seen]
    return f"Where a tip lies is not told. {sentence_case('; '.join(told))}."


def _air(seen: Sightings, anatomy: Anatomy) -> dict[str, BoolMask]:
    sighting = _sure(seen, "pneumothorax")
    if sighting is None:
        return {}
    values = seen.on(sighting, anatomy.grid_shape, anatomy.step)
    drawn = {side: pieces(values, sighting.outlined_from, anatomy.region(Region.PLEURA, side)) for side in SIDES}
    whole = {side: np.any(parts, axis=0) for side, parts in drawn.items() if parts}
    return {side: anatomy.on_film(mask) for side, mask in whole.items()}
