"""ground: where on one frontal film is a finding that the classifier sees?

Answers a box and a heat map with the patient's side and zone, or "not localised" with the reason. Frontal films only.
The place comes from the classifier's own heat map, kept to where that finding can lie by the segmenter's anatomy; for
the heart's size it is the heart's outline. A box is where the model looked: it is no outline and no size of the
disease. A finding that the classifier does not see, or is not good enough at, is not localised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, Field

from imaging.overlays import Overlay
from imaging.radiograph import Radiograph
from models.outputs import Heatmaps, Task
from models.predictions import Prediction
from tools.anatomy import Anatomy, Outlines, Place, outline
from tools.anatomy.heat import SPOTS_MAX, HeatGrid, glow, on_grid
from tools.anatomy.outlines import BoolMask, extent
from tools.anatomy.plausibility import QUALITY_MIN
from tools.classify import Assessment, assess
from tools.contract import Finding, Result, Status, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats, frontal_film
from tools.contract.wording import listed, sentence_case, summarise
from tools.knowledge import FindingConcept, Region, Side, finding
from tools.measure import HEART, MeasureArguments, measure

LOCALISED_FROM = 0.4
"""Share of the map's hot area that must lie where the finding can lie; below it the map points elsewhere and the
finding is not localised. A judgement. On the 54 NIH films of boxes.csv no value made the embedded classifier's maps
point well (right side in 29 of 44 films with a box on one side, at any limit): such a model says so on its card."""

SPREAD_MAX = 0.6
"""A map that is hot over more than this share of the region points at nothing in particular. A judgement as above."""

UNMEASURED = "How often this model's heat map points at the right place or side was not measured: check it on the film."

BOX_CAVEAT = (
    "The box is where the model's heat map is hottest within plausible anatomy; it is neither the finding's outline "
    "nor its size."
)


class GroundArguments(ToolArguments):
    """What to localise on which film."""

    image_id: str = Field(description="Id of one frontal film of this session.")
    finding: str = Field(description="One finding code, e.g. effusion.")
    side: Literal["left", "right"] | None = Field(
        default=None, description="The patient's side to look on; leave out for both sides."
    )


class GroundedBox(BaseModel):
    """One place. `box` is (row_min, col_min, row_max, col_max) in the film's pixels; `side` is the patient's."""

    box: tuple[int, int, int, int]
    side: Side | None
    zone: Literal["upper", "middle", "lower"] | None
    place: str


class GroundData(BaseModel):
    """Where the finding is, or why it is not localised.

    `confidence` is the share of the map's hot area that lies in plausible anatomy (for the heart: the outline's
    quality); it is no probability.
    """

    finding: str
    name: str
    localised: bool
    reason: str
    side_asked: Side | None
    confidence: float | None
    confidence_needed: float
    boxes: list[GroundedBox] = Field(default_factory=list)
    classifier_status: Status
    grounded_by: str = ""


@dataclass(frozen=True)
class _Answer:
    """What was found out: the data, what to draw, and who drew it."""

    data: GroundData
    overlays: list[Overlay]
    by: Prediction | Outlines | None = None


def _refused(
    status: Status,
    reason: str,
    concept: FindingConcept,
    side: Side | None,
    confidence: float | None = None,
    needed: float = LOCALISED_FROM,
) -> GroundData:
    return GroundData(
        finding=concept.code, name=concept.name, localised=False, reason=reason, side_asked=side,
        confidence=confidence, confidence_needed=needed, classifier_status=status,
    )  # fmt: skip


def _why_not(seen: Finding, concept: FindingConcept) -> str:
    """Why a finding cannot be localised for the classifier's sake; empty when it can."""
    if seen.status is Status.ABSENT:
        return f"the classifier does not find {concept.name} ({seen.reason})"
    if seen.status is Status.NOT_ASSESSED:
        return f"{concept.name} is not assessed: {seen.reason}"
    return ""


def _heart(film: Radiograph, concept: FindingConcept, seen: Finding, found: Outlines, side: Side | None) -> _Answer:
    """The heart's outline as the place of an enlarged heart."""
    quality = found.quality("heart") if found.has("heart") else 0.0
    if quality < QUALITY_MIN:
        reason = "the heart was not outlined" if not found.has("heart") else "the heart's outline is uncertain"
        return _Answer(_refused(seen.status, reason, concept, side, round(quality, 3), QUALITY_MIN), [], found)
    box = extent(found.mask("heart"))
    data = GroundData(
        finding=concept.code, name=concept.name, localised=True, reason="the heart's outline", side_asked=side,
        confidence=round(quality, 3), confidence_needed=QUALITY_MIN, classifier_status=seen.status,
        boxes=[GroundedBox(box=box, side=None, zone=None, place="heart")], grounded_by=found.card.title,
    )  # fmt: skip
    return _Answer(data, [Overlay.box(film.id, box, concept.name)], found)


def _heat(prediction: Prediction, code: str, anatomy: Anatomy) -> HeatGrid | None:
    """The finding's heat map on the working grid; None where this model makes none."""
    maps = prediction.output
    if not isinstance(maps, Heatmaps):
        raise TypeError(f"{prediction.model_id} serves ground but returned {type(maps).__name__}")
    if code not in maps.codes:
        return None
    values = np.asarray(maps.maps[maps.codes.index(code)], dtype=np.float32)
    return on_grid(values, maps.extent, anatomy.grid_shape, anatomy.step)


def _by_heat(
    context: ToolContext,
    film: Radiograph,
    concept: FindingConcept,
    seen: Finding,
    found: Outlines,
    side: Side | None,
    model: str,
) -> _Answer:
    """The hottest places of the model's map within the anatomy where the finding can lie."""
    try:
        anatomy = Anatomy(found)
    except ValueError:
        return _Answer(_refused(seen.status, "the lungs were not outlined on this film", concept, side), [], found)
    grounder = model if _grounds(context, model) else None
    [prediction] = context.models.predict(Task.GROUND, [film], model_id=grounder)
    heat = _heat(prediction, concept.code, anatomy)
    if heat is None:
        reason = f"{prediction.card.title} makes no heat map for {concept.name}"
        return _Answer(_refused(seen.status, reason, concept, side), [], prediction)
    glowing = glow(heat, anatomy.region(concept.region, side))
    confidence = round(glowing.agreement, 3)
    where = f" on the {side}" if side else ""
    reason = _unfit(prediction)
    if not reason and (glowing.agreement < LOCALISED_FROM or not glowing.spots):
        reason = f"only {glowing.agreement:.0%} of the map's hottest area lies where {concept.name} can lie{where}"
    elif not reason and len(glowing.spots) > SPOTS_MAX:
        reason = f"the map glows in {len(glowing.spots)} places at once"
    elif not reason and glowing.spread > SPREAD_MAX:
        reason = f"the map is spread over {glowing.spread:.0%} of where {concept.name} can lie{where}"
    drawn = [Overlay.heatmap(film.id, np.maximum(heat, 0), film.shape, f"{concept.name}: where the model looked")]
    if reason:
        return _Answer(_refused(seen.status, reason, concept, side, confidence), drawn, prediction)
    boxes = _boxes(anatomy, concept.region, glowing.spots)
    drawn += [Overlay.box(film.id, item.box, concept.name, text=item.place) for item in boxes]
    data = GroundData(
        finding=concept.code, name=concept.name, localised=True, side_asked=side, confidence=confidence,
        reason=f"{glowing.agreement:.0%} of the map's hottest area lies where {concept.name} can lie{where}",
        confidence_needed=LOCALISED_FROM, classifier_status=seen.status, boxes=boxes,
        grounded_by=prediction.card.title,
    )  # fmt: skip
    return _Answer(data, drawn, prediction)


def _unfit(prediction: Prediction) -> str:
    """Why the model's maps are no places at all, by its card's `localisation` (usable, reason); empty if not said."""
    said = (prediction.card.model_extra or {}).get("localisation") or {}
    return "" if said.get("usable", True) else str(said.get("reason") or "its card calls the model's maps no places")


def _boxes(anatomy: Anatomy, region: Region, spots: tuple[BoolMask, ...]) -> list[GroundedBox]:
    boxes = []
    for spot in spots:
        place: Place = anatomy.place(region, spot)
        boxes.append(GroundedBox(box=anatomy.box(spot), side=place.side, zone=place.zone, place=place.words))
    return boxes


def _grounds(context: ToolContext, model: str) -> bool:
    """True when the classifying model also makes heat maps, so that score and place come from one model."""
    return Task.GROUND in context.models.catalog.get(model).tasks


def _seen(context: ToolContext, film: Radiograph, concept: FindingConcept) -> tuple[Finding, Assessment]:
    """What is seen of the finding: by the classifier; for the heart's size by the measured ratio if that sees it."""
    assessment = assess(context, film, [concept.code])
    seen = assessment.get(concept.code)
    if concept.code == "cardiomegaly" and _why_not(seen, concept):
        measured = measure.run(context, MeasureArguments(image_id=film.id, tasks=[HEART]))
        if measured.ok and measured.findings[0].status in (Status.PRESENT, Status.UNCERTAIN):
            return measured.findings[0], assessment
    return seen, assessment


def _finding(data: GroundData, seen: Finding) -> Finding:
    """The seen finding with its place, or with why there is none."""
    sides = {item.side for item in data.boxes if item.side}
    laterality = "bilateral" if len(sides) > 1 else next(iter(sides), None)
    places = listed(list(dict.fromkeys(item.place for item in data.boxes)))
    reason = seen.reason if data.localised else f"not localised: {data.reason}"
    return seen.model_copy(update={"laterality": laterality, "region": places or None, "reason": reason})


@tool(
    name="ground",
    title="Localise a finding",
    arguments=GroundArguments,
    result=GroundData,
    needs=(Task.CLASSIFY, Task.SEGMENT, Task.GROUND),
    answers="Where a finding is on a frontal film (PA or AP), or that it is not localised.",
)
def ground(context: ToolContext, arguments: GroundArguments) -> Result:
    """Box and heat map with side and zone, or "not localised"; see the module."""
    concept = finding(arguments.finding)
    film = frontal_film(context, arguments.image_id, "localisation")
    seen, assessment = _seen(context, film, concept)
    side = arguments.side
    if reason := _why_not(seen, concept):
        answer = _Answer(_refused(seen.status, reason, concept, side), [])
    else:
        found = outline(context, film)
        answer = (
            _heart(film, concept, seen, found, side)
            if concept.region is Region.HEART
            else _by_heat(context, film, concept, seen, found, side, assessment.model)
        )
    data, by = answer.data, answer.by
    if data.localised:
        places = listed([item.place for item in data.boxes])
        told = f"{sentence_case(concept.name)} ({seen.status.value}) is localised: {places}."
    else:
        told = f"{sentence_case(concept.name)}: not localised: {data.reason}."
    numbers = "; ".join(f"box {list(item.box)} ({item.place})" for item in data.boxes)
    caveats = film_caveats(film)
    if data.localised:
        caveats.append(BOX_CAVEAT if concept.region is not Region.HEART else "The box is the heart's outline.")
    if data.localised and isinstance(by, Prediction) and "localisation" not in (by.card.model_extra or {}):
        caveats.append(UNMEASURED)
    if seen.status is Status.UNCERTAIN:
        caveats.append(f"The classifier is uncertain whether there is {concept.name} at all ({seen.reason}).")
    model = (by.model_id if isinstance(by, Prediction) else by.model) if by else assessment.model
    return Result(
        image_ids=[film.id],
        summary=summarise([told, f"Confidence {data.confidence:.2f}, {numbers}." if data.localised else ""]),
        findings=[_finding(data, seen)],
        data=data,
        overlays=answer.overlays,
        caveats=caveats,
        model=model,
        revision=by.revision if by else assessment.revision,
        card=card_facts(by.card if by else assessment.card, [concept.code]),
    )
