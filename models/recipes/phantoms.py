"""Synthetic films for the recipes: drawn specifications, the films with their truth, and a cache of both.

Training and held-out films differ in every seed, hence in patient, positioning, exposure and lesion.
"""

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track

from imaging.phantom import FindingSpec, PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.radiograph import View
from models.networks import FINDINGS, STRUCTURES

SIZE = 512
"""Rows and columns of a film, as the NIH films of the data folder."""

TRAINING_SEED = 1_000_000
HELD_OUT_SEED = 2_000_000
SEGMENTER_SEED = 3_000_000
"""First seeds of the three sets; the demo and the tests use small seeds."""

RANGES = {
    "effusion": ("ml", 150.0, 1500.0),
    "pneumothorax": ("%", 10.0, 75.0),
    "cardiomegaly": ("", 0.54, 0.68),
    "consolidation": ("mm", 45.0, 140.0),
    "mass": ("mm", 30.0, 90.0),
    "nodule": ("mm", 8.0, 30.0),
}
"""Unit and range of each finding's number, drawn evenly on a logarithmic scale."""

CLEAR = {
    "effusion": 400.0,
    "pneumothorax": 30.0,
    "cardiomegaly": 0.58,
    "consolidation": 80.0,
    "mass": 45.0,
    "nodule": 15.0,
}
"""From this size on a finding counts as clear when the card says how many were called present."""

CODES = tuple(RANGES)
NORMAL_SHARE = 0.3
COMBINED_SHARE = 0.3
BILATERAL_SHARE = 0.1
BEDSIDE_SHARE = 0.35
WORKERS = 2


@dataclass(frozen=True)
class Phantoms:
    """Synthetic films and their truth.

    Attributes:
        pixels: uint8 [N, SIZE, SIZE], 255 = dense.
        labels: float64 [N, 14], 1 where the finding was put in, in the order of FINDINGS.
        clear: bool [N, 14], where it was put in at no less than CLEAR.
        masks: bool [N, 12, SIZE, SIZE] in the order of STRUCTURES; empty when they were not asked for.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.float64]
    clear: npt.NDArray[np.bool_]
    masks: npt.NDArray[np.bool_]


def draw_finding(code: str, rng: np.random.Generator) -> FindingSpec:
    """One finding with a drawn number; a sided one is sometimes bilateral, otherwise on a side drawn evenly."""
    unit, low, high = RANGES[code]
    number = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    parts = [code, f"{number:.3f}{unit}"]
    if code in ("effusion", "consolidation") and rng.random() < BILATERAL_SHARE:
        parts.append("bilateral")
    elif code != "cardiomegaly":
        parts.append("left" if rng.random() < 0.5 else "right")
    if code in ("consolidation", "mass", "nodule"):
        parts.append(str(rng.choice(["upper", "middle", "lower"])))
    return parse_finding(":".join(parts))


def draw_spec(seed: int) -> PhantomSpec:
    """A normal patient, one with a single finding, or one with two or three; everything drawn from the seed."""
    rng = np.random.default_rng([41, seed])
    kind = rng.random()
    count = 0 if kind < NORMAL_SHARE else 1 if kind < 1 - COMBINED_SHARE else int(rng.integers(2, 4))
    codes = [str(code) for code in rng.choice(CODES, size=count, replace=False)]
    view = View.AP if rng.random() < BEDSIDE_SHARE else View.PA
    return PhantomSpec(seed=seed, view=view, size=SIZE, findings=tuple(draw_finding(code, rng) for code in codes))


def structure_masks(film: PhantomFilm) -> npt.NDArray[np.bool_]:
    """A phantom's exact masks, bool [12, H, W] in the order of STRUCTURES.

    The phantom has one diaphragm; it is parted into the patient's sides at the middle of the spine, row by row.
    """
    columns = np.arange(film.masks["spine"].shape[1])
    spine = film.masks["spine"]
    middle = (spine * columns).sum(axis=1) / np.maximum(spine.sum(axis=1), 1)
    middle[~spine.any(axis=1)] = np.median(middle[spine.any(axis=1)]) if spine.any() else len(columns) / 2
    on_left = columns[None, :] > middle[:, None]
    parts = {"left_diaphragm": film.masks["diaphragm"] & on_left, "right_diaphragm": film.masks["diaphragm"] & ~on_left}
    return np.stack([parts[name] if name in parts else film.masks[name] for name in STRUCTURES])


def _film(seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], PhantomSpec]:
    spec = draw_spec(seed)
    film = make_phantom(spec)
    pixels = np.round(film.radiograph.pixels * 255).astype(np.uint8)
    return pixels, structure_masks(film), spec


def _truth(specs: Sequence[PhantomSpec]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Labels and clear findings [N, 14] of the specifications."""
    labels = np.zeros((len(specs), len(FINDINGS)))
    clear = np.zeros(labels.shape, dtype=np.bool_)
    for row, spec in enumerate(specs):
        for finding in spec.findings:
            column = FINDINGS.index(finding.code)
            labels[row, column] = 1.0
            clear[row, column] = finding.value >= CLEAR[finding.code]
    return labels, clear


def make_phantoms(first_seed: int, count: int, cache: Path | None = None, *, masks: bool = False) -> Phantoms:
    """The films of `count` seeds from the first, read from the cache folder when they are there."""
    stored = cache / f"phantoms_{first_seed}_{count}.npz" if cache else None
    if stored and stored.exists():
        with np.load(stored) as held:
            return Phantoms(held["pixels"], held["labels"], held["clear"], np.unpackbits(held["masks"], axis=-1) > 0)
    seeds = range(first_seed, first_seed + count)
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        films = list(track(pool.imap(_film, seeds, chunksize=4), total=count, description="phantoms"))
    labels, clear = _truth([spec for _, _, spec in films])
    drawn = (
        np.stack([mask for _, mask, _ in films])
        if masks
        else np.zeros((0, len(STRUCTURES), SIZE, SIZE), dtype=np.bool_)
    )
    made = Phantoms(np.stack([pixels for pixels, _, _ in films]), labels, clear, drawn)
    if stored:
        stored.parent.mkdir(parents=True, exist_ok=True)
        np.savez(stored, pixels=made.pixels, labels=labels, clear=clear, masks=np.packbits(drawn, axis=-1))
    return made
