"""Carina angle and tracheal deviation."""

from __future__ import annotations

import numpy as np

from tools.anatomy.airway import Fork, fork
from tools.contract import Status
from tools.knowledge import measurement
from tools.measurements.chain import Measurement, Quantity, conclusion, index, landmark, length, threshold
from tools.measurements.sheet import Sheet, begun, reasoned

LEVELS = 9
"""Heights at which the trachea is held against the midline (CXReasonBench)."""

ROTATED = "On a rotated film the trachea lies off the spine without being deviated: look at the rotation too."


def carina_angle(sheet: Sheet) -> Measurement:
    """Angle between the main bronchi. NotMeasured where the outline does not show both."""
    concept = measurement("carina_angle")
    parted: Fork = reasoned(fork, sheet.mask("trachea"), sheet.tube.width_px, sheet.aspect)
    angle, low, high = parted.angle_deg, concept.limits["low"], concept.limits["high"]
    status, judged = judge_angle(angle)
    done = begun(concept)
    done.index, done.status = round(angle, 1), status
    done.quantities = [
        Quantity(code="carina_angle_deg", name=concept.title, value=round(angle, 1), unit="deg"),
        Quantity(code="carina_row", name="row of the carina", value=round(parted.carina[0], 1), unit="px"),
        Quantity(code="carina_column", name="column of the carina", value=round(parted.carina[1], 1), unit="px"),
    ]
    done.sentences = [f"Carina angle {angle:.0f}° (usual {low:.0f}–{high:.0f}°).", judged]
    done.chain = [
        sheet.outlined("trachea"),
        landmark("Carina: the highest point between the main bronchi.", [parted.carina], "carina"),
        landmark("Axis of the right main bronchus.", parted.right, "right main bronchus", line=True),
        landmark("Axis of the left main bronchus.", parted.left, "left main bronchus", line=True),
        length(f"Right axis {parted.right_deg:.0f}°, left axis {parted.left_deg:.0f}° from straight down.",
               angle, "deg"),
        index("Carina angle: between both axes.", angle, "deg"),
        threshold(f"Usual {low:.0f} to {high:.0f} degrees, measurement error ±{concept.error:.0f}."),
        conclusion(judged),
    ]  # fmt: skip
    return done


def judge_angle(angle_deg: float) -> tuple[Status, str]:
    """Is this carina angle outside the usual range?"""
    concept = measurement("carina_angle")
    low, high, error = concept.limits["low"], concept.limits["high"], concept.error
    if low + error <= angle_deg <= high - error:
        return Status.ABSENT, f"{angle_deg:.0f}° lies within the usual range: the carina is not widened."
    if angle_deg > high + error:
        return Status.PRESENT, f"{angle_deg:.0f}° is above {high:.0f}°: the carina is widened."
    if angle_deg < low - error:
        return Status.PRESENT, f"{angle_deg:.0f}° is below {low:.0f}°: the carina is narrower than usual."
    edge = low if angle_deg < (low + high) / 2 else high
    return Status.UNCERTAIN, f"{angle_deg:.0f}° lies within the measurement error (±{error:.0f}°) of {edge:.0f}°."


def tracheal_deviation(sheet: Sheet) -> Measurement:
    """How far, and to which side, the trachea lies off the spine's middle. NotMeasured without trachea or spine."""
    concept = measurement("tracheal_deviation")
    tube, spine = sheet.tube, sheet.spine
    places = np.linspace(0, len(tube.rows) - 1, LEVELS).round().astype(int)
    offsets = tube.centre[places] - np.array([spine.column(row) for row in tube.rows[places]])
    offset = float(np.median(offsets))
    ratio = abs(offset) / (tube.width_px / 2)
    side = "left" if offset > 0 else "right"
    status, judged = judge_deviation(ratio, side)
    done = begun(concept)
    done.index, done.status = round(ratio, 3), status
    done.side = side if status is Status.PRESENT else None
    done.quantities = [
        *sheet.lengths("tracheal_offset", "trachea's middle left (positive) of the spine's middle", offset),
        *sheet.lengths("trachea_width", "width of the trachea", tube.width_px),
        Quantity(code="tracheal_deviation", name=concept.title, value=round(ratio, 3), unit=""),
    ]
    done.sentences = [
        judged,
        f"Its middle lies {sheet.words(abs(offset))} to the {side} of the spine's middle, {ratio:.2f} of half its "
        "width (the whole trachea lies on one side beyond 1).",
    ]
    centre = [(float(tube.rows[k]), float(tube.centre[k])) for k in places]
    worst = int(np.argmin(np.abs(offsets - offset)))
    at = float(tube.rows[places[worst]])
    done.chain = [
        sheet.outlined("trachea", "spine"),
        landmark("Middle of the spine beside the upper lungs.", spine.ends, "midline of the spine", line=True),
        landmark(f"Middle of the trachea at {LEVELS} heights.", centre, "middle of the trachea"),
        length(f"Median distance between both, {sheet.words(abs(offset))} to the patient's {side}.",
               *sheet.size(abs(offset)), [(at, spine.column(at)), (at, spine.column(at) + offset)], "offset"),
        length("Width of the trachea.", *sheet.size(tube.width_px)),
        index("Distance over half the trachea's width.", ratio),
        threshold(f"Beyond {concept.limits['whole']:.0f} the whole trachea lies on one side of the midline, "
                  f"measurement error ±{concept.error:.1f}.", concept.limits["whole"]),
        conclusion(judged),
    ]  # fmt: skip
    done.caveats.append(ROTATED)
    return done


def judge_deviation(ratio: float, side: str) -> tuple[Status, str]:
    """Is the trachea deviated, by its distance from the midline over half its width?"""
    concept = measurement("tracheal_deviation")
    whole, error = concept.limits["whole"], concept.error
    if ratio > whole + error:
        return Status.PRESENT, f"The trachea is deviated to the patient's {side}."
    if ratio < whole - error:
        return Status.ABSENT, "The trachea is not deviated."
    return Status.UNCERTAIN, f"Whether the trachea is deviated to the {side} is uncertain: it lies at the limit."
