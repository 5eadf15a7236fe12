"""Mediastinal width at the aortic knob."""

from __future__ import annotations

from tools.anatomy.strips import Point
from tools.contract import Status
from tools.contract.films import is_child
from tools.knowledge import measurement
from tools.measurements.chain import Measurement, Quantity, conclusion, index, landmark, length, threshold
from tools.measurements.sheet import Sheet, begun

SUPINE = "Supine and AP films, rotation and a shallow breath widen the mediastinum's shadow."


def mediastinal_width(sheet: Sheet) -> Measurement:
    """Width of the mediastinum at the knob, over the chest's width there. NotMeasured without their outlines."""
    concept = measurement("mediastinal_width")
    row = sheet.knob.row
    sheet.whole("left_lung"), sheet.whole("right_lung")
    first, last = sheet.across(sheet.mask("mediastinum"), row, "mediastinum")
    low, high = sheet.across(sheet.lungs, row, "lung")
    width, chest = last - first + 1, high - low + 1
    ratio = width / chest
    status, judged = judge_mediastinum(ratio)
    if is_child(sheet.film):
        status, judged = Status.NOT_ASSESSED, "The limits hold for adults: a child's mediastinum is not judged."
    done = begun(concept)
    done.index, done.status = round(ratio, 4), status
    done.quantities = [
        Quantity(code="mediastinal_ratio", name="mediastinum over chest", value=round(ratio, 4), unit=""),
        *sheet.lengths("mediastinal_width", "width of the mediastinum", width),
        *sheet.lengths("chest_at_knob", "inner width of the chest at the aortic knob", chest),
    ]
    done.sentences = [
        f"Mediastinal width {sheet.words(width)} at the height of the aortic arch, {ratio:.2f} of the chest's inner "
        "width there.",
        judged,
    ]

    def at(column: int) -> Point:
        return float(row), float(column)

    done.chain = [
        sheet.outlined("mediastinum", "aorta", "trachea", "left_lung", "right_lung"),
        landmark("Where the aortic arch bulges most to the left.", [at(sheet.knob.column)], "aortic arch"),
        landmark("Both borders of the mediastinum in that row.", [at(first), at(last)], ""),
        length("Width of the mediastinum.", *sheet.size(width), [at(first), at(last)], "mediastinum"),
        length("Inner width of the chest in that row.", *sheet.size(chest), [at(low), at(high)], "chest"),
        index("Mediastinum over chest.", ratio),
        threshold(f"Usual below {concept.limits['low']:.2f}, wide above {concept.limits['high']:.2f}, "
                  f"measurement error ±{concept.error:.2f}.", concept.limits["high"]),
        conclusion(judged),
    ]  # fmt: skip
    done.caveats.append(SUPINE)
    return done


def judge_mediastinum(ratio: float) -> tuple[Status, str]:
    """Is the mediastinum wide, by its share of the chest's width?"""
    concept = measurement("mediastinal_width")
    low, high, error = concept.limits["low"], concept.limits["high"], concept.error
    if ratio > high + error:
        return Status.PRESENT, f"{ratio:.2f} is above {high:.2f}: the mediastinum is widened."
    if ratio < low - error:
        return Status.ABSENT, f"{ratio:.2f} is below {low:.2f}: the mediastinum is not widened."
    return (
        Status.UNCERTAIN,
        f"{ratio:.2f} lies between {low:.2f} and {high:.2f} (error ±{error:.2f}), where healthy films lie too: whether "
        "the mediastinum is widened is undecided.",
    )
