"""What the outlining model gives to measure: free pleural air, and the tips of tubes and lines."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from imaging.radiograph import Radiograph
from models.outputs import Task
from tools.anatomy.devices import DeviceSeen, device_tips, devices_seen
from tools.anatomy.outlines import BoolMask, Outlines
from tools.anatomy.regions import Anatomy
from tools.anatomy.sightings import Sightings, pieces, sightings
from tools.anatomy.strips import Point
from tools.contract.results import Status
from tools.contract.tool import ToolContext
from tools.contract.wording import sentence_case
from tools.knowledge import Region, Side

SIDES: tuple[Side, Side] = ("left", "right")

OUTLINED_BY = "{what} outlined by {title}, which learnt it from synthetic films: check it on the film."


@dataclass(frozen=True)
class Located:
    """What was found of it on one film.

    Attributes:
        air: side -> free air's outline in the film's pixels.
        tips: device -> (row, column) of its tip in the film's pixels.
        caveats: who outlined them.
        no_tip: why there is no tip; empty where there is one, or no model that could tell.
    """

    air: dict[str, BoolMask] = field(default_factory=dict)
    tips: dict[str, Point] = field(default_factory=dict)
    caveats: list[str] = field(default_factory=list)
    no_tip: str = ""


def located(context: ToolContext, film: Radiograph, found: Outlines) -> Located:
    """Free air where the model is sure of a pneumothorax, tips of the devices it is sure of; nothing without one."""
    seen = sightings(context, film) if context.models.serves(Task.DETECT) else None
    if seen is None:
        return Located()
    try:
        anatomy = Anatomy(found)
    except ValueError:
        return Located()
    devices = devices_seen(seen, film.shape, anatomy)
    air, tips = _air(seen, anatomy), device_tips(devices)
    title = seen.prediction.card.title
    named = [what for what, there in (("Free air was", air), ("The device was", tips)) if there]
    caveats = [OUTLINED_BY.format(what=what, title=title) for what in named]
    return Located(air, tips, caveats, "" if tips else _no_tip(devices))


def _no_tip(devices: list[DeviceSeen]) -> str:
    """Why no tip is told: no tube or line is seen, or the card withholds the tips of those that are."""
    seen = [one for one in devices if one.status is Status.PRESENT and one.concept.tip is not None]
    if not seen:
        return "No tube or line is called present on this film."
    told = [f"{one.concept.name}: {one.sighting.tip_reason or 'it was not traced'}" for one in seen]
    return f"Where a tip lies is not told. {sentence_case('; '.join(told))}."


def _air(seen: Sightings, anatomy: Anatomy) -> dict[str, BoolMask]:
    sighting = seen.get("pneumothorax")
    if sighting is None or not sighting.worth.usable or sighting.status is not Status.PRESENT:
        return {}
    values = seen.on(sighting, anatomy.grid_shape, anatomy.step)
    drawn = {side: pieces(values, sighting.outlined_from, anatomy.region(Region.PLEURA, side)) for side in SIDES}
    whole = {side: np.any(parts, axis=0) for side, parts in drawn.items() if parts}
    return {side: anatomy.on_film(mask) for side, mask in whole.items()}
