"""detect_objects: which tubes, lines, devices or forgotten objects are on one frontal film, and do tips lie right?

Answers each class of device or object that the model draws: seen, perhaps, or not seen; its outline and the tip of a
tube or line; how far an endotracheal tube's tip lies above the carina. A suspected retained object, or a tip outside
its usual place, comes first as an alert. Frontal films only. It does not say that a device works, or may be used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
from pydantic import BaseModel, Field

from imaging.geometry import extent
from imaging.overlays import Overlay
from imaging.radiograph import Radiograph
from models.outputs import ScoreKind, Task
from tools.anatomy import Anatomy, Outlines, Place, outline
from tools.anatomy.devices import DeviceSeen, Traced, device_tips, devices_seen, thinned
from tools.anatomy.outlines import BoolMask
from tools.anatomy.sightings import Sightings, sightings
from tools.contract import Finding, Result, Status, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats, frontal_film
from tools.contract.wording import listed, sentence_case, summarise
from tools.knowledge import Region
from tools.knowledge.objects import objects
from tools.knowledge.ontology import normalise
from tools.measurements import Measurement, Sheet, measured

JUDGED = "ett"
"""The device whose tip is measured against the carina and judged."""

SYNTHETIC = (
    "Tubes, lines and objects were learnt from synthetic ones. On the few real films that were looked at for them this "
    "model missed most central lines: expect misses, and wires, clips or bone edges taken for devices."
)

RETAINED = "retained_object"

SEEN = (Status.PRESENT, Status.UNCERTAIN)


class DetectObjectsArguments(ToolArguments):
    """Which film, and what was asked."""

    image_id: str = Field(description="Id of one frontal film of this session.")
    question: str | None = Field(
        default=None, description="The user's question in their words; the devices it names are answered first."
    )


class FoundObject(BaseModel):
    """One class of device or object. Points are (row, column), boxes (row_min, col_min, row_max, col_max) in pixels."""

    code: str
    name: str
    status: Status
    score: float
    threshold: float
    boxes: list[tuple[int, int, int, int]] = Field(default_factory=list)
    places: list[str] = Field(default_factory=list)
    lines: list[list[tuple[float, float]]] = Field(default_factory=list)
    tip: tuple[float, float] | None = None


class DetectObjectsData(BaseModel):
    """Every class looked for, the alerts, and the endotracheal tube's tip against the carina where it was measured."""

    objects: list[FoundObject]
    alerts: list[str]
    tip: Measurement | None = None

    def get(self, code: str) -> FoundObject:
        """The class of that code; KeyError otherwise."""
        return next(item for item in self.objects if item.code == code)


def _place(anatomy: Anatomy | None, piece: Traced, shape: tuple[int, int]) -> str:
    """Where a piece lies: side and zone, or the side of the film."""
    top, low, bottom, high = piece.box
    if anatomy is None:
        return f"{'right' if low + high < shape[1] else 'left'} side of the film as the patient's"
    spot = np.zeros(anatomy.grid_shape, dtype=np.bool_)
    rows, columns = ((top + bottom) // 2 // anatomy.step, (low + high) // 2 // anatomy.step)
    spot[min(rows, spot.shape[0] - 1), min(columns, spot.shape[1] - 1)] = True
    place: Place = anatomy.place(Region.LUNG, spot)
    return place.words


def _on_film(piece: Traced, shape: tuple[int, int]) -> BoolMask:
    """A piece's mask in the film's own pixels."""
    step = max(1, -(-shape[0] // piece.mask.shape[0]))
    grown: BoolMask = np.repeat(np.repeat(piece.mask, step, axis=0), step, axis=1)[: shape[0], : shape[1]]
    return grown


def _drawn(film: Radiograph, seen: Iterable[DeviceSeen]) -> list[Overlay]:
    """Outlines of what is seen, and the tips."""
    drawn = []
    for one in seen:
        perhaps = "" if one.status is Status.PRESENT else " (uncertain)"
        label = f"{one.concept.name}{perhaps}"
        color = "finding" if one.concept.kind == RETAINED else None
        drawn += [Overlay.mask(film.id, _on_film(piece, film.shape), label, color=color) for piece in one.traced]
        if one.tip is not None:
            drawn.append(Overlay.point(film.id, one.tip, f"{label}: tip"))
        if one.concept.kind == RETAINED:
            drawn += [Overlay.box(film.id, piece.box, label, color=color) for piece in one.traced]
    return drawn


def _measured_tip(film: Radiograph, found: Outlines, seen: list[DeviceSeen]) -> Measurement | None:
    """The endotracheal tube's tip above the carina; None where no such tube is called present."""
    tips = device_tips(seen)
    if JUDGED not in tips:
        return None
    return measured(Sheet(film, found, tips={JUDGED: tips[JUDGED]}), ["tube_tip"])[0]


def _alerts(seen: list[DeviceSeen], places: dict[str, list[str]], tip: Measurement | None) -> list[str]:
    """What a reader must look at first."""
    told = []
    for one in seen:
        if one.concept.kind == RETAINED and one.status in SEEN and one.traced:
            sure = "is suspected" if one.status is Status.PRESENT else "cannot be excluded"
            where = listed(list(dict.fromkeys(places[one.concept.code])))
            told.append(f"ALERT: a {one.concept.name} {sure} ({where}): look at the film now.")
    if tip is not None and tip.measured:
        below = tip.index is not None and tip.index < 0
        if below or tip.status is Status.PRESENT:
            told.append(f"ALERT: the endotracheal tube may lie wrongly. {' '.join(tip.sentences)}")
    return told


def _told(one: DeviceSeen, places: list[str], tip: Measurement | None, found: Outlines) -> str:
    """One sentence, or two, on a device that is seen or perhaps seen."""
    where = listed(list(dict.fromkeys(places)))
    name = sentence_case(one.concept.name)
    score = f"score {one.sighting.score:.2f}, threshold {one.sighting.worth.threshold:.2f}"
    if one.status is Status.UNCERTAIN:
        return f"{name}: uncertain ({score}){f', perhaps in the {where}' if where else ''}."
    told = f"{name}: seen ({score})."
    if one.concept.tip is not None and one.sighting.tip_reason:
        return f"{told} Where its tip lies is not told: {one.sighting.tip_reason}."
    if one.concept.code == JUDGED and tip is not None:
        return f"{told} {' '.join(tip.sentences)}"
    if one.concept.code == "ng_tube" and one.tip is not None and found.has("left_diaphragm"):
        dome = extent(found.mask("left_diaphragm"))[0]
        below = one.tip[0] > dome
        return (
            f"{told} It can be followed to {'below' if below else 'above'} the top of the left half of the diaphragm."
        )
    return f"{told} It lies in the {where}." if where and one.concept.shape != "tube" else told


def _lines(seen: list[DeviceSeen], places: dict[str, list[str]], tip: Measurement | None, found: Outlines) -> list[str]:
    """What is seen, the surest first; what is not; and what is not looked for, with the reason."""
    order = sorted(seen, key=lambda one: SEEN.index(one.status) if one.status in SEEN else len(SEEN))
    told = [_told(one, places[one.concept.code], tip, found) for one in order if one.status in SEEN]
    if unseen := [one.concept.name for one in seen if one.status is Status.ABSENT]:
        told.append(f"Not seen: {listed(unseen)}.")
    for one in seen:
        if one.status is Status.NOT_ASSESSED:
            told.append(f"Not assessed: {one.concept.name} ({one.sighting.worth.reason}).")
    return told


def _asked(question: str | None) -> set[str]:
    """Classes that the question names."""
    said = f" {re.sub(r'[^a-z0-9 ]', ' ', normalise(question or ''))} "
    return {code for code, concept in objects().items() if any(f" {word} " in said for word in concept.asked_by)}


def _row(one: DeviceSeen, places: list[str]) -> FoundObject:
    return FoundObject(
        code=one.concept.code,
        name=one.concept.name,
        status=one.status,
        score=round(one.sighting.score, 3),
        threshold=one.sighting.worth.threshold,
        boxes=[piece.box for piece in one.traced],
        places=places,
        lines=[thinned(piece.line) for piece in one.traced if len(piece.line)],
        tip=one.tip,
    )


def _findings(seen: list[DeviceSeen], film: Radiograph, kind: ScoreKind) -> list[Finding]:
    """One finding per class that is seen or uncertain, and one per kind of class, which its surest class decides."""
    order = (Status.PRESENT, Status.UNCERTAIN, Status.ABSENT, Status.NOT_ASSESSED)

    def row(code: str, one: DeviceSeen, reason: str) -> Finding:
        if one.status is Status.NOT_ASSESSED:
            return Finding(code=code, image_id=film.id, status=one.status, reason=one.sighting.worth.reason)
        return Finding(
            code=code, image_id=film.id, status=one.status, score=round(one.sighting.score, 3), score_kind=kind,
            threshold=one.sighting.worth.threshold, reason=reason,
        )  # fmt: skip

    rows = [row(one.concept.code, one, "") for one in seen if one.status is not Status.ABSENT]
    for code in dict.fromkeys(one.concept.kind for one in seen):
        members = [one for one in seen if one.concept.kind == code]
        status = min((one.status for one in members), key=order.index)
        named = [one for one in members if one.status is status]
        best = max(named, key=lambda one: one.sighting.score - one.sighting.worth.threshold)
        rows.append(row(code, best, listed([one.concept.name for one in named])))
    return rows


def _caveats(film: Radiograph, seen: list[DeviceSeen], tip: Measurement | None) -> list[str]:
    caveats = [] if all(one.sighting.measured_on_real_films for one in seen) else [SYNTHETIC]
    present = {one.concept.code for one in seen if one.status in SEEN}
    caveats += [objects()[code].place for code in objects() if code in present and objects()[code].place]
    if tip is not None:
        caveats += tip.caveats
    return [*caveats, *film_caveats(film)]


@tool(
    name="detect_objects",
    title="Tubes, lines and objects",
    arguments=DetectObjectsArguments,
    result=DetectObjectsData,
    needs=(Task.DETECT, Task.SEGMENT),
    answers="Tubes, lines, pacemakers, drains and retained objects on a frontal film (PA or AP), with outlines and "
    "tips, and whether an endotracheal tube's tip lies right.",
    asked_by=(
        "retained foreign object",
        "retained foreign body",
        "tubes", "tube", "lines", "any lines", "any tubes", "any lines or tubes", "lines and tubes", "tubes and lines",
        "lines or tubes", "tubes or lines", "tubes and drains", "any devices", "devices", "support devices", "hardware",
        "any hardware", "implants", "implant", "medical devices", "catheters", "catheter", "endotracheal tube", "ett",
        "et tube", "intubated", "is the patient intubated", "is the ett well placed", "ett position", "tube position",
        "position of the tube", "position of the ett", "is the tube in the right place", "is the tube well placed",
        "is the tube too low", "is the tube too high", "tube too low", "malpositioned", "malposition", "line position",
        "is the line well placed", "nasogastric tube", "ng tube", "feeding tube", "where is the ng tube",
        "central line", "central venous line", "central venous catheter", "cvc", "picc", "picc line",
        "where is the line",
        "where does the line end", "pacemaker", "icd", "defibrillator", "where is the pacemaker", "chest drain",
        "chest tube", "where is the drain", "drain", "drains", "where is the tube", "where are the tubes", "retained",
        "retained object", "retained sponge", "retained needle", "retained surgical item", "retained swab", "sponge",
        "swab", "gossypiboma", "needle", "foreign body", "foreign object", "foreign bodies", "left behind",
        "surgical count", "incorrect count", "count is incorrect", "the count is incorrect", "count was incorrect",
        "count is wrong", "the count is wrong", "is there a needle", "is there a sponge", "missing sponge",
        "missing needle", "anything left behind",
    ),
)  # fmt: skip
def detect_objects(context: ToolContext, arguments: DetectObjectsArguments) -> Result:
    """Devices and objects with their tips; see the module."""
    film = frontal_film(context, arguments.image_id, "looking for tubes and objects")
    found = outline(context, film)
    seen_all = sightings(context.models, film)
    if not isinstance(seen_all, Sightings):
        raise TypeError("no model serves detect, although the tool needs it")
    try:
        anatomy = Anatomy(found)
    except ValueError:
        anatomy = None
    seen = devices_seen(seen_all, film.shape, anatomy)
    places = {one.concept.code: [_place(anatomy, piece, film.shape) for piece in one.traced] for one in seen}
    tip = _measured_tip(film, found, seen)
    alerts = _alerts(seen, places, tip)
    asked = _asked(arguments.question)
    answered = [one for one in seen if one.concept.code in asked]
    others = [one for one in seen if one.concept.code not in asked]
    by = seen_all.prediction
    return Result(
        image_ids=[film.id],
        summary=summarise(
            [*alerts, *(line for group in (answered, others) for line in _lines(group, places, tip, found))]
        ),
        findings=_findings(seen, film, by.card.score_kind),
        data=DetectObjectsData(
            objects=[_row(one, places[one.concept.code]) for one in seen], alerts=alerts, tip=tip
        ),
        overlays=_drawn(film, seen),
        caveats=_caveats(film, seen, tip),
        model=by.model_id,
        revision=by.revision,
        card=card_facts(by.card, [one.concept.code for one in seen]),
    )  # fmt: skip
