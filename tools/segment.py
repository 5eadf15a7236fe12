"""segment: where are the lungs, the heart, the bones and the other structures on one frontal film?

Answers outlines in the film's own pixels, the area of each and how certain the outline is. Frontal films only. Areas
are in pixels; in mm² only where the file gives a pixel spacing, and then in the plane that spacing belongs to. It does
not find disease: an outline says where a structure is, not whether it is healthy.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from imaging.failures import BadArguments
from imaging.overlays import Overlay
from imaging.radiograph import Radiograph
from models.outputs import Task
from tools.anatomy import Outlines, doubts, outline
from tools.anatomy.outlines import extent
from tools.anatomy.plausibility import QUALITY_MIN
from tools.contract import Result, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats, frontal_film
from tools.contract.spacing import spacing_words
from tools.contract.wording import listed, summarise
from tools.knowledge import structure, structures


class SegmentArguments(ToolArguments):
    """Which structures to outline, and by which model."""

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


class SegmentData(BaseModel):
    """Every structure asked for, and the plane of the areas in mm²."""

    structures: list[Structure]
    not_made: list[str] = Field(default_factory=list, description="Structures asked for that this model does not make.")
    spacing: str
    doubts: list[str] = Field(default_factory=list, description="Why the outlines may not be plausible.")


def _wanted(asked: list[str] | None, made: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """(structures to return, structures known by name that the model does not make). Groups are spelled out."""
    if asked is None:
        return list(made), []
    codes: list[str] = []
    for word in asked:
        group = [item.code for item in structures().values() if item.group == word]
        codes.extend(group or [structure(word).code])
    unique = list(dict.fromkeys(codes))
    return [code for code in unique if code in made], [code for code in unique if code not in made]


def _structure(code: str, found: Outlines, film: Radiograph) -> Structure:
    mask = found.mask(code)
    pixels = int(mask.sum())
    area = round(pixels * film.spacing_mm[0] * film.spacing_mm[1], 1) if film.spacing_mm else None
    return Structure(
        code=code,
        name=structures()[code].name if code in structures() else code,
        found=pixels > 0,
        area_px=pixels,
        area_mm2=area,
        share_of_film=round(pixels / mask.size, 4),
        quality=round(found.quality(code), 3),
        box=extent(mask) if pixels else None,
    )


def _sentences(data: SegmentData, title: str) -> list[str]:
    sentences = [f"{title} outlined:"]
    for item in data.structures:
        if item.found:
            size = f"{item.area_px} px ({item.share_of_film:.1%} of the film)"
            physical = f", {item.area_mm2:.0f} mm²" if item.area_mm2 is not None else ""
            sentences.append(f"{item.name} {size}{physical}, quality {item.quality:.2f};")
    if absent := [item.name for item in data.structures if not item.found]:
        sentences.append(f"not found: {listed(absent)};")
    sentences[-1] = sentences[-1].rstrip(";") + "."
    if data.not_made:
        sentences.append(f"This model does not outline: {listed([structures()[c].name for c in data.not_made])}.")
    sentences.append(data.spacing)
    return sentences


@tool(
    name="segment",
    title="Outline structures",
    arguments=SegmentArguments,
    result=SegmentData,
    needs=(Task.SEGMENT,),
    answers="Outlines, areas and outline quality of lungs, heart, bones and more on a frontal film (PA or AP).",
)
def segment(context: ToolContext, arguments: SegmentArguments) -> Result:
    """Masks with areas; see the module."""
    for word in arguments.structures or []:
        if not any(word in (item.code, item.group) for item in structures().values()):
            structure(word)
    film = frontal_film(context, arguments.image_id, "segmentation")
    found = outline(context, film, arguments.model)
    codes, not_made = _wanted(arguments.structures, found.masks.codes)
    if not codes:
        raise BadArguments(
            f"{found.card.title} does not outline {listed(not_made)}.", f"It outlines {listed(found.masks.codes)}."
        )
    reasons = doubts(found)
    data = SegmentData(
        structures=[_structure(code, found, film) for code in codes],
        not_made=not_made,
        spacing=spacing_words(film),
        doubts=reasons,
    )
    weak = [item.name for item in data.structures if item.found and item.quality < QUALITY_MIN]
    caveats = [*film_caveats(film), *reasons]
    if weak and not reasons:
        caveats.append(f"Uncertain outline: {listed(weak)}.")
    return Result(
        image_ids=[film.id],
        summary=summarise(_sentences(data, found.card.title)),
        data=data,
        overlays=[Overlay.mask(film.id, found.mask(item.code), item.code) for item in data.structures if item.found],
        caveats=caveats,
        model=found.model,
        revision=found.revision,
        card=card_facts(found.card, codes),
    )
