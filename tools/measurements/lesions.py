"""How wide a nodule or mass is, read on the film where a model has outlined it; and why no effusion's size is told."""

from __future__ import annotations

from skimage.morphology import convex_hull_image

from tools.anatomy.lesion import Lesion, outlined, traced
from tools.anatomy.outlines import LESION
from tools.anatomy.widths import midline
from tools.contract import Status
from tools.contract.films import is_child
from tools.knowledge import measurement
from tools.measurements.chain import Measurement, NotMeasured, conclusion, index, landmark, length, region, threshold
from tools.measurements.sheet import Sheet, begun, reasoned

WITHIN = 0.95
"""Share of a lesion's border that must lie within the lungs' convex hulls. A judgement."""

DRAWN_EVERY = 6
"""Of the border's rays one in so many is a corner of the line that is drawn."""

WITHHELD = (
    "The size of an effusion is not told: fluid and abdomen are equally dense, so that its lower border is not seen, "
    "and its upper border could not be read to within 3 mm on held-out synthetic films. No volume is told either: no "
    "published rule gives one in ml from a height. Upright films begin to show a meniscus at about 200 ml and lose the "
    "dome of the diaphragm at about 500 ml (Blackmore 1996)."
)
ROUND = (
    "The diameter holds for round lesions seen against lung; one that fades into heart, wall or diaphragm is refused "
    "or measured too small."
)
LEARNT = (
    "Found by a model that learnt it from synthetic films: check on the film that it is a lesion at all. On 23 other "
    "synthetic films the longest diameter was off by 1 mm at the median, by 10 mm or more in one of ten (masses too "
    "small). On real films it is not known: of 125 real nodules (JSRT) 3 were found and none was measured."
)
DRAWN = (
    "Measured along the outline made from the user's box: look at it. On 125 real nodules (JSRT, 6 to 37 mm), in boxes "
    "drawn to 10 % of the diameter, the average of both diameters was off by 1.0 mm at the median, by more than 2.6 mm "
    "in one of ten; in boxes drawn to 20 % by 1.9 and 5.5 mm."
)
DRAW_IT = (
    'Outline it yourself and it is measured: "outline the nodule: box 120 80 160 120" (first and last row and column, '
    "in the order row, column, row, column)."
)


def effusion_height(sheet: Sheet) -> Measurement:
    """Withheld: see docs/evals.md for what was tried. NotMeasured always, with the reason."""
    raise NotMeasured(WITHHELD)


def lesion_diameter(sheet: Sheet) -> Measurement:
    """Longest and shortest diameter of the nodule or mass that the user outlined, else of the surest one found.

    NotMeasured where nobody outlined one, or where no border is seen around what a model found.
    """
    concept = measurement("lesion_diameter")
    by_user = LESION in sheet.found.corrected
    try:
        found = reasoned(outlined, sheet.mask(LESION), sheet.aspect) if by_user else _traced(sheet)
    except NotMeasured as reason:
        raise NotMeasured(f"{reason} {DRAW_IT}") from reason
    value, unit = sheet.size(found.long_px)
    middle = sum(column for _, column in found.border) / len(found.border)
    done = begun(concept)
    done.index, done.unit = round(value, 1), unit
    done.side = "left" if middle > reasoned(midline, sheet.mask("left_lung"), sheet.mask("right_lung")) else "right"
    for code, name, px in (
        ("lesion_long", "longest diameter", found.long_px),
        ("lesion_short", "extent across it", found.short_px),
        ("lesion_mean", "average of both", found.mean_px),
    ):
        done.quantities += sheet.lengths(code, name, px)
    done.status, judged = judge_lesion(value if unit == "mm" else None, child=is_child(sheet.film))
    said = (
        f"The lesion in the {done.side} lung measures {sheet.words(found.long_px)} in its longest diameter and "
        f"{sheet.words(found.short_px)} across it on the film, {sheet.words(found.mean_px)} on average."
    )
    done.sentences = [said, judged]
    if len(sheet.lesions) > 1 and not by_user:
        done.sentences.append(f"It is the surest of {len(sheet.lesions)} places outlined; the others are not measured.")
    done.chain = [
        sheet.outlined(LESION) if by_user
        else region("Lesion outlined coarsely by the locating model, its border traced on the film."),
        landmark("Border of the lesion.", [*found.border[::DRAWN_EVERY], found.border[0]], "border of the lesion",
                 line=True),
        length("Longest diameter.", value, unit, found.long, "longest diameter"),
        length("Extent across it.", *sheet.size(found.short_px), found.short, "across"),
        index("Longest diameter.", value, unit),
        threshold(f"A nodule up to {concept.limits['mass_mm']:.0f} mm, a mass above, error ±{concept.error:.0f} mm.",
                  concept.limits["mass_mm"], "mm"),
        conclusion(judged),
    ]  # fmt: skip
    done.caveats += [DRAWN] if by_user else [LEARNT, ROUND]
    return done


def _traced(sheet: Sheet) -> Lesion:
    """The surest lesion that a model outlined. NotMeasured where there is none, or no border is seen around it."""
    if not sheet.lesions:
        raise NotMeasured(sheet.no_lesion or "No model here outlines nodules or masses.")
    found: Lesion = reasoned(traced, sheet.film.pixels, sheet.lesions[0], sheet.aspect)
    lungs = convex_hull_image(sheet.mask("left_lung")) | convex_hull_image(sheet.mask("right_lung"))
    within = [lungs[_held(row, lungs.shape[0]), _held(column, lungs.shape[1])] for row, column in found.border]
    if sum(within) < WITHIN * len(within):
        raise NotMeasured("The lesion's border runs beyond the lungs, where heart, wall or diaphragm hide it.")
    return found


def _held(place: float, size: int) -> int:
    return min(max(round(place), 0), size - 1)


def judge_lesion(long_mm: float | None, *, child: bool = False) -> tuple[Status, str]:
    """Is it a mass by its size? PRESENT: yes."""
    concept = measurement("lesion_diameter")
    limit = concept.limits["mass_mm"]
    if child:
        return Status.NOT_ASSESSED, "Nodule and mass are words for adults: a child's lesion is not judged by its size."
    if long_mm is None:
        return Status.NOT_ASSESSED, "The file gives no pixel spacing: nodule or mass is not judged."
    if long_mm > limit + concept.error:
        return Status.PRESENT, f"Above {limit / 10:.0f} cm a lesion is called a mass."
    if long_mm < limit - concept.error:
        return Status.ABSENT, f"Up to {limit / 10:.0f} cm a lesion is called a nodule."
    return Status.UNCERTAIN, f"That is at the limit of {limit / 10:.0f} cm between nodule and mass."
