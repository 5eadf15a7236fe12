"""Lung areas, costophrenic angles, the levels of the diaphragm, pneumothorax size."""

from __future__ import annotations

from tools.anatomy.pleura import Collapse, Recess, collapse, costophrenic, dome_top
from tools.contract import Status
from tools.contract.films import is_child
from tools.contract.wording import listed
from tools.knowledge import measurement
from tools.measurements.chain import Measurement, NotMeasured, Quantity, conclusion, index, landmark, length, threshold
from tools.measurements.sheet import Sheet, begun, reasoned

SIDES = ("right", "left")

FLUID = (
    "The outline of a lung may run through fluid or leave it out: an angle that looks sharp does not exclude an "
    "effusion."
)


def lung_areas(sheet: Sheet) -> Measurement:
    """Area of each lung, and the left over the right. NotMeasured where a lung is cut off or not outlined."""
    concept = measurement("lung_areas")
    pixels = {side: int(sheet.whole(f"{side}_lung").sum()) for side in SIDES}
    ratio = pixels["left"] / pixels["right"]
    spacing = sheet.film.spacing_mm
    done = begun(concept)
    done.quantities = [Quantity(code="lung_area_ratio", name="left over right lung", value=round(ratio, 4), unit="")]
    told = []
    for side in SIDES:
        name = f"area of the {side} lung"
        done.quantities.append(Quantity(code=f"{side}_lung_area_px", name=name, value=float(pixels[side]), unit="px"))
        told.append(f"{side} lung {pixels[side]} px")
        if spacing:
            area = round(pixels[side] * spacing[0] * spacing[1], 1)
            done.quantities.append(Quantity(code=f"{side}_lung_area_mm2", name=name, value=area, unit="mm²"))
            told[-1] = f"{side} lung {area / 100:.0f} cm²"
    status, judged = judge_areas(ratio)
    done.index, done.status = round(ratio, 4), status
    done.side = {Status.PRESENT: "left" if ratio < 1 else "right"}.get(status)
    done.sentences = [f"Lung areas: {listed(told)}; left over right {ratio:.2f}.", judged]
    done.chain = [
        sheet.outlined("left_lung", "right_lung"),
        *(length(f"Area of the {side} lung.", pixels[side], "px") for side in SIDES),
        index("Left over right.", ratio),
        threshold(f"Usual {concept.limits['low']:.2f} to {concept.limits['high']:.2f}, error ±{concept.error:.2f}."),
        conclusion(judged),
    ]
    return done


def judge_areas(ratio: float) -> tuple[Status, str]:
    """Are the lungs unlike in size, by the left's area over the right's?"""
    concept = measurement("lung_areas")
    low, high, error = concept.limits["low"], concept.limits["high"], concept.error
    if low + error <= ratio <= high - error:
        return Status.ABSENT, f"{ratio:.2f} lies within the usual range of {low:.2f} to {high:.2f}."
    if ratio < low - error:
        return Status.PRESENT, f"{ratio:.2f} is below {low:.2f}: the left lung's outline is unusually small."
    if ratio > high + error:
        return Status.PRESENT, f"{ratio:.2f} is above {high:.2f}: the right lung's outline is unusually small."
    return Status.UNCERTAIN, f"{ratio:.2f} lies at the edge of the usual range of {low:.2f} to {high:.2f}."


def costophrenic_angles(sheet: Sheet) -> Measurement:
    """The angle beside each lung's lowest lateral point. NotMeasured where both lungs are cut off or not outlined."""
    concept = measurement("costophrenic_angles")
    found: dict[str, Recess] = {}
    missing: list[str] = []
    for side in SIDES:
        try:
            found[side] = _recess(sheet, side)
        except NotMeasured as reason:
            missing.append(f"The {side} one is not measured: {reason}")
    if not found:
        raise NotMeasured(" ".join(missing))
    judged = {side: judge_recess(recess.angle_deg) for side, recess in found.items()}
    done = begun(concept)
    worst = max(found, key=lambda side: found[side].angle_deg)
    done.index, done.status = round(found[worst].angle_deg, 1), judged[worst]
    done.side = worst if judged[worst] is Status.PRESENT else None
    done.quantities = [
        Quantity(code=f"{side}_costophrenic_angle_deg", name=f"{side} costophrenic angle",
                 value=round(recess.angle_deg, 1), unit="deg")
        for side, recess in found.items()
    ]  # fmt: skip
    words = {Status.PRESENT: "blunted", Status.ABSENT: "sharp", Status.UNCERTAIN: "neither clearly sharp nor blunted"}
    told = listed([f"{side} {recess.angle_deg:.0f}° ({words[judged[side]]})" for side, recess in found.items()])
    done.sentences = [f"Costophrenic angles: {told}.", *missing]
    done.chain = [sheet.outlined("left_lung", "right_lung")]
    for side, recess in found.items():
        done.chain += [
            landmark(f"Lowest lateral point of the {side} lung.", [recess.tip], ""),
            landmark(f"Chest wall and dome beside it, {side}.", [recess.wall, recess.tip, recess.dome],
                     f"{side} costophrenic angle", line=True),
            length(f"Angle between both, {side}.", recess.angle_deg, "deg"),
        ]  # fmt: skip
    usual, blunted = concept.limits["usual"], concept.limits["blunted"]
    done.chain += [
        index("The wider one.", found[worst].angle_deg, "deg"),
        threshold(f"Usual below {usual:.0f}°, blunted from {blunted:.0f}°.", blunted, "deg"),
        conclusion(done.sentences[0]),
    ]
    done.caveats.append(FLUID)
    return done


def _recess(sheet: Sheet, side: str) -> Recess:
    lung = sheet.whole(f"{side}_lung")
    if lung[-1].any():
        raise NotMeasured(f"The {side} lung reaches the lower edge of the film, which cuts it off.")
    return reasoned(costophrenic, lung, side == "left", sheet.chest.width_px, sheet.aspect)


def judge_recess(angle_deg: float) -> Status:
    """Is this angle blunted?"""
    limits = measurement("costophrenic_angles").limits
    if angle_deg >= limits["blunted"]:
        return Status.PRESENT
    return Status.ABSENT if angle_deg <= limits["usual"] else Status.UNCERTAIN


def diaphragm_levels(sheet: Sheet) -> Measurement:
    """How much higher the right dome stands. NotMeasured where a lung does not end on its half of the diaphragm."""
    concept = measurement("diaphragm_levels")
    heart = sheet.mask("heart")
    tops = {
        side: reasoned(dome_top, sheet.mask(f"{side}_lung"), sheet.mask(f"{side}_diaphragm") & ~heart) for side in SIDES
    }
    lower_px = (tops["left"][0] - tops["right"][0]) * sheet.aspect
    ratio = lower_px / sheet.chest.width_px
    status, side, judged = judge_domes(ratio)
    done = begun(concept)
    done.index, done.status, done.side = round(ratio, 4), status, side
    done.quantities = sheet.lengths("dome_difference", "left dome's top below (positive) the right one's", lower_px)
    higher = "right" if lower_px >= 0 else "left"
    done.sentences = [f"The {higher} dome of the diaphragm stands {sheet.words(abs(lower_px))} higher.", judged]
    done.chain = [
        sheet.outlined("left_lung", "right_lung", "left_diaphragm", "right_diaphragm"),
        *(landmark(f"Top of the {side} dome.", [top], f"top of the {side} dome") for side, top in tops.items()),
        length("Left top below the right one.", *sheet.size(lower_px)),
        index("Over the chest's width.", ratio),
        threshold(f"Usual {concept.limits['low']:.2f} to {concept.limits['high']:.2f}, error ±{concept.error:.2f}."),
        conclusion(judged),
    ]
    return done


def judge_domes(ratio: float) -> tuple[Status, str | None, str]:
    """(status, side, sentence): does one dome stand unusually high, by how far the left lies below the right?"""
    limits, error = measurement("diaphragm_levels").limits, measurement("diaphragm_levels").error
    if ratio < limits["low"] - error:
        return Status.PRESENT, "left", "Usually the right one does: the left half of the diaphragm stands high."
    if ratio > limits["high"] + error:
        return Status.PRESENT, "right", "That is more than usual: the right half of the diaphragm stands high."
    if limits["low"] + error <= ratio <= limits["high"] - error:
        return Status.ABSENT, None, "That is the usual difference."
    return Status.UNCERTAIN, None, "That lies at the edge of the usual difference."


def pneumothorax_size(sheet: Sheet) -> Measurement:
    """How large a pneumothorax is. NotMeasured where nobody outlined its free air."""
    concept = measurement("pneumothorax_size")
    sides = [side for side in SIDES if side in sheet.air]
    if not sides:
        raise NotMeasured(
            "No tool here outlines the free air of a pneumothorax. Outline it with segment (structure "
            "left_pneumothorax or right_pneumothorax, with points or a scribble), then measure again."
        )
    side = sides[0]
    lung = sheet.mask(f"{side}_lung")
    size: Collapse = reasoned(collapse, sheet.air[side], lung, side == "left", sheet.aspect)
    status, judged = _judge_collapse(sheet, size, side)
    if is_child(sheet.film):
        status, judged = Status.NOT_ASSESSED, "The limits hold for adults: a child's pneumothorax is not judged."
    done = begun(concept)
    done.index, done.status, done.side = round(size.share, 3), status, side
    done.quantities = [
        Quantity(
            code="pneumothorax_share", name="free air over the hemithorax' area", value=round(size.share, 3), unit=""
        )
    ]
    told = [f"{side.capitalize()} free air covers {size.share:.0%} of the hemithorax on the film"]
    for code, name, px in (
        ("apex_distance", "lung's apex to the top of the chest", size.apex_px),
        ("lateral_distance", "lung to chest wall half way down", size.lateral_px),
    ):
        if px is not None:
            done.quantities += sheet.lengths(code, name, px)
            told.append(f"{name} {sheet.words(px)}")
    done.sentences = [f"{'; '.join(told)}.", judged]
    done.chain = [
        sheet.outlined(f"{side}_lung"),
        landmark("Top of the hemithorax and of the lung.", size.apex or [], "apex to cupola", line=True),
        landmark("Chest wall and lung half way down.", size.lateral or [], "lung to chest wall", line=True),
        length("Free air's share of the hemithorax' area.", 100 * size.share, "%"),
        index("Share of the area.", size.share),
        threshold("Large from 2 cm half way down (BTS) or 3 cm at the apex (ACCP); the share is not a volume."),
        conclusion(judged),
    ]
    return done


def _judge_collapse(sheet: Sheet, size: Collapse, side: str) -> tuple[Status, str]:
    """PRESENT: large."""
    limits = measurement("pneumothorax_size").limits
    if sheet.film.spacing_mm is None:
        return Status.NOT_ASSESSED, "The file gives no pixel spacing: large or small is not judged."
    row_mm, column_mm = sheet.film.spacing_mm
    lateral = None if size.lateral_px is None else size.lateral_px * column_mm
    apex = None if size.apex_px is None else size.apex_px * column_mm
    del row_mm
    if lateral is not None and lateral >= limits["lateral_mm"]:
        return Status.PRESENT, f"Large by the BTS guideline: {lateral:.0f} mm between lung and chest wall."
    if apex is not None and apex >= limits["apex_mm"]:
        return Status.PRESENT, f"Large by the ACCP consensus: {apex:.0f} mm at the apex; by the BTS guideline small."
    if lateral is None and apex is None:
        return Status.UNCERTAIN, f"Neither distance could be read on the {side}."
    return Status.ABSENT, "Small by both the BTS guideline and the ACCP consensus."
