"""Measures of a phantom film, exact from geometry and masks.

Every measure is defined in `measure`; mm and mm² lie in the detector plane (magnified against the patient).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from imaging.geometry import mask_box
from imaging.phantom import body as shapes
from imaging.phantom.body import Body
from imaging.phantom.bones import rib_line
from imaging.phantom.masks import Mask, widest
from imaging.phantom.projection import Geometry
from imaging.radiograph import View

ANGLE_FROM_MM, ANGLE_TO_MM = 4.0, 24.0
"""Costophrenic angles are read from the two borders of the lung between these distances from the angle's tip."""


def measure(masks: dict[str, Mask], body: Body, geometry: Geometry) -> dict[str, float]:
    """All measures of the film.

    - cardiothoracic_ratio, heart_width_mm, thorax_width_mm: after Danzer (Am J Med Sci 1919;157:513) the heart's
      transverse diameter, the sum of its greatest extents to both sides, over the widest inner width of the thorax,
      here the widest row of both lung fields.
    - left_/right_lung_area_mm2: areas of the lung fields.
    - mediastinal_width_mm: the mediastinum's width in the row of the aortic knob's greatest bulge.
    - aortic_knob_width_mm: in that row, from the trachea's left border to the knob's left border.
    - carina_row, carina_column (pixels): where the inner walls of the main bronchi meet.
    - carina_angle_deg: angle between the axes of both main bronchi on the film.
    - carina_below_apex_mm: from the higher lung apex down to the carina.
    - left_/right_costophrenic_angle_deg: see `costophrenic_angle`; of the aerated lung, so fluid blunts it.
    - left_/right_dome_height_mm: see `dome_height`; small when the dome is flat.
    - dome_difference_mm: how much lower (positive) the left dome's top lies than the right one's.
    - posterior_ribs: see `posterior_ribs`; how deep the breath was, about 7 when poor and 10 when full.

    A lateral film has only carina_row, carina_column, carina_below_apex_mm, the lung areas (of whole lungs), and
    - heart_depth_mm, thorax_depth_mm: extent of the heart from front to back, and widest row of both lungs.
    """
    pixel = geometry.pixel_mm
    if geometry.view is View.LATERAL:
        return _lateral(masks, body, geometry)
    result = _danzer(masks, pixel)
    result.update(_knob(masks, pixel))
    row, column, angle = carina(body, geometry)
    apex = mask_box(masks["left_lung"] | masks["right_lung"])
    result.update(carina_row=row, carina_column=column, carina_angle_deg=angle)
    if apex:
        result["carina_below_apex_mm"] = (row - apex[0]) * pixel
    tops: dict[str, tuple[float, float]] = {}
    for side, sign in (("left", 1), ("right", -1)):
        result[f"{side}_costophrenic_angle_deg"] = costophrenic_angle(masks[f"aerated_{side}"], sign, pixel)
        height, *top = dome_height(masks[f"{side}_lung"], masks["diaphragm"] & ~masks["heart"], pixel)
        result[f"{side}_dome_height_mm"], tops[side] = height, (top[0], top[1])
    result["dome_difference_mm"] = (tops["left"][0] - tops["right"][0]) * pixel
    result["posterior_ribs"] = posterior_ribs(body, geometry, *tops["right"])
    return result


def _lateral(masks: dict[str, Mask], body: Body, geometry: Geometry) -> dict[str, float]:
    """The measures of a lateral film, see `measure`."""
    pixel = geometry.pixel_mm
    row, column, _ = carina(body, geometry)
    lungs = masks["left_lung"] | masks["right_lung"]
    result = {"carina_row": row, "carina_column": column, "thorax_depth_mm": float(widest(lungs)) * pixel}
    heart, apex = mask_box(masks["heart"]), mask_box(lungs)
    result["heart_depth_mm"] = float(heart[3] - heart[1]) * pixel if heart else 0.0
    if apex:
        result["carina_below_apex_mm"] = (row - apex[0]) * pixel
    for side in ("left", "right"):
        result[f"{side}_lung_area_mm2"] = float(masks[f"{side}_lung"].sum()) * pixel**2
    return result


def _danzer(masks: dict[str, Mask], pixel_mm: float) -> dict[str, float]:
    """Heart and thorax widths, their ratio, and lung areas."""
    found = mask_box(masks["heart"])
    heart = float(found[3] - found[1]) if found else 0.0
    thorax = float(widest(masks["left_lung"] | masks["right_lung"]))
    return {
        "cardiothoracic_ratio": heart / thorax if thorax else float("nan"),
        "heart_width_mm": heart * pixel_mm,
        "thorax_width_mm": thorax * pixel_mm,
        "left_lung_area_mm2": float(masks["left_lung"].sum()) * pixel_mm**2,
        "right_lung_area_mm2": float(masks["right_lung"].sum()) * pixel_mm**2,
    }


def _knob(masks: dict[str, Mask], pixel_mm: float) -> dict[str, float]:
    """Mediastinal and aortic knob widths in the row where the arch bulges most to the left."""
    nothing = {"mediastinal_width_mm": float("nan"), "aortic_knob_width_mm": float("nan")}
    aorta, found = masks["aorta"], mask_box(masks["aorta"])
    if found is None:
        return nothing
    upper = aorta[found[0] : found[0] + max((found[2] - found[0]) // 4, 1)]
    reach = np.array([int(np.flatnonzero(line)[-1]) if line.any() else -1 for line in upper])
    row = found[0] + round(float(np.flatnonzero(reach == reach.max()).mean()))
    middle, trachea = np.flatnonzero(masks["mediastinum"][row]), np.flatnonzero(masks["trachea"][row])
    if not len(middle) or not len(trachea):
        return nothing
    return {
        "mediastinal_width_mm": float(middle[-1] + 1 - middle[0]) * pixel_mm,
        "aortic_knob_width_mm": float(reach.max() - trachea[-1]) * pixel_mm,
    }


def carina(body: Body, geometry: Geometry) -> tuple[float, float, float]:
    """(row, column, angle in degrees): the bronchi's crotch and the angle between their axes, projected."""
    scale = np.array(body.scale, dtype=np.float64)
    point = np.array(shapes.carina_point(), dtype=np.float64)
    (start_right, end_right), (start_left, end_left) = shapes.main_bronchi()
    points = np.array([point, start_right, end_right, start_left, end_left])
    points[:, 0] += shapes.shift_at(body, points[:, 1])
    points *= scale
    row, column, _ = geometry.project(points)
    right = math.atan2(float(column[1] - column[2]), float(row[2] - row[1]))
    left = math.atan2(float(column[4] - column[3]), float(row[4] - row[3]))
    return float(row[0]), float(column[0]), math.degrees(right + left)


def costophrenic_angle(lung: Mask, sign: int, pixel_mm: float) -> float:
    """Angle (degrees) at the lung's lowest lateral point between chest wall and dome; nan without a lung.

    The tip is the pixel that lies furthest down and outwards in equal parts. Wall and dome are the lung's outermost
    pixels above it and its lowest pixels beside it, each read as a straight line between ANGLE_FROM_MM and
    ANGLE_TO_MM from the tip. About 30-60 when sharp, beyond 90 when blunted.
    """
    rows, columns = np.nonzero(lung)
    if not len(rows):
        return float("nan")
    tip = int(np.argmax(rows + sign * columns))
    r0, c0 = int(rows[tip]), int(columns[tip])
    near, far = max(round(ANGLE_FROM_MM / pixel_mm), 1), max(round(ANGLE_TO_MM / pixel_mm), 3)
    up = [r for r in range(r0 - far, r0 - near + 1) if r >= 0 and lung[r].any()]
    wall = [(r, _outermost(lung[r], sign)) for r in up]
    across = [c0 - sign * k for k in range(near, far + 1)]
    dome = [(int(np.flatnonzero(lung[:, c])[-1]), c) for c in across if 0 <= c < lung.shape[1] and lung[:, c].any()]
    if len(wall) < 2 or len(dome) < 2:
        return float("nan")
    return abs(_bearing(wall, r0, c0, sign) - _bearing(dome, r0, c0, sign))


def _outermost(line: npt.NDArray[np.bool_], sign: int) -> int:
    """Column of a row's lateral lung border."""
    hit = np.flatnonzero(line)
    return int(hit[-1] if sign > 0 else hit[0])


def _bearing(points: list[tuple[int, int]], r0: int, c0: int, sign: int) -> float:
    """Direction (degrees from straight up, positive medially) of a border's straight fit, seen from the tip."""
    offsets = np.array(points, dtype=float) - (r0, c0)
    up, medial = -offsets[:, 0], -sign * offsets[:, 1]
    centred = np.stack([up - up.mean(), medial - medial.mean()])
    axis = np.linalg.svd(centred)[0][:, 0]
    if axis @ np.array([up.mean(), medial.mean()]) < 0:
        axis = -axis
    return math.degrees(math.atan2(axis[1], axis[0]))


def posterior_ribs(body: Body, geometry: Geometry, row: float, column: float) -> float:
    """How many of the right side's posterior ribs lie above the dome's top (row, column); nan without a dome.

    The back parts of the ribs' centre lines are followed to that column; between two ribs the number is interpolated:
    9.4 means that rib 9 crosses above the top, and that the top has come four tenths of the way to rib 10.
    """
    if not math.isfinite(row):
        return math.nan
    numbers, rows = [], []
    for number in range(1, 13):
        line = rib_line(body, number, -1)
        back = line[: int(np.argmin(line[:, 0])) + 1] * np.array(body.scale, dtype=np.float32)
        r, c, _ = geometry.project(back)
        if c.min() <= column <= c.max():
            numbers.append(number)
            rows.append(float(np.interp(-column, -c, r)))
    return float(np.interp(row, rows, numbers)) if rows else math.nan


def dome_height(lung: Mask, diaphragm: Mask, pixel_mm: float) -> tuple[float, float, float]:
    """(height in mm, row and column of the top) of the dome under a lung field [H, W]; nan where no border of both is
    seen.

    Only columns in which the lung ends on the diaphragm count, so not those over the heart. The height is the vertical
    distance between the lung's lowest point (the costophrenic angle) and the dome's top.
    """
    found = mask_box(lung)
    if found is None:
        return math.nan, math.nan, math.nan
    columns = np.flatnonzero(lung.any(0))
    low = lung.shape[0] - 1 - np.argmax(lung[::-1, columns], axis=0)
    below = np.minimum(low + 2, lung.shape[0] - 1)
    kept = diaphragm[below, columns] & (low > (found[0] + found[2]) / 2)
    low, columns = low[kept], columns[kept]
    if not len(low):
        return math.nan, math.nan, math.nan
    top = low.min()
    return float(low.max() - top) * pixel_mm, float(top), float(np.median(columns[low == top]))
