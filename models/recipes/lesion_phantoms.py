"""Phantoms for the locator: outlines of every lesion and device, and what each takes from the beam, to paste elsewhere.

A film's lesions and devices are also kept as attenuation maps, so that they can be laid over other films, real ones
too (models.recipes.pasting). Films lie in cache files of CHUNK; a file once made is not made again.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import track

from imaging.phantom import FINDINGS, FindingSpec, PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.phantom.devices import place_devices, project
from imaging.phantom.lesions import draws
from imaging.phantom.physics import DENSITY_G_CM3, MASS_ATTENUATION_CM2_G
from imaging.radiograph import View
from models.locator import CLASSES, OBJECTS

CANVAS = 384
"""Rows and columns of a film: larger than the network's square, so that zooming in does not blur."""

TRAINING_SEED, VALIDATION_SEED, HELD_OUT_SEED = 7_000_000, 7_500_000, 8_000_000
"""First seeds of the three sets."""

TRAINING, VALIDATION, HELD_OUT = 240, 20, 60
"""Films of each."""

CHUNK = 20
"""Films of one cache file: what an interruption can cost."""

WORKERS = 1

CLASS_OF = {
    "consolidation": "lung_opacity", "infiltration": "lung_opacity", "nodule": "lung_lesion", "mass": "lung_lesion",
    **{code: code for code in CLASSES},
}  # fmt: skip
"""The class of each phantom finding that has one."""

LIKE_OPACITY = ("edema", "fibrosis")
"""Findings that are learnt neither as lung opacity nor against it."""

RANGES = {
    "effusion": ("ml", 80.0, 1800.0), "pneumothorax": ("%", 8.0, 75.0), "consolidation": ("mm", 30.0, 140.0),
    "infiltration": ("mm", 40.0, 150.0), "atelectasis": ("", 0.2, 1.0), "nodule": ("mm", 6.0, 30.0),
    "mass": ("mm", 30.0, 90.0), "cavity": ("mm", 20.0, 80.0), "pleural_thickening": ("mm", 4.0, 20.0),
    "hernia": ("mm", 40.0, 110.0), "fracture": ("mm", 1.0, 20.0), "cardiomegaly": ("", 0.5, 0.68),
    "edema": ("", 0.2, 1.0), "fibrosis": ("", 0.2, 1.0), "emphysema": ("", 0.2, 1.0),
    "ett": ("mm", 0.0, 100.0), "retained_sponge": ("mm", 30.0, 80.0), "retained_needle": ("mm", 15.0, 60.0),
}  # fmt: skip
"""Unit and range of each finding's number, even on a logarithmic scale (the tube's tip on a plain one)."""

WEIGHTS = {
    "effusion": 2.5, "pneumothorax": 2.5, "consolidation": 1.5, "infiltration": 1.0, "atelectasis": 1.2, "nodule": 1.8,
    "mass": 1.0, "cavity": 1.0, "pleural_thickening": 0.8, "hernia": 0.8, "fracture": 1.0, "cardiomegaly": 1.0,
    "edema": 0.7, "fibrosis": 0.4, "emphysema": 0.4,
}  # fmt: skip
"""How likely each is drawn."""

ONE_SIDED = ("nodule", "mass", "pneumothorax", "atelectasis", "cavity", "fracture")
BILATERAL_SHARE = 0.15
ZONED = ("consolidation", "mass", "nodule", "infiltration", "atelectasis", "cavity", "pleural_thickening")
KIND_SHARE = 0.3
LOBAR_SHARE = 0.2
NORMAL_SHARE = 0.2
BEDSIDE_SHARE = 0.5
TUBES = OBJECTS[:5]
DEVICE_SHARE = {View.PA: 0.3, View.AP: 0.75}
RETAINED_SHARE = 0.12
"""Share of films with a retained sponge, and of those with a needle."""

KEV = 3
"""Index of the spectrum's band (61.5 keV) whose attenuation stands for the whole beam's in the kept maps."""

LUNG_LEFT_MM = 6.0
"""Less lung than this along a ray shows no markings."""

EDGE_SHARE = 0.02
"""Free air of which less lies beyond the lung's edge counts as a whole: it lies before the lung."""

SPARE_DEVICES = 2
"""Sets of devices kept of every patient beside the film's own, only to be pasted."""


@dataclass(frozen=True)
class Outlined:
    """Films with all that can be learnt from them.

    Attributes:
        pixels: uint8 [N, S, S], 255 = dense.
        masks: uint8 [N, 16, S, S / 8], packed bits in the order of CLASSES.
        unsure: uint8 [N, S, S / 8], where opacity is neither there nor absent (LIKE_OPACITY).
        lungs: uint8 [N, 2, S, S / 8], left and right.
        lesions: float16 [N, S, S], nepers that the lesions add to the beam's attenuation (negative: free air).
        devices: float16 [N, SPARE_DEVICES, S, S], the same of devices that are not on the film.
        device_masks: uint8 [N, SPARE_DEVICES, 7, S, S / 8], those devices in the order of OBJECTS.
    """

    pixels: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]
    unsure: npt.NDArray[np.uint8]
    lungs: npt.NDArray[np.uint8]
    lesions: npt.NDArray[np.float16]
    devices: npt.NDArray[np.float16]
    device_masks: npt.NDArray[np.uint8]


def draw_finding(code: str, rng: np.random.Generator) -> FindingSpec:
    """One finding with a drawn number, side, zone or lobe, and form, as far as it has them."""
    rule, parts = FINDINGS[code], [code]
    if code in RANGES:
        unit, low, high = RANGES[code]
        value = rng.uniform(low, high) if low == 0 else np.exp(rng.uniform(np.log(low), np.log(high)))
        parts.append(f"{value:.3f}{unit}")
    side = str(rng.choice(["left", "right"]))
    if rule.sided:
        parts.append("bilateral" if code not in ONE_SIDED and rng.random() < BILATERAL_SHARE else side)
    if rule.lobed and parts[-1] != "bilateral" and rng.random() < LOBAR_SHARE:
        lobes = ["upper_lobe", "lower_lobe"] + ["middle_lobe"] * (side == "right")
        return parse_finding(":".join([*parts, str(rng.choice(lobes))]))
    if code in ZONED:
        parts.append(str(rng.choice(["upper", "middle", "lower"])))
    if rule.kinds and rng.random() < KIND_SHARE:
        parts.append(str(rng.choice(rule.kinds)))
    return parse_finding(":".join(parts))


def draw_devices(rng: np.random.Generator, share: float) -> list[FindingSpec]:
    """No, one or up to four devices, and sometimes a retained object."""
    count = int(rng.integers(1, 5)) if rng.random() < share else 0
    codes = [str(code) for code in rng.choice(TUBES, count, replace=False)]
    codes += [code for code in OBJECTS[5:] if rng.random() < RETAINED_SHARE]
    return [draw_finding(code, rng) for code in codes]


def draw_spec(seed: int) -> PhantomSpec:
    """A patient with none to three findings, standing or bedside, with or without devices, exposed in any way."""
    rng = np.random.default_rng([47, seed])
    weights = np.array(list(WEIGHTS.values()))
    count = 0 if rng.random() < NORMAL_SHARE else int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))
    codes = rng.choice(list(WEIGHTS), count, replace=False, p=weights / weights.sum())
    view = View.AP if rng.random() < BEDSIDE_SHARE else View.PA
    findings = [draw_finding(str(code), rng) for code in codes] + draw_devices(rng, DEVICE_SHARE[view])
    return PhantomSpec(
        seed=seed,
        view=view,
        size=CANVAS,
        findings=tuple(findings),
        dose=float(np.exp(rng.uniform(np.log(0.25), np.log(3.0)))),
        rotation_deg=float(np.clip(rng.normal(0, 3.5), -10, 10)),
        position="erect" if view is View.AP and rng.random() < 0.3 else None,
        exposure_stops=float(rng.uniform(-0.6, 0.6)),
        tilt_deg=float(rng.normal(2, 5)) if rng.random() < 0.4 else None,
    )


def lesion_nepers(film: PhantomFilm) -> npt.NDArray[np.float32]:
    """What the film's lesions add to the attenuation of lung [H, W], about: thickness times density beyond the lung's.

    Lesions that stand for a change of the whole lung (vessels, interstitium) are left out.
    """
    total = np.zeros(film.radiograph.shape, dtype=np.float32)
    per_mm = MASS_ATTENUATION_CM2_G["soft"][KEV] / 10
    for lesion in film.anatomy.lesions:
        if lesion.code in CLASS_OF and lesion.sign:
            beyond = lesion.density - film.anatomy.body.lung_density
            total += film.scene.maps.thick(lesion.name) * np.float32(beyond * per_mm)
    return total


def device_layer(
    film: PhantomFilm, findings: Sequence[FindingSpec]
) -> tuple[npt.NDArray[np.float32], dict[str, npt.NDArray[np.bool_]]]:
    """(nepers [H, W], mask by class) of devices in this film's patient."""
    body, rng = film.anatomy.body, np.random.default_rng([17, film.spec.seed])
    placed = place_devices(body, draws(tuple(findings), rng))
    masks, wall, metal, _ = project(body, placed, film.scene.geometry)
    nothing = np.zeros(film.radiograph.shape, dtype=np.bool_)
    found = dict.fromkeys(OBJECTS, nothing)
    for device in placed:
        found[device.code] = found[device.code] | masks[device.name]
    return nepers_of(wall, metal, nothing.shape), found


def nepers_of(
    wall: npt.NDArray[np.float32] | None, metal: npt.NDArray[np.float32] | None, shape: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Attenuation [H, W] of what `project` says of devices: mm of polymer and of iron; nothing without devices."""
    if wall is None or metal is None:
        return np.zeros(shape, dtype=np.float32)
    soft, iron = (
        np.float32(MASS_ATTENUATION_CM2_G[kind][KEV] * DENSITY_G_CM3[kind] / 10) for kind in ("soft", "metal")
    )
    return wall * soft + metal * iron


def free_air(film: PhantomFilm, name: str, side: str) -> npt.NDArray[np.bool_]:
    """Where a pneumothorax shows [H, W]: beyond the collapsed lung's edge. Free air before lung shows no edge; where
    that is all there is, the whole of it."""
    whole, thick = film.masks[name], film.scene.maps.thick
    beyond = whole & film.masks[f"{side}_lung"] & (thick(f"lung_{side}") - thick(name) < LUNG_LEFT_MM)
    return beyond if beyond.sum() >= EDGE_SHARE * whole.sum() else whole


def class_masks(film: PhantomFilm) -> npt.NDArray[np.bool_]:
    """Where each of the CLASSES is: bool [16, H, W]."""
    found = np.zeros((len(CLASSES), *film.radiograph.shape), dtype=np.bool_)
    for entry in film.findings:
        code = str(entry["parameters"].get("device", entry["code"]))
        if code in CLASS_OF:
            name = entry["mask"]
            mask = free_air(film, name, str(entry["side"])) if code == "pneumothorax" else film.masks[name]
            found[CLASSES.index(CLASS_OF[code])] |= mask
    return found


def _packed(masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    return np.packbits(masks, axis=-1)


def outlined(spec: PhantomSpec) -> Outlined:
    """One film's row of Outlined, arrays without their first axis."""
    film = make_phantom(spec, threads=1)
    rng = np.random.default_rng([53, spec.seed])
    layers = [device_layer(film, draw_devices(rng, 1.0)) for _ in range(SPARE_DEVICES)]
    vague = np.zeros(film.radiograph.shape, dtype=np.bool_)
    for entry in film.findings:
        if entry["code"] in LIKE_OPACITY:
            vague |= film.masks[entry["mask"]]
    return Outlined(
        pixels=np.round(film.radiograph.pixels * 255).astype(np.uint8),
        masks=_packed(class_masks(film)),
        unsure=_packed(vague),
        lungs=_packed(np.stack([film.masks["left_lung"], film.masks["right_lung"]])),
        lesions=lesion_nepers(film).astype(np.float16),
        devices=np.stack([nepers for nepers, _ in layers]).astype(np.float16),
        device_masks=np.stack([_packed(np.stack([found[code] for code in OBJECTS])) for _, found in layers]),
    )


def _film(seed: int) -> Outlined:
    return outlined(draw_spec(seed))


def _stacked(rows: Sequence[Outlined]) -> dict[str, npt.NDArray[Any]]:
    return {item.name: np.stack([getattr(row, item.name) for row in rows]) for item in fields(Outlined)}


def make_outlined(first_seed: int, count: int, cache: Path) -> Outlined:
    """The films of `count` seeds from the first; files that lie in the cache folder are not made again."""
    cache.mkdir(parents=True, exist_ok=True)
    starts = range(first_seed, first_seed + count, CHUNK)
    paths = {start: cache / f"outlined_{start}_{CHUNK}.npz" for start in starts}
    missing = {start: path for start, path in paths.items() if not path.exists()}
    if missing:
        with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
            for start, path in track(missing.items(), description="phantoms"):
                rows = pool.map(_film, range(start, start + CHUNK), chunksize=1)
                np.savez_compressed(path, allow_pickle=False, **_stacked(rows))
    return joined(path for path in paths.values())


def joined(paths: Iterable[Path]) -> Outlined:
    """The films of several cache files."""
    parts: dict[str, list[npt.NDArray[Any]]] = {item.name: [] for item in fields(Outlined)}
    for path in paths:
        with np.load(path) as held:
            for name, list_ in parts.items():
                list_.append(held[name])
    return Outlined(**{name: np.concatenate(chunks) for name, chunks in parts.items()})
