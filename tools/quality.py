"""quality: is this picture a chest film at all, how does it lie, and what is wrong with it as a picture?

Answers: chest film or not, the view (PA, AP, lateral) beside what the file says, quarter turns, mirroring, inversion,
lungs cut off at an edge, depth of the breath where a model tells it, and how the greys lie. Any picture may be given.
It does not look for disease, and what it sees against the file's header is told, never put in its place.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from imaging.radiograph import View
from models.outputs import Quality, Task
from tools.contract import Result, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats
from tools.contract.quality import breath, not_chest, quality_facts, quality_of, quality_warnings
from tools.contract.wording import summarise

SCORES_MEAN = "Scores are uncalibrated: they rank pictures, they are no probabilities."


class QualityArguments(ToolArguments):
    """Which film to look at."""

    image_id: str = Field(description="Id of one film of this session; any view, any picture.")


class QualityData(BaseModel):
    """The verdicts as `hilum film --json` gives them; see tools.contract.quality.quality_facts."""

    quality: dict[str, Any]


def _sentences(quality: Quality, told: View, warnings: list[str]) -> list[str]:
    """What the planner reads."""
    said = [f"A chest film (score {quality.is_chest_score:.2f}): looks {quality.view}, the file says {told}."]
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
)
def quality(context: ToolContext, arguments: QualityArguments) -> Result:
    """Verdicts with warnings; see the module."""
    film = context.films.get(arguments.image_id)
    [prediction] = context.models.predict(Task.QUALITY, [film])
    found = quality_of(prediction)
    if found is None:
        raise TypeError(f"{prediction.model_id} answers {Task.QUALITY} with a {type(prediction.output).__name__}")
    warnings = quality_warnings(film, found)
    sentences = _sentences(found, film.view, warnings) if found.is_chest else [not_chest(film, found)]
    return Result(
        image_ids=[film.id],
        summary=summarise([*sentences, SCORES_MEAN]),
        data=QualityData(quality=quality_facts(film, prediction)),
        caveats=[*film_caveats(film), *warnings],
        model=prediction.model_id,
        revision=prediction.revision,
        card=card_facts(prediction.card),
    )
