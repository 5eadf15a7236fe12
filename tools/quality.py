"""quality: is this picture a chest film at all, how does it lie, and what is wrong with it as a picture?

Answers: chest film or not, the view (PA, AP, lateral) beside what the file says, quarter turns, mirroring, inversion,
lungs cut off at an edge, depth of the breath where a model tells it, and how the greys lie. Any picture may be given.
It does not look for disease, and what it sees against the file's header is told, never put in its place.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from imaging.radiograph import Radiograph, View
from models.outputs import Quality, Task
from tools.contract import Result, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats, unreadable
from tools.contract.quality import breath, exposure, not_chest, quality_facts, quality_of, quality_warnings
from tools.contract.wording import summarise

SCORES_MEAN = "Scores are uncalibrated: they rank pictures, they are no probabilities."


class QualityArguments(ToolArguments):
    """Which film to look at."""

    image_id: str = Field(description="Id of one film of this session; any view, any picture.")


class QualityData(BaseModel):
    """The verdicts as `hilum film --json` gives them; see tools.contract.quality.quality_facts."""

    quality: dict[str, Any]
    unusable: str = ""
    """Why no other tool should read the film; empty if they can."""
    remedy: str = ""
    """What to do about that."""


def _sentences(film: Radiograph, quality: Quality, warnings: list[str]) -> list[str]:
    """What the planner reads."""
    said = [f"A chest film (score {quality.is_chest_score:.2f}): looks {quality.view}, the file says {film.view}."]
    said.append(f"Exposure by its greys: {exposure(film).verdict}.")
    if not quality.turned_deg and not quality.inverted:
        said.append("Upright, dense is white.")
    if quality.view != View.LATERAL:
        if quality.mirrored is False:
            said.append("Not mirrored.")
        if not quality.cut_edges:
            said.append("No lung is seen to be cut off.")
        if depth := breath(quality):
            said.append(f"Breath: {depth}.")
    return [*said, *warnings]


@tool(
    name="quality",
    title="Check the film",
    arguments=QualityArguments,
    result=QualityData,
    needs=(Task.QUALITY,),
    answers="Whether a picture is a chest film, its view, turn, mirroring, inversion, lungs cut off, breath and greys; "
    "any view.",
    asked_by=(
        "film quality",
        "image quality",
        "quality ok",
        "is the quality",
        "quality of the film",
        "quality of this film",
        "quality of the image",
        "quality of this image",
        "good quality",
        "poor quality",
        "adequate quality",
        "technically adequate",
        "technical quality",
        "well exposed",
        "underexposed",
        "overexposed",
        "exposure",
        "well inspired",
        "good inspiration",
        "poor inspiration",
        "inspiration adequate",
        "adequate inspiration",
        "depth of inspiration",
        "is this a chest film",
        "is this a chest x ray",
        "is it a chest x ray",
        "is this a chest radiograph",
        "upside down",
        "inverted",
        "mirrored",
        "flipped",
        "cut off",
        "clipped",
        "can this film be used",
        "good enough",
        "good enough to read",
        "readable",
        "diagnostic quality",
        "can it be read",
        "can this be read",
    ),
)
def quality(context: ToolContext, arguments: QualityArguments) -> Result:
    """Verdicts with warnings; see the module."""
    film = context.films.get(arguments.image_id)
    [prediction] = context.models.predict(Task.QUALITY, [film])
    found = quality_of(prediction)
    if found is None:
        raise TypeError(f"{prediction.model_id} answers {Task.QUALITY} with a {type(prediction.output).__name__}")
    warnings = quality_warnings(film, found)
    refused = unreadable(film, found, "every other tool")
    sentences = _sentences(film, found, warnings) if found.is_chest else [not_chest(film, found)]
    return Result(
        image_ids=[film.id],
        summary=summarise([*sentences, SCORES_MEAN]),
        data=QualityData(
            quality=quality_facts(film, prediction),
            unusable=refused.message if refused is not None else "",
            remedy=refused.hint if refused is not None else "",
        ),
        caveats=[*film_caveats(film), *warnings],
        model=prediction.model_id,
        revision=prediction.revision,
        card=card_facts(prediction.card),
    )
