"""Landmarks on the outlines of spine, clavicles, scapulae and ribs.

Outlines are bool [H, W]; points are (row, column) of pixel centres; sides are the patient's, whose right is at low
columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, stats

from tools.anatomy.outlines import BoolMask, Outlines
from tools.anatomy.strips import Point, edges, filled_rows

SPINE_ROWS = 80
"""Rows sampled for the spine's line; the fit takes the median of all their pairs' slopes."""

SPINE_LEAST = 10
"""Fewer rows than this make no line."""

POSTERIOR_RIB = re.compile(r"right_posterior_(\d+)(?:st|nd|rd|th)_rib")
"""Codes of the patient's right posterior ribs, as CXAS names them (models.adapters.txrv_segment)."""


@dataclass(frozen=True)
class Midline:
    """The middle of the spine as a straight line: column = at + slope * row, read between two rows."""

    at: float
    slope: float
    top: float
    bottom: float

    def column(self, row: float) -> float:
        """Column of the line in a row."""
        return self.at + self.slope * row

    @property
    def ends(self) -> tuple[Point, Point]:
        """Upper and lower end of what was read."""
        return (self.top, self.column(self.top)), (self.bottom, self.column(self.bottom))


def spine_line(spine: BoolMask, top: float, bottom: float) -> Midline:
    """The middle of the vertebral column between two rows, by Siegel's repeated medians (Biometrika 1982;69:242).

    ValueError where it is not outlined there.
    """
    rows = filled_rows(spine, top, bottom)
    if rows.size < SPINE_LEAST:
        raise ValueError("the spine is not outlined beside the upper lungs")
    rows = rows[:: max(1, rows.size // SPINE_ROWS)]
    first, last = edges(spine, rows)
    fit = stats.siegelslopes((first + last) / 2, rows)
    return Midline(float(fit.intercept), float(fit.slope), float(rows[0]), float(rows[-1]))


def medial_end(clavicle: BoolMask, patients_left: bool) -> Point:
    """The clavicle's end nearest the midline: its innermost column, middle of its rows. ValueError if not outlined."""
    columns = np.flatnonzero(clavicle.any(axis=0))
    if not columns.size:
        raise ValueError("a clavicle is not outlined")
    column = int(columns[0] if patients_left else columns[-1])
    return float(np.flatnonzero(clavicle[:, column]).mean()), float(column)


def overlap(scapula: BoolMask, lung: BoolMask) -> float:
    """Share of a scapula's outline, 0 to 1, that lies over the lung, holes filled. ValueError if not outlined."""
    if not scapula.any():
        raise ValueError("a scapula is not outlined")
    return float((scapula & ndimage.binary_fill_holes(lung)).sum() / scapula.sum())


@dataclass(frozen=True)
class Count:
    """Posterior ribs on the mid-clavicular line above the right dome.

    Attributes:
        ribs: the lowest one whose middle crosses the line above the dome.
        crossings: rib number -> where its middle crosses.
        line: upper and lower end of the line.
    """

    ribs: int
    crossings: dict[int, Point]
    line: tuple[Point, Point]


def posterior_ribs(found: Outlines, lung: BoolMask, column: float) -> Count:
    """The lowest right posterior rib above the dome on the line through `column`.

    ValueError where single ribs are not outlined, or none crosses the line.
    """
    ribs = {int(match[1]): code for code in found.masks.codes if (match := POSTERIOR_RIB.fullmatch(code))}
    if not ribs:
        raise ValueError("this segmenter does not outline single posterior ribs")
    at = round(column)
    inside = np.flatnonzero(lung[:, at])
    if not inside.size:
        raise ValueError("the mid-clavicular line does not meet the right lung")
    top, dome = float(inside[0]), float(inside[-1])
    crossings = {}
    for number, code in sorted(ribs.items()):
        rows = np.flatnonzero(found.mask(code)[:, at])
        if rows.size and rows.mean() <= dome:
            crossings[number] = (float(rows.mean()), float(at))
    if not crossings:
        raise ValueError("no posterior rib is outlined on the mid-clavicular line")
    return Count(max(crossings), crossings, ((top, float(at)), (dome, float(at))))
