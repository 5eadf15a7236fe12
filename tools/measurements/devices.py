"""Where the tip of a tube or line lies against the carina."""

from __future__ import annotations

from tools.anatomy.strips import Point
from tools.anatomy.tips import TipDistance, tip_distance
from tools.contract import Status
from tools.knowledge import measurement
from tools.measurements.chain import Measurement, NotMeasured, conclusion, index, landmark, length, threshold
from tools.measurements.sheet import Sheet, begun

JUDGED = "ett"
"""The device whose distance is held against limits here."""


def tube_tip(sheet: Sheet) -> Measurement:
    """Distance of a device's tip from the carina. NotMeasured where no device's tip is told."""
    concept = measurement("tube_tip")
    if not sheet.tips:
        raise NotMeasured(sheet.no_tip or "No model here outlines tubes or lines: a tip's distance cannot be measured.")
    name = JUDGED if JUDGED in sheet.tips else next(iter(sheet.tips))
    found = tip_distance(sheet.tips[name], sheet.carina, sheet.film.spacing_mm)
    status, judged = judge_tip(name, found.above_mm)
    done = begun(concept)
    done.index, done.unit, done.status = found.above, found.unit, status
    done.quantities = sheet.lengths("tip_above_carina", "tip above the carina", found.above_px, down=True)
    where = "above" if found.above_px >= 0 else "below"
    done.sentences = [
        f"The tip of the {_words(name)} lies {sheet.words(abs(found.above_px), down=True)} {where} the carina.",
        judged,
    ]
    below: Point = (sheet.tips[name][0], sheet.carina[1])
    done.chain = [
        sheet.outlined("trachea"),
        landmark("Carina.", [sheet.carina], "carina"),
        landmark(f"Tip of the {_words(name)}.", [sheet.tips[name]], "tip"),
        length("From the carina up to the tip, along the film's rows.", *sheet.size(abs(found.above_px), down=True),
               [sheet.carina, below], "tip to carina"),
        index("Tip above the carina.", found.above, found.unit),
        threshold(f"An endotracheal tube's tip usually lies {concept.limits['ett_low_mm']:.0f} to "
                  f"{concept.limits['ett_high_mm']:.0f} mm above the carina."),
        conclusion(judged),
    ]  # fmt: skip
    return done


def judge_tip(device: str, above_mm: float | None) -> tuple[Status, str]:
    """Does the tip lie outside the usual place? Only an endotracheal tube's is judged, and only in mm."""
    limits, error = measurement("tube_tip").limits, measurement("tube_tip").error
    if device != JUDGED:
        return Status.NOT_ASSESSED, "Whether that is the right place is not judged."
    if above_mm is None:
        return Status.NOT_ASSESSED, "The file gives no pixel spacing: whether that is the right place is not judged."
    low, high = limits["ett_low_mm"], limits["ett_high_mm"]
    if above_mm < low - error:
        return Status.PRESENT, f"That is lower than the usual {low:.0f} to {high:.0f} mm."
    if above_mm > high + error:
        return Status.PRESENT, f"That is higher than the usual {low:.0f} to {high:.0f} mm."
    if low + error <= above_mm <= high - error:
        return Status.ABSENT, f"That is within the usual {low:.0f} to {high:.0f} mm."
    return Status.UNCERTAIN, f"That is at the edge of the usual {low:.0f} to {high:.0f} mm."


def _words(name: str) -> str:
    return {"ett": "endotracheal tube"}.get(name, name.replace("_", " "))


__all__ = ["TipDistance", "judge_tip", "tube_tip"]
