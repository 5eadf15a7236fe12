"""enhance: how would one frontal film look without its bones?

Answers a picture of the film with the shadow of ribs and clavicles taken away as far as a small network sees it, and a
map of what was taken away. Frontal films only. The picture was computed: it is for the eye, beside the film and never
instead of it, and no other tool reads it.
"""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, Field

from imaging.overlays import Overlay
from models.outputs import Picture, Task
from tools.anatomy import outline
from tools.contract import Result, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats, frontal_film
from tools.contract.wording import summarise

PICTURE_SIDE = 1024
"""Longest side in pixels of the picture in a result: enough for a screen, half a megabyte at most."""

COMPUTED = (
    "The picture without bone was computed by a network trained on synthetic films. It leaves some bone and fades what "
    "is no bone (nodules, vessels, lines, edges): judge only what the film itself shows, and take nothing for absent."
)


class EnhanceArguments(ToolArguments):
    """Which film, and by which model."""

    image_id: str = Field(description="Id of one frontal film of this session.")
    model: str | None = Field(
        default=None, description="Catalog id of the model; leave out for the session's own choice."
    )


class EnhanceData(BaseModel):
    """The picture and how much of the film it took away."""

    code: str = Field(description="what was done: bone_suppressed")
    picture: str = Field(description="base64 of an 8-bit grey PNG, white = dense")
    size: tuple[int, int] = Field(description="[H, W] of the picture; the film's own, or smaller")
    removed_in_lungs: float = Field(description="mean grey level taken away in the lungs, share of the film's range")
    largest_removed_in_lungs: float = Field(description="99th percentile of the same")


def encode_picture(pixels: npt.NDArray[np.float32]) -> tuple[str, tuple[int, int]]:
    """(base64 PNG, its [H, W]) of pixels [H, W] in [0, 1], made smaller where a side exceeds PICTURE_SIDE."""
    picture = Image.fromarray(np.rint(pixels.clip(0, 1) * 255).astype(np.uint8))
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii"), (picture.height, picture.width)


@tool(
    name="enhance",
    title="Suppress bone",
    arguments=EnhanceArguments,
    result=EnhanceData,
    needs=(Task.ENHANCE, Task.SEGMENT),
    answers="A picture of a frontal film (PA or AP) with ribs and clavicles faded, and a map of what was taken away.",
)
def enhance(context: ToolContext, arguments: EnhanceArguments) -> Result:
    """The film without bone as a picture; see the module."""
    film = frontal_film(context, arguments.image_id, "bone suppression")
    [prediction] = context.models.predict(Task.ENHANCE, [film], model_id=arguments.model)
    made = prediction.output
    if not isinstance(made, Picture):
        raise TypeError(f"{prediction.model_id} serves enhance but returned {type(made).__name__}")
    masks = outline(context, film).masks
    lungs = masks.get("left_lung") | masks.get("right_lung")
    removed = film.pixels - made.pixels
    taken = np.abs(removed[lungs]) if lungs.any() else np.zeros(1, dtype=np.float32)
    picture, size = encode_picture(made.pixels)
    data = EnhanceData(
        code=made.what.replace(" ", "_"),
        picture=picture,
        size=size,
        removed_in_lungs=round(float(taken.mean()), 4),
        largest_removed_in_lungs=round(float(np.percentile(taken, 99)), 4),
    )
    sentences = [
        f"{prediction.card.title}: a picture of the film with ribs and clavicles faded was made ({size[1]} x {size[0]} "
        "pixels).",
        f"In the lungs it takes away {data.removed_in_lungs:.1%} of the film's grey range on average.",
        "No finding may be read from this picture alone.",
    ]
    return Result(
        image_ids=[film.id],
        summary=summarise(sentences),
        data=data,
        overlays=[Overlay.heatmap(film.id, removed.clip(0), film.pixels.shape, "bone shadow taken away")],
        caveats=[*film_caveats(film), COMPUTED],
        model=prediction.model_id,
        revision=prediction.revision,
        card=card_facts(prediction.card),
    )
