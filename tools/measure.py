"""measure: how large, how wide, at what angle, how taken? Numbers read from outlines on one frontal film.

Answers the twelve tasks of CXReasonBench and more (tools/knowledge/measurements.toml), each as a chain that can be
checked step by step: region, landmark, measurement, index, threshold, conclusion, drawn on the film. Frontal films
only. What cannot be measured says why: not outlined, cut off, not plausible. Nothing is given in mm without a pixel
spacing. It says nothing on why something is large.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, Field, computed_field

from imaging.failures import NotApplicable
from imaging.radiograph import Radiograph, View
from models.outputs import ScoreKind, Task
from tools.anatomy import Outlines, outline
from tools.anatomy.located import Located, located
from tools.anatomy.outlines import FREE_AIR, LESION
from tools.contract import Finding, Overlay, Result, Status, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats, frontal_film
from tools.contract.quality import film_quality, quality_of
from tools.contract.spacing import plane, spacing_words
from tools.contract.wording import listed, sentence_case, summarise
from tools.knowledge import measurement, measurements
from tools.measurements import TASKS, Measurement, Sheet, measured
from tools.measurements.heart import heart_lines

HEART = "cardiothoracic_ratio"

EVERYTHING = (
    "measure everything", "measure all", "measure it all", "measure this film", "measure the film", "measure the chest",
    "measure this x ray", "measure this chest x ray", "all measurements", "take all measurements", "take measurements",
    "which measurements", "what measurements", "what are the measurements", "the measurements", "measurements",
)  # fmt: skip
"""Words that ask for every measurement."""

LESION_SIZE = "lesion_diameter"
"""What no outline of the segmenter is read for."""

BY_LOCATION = {"pneumothorax_size", LESION_SIZE, "tube_tip"}
"""Measurements of what the segmenter does not outline; a model of the task "detect" does where one is present."""

IN_FULL = 2
"""Up to so many measurements are told in full, more with their first sentence each."""


class MeasureArguments(ToolArguments):
    """What to measure on which film."""

    image_id: str = Field(description="Id of one frontal film of this session.")
    tasks: list[str] | None = Field(
        default=None,
        description=f"What to measure: {', '.join(TASKS)}; leave out for all that can be measured.",
    )


class MeasureData(BaseModel):
    """Every measurement asked for, and the plane of lengths and areas in mm."""

    measurements: list[Measurement]
    spacing: str
    view: View
    corrected: list[str] = Field(default_factory=list, description="Structures whose outline the user corrected.")

    def get(self, code: str) -> Measurement | None:
        """The measurement of that code that was made; None where it was not asked for or not made."""
        return next((item for item in self.measurements if item.code == code and item.measured), None)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def cardiothoracic_ratio(self) -> float | None:
        """The commonest number, again at the top."""
        made = self.get(HEART)
        return made.index if made else None


def findings_of(done: Iterable[Measurement], film: Radiograph) -> list[Finding]:
    """One finding per code of the ontology that the measurements speak of; the surest abnormal one decides."""
    rows: dict[str, Finding] = {}
    order = (Status.PRESENT, Status.UNCERTAIN, Status.ABSENT, Status.NOT_ASSESSED)
    for item in done:
        code = measurement(item.code).finding
        if not code or not item.measured:
            continue
        row = Finding(
            code=code,
            image_id=film.id,
            status=item.status,
            score=item.index,
            score_kind=ScoreKind.MEASUREMENT,
            threshold=_limit(item, film),
            laterality="left" if item.side == "left" else "right" if item.side == "right" else None,
            region="heart" if item.code == HEART else "mediastinum",
            reason=f"{item.title.lower()}: {item.sentences[1] if item.code == HEART else item.sentences[0]}",
        )
        known = rows.get(code)
        if known is None or order.index(row.status) < order.index(known.status):
            rows[code] = row
    return list(rows.values())


def _limit(item: Measurement, film: Radiograph) -> float | None:
    if item.code == HEART:
        return item.limits["pa" if film.view is View.PA else "ap"]
    return item.limits.get("high", next(iter(item.limits.values()), None))


def _summary(done: list[Measurement], film: Radiograph, title: str) -> str:
    """What was asked first; what could not be measured last."""
    made, missed = [item for item in done if item.measured], [item for item in done if not item.measured]
    if len(done) <= IN_FULL:
        told = [sentence for item in made for sentence in item.sentences]
        told += [sentence for item in missed for sentence in item.sentences]
        errors = listed([error for item in made if (error := _error(item))])
        outlined = f"Outlines by {title}" if any(item.code != LESION_SIZE for item in made) else ""
        basis = "; ".join(filter(None, (outlined, f"measurement error {errors}" if errors else "")))
        return summarise([*told, f"{sentence_case(basis)}." if basis else ""])
    told = [item.sentences[0] for item in made]
    left = f"Not measured: {listed([item.title.lower() for item in missed])}." if missed else ""
    mm = f"Lengths in mm are {plane(film)}." if film.spacing_mm else ""
    return summarise([*told, left, mm])


def _error(item: Measurement) -> str:
    """Empty where none is known in the index's unit: an error in mm says nothing of pixels."""
    if not item.error or item.unit == "px":
        return ""
    return {"deg": f"±{item.error:.0f}°", "mm": f"±{item.error:.0f} mm"}.get(item.unit, f"±{item.error:.2f}")


def _overlays(done: list[Measurement], sheet: Sheet) -> list[Overlay]:
    drawn: list[Overlay] = []
    for item in done:
        drawn += item.overlays(sheet.film.id)
        if item.code == HEART and item.measured:
            drawn += heart_lines(sheet)
    return drawn


def _by_the_user(found: Outlines) -> list[str]:
    """That some outlines are the user's own; a lesion's size says it itself."""
    named = listed([code.replace("_", " ") for code in found.corrected if code != LESION])
    return [f"Measured on outlines that the user corrected: {named}."] if named else []


def _refused(done: list[Measurement]) -> NotApplicable:
    if len(done) == 1:
        [item] = done
        return NotApplicable(
            f"{_named(item)} cannot be measured on this film. {item.reason}",
            "Look at the outlines with the segment tool, or give a straight frontal film that shows the whole chest.",
        )
    reasons = " ".join(f"{item.title}: {item.reason}" for item in done)
    return NotApplicable(f"None of it can be measured on this film. {reasons}", "Look at the outlines with segment.")


def _named(item: Measurement) -> str:
    return f"The {item.title[:1].lower()}{item.title[1:]}"


@tool(
    name="measure",
    title="Measure",
    arguments=MeasureArguments,
    result=MeasureData,
    needs=(Task.SEGMENT,),
    answers="Cardiothoracic ratio, mediastinal width, aorta, trachea, carina, costophrenic angles, lung areas, a "
    "nodule's or mass's diameter, and how the film was taken, on a frontal film (PA or AP), each with the steps and "
    "lines behind it.",
    asked_by=(
        *EVERYTHING,
        *(phrase for code, concept in measurements().items() if code != HEART for phrase in concept.asked),
    ),
)
def measure(context: ToolContext, arguments: MeasureArguments) -> Result:
    """Measurements as chains; see the module."""
    for code in arguments.tasks or []:
        measurement(code)
    codes = arguments.tasks or list(TASKS)
    film = frontal_film(context, arguments.image_id, "measuring")
    found = outline(context, film)
    seen = located(context.models, film, found) if BY_LOCATION & set(codes) else Located()
    air = seen.air | {code.partition("_")[0]: found.mask(code) for code in FREE_AIR if found.has(code)}
    checked = quality_of(film_quality(context.models, film))
    sheet = Sheet(film, found, checked, air, seen.lesions, seen.tips, seen.no_tip, seen.no_lesion)
    done = measured(sheet, codes)
    made = [item for item in done if item.measured]
    if not made:
        raise _refused(done)
    return Result(
        image_ids=[film.id],
        summary=_summary(done, film, found.card.title),
        findings=findings_of(done, film),
        data=MeasureData(
            measurements=done, spacing=spacing_words(film), view=film.view, corrected=list(found.corrected)
        ),
        overlays=_overlays(made, sheet),
        caveats=list(
            dict.fromkeys(
                [
                    *_by_the_user(found),
                    *(item.caveats[0] for item in made if item.code == LESION_SIZE),
                    *film_caveats(film),
                    *(seen.caveats if any(item.code in BY_LOCATION for item in made) else []),
                    *(caveat for item in made for caveat in item.caveats),
                ]
            )
        ),
        model=found.model,
        revision=found.revision,
        card=card_facts(found.card, ("left_lung", "right_lung", "heart")),
    )
