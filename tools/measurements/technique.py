"""How the film was taken: inclusion of the lungs, inspiration, rotation, projection."""

from __future__ import annotations

from imaging.geometry import extent
from imaging.radiograph import View
from tools.anatomy.bones import medial_end, overlap, posterior_ribs, spine_line
from tools.anatomy.strips import Point
from tools.contract import Status
from tools.contract.quality import EDGE_WORDS
from tools.contract.wording import listed
from tools.knowledge import measurement
from tools.measurements.chain import Measurement, NotMeasured, Quantity, conclusion, index, landmark, length, threshold
from tools.measurements.sheet import Sheet, begun, reasoned

SPINE_SHARE = 0.4
"""Part of the lungs' height, from the apex, beside which the spine's middle is read for rotation: the clavicles'."""

SIDES = ("left", "right")


def inclusion(sheet: Sheet) -> Measurement:
    """Are both lungs wholly on the film? By the margins around their outlines, and by the film check's own eyes."""
    from models.preprocess import content_box

    concept = measurement("inclusion")
    box = content_box(sheet.film.pixels)
    margins: dict[str, float] = {}
    for side in SIDES:
        top, low, bottom, high = extent(sheet.mask(f"{side}_lung"))
        outer = (box.right - high) if side == "left" else (low - box.left)
        margins[f"{side}_apex"] = (top - box.top) / box.height
        margins[f"{side}_base"] = (box.bottom - bottom) / box.height
        margins[f"{side}_side"] = outer / box.width
    touching = [name for name, margin in margins.items() if margin <= 0]
    close = [name for name, margin in margins.items() if 0 < margin < concept.limits[name.rpartition("_")[2]]]
    seen = list(sheet.seen.cut_edges) if sheet.seen is not None else []
    status, judged = _judge_inclusion(touching, close, seen)
    done = begun(concept)
    done.index, done.status = round(min(margins.values()), 4), status
    done.quantities = [
        Quantity(code=f"{name}_margin", name=f"{name.replace('_', ' ')} to the edge", value=round(value, 4),
                 unit="share of the picture")
        for name, value in margins.items()
    ]  # fmt: skip
    smallest = min(margins, key=lambda name: margins[name])
    done.sentences = [
        judged,
        f"Smallest margin: {smallest.replace('_', ' ')}, {margins[smallest]:.1%} of the picture.",
    ]
    done.chain = [
        sheet.outlined("left_lung", "right_lung"),
        landmark("Highest, lowest and outermost points of both lungs.", _corners(sheet), "lung's reach"),
        *(length(f"{name.replace('_', ' ').capitalize()} to the film's edge.", 100 * value, "%")
          for name, value in margins.items()),
        index("Smallest margin, share of the picture.", min(margins.values())),
        threshold(", ".join(f"{name} {value:.1%}" for name, value in concept.limits.items()) + "; cut off at 0."),
        conclusion(judged),
    ]  # fmt: skip
    if seen:
        named = listed([EDGE_WORDS.get(edge, edge) for edge in seen])
        done.caveats.append(f"The film check sees lung cut off by the film's edge: {named}.")
    return done


def _corners(sheet: Sheet) -> list[Point]:
    points: list[Point] = []
    for side in SIDES:
        top, low, bottom, high = extent(sheet.mask(f"{side}_lung"))
        middle = (low + high - 1) / 2
        outer = high - 1 if side == "left" else low
        points += [(top, middle), (bottom - 1, outer), ((top + bottom) / 2, outer)]
    return points


def _judge_inclusion(touching: list[str], close: list[str], seen: list[str]) -> tuple[Status, str]:
    """PRESENT: lung is cut off."""
    if touching:
        named = listed([name.replace("_", " lung at the ") for name in touching])
        return Status.PRESENT, f"The lungs are not wholly on the film: cut off are the {named}."
    if close or seen:
        return Status.UNCERTAIN, "Whether both lungs are wholly on the film is uncertain."
    return Status.ABSENT, "Both lungs are wholly on the film."


def rotation(sheet: Sheet) -> Measurement:
    """Distances of the clavicles' medial ends from the spine's middle. NotMeasured without them."""
    concept = measurement("rotation")
    ends = {side: reasoned(medial_end, sheet.mask(f"{side}_clavicle"), side == "left") for side in SIDES}
    rows, _, bottom, _ = extent(sheet.lungs)
    spine = reasoned(spine_line, sheet.mask("spine"), float(rows), rows + SPINE_SHARE * (bottom - rows))
    away = {
        "right": spine.column(ends["right"][0]) - ends["right"][1],
        "left": ends["left"][1] - spine.column(ends["left"][0]),
    }
    if max(away.values()) <= 0:
        raise NotMeasured("The clavicles' ends do not lie on both sides of the spine: their outlines failed.")
    ratio = max(0.0, min(away.values())) / max(away.values())
    nearer = min(away, key=lambda side: away[side])
    status, judged = judge_rotation(ratio)
    done = begun(concept)
    done.index, done.status = round(ratio, 3), status
    done.quantities = [
        *sheet.lengths("right_clavicle_to_spine", "right clavicle's end to the spine's middle", away["right"]),
        *sheet.lengths("left_clavicle_to_spine", "left clavicle's end to the spine's middle", away["left"]),
        Quantity(code="rotation_ratio", name="smaller over larger distance", value=round(ratio, 3), unit=""),
        Quantity(code="rotation_asymmetry", name="right less left distance, over the chest's width",
                 value=round((away["right"] - away["left"]) / sheet.chest.width_px, 4), unit=""),
    ]  # fmt: skip
    done.sentences = [
        judged,
        f"The clavicles' medial ends lie {sheet.words(away['right'])} (right) and {sheet.words(away['left'])} (left) "
        f"from the spine's middle, ratio {ratio:.2f}; the {nearer} one is nearer.",
    ]
    done.chain = [
        sheet.outlined("left_clavicle", "right_clavicle", "spine"),
        landmark("Middle of the spine behind the clavicles.", spine.ends, "midline of the spine", line=True),
        landmark("Medial ends of both clavicles.", list(ends.values()), ""),
        *(
            length(f"{side.capitalize()} clavicle's medial end to the midline.", *sheet.size(away[side]),
                   [ends[side], (ends[side][0], spine.column(ends[side][0]))], f"{side} clavicle to midline")
            for side in ("right", "left")
        ),
        index("Smaller over larger distance.", ratio),
        threshold(f"Rotated below {concept.limits['ratio']:.1f}, measurement error ±{concept.error:.1f}.",
                  concept.limits["ratio"]),
        conclusion(judged),
    ]  # fmt: skip
    return done


def judge_rotation(ratio: float) -> tuple[Status, str]:
    """Is the patient rotated, by the clavicles' distances from the midline?"""
    concept = measurement("rotation")
    limit, error = concept.limits["ratio"], concept.error
    if ratio < limit - error:
        return Status.PRESENT, "The patient is rotated."
    if ratio > limit + error:
        return Status.ABSENT, "The patient is not rotated."
    return Status.UNCERTAIN, "Whether the patient is rotated is uncertain: the clavicles lie at the limit."


def projection(sheet: Sheet) -> Measurement:
    """PA or AP by how far the scapulae lie over the lungs, beside what the file says. NotMeasured without them."""
    concept = measurement("projection")
    shares = {
        side: reasoned(overlap, sheet.mask(f"{side}_scapula"), sheet.mask(f"{side}_lung")) for side in ("right", "left")
    }
    limit = concept.limits["overlap"]
    over = [side for side, share in shares.items() if share >= limit]
    view = View.AP if len(over) == 2 else View.PA if not over else View.UNKNOWN
    told = {View.AP: "looks like an AP film", View.PA: "looks like a PA film"}.get(view, "is not clearly AP or PA")
    said = "nothing" if sheet.film.view is View.UNKNOWN else f"{sheet.film.view.value}"
    judged = f"By the scapulae this {told}; the file says {said}."
    done = begun(concept)
    done.index = round(min(shares.values()) if view is View.AP else max(shares.values()), 3)
    done.status = {View.AP: Status.PRESENT, View.PA: Status.ABSENT}.get(view, Status.UNCERTAIN)
    done.quantities = [
        Quantity(code=f"{side}_scapula_over_lung", name=f"{side} scapula over the lung", value=round(share, 3), unit="")
        for side, share in shares.items()
    ]
    done.sentences = [
        judged,
        f"Over the lung lie {shares['right']:.0%} of the right and {shares['left']:.0%} of the left scapula.",
    ]
    done.chain = [
        sheet.outlined("left_scapula", "right_scapula", "left_lung", "right_lung"),
        *(length(f"Share of the {side} scapula over the lung.", 100 * share, "%") for side, share in shares.items()),
        index("Overlap that decides.", done.index),
        threshold(f"AP from {limit:.1f} on both sides, PA below it on both.", limit),
        conclusion(judged),
    ]
    if {view, sheet.film.view} == {View.PA, View.AP}:
        done.caveats.append("The scapulae and the file disagree on the projection: neither is corrected.")
    return done


def inspiration(sheet: Sheet) -> Measurement:
    """Posterior ribs above the right dome. NotMeasured where single ribs are not outlined."""
    concept = measurement("inspiration")
    clavicle, lung = sheet.mask("right_clavicle"), sheet.mask("right_lung")
    _, low, _, high = extent(clavicle)
    count = reasoned(posterior_ribs, sheet.found, lung, (low + high - 1) / 2)
    limit, error = concept.limits["ribs"], concept.error
    counted = f"{count.ribs} posterior ribs above the diaphragm"
    if count.ribs >= limit + error:
        status, judged = Status.ABSENT, f"The breath is deep enough: {counted}."
    elif count.ribs < limit - error:
        status, judged = Status.PRESENT, f"The breath is shallow: {counted}."
    else:
        status, judged = Status.UNCERTAIN, f"Depth of the breath: {counted}, at the limit of {limit:.0f}."
    done = begun(concept)
    done.index, done.status = float(count.ribs), status
    done.quantities = [Quantity(code="posterior_ribs", name=concept.title, value=float(count.ribs), unit="ribs")]
    done.sentences = [judged]
    done.chain = [
        sheet.outlined("right_clavicle", "right_lung"),
        landmark("Right mid-clavicular line, from the lung's top to the dome.", count.line, "mid-clavicular line",
                 line=True),
        landmark("Where the posterior ribs cross it.", list(count.crossings.values()), "posterior ribs"),
        index("Lowest posterior rib above the dome.", count.ribs, "ribs"),
        threshold(f"Good from the {limit:.0f}th on, error ±{error:.0f}.", limit, "ribs"),
        conclusion(judged),
    ]  # fmt: skip
    return done
