"""What the locator is worth: on held-out phantoms, whose truth is exact, and on real films kept back from training.

Places are judged as in the literature: the pointing game (is the map's highest cell within the truth; Zhang et al.,
IJCV 2018), the side of the midline, and intersection over union with boxes (Wang et al., CVPR 2017, table 3).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy import ndimage

from models.locator import CLASSES, OBJECTS, SIDE, TIPPED, Locator, located
from models.outputs import Heatmaps
from models.preprocess import FloatImage, prepare
from models.recipes.data import read_grey
from models.recipes.device_phantoms import DeviceFilms
from models.recipes.lesion_films import CLASS_OF_LABEL, RealFilms, Says
from models.recipes.lesion_phantoms import CANVAS, Outlined
from models.recipes.statistics import auroc, patient_weights, resampled

Box = tuple[float, float, float, float]
"""(row_min, col_min, row_max, col_max), shares of the film's height and width."""

OVERLAPS = (0.1, 0.25, 0.5)
POINTING_MARGIN = 0.02
"""The highest cell may lie this share of the film beside a box or mask, about two cells."""

FALSE_MARKS = (0.5, 1.0, 2.0)
"""False marks per film at which the free-response curve of JSRT's nodules is read."""

TIP_WITHIN_MM = 10.0
"""Half of the 2 cm to either side that the usual place of the tip allows (Goodman et al., AJR 1976;127:433)."""

RESAMPLES = 1000

HALF = 0.5
"""Middle column of a film, as a share of its width."""

READ_BY_EYE = Path(__file__).parent / "read_by_eye.toml"


@dataclass(frozen=True)
class Seen:
    """The locator's answers for a set of films: scores [N, 16] and each film's maps."""

    scores: npt.NDArray[np.float32]
    maps: list[Heatmaps]


def look(network: Locator, films: Iterable[FloatImage]) -> Seen:
    """The locator's answer for each film, computed as the adapter does."""
    maps = []
    for pixels in films:
        square, geometry = prepare(pixels, SIDE)
        with torch.inference_mode():
            logits, ends = network(square)
        maps.append(located(logits[0], ends[0], geometry))
    return Seen(np.array([one.values for one in maps]), maps)


def look_at_phantoms(network: Locator, phantoms: Outlined) -> Seen:
    """Phantoms, as films."""
    return look(network, (row.astype(np.float32) / 255 for row in phantoms.pixels))


def look_at_devices(network: Locator, films: DeviceFilms) -> Seen:
    """Phantoms with devices, as films."""
    return look(network, (row.astype(np.float32) / 65535 for row in films.pixels))


def look_at_real(network: Locator, films: RealFilms, data: Path) -> Seen:
    """Real films, from their files."""
    return look(network, (read_grey(data / name) for name in films.files))


def interval(values: npt.ArrayLike) -> dict[str, float]:
    """A mean with its 95% interval by bootstrap over films."""
    kept = np.asarray(values, dtype=np.float64)
    kept = kept[~np.isnan(kept)]
    if not len(kept):
        return {"value": float("nan"), "low": float("nan"), "high": float("nan"), "number": 0}
    draws = np.random.default_rng(7).integers(len(kept), size=(RESAMPLES, len(kept)))
    low, high = np.percentile(kept[draws].mean(axis=1), (2.5, 97.5))
    return {"value": float(kept.mean()), "low": float(low), "high": float(high), "number": len(kept)}


def area(truth: npt.NDArray[np.bool_], scores: npt.NDArray[np.float32], patients: npt.ArrayLike) -> dict[str, float]:
    """AUROC with its 95% interval over resampled patients; `number` counts the films that are true."""
    if not 0 < truth.sum() < len(truth):
        return {"value": float("nan"), "low": float("nan"), "high": float("nan"), "number": int(truth.sum())}
    found = resampled(
        auroc, truth.astype(float), scores.astype(float), patient_weights(np.unique(patients, return_inverse=True)[1])
    )
    return {"value": found.value, "low": found.low, "high": found.high, "number": int(truth.sum())}


def grown(one: Heatmaps, index: int, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """One class's map on a whole film of any shape (in the map's own film's proportions): float32 [shape]."""
    return _sampled(np.asarray(one.maps[index]), one.extent, shape)


def on_canvas(one: Heatmaps, index: int, side: int) -> npt.NDArray[np.float32]:
    """One class's map of a square film of `side` pixels, as large as masks are kept: float32 [CANVAS, CANVAS]."""
    scaled = tuple(edge * CANVAS / side for edge in one.extent)
    return _sampled(np.asarray(one.maps[index]), scaled, (CANVAS, CANVAS))  # type: ignore[arg-type]


def _sampled(values: npt.NDArray[np.float32], extent: Box, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    rows = (np.arange(shape[0]) + 0.5 - extent[0]) / (extent[2] - extent[0]) * values.shape[0] - 0.5
    columns = (np.arange(shape[1]) + 0.5 - extent[1]) / (extent[3] - extent[1]) * values.shape[1] - 0.5
    places = np.meshgrid(rows, columns, indexing="ij")
    return ndimage.map_coordinates(values, places, order=1, mode="constant").astype(np.float32)


def highest(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    """(row, column) of a map's highest place as shares of its size, after a light blur."""
    soft = ndimage.uniform_filter(values, 3)
    row, column = np.unravel_index(int(soft.argmax()), soft.shape)
    return (row + 0.5) / values.shape[0], (column + 0.5) / values.shape[1]


def sides(values: npt.NDArray[np.float32], middle: float) -> set[str]:
    """The patient's sides on which a thresholded map holds at least a quarter of its weight; `middle` is a column."""
    column = np.arange(values.shape[1])[None, :]
    total = float(values.sum())
    right = float((values * (column < middle)).sum())
    found = set()
    if total and right >= total / 4:
        found.add("right")
    if total and total - right >= total / 4:
        found.add("left")
    return found


def middle_of(lungs: npt.NDArray[np.bool_]) -> float:
    """Column halfway between both lungs' inner edges, about: the mean of both lungs' centres."""
    centres = [np.nonzero(lung)[1].mean() if lung.any() else np.nan for lung in lungs]
    return float(np.nanmean(centres)) if not np.isnan(centres).all() else lungs.shape[2] / 2


def phantom_figures(
    seen: Seen, phantoms: Outlined, thresholds: Mapping[str, float], outlined_from: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """Per class: AUROC, sensitivity and specificity per film, Dice, pointing and side where it is there."""
    masks = np.unpackbits(phantoms.masks, axis=-1).astype(np.bool_)
    lungs = np.unpackbits(phantoms.lungs, axis=-1).astype(np.bool_)
    found: dict[str, dict[str, Any]] = {}
    for index, code in enumerate(CLASSES):
        there = np.asarray(masks[:, index].any(axis=(1, 2)))
        called = seen.scores[:, index] >= thresholds[code]
        dice, point, side = [], [], []
        for row in np.flatnonzero(there):
            values = on_canvas(seen.maps[row], index, phantoms.pixels.shape[-1])
            drawn, truth = values >= outlined_from[code], masks[row, index]
            dice.append(2 * (drawn & truth).sum() / max(drawn.sum() + truth.sum(), 1))
            near = ndimage.binary_dilation(truth, iterations=round(POINTING_MARGIN * CANVAS))
            at = highest(values)
            point.append(near[int(at[0] * CANVAS), int(at[1] * CANVAS)])
            middle = middle_of(lungs[row])
            told = sides(truth.astype(np.float32), middle)
            if len(told) == 1:
                side.append(sides(np.where(drawn, values, 0), middle) == told)
        found[code] = {
            "auroc": area(there, seen.scores[:, index], np.arange(len(there))),
            "sensitivity": interval(called[there].astype(float)),
            "specificity": interval((~called[~there]).astype(float)),
            "dice": interval(dice),
            "pointing": interval(np.array(point, dtype=float)),
            "side": interval(np.array(side, dtype=float)),
        }
    return found


def device_figures(
    seen: Seen, films: DeviceFilms, thresholds: Mapping[str, float], outlined_from: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """Per device and object: AUROC, sensitivity and specificity per film, Dice and pointing where it is there."""
    masks = np.unpackbits(films.masks, axis=-1).astype(np.bool_)
    patients = np.arange(len(masks)) // films.pictures
    found: dict[str, dict[str, Any]] = {}
    for number, code in enumerate(OBJECTS):
        index, there = CLASSES.index(code), np.asarray(masks[:, number].any(axis=(1, 2)))
        called = seen.scores[:, index] >= thresholds[code]
        dice, point = [], []
        for row in np.flatnonzero(there):
            values, truth = on_canvas(seen.maps[row], index, films.pixels.shape[-1]), masks[row, number]
            drawn = values >= outlined_from[code]
            dice.append(2 * (drawn & truth).sum() / max(drawn.sum() + truth.sum(), 1))
            near = ndimage.binary_dilation(truth, iterations=round(POINTING_MARGIN * CANVAS))
            row_at, column_at = highest(values)
            point.append(near[int(row_at * CANVAS), int(column_at * CANVAS)])
        found[code] = {
            "auroc": area(there, seen.scores[:, index], patients),
            "sensitivity": interval(called[there].astype(float)),
            "specificity": interval((~called[~there]).astype(float)),
            "dice": interval(dice),
            "pointing": interval(np.array(point, dtype=float)),
        }
    return found


def tip_misses_mm(seen: Seen, films: DeviceFilms) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(how far along the rows each tip is told from its place, in mm of the film, and how certain the network is of
    it) over the films with such a tube whose tip is on the film."""
    index = CLASSES.index(TIPPED)
    rows = np.flatnonzero(films.tips[:, 0] >= 0)
    told = np.array([seen.maps[row].tips[index] for row in rows], dtype=np.float64)  # type: ignore[index]
    missed = np.abs(told[:, 0] - 0.5 - films.tips[rows, 0]) * films.spacing_mm[rows]
    return missed, told[:, 2]


def tip_figures(missed: npt.NDArray[np.float64], certain: npt.NDArray[np.float64], told_from: float) -> dict[str, Any]:
    """Of tubes' tips: how many are told, how many of these lie within TIP_WITHIN_MM of their place, and of all."""
    told = certain >= told_from
    return {
        "tip told": interval(told.astype(float)),
        f"told tip within {TIP_WITHIN_MM:.0f} mm": interval((missed[told] <= TIP_WITHIN_MM).astype(float)),
        f"any tip within {TIP_WITHIN_MM:.0f} mm": interval((missed <= TIP_WITHIN_MM).astype(float)),
    }


def false_alarms(seen: Seen, films: RealFilms, thresholds: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Per class, the share of films that its labels say have none, and that are called positive."""
    found = {}
    for index, code in enumerate(CLASSES):
        without = films.says[:, index] == Says.ABSENT
        found[code] = interval((seen.scores[without, index] >= thresholds[code]).astype(float))
    return found


def label_areas(seen: Seen, films: RealFilms) -> dict[str, dict[str, float]]:
    """Per class that NIH labels name: AUROC of the film's score, films with the label against films without finding."""
    found = {}
    nih = films.source == "NIH"
    for code in dict.fromkeys(CLASS_OF_LABEL.values()):
        index = CLASSES.index(code)
        there = films.says[:, index] == Says.SOMEWHERE
        kept = nih & (there | films.healthy)
        found[code] = area(np.asarray(there[kept]), seen.scores[kept, index], films.patients[kept])
    return found


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    rows, columns = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    shared = max(rows, 0.0) * max(columns, 0.0)
    whole = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - shared
    return shared / whole if whole else 0.0


def drawn_boxes(values: npt.NDArray[np.float32], outlined_from: float) -> list[tuple[float, Box]]:
    """(highest value, box as shares of the film) of each connected piece of a map, highest first."""
    labels, _ = ndimage.label(values >= outlined_from, structure=np.ones((3, 3), dtype=int))
    height, width = values.shape
    found = []
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = place
        peak = float(values[place][labels[place] == number].max())
        found.append((peak, (rows.start / height, columns.start / width, rows.stop / height, columns.stop / width)))
    return sorted(found, reverse=True)


def box_rows(data: Path) -> pd.DataFrame:
    """NIH's boxes with their class and films: file, class, box as shares."""
    boxes = pd.read_csv(data / "boxes.csv")
    boxes = boxes[boxes.file.str.startswith("nih")].copy()
    boxes["code"] = boxes.label.replace({"Infiltrate": "Infiltration"}).map(CLASS_OF_LABEL)
    return boxes.dropna(subset=["code"])


def box_figures(
    seen: Mapping[str, Heatmaps], data: Path, outlined_from: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """Per class and over all: pointing, side (of boxes on one side of the midline) and overlap on NIH's boxes.

    `seen` are the maps by file. The midline is the film's middle column: the boxes of NIH come without lungs.
    """
    rows: dict[str, list[dict[str, float]]] = {}
    for (name, code), group in box_rows(data).groupby(["file", "code"]):
        one = seen[str(name)]
        pixels = read_grey(data / str(name))
        values = grown(one, CLASSES.index(str(code)), pixels.shape)
        truths = [(r.ny, r.nx, r.ny + r.nh, r.nx + r.nw) for r in group.itertuples()]
        row, column = highest(values)
        m = POINTING_MARGIN
        hit = any(b[0] - m <= row <= b[2] + m and b[1] - m <= column <= b[3] + m for b in truths)
        made = [box for _, box in drawn_boxes(values, outlined_from[str(code)])]
        best = max((overlap(a, b) for a in made for b in truths), default=0.0)
        told = {"right" if (b[1] + b[3]) / 2 < 0.5 else "left" for b in truths}
        told = told if all(not b[1] < 0.5 < b[3] for b in truths) else {"left", "right"}
        side = float(("right" if column < 0.5 else "left") in told) if len(told) == 1 else np.nan
        figures = {"pointing": float(hit), "side": side, **{f"IoU from {at}": float(best >= at) for at in OVERLAPS}}
        rows.setdefault(str(code), []).append(figures)
        rows.setdefault("all", []).append(figures)
    return {code: {key: interval([row[key] for row in listed]) for key in listed[0]} for code, listed in rows.items()}


def read_figures(
    seen: Mapping[str, Heatmaps], thresholds: Mapping[str, float], outlined_from: Mapping[str, float]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """(effusions' sides, devices called by class) on the films of read_by_eye.toml; `seen` are the maps by file."""
    read = tomllib.loads(READ_BY_EYE.read_text(encoding="utf-8"))
    index, called, right, among = CLASSES.index("effusion"), [], [], []
    for name, side in read["effusion_side"].items():
        one = seen[name]
        values = np.asarray(one.maps[index])
        lungs_middle = values.shape[1] / 2
        told = sides(np.where(values >= outlined_from["effusion"], values, 0), lungs_middle)
        called.append(float(one.values[index] >= thresholds["effusion"]))
        right.append(float(("right" if highest(values)[1] < HALF else "left") == side))
        among += [float(told == {side})] if called[-1] else []
    figures = {
        "called present": interval(called),
        "highest place on the right side": interval(right),
        "outlined on that side only, where called": interval(among),
    }
    bedside = read["bedside"]
    rows = {code: {"without": range(len(bedside["files"]))} for code in bedside["without"]} | bedside["seen"]
    devices: dict[str, dict[str, Any]] = {}
    for code, groups in rows.items():
        scores = np.array([seen[name].values[CLASSES.index(code)] for name in bedside["files"]])
        devices[code] = {
            f"called present, {group} it": interval((scores[list(places)] >= thresholds[code]).astype(float))
            for group, places in groups.items()
        }
    return figures, devices


def nodule_figures(seen: Seen, films: RealFilms, data: Path) -> dict[str, Any]:
    """JSRT: pointing, and nodules found at so many false marks a film (free-response: a mark hits within a nodule)."""
    index = CLASSES.index("lung_lesion")
    jsrt = films.source == "JSRT"
    marks, total, point = [], 0, []
    boxes = pd.read_csv(data / "boxes.csv").query("label == 'Nodule'").set_index("file")
    for row in np.flatnonzero(jsrt):
        name = str(films.files[row])
        side = max(read_grey(data / name).shape)
        values = ndimage.gaussian_filter(on_canvas(seen.maps[row], index, side), 1.0)
        peaks = (values == ndimage.maximum_filter(values, 25)) & (values > 1e-3)
        truth = boxes.loc[name] if name in boxes.index else None
        hit_any = False
        for r, c in np.argwhere(peaks):
            inside = truth is not None and _within(truth, r / CANVAS, c / CANVAS)
            marks.append((float(values[r, c]), inside and not hit_any))
            hit_any = hit_any or inside
        if truth is not None:
            total += 1
            point.append(_within(truth, *highest(values)))
    marks.sort(reverse=True)
    hits, false = np.cumsum([hit for _, hit in marks]), np.cumsum([not hit for _, hit in marks])
    per_film = false / max(int(jsrt.sum()), 1)
    caught = {at: int(hits[per_film <= at].max(initial=0)) for at in FALSE_MARKS}
    free = {
        f"found at {at:g} false marks a film": interval(np.repeat([1.0, 0.0], [number, max(total - number, 0)]))
        for at, number in caught.items()
    }
    return {"pointing": interval(np.array(point, dtype=float)), **free}


def _within(box: pd.Series, row: float, column: float) -> bool:
    m = POINTING_MARGIN
    return bool(box.ny - m <= row <= box.ny + box.nh + m and box.nx - m <= column <= box.nx + box.nw + m)
