"""The cardiothoracic ratio: Danzer's, the heart's greatest distances from the midline over the chest's inner width."""

from __future__ import annotations

from imaging.overlays import Overlay
from imaging.radiograph import Radiograph, View
from tools.anatomy import doubts
from tools.anatomy.widths import Reach, bordered, heart_reach, midline
from tools.contract import Status
from tools.contract.films import ADULT_YEARS, is_child
from tools.contract.spacing import plane
from tools.knowledge import measurement
from tools.measurements.chain import (
    CENTRE,
    Measurement,
    NotMeasured,
    Quantity,
    conclusion,
    index,
    landmark,
    length,
    threshold,
)
from tools.measurements.sheet import Sheet, begun, reasoned

CODE = "cardiothoracic_ratio"

BORDER_SEEN = 0.5
"""Least share of the heart's outermost border that must lie against lung, on either side. Of 200 JSRT films none is
refused; of 15 phantoms with a left effusion 8, among them the 5 with the largest errors (0.12 to 0.83)."""

WHY_AP = (
    "On an AP film the heart is further from the detector and nearer to the tube than on a PA film, so that it is "
    "magnified, and the patient often breathes in less: the ratio comes out larger than it would on a PA film."
)


def judge_ratio(ratio: float, film: Radiograph) -> tuple[Status, str]:
    """Is this ratio an enlarged heart? Depends on the view; a child's is not judged, as its normal values differ."""
    concept = measurement(CODE)
    pa, ap, error = concept.limits["pa"], concept.limits["ap"], concept.error
    if is_child(film):
        return (
            Status.NOT_ASSESSED,
            f"The limit of {pa:.2f} holds for adults; at {film.age_years:g} years (below {ADULT_YEARS:g}) "
            "larger ratios can be normal.",
        )
    upper = pa if film.view is View.PA else ap
    if ratio > upper + error:
        return Status.PRESENT, f"{ratio:.2f} is above {upper:.2f}{_usual(film.view)}: the heart is enlarged."
    if ratio < pa - error:
        return Status.ABSENT, f"{ratio:.2f} is below {pa:.2f}: the heart is not enlarged."
    if film.view is View.PA:
        return Status.UNCERTAIN, f"{ratio:.2f} lies within the measurement error (±{error:.2f}) of {pa:.2f}."
    named = "an AP film" if film.view is View.AP else "a film of unknown view"
    return (
        Status.UNCERTAIN,
        f"{ratio:.2f} lies between {pa:.2f} (limit on PA films) and {ap:.2f} (used on AP films), "
        f"which decides nothing on {named}.",
    )


def _usual(view: View) -> str:
    if view is View.PA:
        return ""
    return ", the limit used on AP films" if view is View.AP else ", a limit that holds for AP films too"


def _landmarks(sheet: Sheet) -> tuple[float, Reach]:
    """Midline column and the heart's reach; NotMeasured where they make no sense."""
    if reasons := doubts(sheet.found):
        raise NotMeasured(" ".join(reasons))
    left, right = sheet.found.mask("left_lung"), sheet.found.mask("right_lung")
    middle = reasoned(midline, left, right)
    reach = heart_reach(sheet.found.mask("heart"), middle)
    if min(reach.right_px, reach.left_px) <= 0:
        raise NotMeasured(
            "The heart lies wholly to one side of the midline between the lungs (a shift, a strongly rotated film or a "
            "wrong outline): the cardiothoracic ratio is not defined."
        )
    hidden = [
        name
        for name, lung in (("left", left), ("right", right))
        if bordered(sheet.found.mask("heart"), lung, name == "left") < BORDER_SEEN
    ]
    if hidden:
        raise NotMeasured(
            f"The heart's {' and '.join(hidden)} border does not lie against lung where the heart is widest: fluid or "
            "dense lung hides it, or the outline is wrong."
        )
    limits = measurement(CODE).limits
    low, high = limits["plausible_low"], limits["plausible_high"]
    ratio = reach.width_px / sheet.chest.width_px
    if not low <= ratio <= high:
        raise NotMeasured(
            f"The outlines give a cardiothoracic ratio of {ratio:.2f}, which is outside {low:.2f}–{high:.2f} and taken "
            "for a failed outline."
        )
    return middle, reach


def cardiothoracic_ratio(sheet: Sheet) -> Measurement:
    """The ratio with its chain. NotMeasured where the outlines cannot carry it."""
    concept, film = measurement(CODE), sheet.film
    middle, reach = _landmarks(sheet)
    chest = sheet.chest
    ratio = round(reach.width_px / chest.width_px, 4)
    status, judged = judge_ratio(ratio, film)
    done = begun(concept)
    done.index, done.status = ratio, status
    done.quantities = [
        Quantity(code=CODE, name=concept.title, value=ratio, unit=""),
        *sheet.lengths("heart_width", "width of the heart", reach.width_px),
        *sheet.lengths("heart_right", "heart to the right of the midline", reach.right_px),
        *sheet.lengths("heart_left", "heart to the left of the midline", reach.left_px),
        *sheet.lengths("thorax_width", "inner width of the chest", chest.width_px),
    ]
    view = "unknown view" if film.view is View.UNKNOWN else film.view.value
    heart_mm, chest_mm = done.value("heart_width_mm"), done.value("thorax_width_mm")
    done.sentences = [
        f"Cardiothoracic ratio {ratio:.2f} ({view}): heart {reach.width_px:.0f} px, chest {chest.width_px:.0f} px.",
        judged,
        f"In mm, {plane(film)}: heart {heart_mm:.1f}, chest {chest_mm:.1f}." if heart_mm and chest_mm else "",
    ]
    right, left = [(float(row), float(column)) for row, column in (reach.right, reach.left)]
    row = float(chest.row)
    limits = concept.limits
    done.chain = [
        sheet.outlined("left_lung", "right_lung", "heart"),
        landmark("Midline: between the lungs' inner edges, above the heart.",
                 [(0.0, middle), (film.shape[0] - 1.0, middle)], "midline", line=True),
        landmark("Outermost point of the heart on the patient's right and left.", [right, left], ""),
        landmark("Outer edges of the lungs where the chest is widest.",
                 [(row, float(chest.first)), (row, float(chest.last))], ""),
        length(f"Heart: {reach.right_px:.0f} px right and {reach.left_px:.0f} px left of the midline.",
               reach.width_px, "px", [right, left]),
        length("Inner width of the chest.", chest.width_px, "px"),
        index("Cardiothoracic ratio: heart width over chest width.", ratio),
        threshold(f"Limit {limits['pa']:.2f} on PA films, {limits['ap']:.2f} used on AP films, measurement error "
                  f"±{concept.error:.2f}.", limits["pa"] if film.view is View.PA else limits["ap"]),
        conclusion(judged),
    ]  # fmt: skip
    if film.view is View.AP:
        done.caveats.append(WHY_AP)
    if reach.right_px > reach.left_px:
        done.caveats.append("The heart reaches further to the patient's right than left: check the film's side marker.")
    return done


def heart_lines(sheet: Sheet) -> list[Overlay]:
    """Heart to the right and to the left of the midline, and the chest's width; ends at the outer pixel edges."""
    middle, reach = _landmarks(sheet)
    chest, film = sheet.chest, sheet.film.id
    axis, right, left = middle + CENTRE, reach.right, reach.left
    return [
        Overlay.line(film, (right[0] + CENTRE, right[1]), (right[0] + CENTRE, axis), "heart, right of midline",
                     text=sheet.words(reach.right_px)),
        Overlay.line(film, (left[0] + CENTRE, axis), (left[0] + CENTRE, left[1] + 1), "heart, left of midline",
                     text=sheet.words(reach.left_px)),
        Overlay.line(film, (chest.row + CENTRE, chest.first), (chest.row + CENTRE, chest.last + 1),
                     "chest, inner width", text=sheet.words(chest.width_px)),
    ]  # fmt: skip
