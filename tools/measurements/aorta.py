"""Aortic knob, ascending and descending aorta, and how the descending aorta bends."""

from __future__ import annotations

import numpy as np

from tools.anatomy.aorta import Stretch, bend, beyond, descending, lower_right_edge
from tools.anatomy.strips import Point, filled_rows
from tools.contract import Status
from tools.knowledge import measurement
from tools.measurements.chain import Measurement, Quantity, Step, conclusion, index, landmark, length, threshold
from tools.measurements.sheet import Sheet, begun, reasoned

ABOVE_FORK = 2
"""Rows above the parting in which the trachea's lower edge is taken."""


def aortic_knob(sheet: Sheet) -> Measurement:
    """Width of the aortic knob over the trachea's. NotMeasured without arch, trachea or carina."""
    concept = measurement("aortic_knob")
    row, left = sheet.knob.row, sheet.knob.column
    _, inner = sheet.across(sheet.mask("trachea"), row, "trachea")
    width = float(left - inner)
    ratio = width / sheet.tube.width_px
    status, judged = judge_width(ratio, "aortic_knob", "aortic knob")
    done = begun(concept)
    done.index, done.status = round(ratio, 3), status
    done.quantities = [
        *sheet.lengths("aortic_knob_width", "width of the aortic knob", width),
        *sheet.lengths("trachea_width", "width of the trachea", sheet.tube.width_px),
        Quantity(code="aortic_knob_ratio", name="aortic knob over trachea", value=round(ratio, 3), unit=""),
    ]
    done.sentences = [
        f"{judged} It reaches {sheet.words(width)} to the left of the trachea, {ratio:.1f} times the trachea's width."
    ]
    here = float(row)
    done.chain = [
        sheet.outlined("aorta", "trachea"),
        landmark("Left border of the knob where it bulges most, and the trachea's left border in that row.",
                 [(here, float(left)), (here, float(inner))], ""),
        length("Width of the knob.", *sheet.size(width), [(here, float(inner)), (here, float(left))], "aortic knob"),
        _trachea(sheet),
        index("Knob over trachea.", ratio, concept.unit),
        _limit("aortic_knob"),
        conclusion(judged),
    ]  # fmt: skip
    return done


def ascending_aorta(sheet: Sheet) -> Measurement:
    """Share of the ascending aorta beyond the line from right heart border to trachea. NotMeasured without it."""
    concept = measurement("ascending_aorta")
    ascending, heart = sheet.mask("ascending_aorta", " by itself"), sheet.mask("heart")
    column = int(np.flatnonzero(heart.any(axis=0))[0])
    border: Point = (float(np.flatnonzero(heart[:, column]).mean()), float(column))
    edge = reasoned(lower_right_edge, sheet.mask("trachea"), sheet.fork_row - ABOVE_FORK)
    share = reasoned(beyond, ascending, border, edge)
    status, judged = judge_ascending(share)
    done = begun(concept)
    done.index, done.status = round(share, 3), status
    done.quantities = [Quantity(code="ascending_aorta_beyond", name=concept.title, value=round(share, 3), unit="")]
    done.sentences = [
        judged,
        f"{share:.0%} of its outline lies beyond the line from the right heart border to the trachea.",
    ]
    done.chain = [
        sheet.outlined("ascending_aorta", "heart", "trachea"),
        landmark("Outermost point of the right heart border.", [border], "right heart border"),
        landmark("The trachea's right edge above its parting.", [edge], "trachea, right edge"),
        length("Share of the ascending aorta on the lung's side of the line between both.", 100 * share, "%",
               [border, edge], "line"),
        index("Share beyond the line.", share),
        threshold(f"Normal at 0, enlarged from {concept.limits['low']:.2f}.", concept.limits["low"]),
        conclusion(judged),
    ]  # fmt: skip
    return done


def judge_ascending(share: float) -> tuple[Status, str]:
    """Is the ascending aorta enlarged, by its share beyond the line?"""
    concept = measurement("ascending_aorta")
    low, high, error = concept.limits["low"], concept.limits["high"], concept.error
    if share <= low - error:
        return Status.ABSENT, "The ascending aorta is not enlarged by the line criterion."
    if low + error <= share <= high:
        return Status.PRESENT, "The ascending aorta is enlarged by the line criterion."
    return Status.UNCERTAIN, "Whether the ascending aorta is enlarged is uncertain."


def _stretch(sheet: Sheet) -> Stretch:
    """The descending aorta from the carina to the lungs' lowest row."""
    mask = sheet.mask("descending_aorta", " by itself")
    bottom = float(filled_rows(sheet.lungs)[-1])
    return reasoned(descending, mask, sheet.fork_row, bottom, sheet.film.shape[0])


def descending_aorta(sheet: Sheet) -> Measurement:
    """Greatest width of the descending aorta over the trachea's. NotMeasured without it."""
    concept = measurement("descending_aorta")
    stretch = _stretch(sheet)
    widest = stretch.widest
    width = stretch.width_px(widest)
    ratio = width / sheet.tube.width_px
    status, judged = judge_width(ratio, "descending_aorta", "descending aorta")
    done = begun(concept)
    done.index, done.status = round(ratio, 3), status
    done.quantities = [
        *sheet.lengths("descending_aorta_width", "width of the descending aorta", width),
        Quantity(code="descending_aorta_ratio", name="descending aorta over trachea", value=round(ratio, 3), unit=""),
    ]
    done.sentences = [f"{judged} It is {sheet.words(width)} wide at its widest, {ratio:.1f} times the trachea's width."]
    row = float(stretch.rows[widest])
    ends = [(row, float(stretch.first[widest])), (row, float(stretch.last[widest]))]
    done.chain = [
        sheet.outlined("descending_aorta", "trachea"),
        landmark("Both borders where it is widest.", ends, ""),
        length("Width of the descending aorta.", *sheet.size(width), ends, "descending aorta"),
        _trachea(sheet),
        index("Descending aorta over trachea.", ratio, concept.unit),
        _limit("descending_aorta"),
        conclusion(judged),
    ]
    return done


def descending_aorta_tortuosity(sheet: Sheet) -> Measurement:
    """How the descending aorta's left border bends. NotMeasured without it."""
    concept = measurement("descending_aorta_tortuosity")
    stretch = _stretch(sheet)
    curve = bend(stretch.border, sheet.aspect) * sheet.chest.width_px
    limit, error = concept.limits["bend"], concept.error
    if curve > limit + error:
        status, judged = Status.PRESENT, "The descending aorta is tortuous."
    elif curve < limit - error:
        status, judged = Status.ABSENT, "The descending aorta is not tortuous."
    else:
        status, judged = Status.UNCERTAIN, "Whether the descending aorta is tortuous is uncertain."
    done = begun(concept)
    done.index, done.status = round(curve, 3), status
    done.quantities = [Quantity(code="descending_aorta_bend", name=concept.title, value=round(curve, 3), unit="")]
    done.sentences = [f"{judged} Mean bend of its left border {curve:.2f} (tortuous from {limit:.1f})."]
    done.chain = [
        sheet.outlined("descending_aorta"),
        landmark("Left border at six heights.", stretch.border, "left border of the descending aorta", line=True),
        length("Mean curvature of the border, times the chest's width.", curve, ""),
        index("Bend.", curve),
        threshold(f"Tortuous from {limit:.1f}, error ±{error:.1f}.", limit),
        conclusion(judged),
    ]
    return done


def judge_width(ratio: float, code: str, name: str) -> tuple[Status, str]:
    """Is this part of the aorta enlarged, by its width over the trachea's?"""
    concept = measurement(code)
    limit, error = concept.limits["ratio"], concept.error
    if ratio > limit + error:
        return Status.PRESENT, f"The {name} is enlarged."
    if ratio < limit - error:
        return Status.ABSENT, f"The {name} is not enlarged."
    return Status.UNCERTAIN, f"Whether the {name} is enlarged is uncertain."


def _trachea(sheet: Sheet) -> Step:
    tube, at = sheet.tube, sheet.tube.width_row
    row = float(tube.rows[at])
    ends = [(row, float(tube.first[at])), (row, float(tube.last[at]))]
    return length("Width of the trachea (median).", *sheet.size(tube.width_px), ends, "trachea")


def _limit(code: str) -> Step:
    concept = measurement(code)
    limit = concept.limits["ratio"]
    return threshold(f"Enlarged from {limit:.1f}, measurement error ±{concept.error:.2f}.", limit)
