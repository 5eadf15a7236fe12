"""segment: where are the lungs, the heart, the bones and the other structures on one frontal film?

Answers outlines in the film's own pixels, the area of each, and how certain the outline is. Frontal films only. Areas
are in pixels; in mm² only where the file gives a pixel spacing, and then in the plane that spacing belongs to. It does
not find disease: an outline says where a structure is, not whether it is healthy.

One outline can be corrected by a box, points or a scribble: later results of the session rest on the corrected one.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field

from imaging.failures import BadArguments
from imaging.geometry import dice, extent
from imaging.overlays import Overlay
from imaging.radiograph import Radiograph
from models.outputs import Task
from tools.anatomy import Outlines, doubts, outline
from tools.anatomy.marked import Drawn, corrected_outline
from tools.anatomy.outlines import BY_THE_USER, LESION
from tools.anatomy.plausibility import QUALITY_MIN
from tools.contract import Result, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.corrections import Correction
from tools.contract.films import film_caveats, frontal_film
from tools.contract.spacing import spacing_words
from tools.contract.wording import listed, summarise
from tools.knowledge import structure, structures

Place = Annotated[list[float], Field(min_length=3, max_length=3)]
"""[row, column, 1 inside or 0 outside]."""


class SegmentArguments(ToolArguments):
    """Which structures to outline by which model, or which one to correct and how."""

    image_id: str = Field(description="Id of one frontal film of this session.")
    structures: list[str] | None = Field(
        default=None,
        description="Structure codes (left_lung, right_lung, heart, left_clavicle, right_clavicle, mediastinum, aorta, "
        "trachea, spine, ribs, left_diaphragm, right_diaphragm; sides are the patient's) or the groups lungs, "
        "clavicles, diaphragm; leave out for every structure of the model.",
    )
    model: str | None = Field(
        default=None, description="Catalog id of the segmenter; leave out for the session's own choice."
    )
    structure: str | None = Field(
        default=None,
        description="The one structure whose outline to correct by box, points or scribble; also what no model here "
        "outlines: left_pneumothorax or right_pneumothorax (free air), and lung_lesion, a nodule or mass to be "
        "measured, by a box around it.",
    )
    box: list[float] | None = Field(
        default=None,
        min_length=4,
        max_length=4,
        description="[row_min, col_min, row_max, col_max] in the film's pixels, tight around the structure.",
    )
    points: list[Place] | None = Field(
        default=None,
        description="[row, column, 1 or 0] in the film's pixels: 1 belongs to the structure, 0 does not.",
    )
    scribble: list[Place] | None = Field(
        default=None, description="As points, joined in their order to strokes inside (1) or outside (0)."
    )
    undo: bool = Field(default=False, description="Go back to the model's own outline of `structure`.")


class Structure(BaseModel):
    """One outlined structure. `box` is (row_min, col_min, row_max, col_max) in the film's pixels; None if not found."""

    code: str
    name: str
    found: bool
    area_px: int
    area_mm2: float | None
    share_of_film: float
    quality: float
    box: tuple[int, int, int, int] | None
    corrected: bool = False


class CorrectionMade(BaseModel):
    """What a correction did to one outline."""

    code: str
    how: str
    by: str
    undone: bool
    area_before_px: int
    area_after_px: int
    kept: float = Field(description="Dice of the outlines before and after: how much of it stayed, 0 to 1.")


class SegmentData(BaseModel):
    """Every structure asked for, and the plane of the areas in mm²."""

    structures: list[Structure]
    not_made: list[str] = Field(default_factory=list, description="Structures asked for that this model does not make.")
    spacing: str
    doubts: list[str] = Field(default_factory=list, description="Why the outlines may not be plausible.")
    correction: CorrectionMade | None = None


def _wanted(asked: list[str] | None, made: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """(structures to return, structures known by name that the model does not make). Groups are spelled out."""
    if asked is None:
        return list(made), []
    codes: list[str] = []
    for word in asked:
        group = [item.code for item in structures().values() if item.group == word]
        codes.extend(group or [word if word in made else structure(word).code])
    unique = list(dict.fromkeys(codes))
    return [code for code in unique if code in made], [code for code in unique if code not in made]


def name_of(code: str) -> str:
    """What to call a structure."""
    return structures()[code].name if code in structures() else code.replace("_", " ")


def _structure(code: str, found: Outlines, film: Radiograph) -> Structure:
    mask = found.mask(code)
    pixels = int(mask.sum())
    area = round(pixels * film.spacing_mm[0] * film.spacing_mm[1], 1) if film.spacing_mm else None
    return Structure(
        code=code,
        name=name_of(code),
        found=pixels > 0,
        area_px=pixels,
        area_mm2=area,
        share_of_film=round(pixels / mask.size, 4),
        quality=round(found.quality(code), 3),
        box=extent(mask) if pixels else None,
        corrected=code in found.corrected,
    )


def _told(item: Structure) -> str:
    """ "heart 12345 px (8.1% of the film), 98 cm², certainty 0.95"."""
    physical = f", {item.area_mm2:.0f} mm²" if item.area_mm2 is not None else ""
    worth = "corrected by the user" if item.corrected else f"quality {item.quality:.2f}"
    return f"{item.name} {item.area_px} px ({item.share_of_film:.1%} of the film){physical}, {worth}"


def _sentences(data: SegmentData, title: str) -> list[str]:
    sentences = [f"{title} outlined:", *(f"{_told(item)};" for item in data.structures if item.found)]
    if absent := [item.name for item in data.structures if not item.found]:
        sentences.append(f"not found: {listed(absent)};")
    sentences[-1] = sentences[-1].rstrip(";") + "."
    if data.not_made:
        sentences.append(f"This model does not outline: {listed([name_of(code) for code in data.not_made])}.")
    sentences.append(data.spacing)
    return sentences


def _checked(arguments: SegmentArguments) -> None:
    """Raise BadArguments where the words are unknown or the arguments do not go together."""
    for word in arguments.structures or []:
        if not any(word in (item.code, item.group) for item in structures().values()):
            structure(word)
    drawn = [name for name in ("box", "points", "scribble") if getattr(arguments, name)]
    if drawn and not arguments.structure:
        raise BadArguments(f"A {drawn[0]} corrects one structure, and none is named.", "Give `structure`.")
    if arguments.structure and not drawn and not arguments.undo:
        raise BadArguments(
            f"Nothing says how to correct the {arguments.structure}.", "Give a box, points or a scribble, or undo."
        )


@tool(
    name="segment",
    title="Outline structures",
    arguments=SegmentArguments,
    result=SegmentData,
    needs=(Task.SEGMENT,),
    answers="Outlines, areas and outline quality of lungs, heart, bones and more on a frontal film (PA or AP); and one "
    "outline corrected by box, points or scribble.",
)
def segment(context: ToolContext, arguments: SegmentArguments) -> Result:
    """Masks with areas, or one corrected; see the module."""
    _checked(arguments)
    film = frontal_film(context, arguments.image_id, "segmentation")
    found = outline(context, film, arguments.model)
    if arguments.structure:
        return _correct(context, film, found, arguments, arguments.structure)
    codes, not_made = _wanted(arguments.structures, found.masks.codes)
    if not codes:
        raise BadArguments(
            f"{found.card.title} does not outline {listed(not_made)}.", f"It outlines {listed(found.masks.codes)}."
        )
    data = SegmentData(
        structures=[_structure(code, found, film) for code in codes],
        not_made=not_made,
        spacing=spacing_words(film),
        doubts=doubts(found),
    )
    return _result(film, found, data, summarise(_sentences(data, found.card.title)), [])


def _correct(context: ToolContext, film: Radiograph, found: Outlines, arguments: SegmentArguments, code: str) -> Result:
    """Put one outline right, keep it for the session, and show both."""
    if code not in (*found.masks.codes, *BY_THE_USER):
        structure(code)
        raise BadArguments(f"{found.card.title} does not outline the {name_of(code)}.", "Correct one that it outlines.")
    before = found.mask(code) if found.has(code) else np.zeros(film.shape, dtype=np.bool_)
    if arguments.undo:
        context.corrections.forget(film.id, code)
        how, by = "taken back", ""
    else:
        drawn = Drawn.of(arguments.box, arguments.points, arguments.scribble)
        mask, how, by = corrected_outline(context, film, found, code, drawn)
        context.corrections.put(film.id, code, Correction(mask, how, by))
    after = outline(context, film, arguments.model)
    now = after.mask(code) if after.has(code) else np.zeros(film.shape, dtype=np.bool_)
    made = CorrectionMade(
        code=code, how=how, by=by, undone=arguments.undo, area_before_px=int(before.sum()),
        area_after_px=int(now.sum()), kept=round(dice(before, now), 4),
    )  # fmt: skip
    shown = [_structure(code, after, film)] if code in after.masks.codes else []
    data = SegmentData(structures=shown, spacing=spacing_words(film), doubts=doubts(after), correction=made)
    sentences = [
        *_what_was_done(made),
        "" if made.undone else "Later results of this session rest on it.",
        "Its diameter can be measured now." if code == LESION and not made.undone else "",
        *(f"{_told(item)}." for item in shown if item.found),
        data.spacing,
    ]
    earlier = [Overlay.mask(film.id, before, f"{code} before")] if before.any() else []
    return _result(film, after, data, summarise(sentences), earlier)


def _what_was_done(made: CorrectionMade) -> list[str]:
    name = name_of(made.code)
    if not made.area_before_px:
        return [f"The {name} was outlined by {made.how} ({made.by}): {made.area_after_px} px."]
    if not made.area_after_px:
        return [f"The outline of the {name} was taken back: there is none now."]
    what = "taken back to the model" if made.undone else f"corrected by {made.how} ({made.by})"
    return [
        f"The outline of the {name} was {what}.",
        f"It covered {made.area_before_px} px before and covers {made.area_after_px} px now; {made.kept:.0%} of it "
        "stayed (Dice of both).",
    ]


def _result(film: Radiograph, found: Outlines, data: SegmentData, summary: str, more: list[Overlay]) -> Result:
    weak = [item.name for item in data.structures if item.found and item.quality < QUALITY_MIN]
    caveats = [*film_caveats(film), *data.doubts]
    if weak and not data.doubts:
        caveats.append(f"Uncertain outline: {listed(weak)}.")
    codes = [item.code for item in data.structures]
    return Result(
        image_ids=[film.id],
        summary=summary,
        data=data,
        overlays=[
            *(Overlay.mask(film.id, found.mask(item.code), item.code) for item in data.structures if item.found),
            *more,
        ],
        caveats=caveats,
        model=found.model,
        revision=found.revision,
        card=card_facts(found.card, codes),
    )
