"""ground: where on one frontal film is a finding?

Answers boxes with the patient's side and zone, or "not localised" with the reason. Frontal films only. The place comes
from a model that outlines the finding (task "detect") where its card calls it usable for that: then the outline is
drawn, and what that model thinks of the finding's presence stands beside the classifier's word. Otherwise it comes from
the classifier's own heat map, and only for a finding that the classifier sees. Either is kept to where the finding can
lie by the segmenter's anatomy; for the heart's size it is the heart's outline. Where no model tells the place of an
opacity or effusion that the classifier sees, the denser lung does, or the side over which a model's map is higher,
called coarse (tools.grounding.coarse). A box is no size of the disease.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pydantic import Field

from imaging.geometry import extent
from imaging.overlays import Overlay
from imaging.radiograph import Radiograph
from models.outputs import Heatmaps, Task
from models.predictions import Prediction
from tools.anatomy import Anatomy, Outlines, outline
from tools.anatomy.heat import SPOTS_MAX, HeatGrid, glow, on_grid
from tools.anatomy.outlines import BoolMask
from tools.anatomy.plausibility import QUALITY_MIN
from tools.anatomy.regions import Zone
from tools.anatomy.sightings import Sighting, Sightings, pieces, sightings
from tools.classify import Assessment, assess
from tools.contract import Finding, Result, Status, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats, frontal_film
from tools.contract.wording import listed, sentence_case, summarise
from tools.grounding import (
    COARSE,
    LOCALISED_FROM,
    Asked,
    Coarse,
    GroundData,
    GroundedBox,
    not_localised,
    sided_map,
)
from tools.knowledge import FindingConcept, Region, finding
from tools.knowledge.objects import objects
from tools.measure import HEART, MeasureArguments, measure

SPREAD_MAX = 0.6
"""A map that is hot over more than this share of the region points at nothing in particular. A judgement as above."""

UNMEASURED = "How often this model's heat map points at the right place or side was not measured: check it on the film."

BOX_CAVEAT = (
    "The box is where the model's heat map is hottest within plausible anatomy; it is neither the finding's outline "
    "nor its size."
)

OUTLINE_CAVEAT = (
    "The outline is coarse (about 1 cm; 3 mm for devices) and a program's guess at the extent: check it on the film."
)

SYNTHETIC_CAVEAT = (
    "This model learnt {name} from synthetic films; how often it points right on real ones was not measured."
)


class GroundArguments(ToolArguments):
    """What to localise on which film."""

    image_id: str = Field(description="Id of one frontal film of this session.")
    finding: str = Field(description="One finding code, e.g. effusion.")
    side: Literal["left", "right"] | None = Field(
        default=None, description="The patient's side to look on; leave out for both sides."
    )
    zone: Zone | None = Field(
        default=None, description="The third of the lungs to look in, upper, middle or lower; leave out for all."
    )


@dataclass(frozen=True)
class _Answer:
    """What was found out: the data, what to draw, who drew it, whether the models left the place open (none is sure of
    one, and none points elsewhere), and what a reader must know of a coarse place."""

    data: GroundData
    overlays: list[Overlay]
    by: Prediction | Outlines | None = None
    sighting: Sighting | None = None
    left_open: bool = False
    caveat: str = ""


def _why_not(seen: Finding, concept: FindingConcept) -> str:
    """Why a finding cannot be localised for the classifier's sake; empty when it can."""
    if seen.status is Status.ABSENT:
        return f"the classifier does not find {concept.name} ({seen.reason})"
    return f"{concept.name} is not assessed: {seen.reason}" if seen.status is Status.NOT_ASSESSED else ""


def _heart(film: Radiograph, concept: FindingConcept, seen: Finding, found: Outlines, asked: Asked) -> _Answer:
    """The heart's outline as the place of an enlarged heart."""
    quality = found.quality("heart") if found.has("heart") else 0.0
    if quality < QUALITY_MIN:
        reason = "the heart was not outlined" if not found.has("heart") else "the heart's outline is uncertain"
        return _Answer(not_localised(seen.status, reason, concept, asked, round(quality, 3), QUALITY_MIN), [], found)
    box = extent(found.mask("heart"))
    data = GroundData(
        finding=concept.code, name=concept.name, localised=True, reason="the heart's outline", **asked.given,
        confidence=round(quality, 3), confidence_needed=QUALITY_MIN, classifier_status=seen.status,
        boxes=[GroundedBox(box=box, side=None, zone=None, place="heart")], grounded_by=found.card.title,
    )  # fmt: skip
    return _Answer(data, [Overlay.box(film.id, box, concept.name)], found)


def _by_outline(
    film: Radiograph,
    concept: FindingConcept,
    seen: Finding,
    found: Outlines,
    asked: Asked,
    all_seen: Sightings,
    sighting: Sighting,
) -> _Answer:
    """The pieces of the outlining model's map in the anatomy where the finding can lie; see `_told_present`."""
    by, needed = all_seen.prediction, sighting.worth.threshold
    told = {"classifier_status": seen.status, "locator_status": sighting.status,
            "outlined_as": "" if sighting.code == concept.code else sighting.code,
            "tried_on_real_films": sighting.measured_on_real_films}  # fmt: skip

    def refused(reason: str) -> _Answer:
        data = not_localised(seen.status, reason, concept, asked, round(sighting.score, 3), needed)
        return _Answer(data.model_copy(update=told), [], by, sighting)

    if not _told_present(seen, sighting):
        unsure = f"{by.card.title} is sure of none (score {sighting.score:.2f}, {needed:.2f} is needed)"
        return replace(refused(unsure), left_open=True)
    try:
        anatomy = Anatomy(found)
    except ValueError:
        return refused("the lungs were not outlined on this film")
    values = all_seen.on(sighting, anatomy.grid_shape, anatomy.step)
    region = Region.WHOLE if sighting.code in objects() else concept.region
    within = anatomy.region(region, asked.side, asked.zone)
    if region is Region.PLEURA_BASE:
        within |= anatomy.region(Region.PLEURA, asked.side, asked.zone)
    spots = pieces(values, sighting.outlined_from, within)
    hot = np.where(values >= sighting.outlined_from, values, 0)
    agreement = float(hot[within].sum() / hot.sum()) if hot.any() else 0.0
    if not hot.any():
        return refused(f"it is scored (score {sighting.score:.2f}) but outlined nowhere")
    if not spots or agreement < LOCALISED_FROM:
        return refused(f"only {agreement:.0%} of what is outlined lies where {concept.name} can lie{asked.words}")
    boxes = _boxes(anatomy, region, tuple(spots))
    name = finding(_shown(seen, sighting)).name if sighting.code not in objects() else concept.name
    overlays = [Overlay.mask(film.id, anatomy.on_film(np.any(spots, axis=0)), name)]
    overlays += [Overlay.box(film.id, item.box, name, text=item.place) for item in boxes]
    data = GroundData(
        finding=concept.code, name=concept.name, localised=True, **asked.given, confidence=round(sighting.score, 3),
        reason=f"{by.card.title} outlines it (score {sighting.score:.2f}, threshold {needed:.2f})",
        confidence_needed=needed, boxes=boxes, grounded_by=by.card.title, **told,
    )  # fmt: skip
    return _Answer(data, overlays, by, sighting)


def _shown(seen: Finding, sighting: Sighting) -> str:
    """Code of what an outline shows: of a broader class it says nothing of a kind of it that nobody assessed (a
    pneumothorax that is outlined need not be under tension)."""
    return sighting.code if seen.status is Status.NOT_ASSESSED else seen.code


def _told_present(seen: Finding, sighting: Sighting) -> bool:
    """Whether the place may be told: the outlining model is sure, or it and the classifier are at least uncertain."""
    if sighting.status is Status.UNCERTAIN:
        return seen.status in (Status.PRESENT, Status.UNCERTAIN)
    return sighting.status is Status.PRESENT


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
    asked: Asked,
    model: str,
) -> _Answer:
    """The hottest places of the model's map within the anatomy where the finding can lie."""
    try:
        anatomy = Anatomy(found)
    except ValueError:
        return _Answer(
            not_localised(seen.status, "the lungs were not outlined on this film", concept, asked), [], found
        )
    grounder = model if _grounds(context, model) else None
    [prediction] = context.models.predict(Task.GROUND, [film], model_id=grounder)
    heat = _heat(prediction, concept.code, anatomy)
    if heat is None:
        reason = f"{prediction.card.title} makes no heat map for {concept.name}"
        return _Answer(not_localised(seen.status, reason, concept, asked), [], prediction)
    glowing = glow(heat, anatomy.region(concept.region, asked.side, asked.zone))
    confidence = round(glowing.agreement, 3)
    reason = unfit = _unfit(prediction)
    if not reason and (glowing.agreement < LOCALISED_FROM or not glowing.spots):
        reason = (
            f"only {glowing.agreement:.0%} of the map's hottest area lies where {concept.name} can lie{asked.words}"
        )
    elif not reason and len(glowing.spots) > SPOTS_MAX:
        reason = f"the map glows in {len(glowing.spots)} places at once"
    elif not reason and glowing.spread > SPREAD_MAX:
        reason = f"the map is spread over {glowing.spread:.0%} of where {concept.name} can lie{asked.words}"
    drawn = [Overlay.heatmap(film.id, np.maximum(heat, 0), film.shape, f"{concept.name}: where the model looked")]
    if reason:
        data = not_localised(seen.status, reason, concept, asked, confidence)
        return _Answer(data, drawn, prediction, left_open=bool(unfit))
    boxes = _boxes(anatomy, concept.region, glowing.spots)
    drawn += [Overlay.box(film.id, item.box, concept.name, text=item.place) for item in boxes]
    data = GroundData(
        finding=concept.code, name=concept.name, localised=True, **asked.given, confidence=confidence,
        reason=f"{glowing.agreement:.0%} of the map's hottest area lies where {concept.name} can lie{asked.words}",
        confidence_needed=LOCALISED_FROM, classifier_status=seen.status, boxes=boxes,
        grounded_by=prediction.card.title,
    )  # fmt: skip
    return _Answer(data, drawn, prediction)


def _unfit(prediction: Prediction) -> str:
    """Why the model's maps are no places at all, by its card's `localisation` (usable, reason); empty if not said."""
    said = (prediction.card.model_extra or {}).get("localisation") or {}
    return "" if said.get("usable", True) else str(said.get("reason") or "its card calls the model's maps no places")


def _boxes(anatomy: Anatomy, region: Region, spots: tuple[BoolMask, ...]) -> list[GroundedBox]:
    placed = [(spot, anatomy.place(region, spot)) for spot in spots]
    return [GroundedBox(box=anatomy.box(spot), side=at.side, zone=at.zone, place=at.words) for spot, at in placed]


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


def _finding(answer: _Answer, seen: Finding) -> Finding:
    """The finding with its place, or with why there is none: as the outlining model sees it where it told the place,
    otherwise as the classifier does."""
    data, sighting = answer.data, answer.sighting
    if sighting is not None and data.localised and isinstance(answer.by, Prediction):
        seen = seen.model_copy(
            update={
                "code": _shown(seen, sighting),
                "status": sighting.status,
                "score": data.confidence,
                "score_kind": answer.by.card.score_kind,
                "threshold": sighting.worth.threshold,
                "reason": data.reason,
            }
        )
    sides = {item.side for item in data.boxes if item.side}
    laterality = "bilateral" if len(sides) > 1 else next(iter(sides), None)
    places = listed(list(dict.fromkeys(item.place for item in data.boxes)))
    reason = seen.reason if data.localised else f"not localised: {data.reason}"
    return seen.model_copy(update={"laterality": laterality, "region": places or None, "reason": reason})


def _answered(
    context: ToolContext, film: Radiograph, concept: FindingConcept, seen: Finding, asked: Asked, model: str
) -> _Answer:
    """The place by the best means there is."""
    answer = _by_models(context, film, concept, seen, asked, model)
    if not answer.left_open or concept.code not in COARSE or _why_not(seen, concept):
        return answer
    told = _coarse(film, concept, seen, asked, outline(context, film), answer)
    return answer if told is None else told


def _coarse(
    film: Radiograph, concept: FindingConcept, seen: Finding, asked: Asked, found: Outlines, answer: _Answer
) -> _Answer | None:
    """The coarse place where the models left it open: by density, else by the map that may tell a side."""
    try:
        anatomy = Anatomy(found)
    except ValueError:  # neither lung is outlined
        return None
    coarse = Coarse(film, concept, seen, anatomy, asked)
    if (dense := coarse.by_density(found.card.title)) is not None:
        return _Answer(dense.data, dense.overlays, found, caveat=dense.caveat)
    by = answer.by
    if not isinstance(by, Prediction) or not isinstance(by.output, Heatmaps):
        return None
    sided = sided_map(answer.sighting, by.output, by.card, anatomy)
    told = coarse.by_side(sided) if sided else None
    return _Answer(told.data, told.overlays, by, caveat=told.caveat) if told else None


def _by_models(
    context: ToolContext, film: Radiograph, concept: FindingConcept, seen: Finding, asked: Asked, model: str
) -> _Answer:
    """The place by the outlining model where its card lets it be told, else by the heart's outline or the heat map."""
    all_seen = sightings(context.models, film) if concept.region is not Region.HEART else None
    sighting = all_seen.get(concept.code) if all_seen is not None else None
    if all_seen is not None and sighting is not None and sighting.worth.usable:
        return _by_outline(film, concept, seen, outline(context, film), asked, all_seen, sighting)
    if reason := _why_not(seen, concept):
        return _Answer(not_localised(seen.status, reason, concept, asked), [])
    found = outline(context, film)
    if concept.region is Region.HEART:
        return _heart(film, concept, seen, found, asked)
    return _by_heat(context, film, concept, seen, found, asked, model)


def _caveats(answer: _Answer, seen: Finding, concept: FindingConcept) -> list[str]:
    """What a reader must know about the place, and about the models that do not agree."""
    data, by, sighting = answer.data, answer.by, answer.sighting
    caveats = [answer.caveat] if answer.caveat else []
    if sighting is not None and not sighting.measured_on_real_films:
        caveats.append(SYNTHETIC_CAVEAT.format(name=concept.name))
    if data.localised and sighting is not None:
        caveats.append(OUTLINE_CAVEAT)
    elif data.localised and not data.coarse:
        caveats.append(BOX_CAVEAT if concept.region is not Region.HEART else "The box is the heart's outline.")
    if data.localised and not data.coarse and sighting is None and isinstance(by, Prediction):
        caveats += [UNMEASURED] if "localisation" not in (by.card.model_extra or {}) else []
    if data.localised and seen.status is Status.ABSENT:
        caveats.append(f"The classifier does not find {concept.name} ({seen.reason}): the two models disagree.")
    if seen.status is Status.UNCERTAIN:
        caveats.append(f"The classifier is uncertain whether there is {concept.name} at all ({seen.reason}).")
    return caveats


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
    asked = Asked(arguments.side, arguments.zone)
    answer = _answered(context, film, concept, seen, asked, assessment.model)
    data, by, row = answer.data, answer.by, _finding(answer, seen)
    told = f"{sentence_case(concept.name)}: not localised: {data.reason}."
    if data.localised:
        places = listed([item.place for item in data.boxes])
        told = f"{sentence_case(finding(row.code).name)} ({row.status.value}) is localised: {places}."
        told += f" Whether it is {concept.name} was not assessed." if row.code != concept.code else ""
    if data.coarse:
        told = f"{told} A coarse place: {data.reason}."
    numbers = "; ".join(f"box {list(item.box)} ({item.place})" for item in data.boxes)
    caveats = [*film_caveats(film), *_caveats(answer, seen, concept)]
    model = (by.model_id if isinstance(by, Prediction) else by.model) if by else assessment.model
    return Result(
        image_ids=[film.id],
        summary=summarise([told, f"Confidence {data.confidence:.2f}, {numbers}." if data.localised else ""]),
        findings=[row] if row.code == concept.code else [row, seen],
        data=data,
        overlays=answer.overlays,
        caveats=caveats,
        model=model,
        revision=by.revision if by else assessment.revision,
        card=card_facts(by.card if by else assessment.card, [concept.code]),
    )
