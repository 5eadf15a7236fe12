"""suppress_bone: how would one frontal film look without its bones?

Answers a new film of the session, the film with the shadow of ribs and clavicles taken away as far as a small network
sees it, and a map of what was taken away. Frontal films only. The new film has the same pixel grid and is marked as
processed: other tools read it when it is named, and its results stand beside those of the film itself.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from imaging.derived import processed
from imaging.overlays import Overlay
from models.outputs import Picture, Task
from tools.anatomy import outline
from tools.contract import Result, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats, frontal_film
from tools.contract.made import STAYS_BESIDE, MadeFilm, described, keep
from tools.contract.wording import sentence_case, summarise

COMPUTED = (
    "The picture without bone was computed by a network{trained}. It leaves some bone and fades what is no bone "
    "(nodules, vessels, lines, edges): judge only what the film itself shows, and take nothing for absent."
)
SYNTHETIC = "embedded-bone-suppressor"
"""The one that is known to have learnt from synthetic films."""


class SuppressBoneArguments(ToolArguments):
    """Which film, and by which model."""

    image_id: str = Field(description="Id of one frontal film of this session.")
    model: str | None = Field(
        default=None, description="Catalog id of the model; leave out for the session's own choice."
    )


class SuppressBoneData(MadeFilm):
    """The new film, and how much of the film was taken away."""

    removed_in_lungs: float = Field(description="mean grey level taken away in the lungs, share of the film's range")
    largest_removed_in_lungs: float = Field(description="99th percentile of the same")


@tool(
    name="suppress_bone",
    title="Suppress bone",
    arguments=SuppressBoneArguments,
    result=SuppressBoneData,
    needs=(Task.ENHANCE, Task.SEGMENT),
    answers="A frontal film (PA or AP) with ribs and clavicles faded, as a further film of the session marked as "
    "processed, and a map of what was taken away.",
    asked_by=(
        "take the ribs out",
        "take the bones out",
        "film without ribs",
        "image without ribs",
        "picture without ribs",
        "film without the ribs",
        "film without bones",
        "image without bones",
        "film without the bones",
        "remove the ribs",
        "remove ribs",
        "remove the bones",
        "remove bones",
        "remove the clavicles",
        "remove bone",
        "suppress bone",
        "suppress bones",
        "suppress the bone",
        "suppress the bones",
        "suppress the ribs",
        "suppress ribs",
        "bone suppression",
        "bone suppressed",
        "rib suppression",
        "rib suppressed",
        "bone subtraction",
        "subtract the bones",
        "subtract the ribs",
        "take away the ribs",
        "take away the bones",
        "take out the ribs",
        "hide the ribs",
        "hide the bones",
        "fade the ribs",
        "fade the bones",
        "delete the ribs",
        "erase the ribs",
        "without ribs",
        "without the ribs",
        "without bones",
        "without bone",
        "without the bones",
        "bone free",
        "rib free",
        "behind the ribs",
        "soft tissue image",
        "soft tissue picture",
        "soft tissue film",
        "soft tissue view",
        "soft tissue only",
    ),
)
def suppress_bone(context: ToolContext, arguments: SuppressBoneArguments) -> Result:
    """The film without bone as a film of the session; see the module."""
    film = frontal_film(context, arguments.image_id, "bone suppression")
    [prediction] = context.models.predict(Task.ENHANCE, [film], model_id=arguments.model)
    output = prediction.output
    if not isinstance(output, Picture):
        raise TypeError(f"{prediction.model_id} serves enhance but returned {type(output).__name__}")
    masks = outline(context, film).masks
    lungs = masks.get("left_lung") | masks.get("right_lung")
    removed = film.pixels - output.pixels
    taken = np.abs(removed[lungs]) if lungs.any() else np.zeros(1, dtype=np.float32)
    by = f"{prediction.model_id}@{prediction.revision}"
    made = keep(context, processed(context.films.get(film.id), output.pixels, output.what, by))
    data = SuppressBoneData(
        **described(context, made, output.what.replace(" ", "_")),
        removed_in_lungs=round(float(taken.mean()), 4),
        largest_removed_in_lungs=round(float(np.percentile(taken, 99)), 4),
    )
    trained = " trained on synthetic films" if prediction.model_id == SYNTHETIC else ""
    sentences = [
        f"{sentence_case(data.film_name)} is {context.films.name(film.id)} with ribs and clavicles faded.",
        STAYS_BESIDE,
        f"In the lungs it lacks {data.removed_in_lungs:.1%} of the film's grey range on average.",
        f"Ask about {data.film_name} by its number to have both read.",
    ]
    return Result(
        image_ids=[film.id, made.id],
        summary=summarise(sentences),
        data=data,
        overlays=[Overlay.heatmap(film.id, removed.clip(0), film.pixels.shape, "bone shadow taken away")],
        caveats=[COMPUTED.format(trained=trained), *film_caveats(film)],
        model=prediction.model_id,
        revision=prediction.revision,
        card=card_facts(prediction.card),
    )
