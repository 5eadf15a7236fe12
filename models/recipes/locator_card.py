"""The embedded locator's operating points, and its card: what was measured, and which classes may be told from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.torch import load_file

from models.locator import CLASSES, LESIONS, OBJECTS, SIDE, TIPPED, Locator, load_locator
from models.preprocess import INPUT_MEAN, INPUT_SCALE, TONE_PERCENTILES
from models.recipes import device_phantoms
from models.recipes.cards import write_card
from models.recipes.data import TEST_FOLD, VALIDATION_FOLD
from models.recipes.device_phantoms import DeviceFilms, make_device_films
from models.recipes.lesion_films import BOXED, RealFilms, Says, real_films
from models.recipes.lesion_phantoms import (
    HELD_OUT,
    HELD_OUT_SEED,
    VALIDATION,
    VALIDATION_SEED,
    Outlined,
    make_outlined,
)
from models.recipes.locator_figures import (
    TIP_WITHIN_MM,
    Seen,
    box_figures,
    box_rows,
    device_figures,
    false_alarms,
    label_areas,
    look_at_devices,
    look_at_phantoms,
    look_at_real,
    nodule_figures,
    on_canvas,
    phantom_figures,
    read_figures,
    tip_figures,
    tip_misses_mm,
)
from models.recipes.locator_words import (
    LABELS,
    LIMITS,
    MEASURED_ON,
    REFERENCES,
    SCORE_MEANING,
    SIDES,
    TRAINING_DATA,
    UNFIT,
)

FALSE_ALARMS = {"lesion": 0.05, "device": 0.02, "retained": 0.01}
"""Share of real films without a class on which it may be called present, each patient counting as one; as many again
may be called uncertain of a lesion. A false alert of a retained object costs trust: they are the fewest."""

PHANTOM_ALARMS = {"lesion": 0.1, "device": 0.2, "retained": 0.1}
"""The same of phantoms, on which other findings and devices look alike more often than on healthy real films, and most
on those that show many devices at once."""

LEAST_FILMS = 20
"""With fewer real films without a class its threshold is chosen on phantoms without it."""

OUTLINED_FROM = tuple(round(0.15 + 0.1 * step, 2) for step in range(7))
"""Values of a map among which the one with the best Dice on validation phantoms is taken."""

CHANCE = 0.5

LEAST_POINTING, LEAST_SPECIFICITY = 0.5, 0.5
"""A class whose map's highest place lies within it on fewer of the held-out phantoms, or that is called present on more
than half of those without it, is not usable."""

LEAST_TIPS, CHOSEN_TIPS = 0.9, 0.99
"""Share of the told tips that must lie within TIP_WITHIN_MM of their place on the held-out phantoms, and on those on
which the certainty from which they are told is chosen."""

CERTAINTIES = tuple(round(0.3 + 0.05 * step, 2) for step in range(14))
"""Among which the lowest that keeps CHOSEN_TIPS is taken."""

LEAST_SENSITIVITY = 0.3
"""A class that is called present on fewer of the held-out phantoms with it is not usable."""


@dataclass(frozen=True)
class Points:
    """Operating points per class, in the order of CLASSES.

    Attributes:
        threshold: of the film's score: present from it on.
        uncertain_from: uncertain between it and the threshold.
        outlined_from: of the map's values: a pixel belongs to the outline.
        films: how many films without the class the threshold was chosen on.
        tip_from: certainty from which a tip is told; above 1 where none keeps CHOSEN_TIPS.
    """

    threshold: dict[str, float]
    uncertain_from: dict[str, float]
    outlined_from: dict[str, float]
    films: dict[str, int]
    tip_from: float


def choose(
    seen_real: Seen, real: RealFilms, seen_phantoms: Seen, phantoms: Outlined, seen_devices: Seen, devices: DeviceFilms
) -> Points:
    """Thresholds from films without each class, outlines from phantoms with it; all of the validation sets.

    A threshold keeps the share of false alarms both on real films and on phantoms: for devices and objects on those
    that show many of them, where it goes up to what tells both kinds apart best.
    """
    masks = np.unpackbits(phantoms.masks, axis=-1).astype(np.bool_)
    drawn = np.unpackbits(devices.masks, axis=-1).astype(np.bool_)
    threshold, uncertain, outlined, films = {}, {}, {}, {}
    for index, code in enumerate(CLASSES):
        apart = real.says[:, index] == Says.ABSENT
        without, patients = seen_real.scores[apart, index], real.patients[apart]
        seen, side, truth = seen_phantoms, phantoms.pixels.shape[-1], masks[:, index]
        if code in OBJECTS:
            seen, side, truth = seen_devices, devices.pixels.shape[-1], drawn[:, OBJECTS.index(code)]
        scores, there = seen.scores[:, index], truth.any(axis=(1, 2))
        kind = "lesion" if code in LESIONS else "retained" if code.startswith("retained") else "device"
        judged = [(scores[~there], np.arange((~there).sum()), PHANTOM_ALARMS[kind])]
        if len(without) >= LEAST_FILMS:
            judged.append((without, patients, FALSE_ALARMS[kind]))
        threshold[code] = max(exceeded_by(*one) for one in judged)
        uncertain[code] = max(exceeded_by(values, whose, 2 * share) for values, whose, share in judged)
        if kind != "lesion":
            threshold[code], uncertain[code] = best_threshold(scores[there], scores[~there], threshold[code])
        outlined[code] = best_outline(seen, side, truth, index)
        films[code] = len(without)
    return Points(threshold, uncertain, outlined, films, surest(*tip_misses_mm(seen_devices, devices)))


def exceeded_by(scores: npt.NDArray[np.float32], patients: npt.NDArray[Any], share: float) -> float:
    """The score that so large a share of the films lies above, each patient counting as one film: with clips on all of
    eight films, one patient decided it alone."""
    _, whose, films = np.unique(patients, return_inverse=True, return_counts=True)
    return float(np.quantile(scores, 1 - share, weights=1 / films[whose], method="inverted_cdf"))


def best_threshold(
    found: npt.NDArray[np.float32], without: npt.NDArray[np.float32], least: float
) -> tuple[float, float]:
    """(threshold, uncertain from) of a device from the scores of phantoms with and without it.

    From `least` on, the threshold is where sensitivity and specificity are best together, and there in the middle
    between the lowest score that it finds and the highest without the device below it. Scores are uncertain from where
    half as many phantoms without the device lie below the threshold as above it.
    """
    places = found[found >= least]
    if not len(places):
        return least, least
    lowest = max(places, key=lambda place: float(np.mean(found >= place) + np.mean(without < place)))
    below = float(without[without < lowest].max(initial=0.0))
    best = max(least, (float(lowest) + below) / 2)
    beyond = float(np.mean(without >= best))
    return best, min(best, max(least, float(np.quantile(without, 1 - 1.5 * beyond))))


def surest(missed: npt.NDArray[np.float64], certain: npt.NDArray[np.float64]) -> float:
    """The lowest of CERTAINTIES from which CHOSEN_TIPS of the told tips are right; 2 where there is none."""
    for least in CERTAINTIES:
        told = missed[certain >= least]
        if len(told) and np.mean(told <= TIP_WITHIN_MM) >= CHOSEN_TIPS:
            return least
    return 2.0


def best_outline(seen: Seen, side: int, masks: npt.NDArray[np.bool_], index: int) -> float:
    """The value among OUTLINED_FROM with the best mean Dice over films, square and of `side` pixels, with the class."""
    rows = np.flatnonzero(masks.any(axis=(1, 2)))
    dice: dict[float, list[float]] = {value: [] for value in OUTLINED_FROM}
    for row in rows:
        values = on_canvas(seen.maps[row], index, side)
        for value in OUTLINED_FROM:
            drawn = values >= value
            dice[value].append(2 * float((drawn & masks[row]).sum()) / max(int(drawn.sum() + masks[row].sum()), 1))
    return max(OUTLINED_FROM, key=lambda value: np.mean(dice[value]) if dice[value] else -abs(value - 0.5))


def unfit(phantom: Mapping[str, Any], label: Mapping[str, float]) -> str:
    """Why a class may not be told from this network; empty where it may."""
    if phantom["sensitivity"]["number"] and phantom["sensitivity"]["value"] < LEAST_SENSITIVITY:
        return (
            f"at the threshold that real films without it allow, it is found on only "
            f"{phantom['sensitivity']['value']:.0%} of the synthetic films that have it"
        )
    if phantom["specificity"]["number"] and phantom["specificity"]["value"] < LEAST_SPECIFICITY:
        alarms = 1 - phantom["specificity"]["value"]
        return f"it is called present on {alarms:.0%} of the synthetic films that do not have it"
    if phantom["pointing"]["number"] and phantom["pointing"]["value"] < LEAST_POINTING:
        return f"its map points at it on only {phantom['pointing']['value']:.0%} of the synthetic films that have it"
    if label["number"] >= LEAST_FILMS and label["low"] <= CHANCE:
        return f"no better than chance on real films: AUROC {label['value']:.2f}, {label['number']} films with it"
    return ""


def tip_worth(code: str, points: Points, figures: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Whether a class's tips may be told, from which certainty on, and else why not; only TIPPED's are measured."""
    if code != TIPPED:
        return {"tip_usable": False}
    right = figures[f"told tip within {TIP_WITHIN_MM:.0f} mm"]
    if points.tip_from <= 1 and right["number"] >= LEAST_FILMS and right["value"] >= LEAST_TIPS:
        return {"tip_usable": True, "tip_from": points.tip_from}
    every = figures[f"any tip within {TIP_WITHIN_MM:.0f} mm"]
    share = f"{every['value']:.0%} of {every['number']:.0f}"
    return {
        "tip_usable": False,
        "tip_reason": f"it lay within {TIP_WITHIN_MM:.0f} mm of its true place on only {share} synthetic films",
    }


def measured(network: Locator, data: Path, cache: Path) -> tuple[Points, dict[str, Any]]:
    """Operating points, chosen on the validation sets, and the card's tables and usability, on the held-out ones."""
    films = real_films(data, cache)
    checked = films.chosen(films.folds == VALIDATION_FOLD)
    validation = make_outlined(VALIDATION_SEED, VALIDATION, cache)
    devices = make_device_films(device_phantoms.VALIDATION_SEED, cache)
    points = choose(
        look_at_real(network, checked, data), checked, look_at_phantoms(network, validation), validation,
        look_at_devices(network, devices), devices,
    )  # fmt: skip
    held = make_outlined(HELD_OUT_SEED, HELD_OUT, cache)
    phantom = phantom_figures(look_at_phantoms(network, held), held, points.threshold, points.outlined_from)
    devices = make_device_films(device_phantoms.HELD_OUT_SEED, cache)
    seen_devices = look_at_devices(network, devices)
    device = device_figures(seen_devices, devices, points.threshold, points.outlined_from)
    tip = tip_figures(*tip_misses_mm(seen_devices, devices), points.tip_from)
    apart = films.chosen(films.folds == TEST_FOLD)
    seen = look_at_real(network, apart, data)
    labels = label_areas(seen, apart)
    boxed = films.chosen((films.folds == BOXED) & np.isin(films.files, box_rows(data).file))
    maps = dict(zip(boxed.files.tolist(), look_at_real(network, boxed, data).maps, strict=True))
    alarms = false_alarms(seen, apart, points.threshold)
    by_file = dict(zip(apart.files.tolist(), seen.maps, strict=True))
    effusions, bedside = read_figures(by_file, points.threshold, points.outlined_from)
    tables = {
        f"Phantoms (synthetic), {HELD_OUT} held-out films": {code: phantom[code] for code in LESIONS},
        f"Phantoms with devices (synthetic), {len(devices.pixels)} held-out films": device,
        "Real films of held-out patients (JSRT, Montgomery, NIH; fold 0) labelled as without the class": {
            code: {"called present": alarms[code]} for code in CLASSES
        },
        "NIH, held-out patients (fold 0): films labelled with the class against films without finding": {
            code: {"AUROC of the score": row} for code, row in labels.items()
        },
        "NIH boxes (Wang et al. 2017), all on patients never trained on": box_figures(maps, data, points.outlined_from),
        "NIH films (fold 0) labelled with effusion whose side was read by eye, by no radiologist": {
            "effusion": effusions
        },
        "NIH bedside films (fold 0) read by eye, by no radiologist": bedside,
        f"Tips, {len(devices.pixels)} held-out phantoms": {TIPPED: tip},
        "JSRT nodules, held-out films (fold 0)": {"lung_lesion": nodule_figures(seen, apart, data)},
    }
    return points, {"phantom": phantom | device, "labels": labels, "tables": tables, "tip": tip}


def shares(rows: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, dict[str, float]]]:
    """Figures per class as the card's tables take them; empty ones are left out."""
    return {
        code: {
            name: {"value": one["value"], "low": one["low"], "high": one["high"], "pictures": int(one["number"])}
            for name, one in figures.items()
            if one["number"] and not np.isnan(one["value"])
        }
        for code, figures in rows.items()
    }


def write_measured(identity: Mapping[str, Any], out: Path, data: Path, cache: Path) -> None:
    """Measure the weights as they are stored, and write the card beside them."""
    stored = load_locator(load_file(out / f"{identity['id']}.safetensors"))
    write_card(describe(identity, *measured(stored, data, cache)), out)


def describe(
    identity: Mapping[str, Any],
    points: Points,
    figures: Mapping[str, Any],
) -> dict[str, Any]:
    """The whole card, from the fields that name the stored weights and what `measured` gives."""
    rows = []
    for code in CLASSES:
        label = figures["labels"].get(code, {"number": 0})
        reason = UNFIT.get(code, "") or unfit(figures["phantom"][code], label)
        rows.append(
            {
                "code": code,
                "label": LABELS[code],
                "usable": not reason,
                "reason": reason,
                "threshold": points.threshold[code],
                "uncertain_low": points.uncertain_from[code],
                "uncertain_high": points.threshold[code],
                "outlined_from": points.outlined_from[code],
                "threshold_films": points.films[code],
                "measured_on_real_films": label["number"] >= LEAST_FILMS,
                **tip_worth(code, points, figures["tip"]),
                **SIDES.get(code, {}),
            }
        )
    return {
        **identity,
        "task": "detect",
        "title": "Embedded locator of findings, devices and objects",
        "licence": "Apache-2.0",
        "source": "EfficientNet-Lite0; trained by this project's recipe; shipped in the repository",
        "training_data": TRAINING_DATA,
        "intended_use": "Research and teaching on frontal chest radiographs of adults; not a medical device.",
        "score_kind": "uncalibrated_sigmoid",
        "score_meaning": SCORE_MEANING,
        "limits": list(LIMITS),
        "references": list(REFERENCES),
        "reproduce": " && ".join(
            f"python -m models.recipes.{part} --cache FOLDER" for part in ("locator", "locator_fine", "locator_ends")
        ),
        "measured_on": MEASURED_ON,
        "input": {
            "size_px": SIDE, "channels": 1, "mean": INPUT_MEAN, "scale": INPUT_SCALE,
            "tone_percentiles": list(TONE_PERCENTILES),
        },
        "findings": rows,
        "measured": {name: shares(table) for name, table in figures["tables"].items()},
    }  # fmt: skip
