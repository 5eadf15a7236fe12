"""The six zones of the lungs as pictures of their own, so that they can be compared apart from the rest of a film."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from imaging.geometry import extent
from imaging.radiograph import Radiograph, canonical, film_id
from models.outputs import Masks
from tools.anatomy.outlines import BoolMask

SIDES = ("left", "right")
THIRDS = ("upper", "middle", "lower")

ZONES: tuple[str, ...] = tuple(f"{side}_{third}_zone" for side in SIDES for third in THIRDS)
"""Thirds of the lungs' common height, of either side; the patient's."""

MARGIN = 0.1
"""Share of a zone's height, and of its lung's width, that is shown around it."""

LEAST_PX = 32
"""Narrower or lower zones show nothing."""


def zones_of(film: Radiograph, outlines: Masks) -> Mapping[str, Radiograph]:
    """Each zone as a picture of its own; none unless both lungs are outlined."""
    if not {"left_lung", "right_lung"} <= set(outlines.codes):
        return {}
    lungs = {side: outlines.get(f"{side}_lung") for side in SIDES}
    if not all(lung.any() for lung in lungs.values()):
        return {}
    boxes = {
        f"{side}_{third}_zone": box_of(lungs["left"] | lungs["right"], lungs[side], place)
        for side in SIDES
        for place, third in enumerate(THIRDS)
    }
    return {zone: _cut(film, box) for zone, box in boxes.items() if min(box[2] - box[0], box[3] - box[1]) >= LEAST_PX}


def box_of(both: BoolMask, lung: BoolMask, third: int) -> tuple[int, int, int, int]:
    """(row_min, col_min, row_max, col_max) of the upper (0), middle (1) or lower (2) zone of one lung."""
    top, _, bottom, _ = extent(both)
    _, low, _, high = extent(lung)
    height = (bottom - top) / len(THIRDS)
    first, last = top + (third - MARGIN) * height, top + (third + 1 + MARGIN) * height
    aside = MARGIN * (high - low)
    rows, columns = lung.shape
    return max(0, int(first)), max(0, int(low - aside)), min(rows, int(last)), min(columns, int(high + aside))


def _cut(film: Radiograph, box: tuple[int, int, int, int]) -> Radiograph:
    row_min, col_min, row_max, col_max = box
    pixels = canonical(np.ascontiguousarray(film.pixels[row_min:row_max, col_min:col_max]))
    return replace(film, id=film_id(pixels), pixels=pixels)
