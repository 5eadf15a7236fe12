"""Phantoms for the segmenter and the bone suppressor: all masks, a bone-free twin, lesions; cached in chunks of films.

Every finding and device the phantom draws may occur, as the outlines must hold on sick and bedside films too.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track

from imaging.phantom import FINDINGS, FindingSpec, PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.phantom.physics import DENSITY_G_CM3
from imaging.radiograph import View
from models.networks import STRUCTURES
from models.recipes.data import MaskedFilm
from models.recipes.phantoms import BEDSIDE_SHARE, SIZE, WORKERS, structure_masks

TRAINING_SEED = 4_000_000
VALIDATION_SEED = 5_000_000
HELD_OUT_SEED = 6_000_000
"""First seeds of the three sets."""

TRAINING, VALIDATION, HELD_OUT = 160, 10, 30
"""Films of each."""

CHUNK = 10
"""Films of one cache file: what an interruption can cost."""

RANGES = {
    "effusion": ("ml", 100.0, 1800.0), "pneumothorax": ("%", 8.0, 75.0), "cardiomegaly": ("", 0.52, 0.68),
    "consolidation": ("mm", 30.0, 140.0), "mass": ("mm", 30.0, 90.0), "nodule": ("mm", 6.0, 30.0),
    "edema": ("", 0.2, 1.0), "infiltration": ("mm", 40.0, 150.0), "atelectasis": ("", 0.2, 1.0),
    "emphysema": ("", 0.2, 1.0), "fibrosis": ("", 0.2, 1.0), "pleural_thickening": ("mm", 4.0, 20.0),
    "hernia": ("mm", 40.0, 110.0),
}  # fmt: skip
"""Unit and range of each finding's number, drawn evenly on a logarithmic scale."""

OFTEN = {"nodule": 3.0, "effusion": 2.0, "consolidation": 1.5, "pneumothorax": 1.5, "cardiomegaly": 1.5}
"""How many times likelier than the others these findings are drawn."""

ROUND = ("nodule", "mass")
DEVICES = ("ett", "ng_tube", "central_line", "pacemaker", "chest_drain")
DEVICE_SHARE = {View.PA: 0.12, View.AP: 0.5}
NORMAL_SHARE, SINGLE_SHARE = 0.25, 0.4
BILATERAL_SHARE = 0.1
ONE_SIDED = ("nodule", "mass", "pneumothorax", "atelectasis")
ZONED = ("consolidation", "mass", "nodule", "infiltration")

BONE_LEVELS_MM = 0.1
"""Bone is kept in steps of this many mm of cortical bone along the ray, at most 25.5."""


@dataclass(frozen=True)
class Anatomy:
    """Phantom films with what the recipes learn from.

    Attributes:
        pixels: uint8 [N, SIZE, SIZE], 255 = dense.
        bone_free: uint8 [N, SIZE, SIZE], the same films without bone.
        bone: uint8 [N, SIZE, SIZE], cortical bone along the ray in steps of BONE_LEVELS_MM.
        lesions: uint8 [N, SIZE, SIZE / 8], nodules and masks, packed bits.
        masks: uint8 [N, 12, SIZE, SIZE / 8] in the order of STRUCTURES, packed bits.
    """

    pixels: npt.NDArray[np.uint8]
    bone_free: npt.NDArray[np.uint8]
    bone: npt.NDArray[np.uint8]
    lesions: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]

    def masked(self, first_seed: int, fold: int) -> Iterator[MaskedFilm]:
        """The films as the segmenter's recipe takes them, every structure known."""
        known = np.ones(len(STRUCTURES), dtype=np.bool_)
        for row, pixels in enumerate(self.pixels):
            masks = np.unpackbits(self.masks[row], axis=-1).astype(np.bool_)
            yield MaskedFilm("phantoms", str(first_seed + row), fold, pixels.astype(np.float32) / 255.0, masks, known)


def draw_finding(code: str, rng: np.random.Generator) -> FindingSpec:
    """One finding with a drawn number, side and zone."""
    unit, low, high = RANGES[code]
    parts = [code, f"{np.exp(rng.uniform(np.log(low), np.log(high))):.3f}{unit}"]
    if FINDINGS[code].sided:
        both = rng.random() < BILATERAL_SHARE and code not in ONE_SIDED
        parts.append("bilateral" if both else str(rng.choice(["left", "right"])))
    if code in ZONED:
        parts.append(str(rng.choice(["upper", "middle", "lower"])))
    return parse_finding(":".join(parts))


def draw_spec(seed: int) -> PhantomSpec:
    """A patient with no, one, or two to three findings, bedside or standing, with or without devices."""
    rng = np.random.default_rng([43, seed])
    weights = np.array([OFTEN.get(code, 1.0) for code in RANGES])
    kind = rng.random()
    count = 0 if kind < NORMAL_SHARE else 1 if kind < NORMAL_SHARE + SINGLE_SHARE else int(rng.integers(2, 4))
    codes = rng.choice(list(RANGES), count, replace=False, p=weights / weights.sum())
    findings = [draw_finding(str(code), rng) for code in codes]
    view = View.AP if rng.random() < BEDSIDE_SHARE else View.PA
    if rng.random() < DEVICE_SHARE[view]:
        findings += [parse_finding(str(code)) for code in rng.choice(DEVICES, int(rng.integers(1, 3)), replace=False)]
    return PhantomSpec(seed=seed, view=view, size=SIZE, findings=tuple(findings))


def _bytes(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.round(picture * 255).astype(np.uint8)


def _film(seed: int) -> Anatomy:
    film: PhantomFilm = make_phantom(draw_spec(seed))
    lesions = np.zeros((SIZE, SIZE), dtype=np.bool_)
    for name, mask in film.masks.items():
        if name.startswith(ROUND):
            lesions |= mask
    bone_mm = film.scene.mass.bone * (10 / DENSITY_G_CM3["bone"])
    return Anatomy(
        _bytes(film.radiograph.pixels),
        _bytes(film.bone_free),
        np.clip(bone_mm / BONE_LEVELS_MM, 0, 255).astype(np.uint8),
        np.packbits(lesions, axis=-1),
        np.packbits(structure_masks(film), axis=-1),
    )


def _joined(parts: Sequence[Anatomy], join: Callable[..., npt.NDArray[np.uint8]] = np.stack) -> Anatomy:
    return Anatomy(*(join([getattr(part, item.name) for part in parts]) for item in fields(Anatomy)))


def make_anatomy(first_seed: int, count: int, cache: Path) -> Anatomy:
    """The films of `count` seeds from the first; chunks that lie in the cache folder are not made again."""
    cache.mkdir(parents=True, exist_ok=True)
    paths = {start: cache / f"anatomy_{start}_{CHUNK}.npz" for start in range(first_seed, first_seed + count, CHUNK)}
    missing = {start: path for start, path in paths.items() if not path.exists()}
    if missing:
        with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
            for start, path in track(missing.items(), description="phantoms"):
                made = _joined(pool.map(_film, range(start, start + CHUNK), chunksize=1))
                np.savez(path, **{item.name: getattr(made, item.name) for item in fields(made)})
    chunks = []
    for path in paths.values():
        with np.load(path) as held:
            chunks.append(Anatomy(**{item.name: held[item.name] for item in fields(Anatomy)}))
    whole = _joined(chunks, np.concatenate)
    return Anatomy(*(getattr(whole, item.name)[:count] for item in fields(Anatomy)))
