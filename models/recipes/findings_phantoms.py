"""Synthetic films of every finding the phantom can show, with the side and zone where each lies, and a cache of both.

Films are stored as the classifier sees them (prepared squares); truths are shares of the cells of its maps.
"""

import multiprocessing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track
from torch.nn import functional

from imaging.phantom import FINDINGS as RULES
from imaging.phantom import ZONES, FindingSpec, PhantomSpec, make_phantom, parse_finding
from imaging.radiograph import View
from models.networks import CLASSIFIER_SIDE, FINDINGS
from models.preprocess import FloatImage, Geometry, prepare
from models.recipes import phantoms
from models.recipes.data import to_bytes

SIZE = 512
GRID = 20
"""Cells along a side of the truth: the classifier's own maps."""

RANGES: dict[str, tuple[str, float, float]] = {
    "effusion": ("ml", 100.0, 1800.0),
    "pneumothorax": ("%", 8.0, 75.0),
    "cardiomegaly": ("", 0.52, 0.68),
    "consolidation": ("mm", 30.0, 140.0),
    "mass": ("mm", 30.0, 90.0),
    "nodule": ("mm", 6.0, 30.0),
    "edema": ("", 0.2, 1.0),
    "infiltration": ("mm", 40.0, 150.0),
    "atelectasis": ("", 0.2, 1.0),
    "emphysema": ("", 0.2, 1.0),
    "fibrosis": ("", 0.2, 1.0),
    "pleural_thickening": ("mm", 4.0, 20.0),
    "hernia": ("mm", 40.0, 110.0),
}
"""Unit and range of each finding's number, drawn evenly on a logarithmic scale before FEW_SEED (set by the project)."""

CLEAR = {
    **phantoms.CLEAR,
    "edema": 0.5,
    "infiltration": 80.0,
    "atelectasis": 0.5,
    "emphysema": 0.5,
    "fibrosis": 0.5,
    "pleural_thickening": 10.0,
    "hernia": 70.0,
}
"""From this size or severity on a finding counts as clear when the card says how many were called present."""

OFTEN = {"nodule": 3.0, "effusion": 2.0, "consolidation": 1.5, "pneumothorax": 1.5, "cardiomegaly": 1.5}
"""How much likelier than the others a finding is drawn."""

FEW_SEED = 4_400_000
FEW = {"atelectasis": 3.0, "edema": 3.0, "emphysema": 2.5, "mass": 2.5, "pleural_thickening": 2.5, "consolidation": 2.0}
"""From this seed on these findings are the likelier ones, and numbers are drawn evenly: of what is rare or mild among
the others, more that shows."""

ONE_SIDE = ("nodule", "mass", "pneumothorax", "atelectasis")
ZONED = ("consolidation", "mass", "nodule", "infiltration")
BILATERAL_SHARE = 0.1
NORMAL_SHARE = 0.25
COMBINED_SHARE = 0.35
BEDSIDE_SHARE = 0.35
DEVICE_SHARES = {View.AP: 0.5, View.PA: 0.12}
"""Films with one or two devices, whatever their findings."""

DEVICES = ("ett", "ng_tube", "central_line", "pacemaker", "chest_drain")
PARTS = ("left_lung", "right_lung", "heart")


@dataclass(frozen=True)
class FindingsPhantoms:
    """Synthetic films as the classifier sees them, and their truth.

    Attributes:
        squares: uint8 [N, 1, CLASSIFIER_SIDE, CLASSIFIER_SIDE], prepared films (models.recipes.data.to_bytes).
        labels: float32 [N, 14], 1 where the finding was put in, in the order of FINDINGS.
        regions: float32 [N, 14, GRID, GRID], share of each cell in the region where the finding lies (see `regions`).
        clear: bool [N, 14], where it was put in at no less than CLEAR.
    """

    squares: torch.Tensor
    labels: torch.Tensor
    regions: torch.Tensor
    clear: torch.Tensor


def draw_finding(code: str, rng: np.random.Generator, *, even: bool = False) -> FindingSpec:
    """One finding with a drawn number (`even`: on a plain scale), side and zone, as far as it has them."""
    unit, low, high = RANGES[code]
    value = rng.uniform(low, high) if even else float(np.exp(rng.uniform(np.log(low), np.log(high))))
    parts = [code, f"{value:.3f}{unit}"]
    if RULES[code].sided:
        both = rng.random() < BILATERAL_SHARE and code not in ONE_SIDE
        parts.append("bilateral" if both else "left" if rng.random() < 0.5 else "right")
    if code in ZONED:
        parts.append(str(rng.choice(ZONES)))
    return parse_finding(":".join(parts))


def draw_spec(seed: int) -> PhantomSpec:
    """A normal patient, one with a finding, or one with two or three; some with devices; all drawn from the seed."""
    rng = np.random.default_rng([43, seed])
    few = seed >= FEW_SEED
    weights = np.array([(FEW if few else OFTEN).get(code, 1.0) for code in RANGES])
    kind = rng.random()
    count = 0 if kind < NORMAL_SHARE else 1 if kind < 1 - COMBINED_SHARE else int(rng.integers(2, 4))
    codes = rng.choice(list(RANGES), count, replace=False, p=weights / weights.sum())
    findings = [draw_finding(str(code), rng, even=few) for code in codes]
    view = View.AP if rng.random() < BEDSIDE_SHARE else View.PA
    if rng.random() < DEVICE_SHARES[view]:
        devices = rng.choice(DEVICES, int(rng.integers(1, 3)), replace=False)
        findings += [parse_finding(str(code)) for code in devices]
    return PhantomSpec(seed=seed, view=view, size=SIZE, findings=tuple(findings))


def zone_of(lung: npt.NDArray[np.bool_], zone: str | None) -> npt.NDArray[np.bool_]:
    """The third of a lung [H, W] that a zone names (by rows), or all of it."""
    rows = np.flatnonzero(lung.any(axis=1))
    if zone is None or not len(rows):
        return lung
    edges = np.linspace(rows[0], rows[-1] + 1, len(ZONES) + 1).astype(int)
    first = ZONES.index(zone)
    kept = np.zeros_like(lung)
    kept[edges[first] : edges[first + 1]] = lung[edges[first] : edges[first + 1]]
    return kept


def regions(
    findings: Iterable[FindingSpec], masks: Mapping[str, npt.NDArray[np.bool_]], rounded: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Where each of the FINDINGS lies on a film: bool [14, H, W] from the masks of PARTS.

    The heart for cardiomegaly and hernia; otherwise the lung (or its zone) of the side; of nodules and masses only
    what `rounded` [H, W] marks there; of effusions the lower zone.
    """
    found = np.zeros((len(FINDINGS), *rounded.shape), dtype=np.bool_)
    for finding in findings:
        if finding.code not in FINDINGS:
            continue
        here = found[FINDINGS.index(finding.code)]
        if finding.code in ("cardiomegaly", "hernia"):
            here |= masks["heart"]
            continue
        for side in ("left", "right") if finding.side == "bilateral" else (finding.side,):
            lung = masks[f"{side}_lung"]
            if finding.code in ("nodule", "mass"):
                columns = np.flatnonzero(lung.any(axis=0))
                span = slice(columns[0], columns[-1] + 1)
                here[:, span] |= rounded[:, span]
            else:
                here |= zone_of(lung, "lower" if finding.code == "effusion" else finding.zone)
    return found


def shares(masks: npt.NDArray[np.bool_], geometry: Geometry) -> npt.NDArray[np.uint8]:
    """Share of each cell of the square that masks [K, H, W] of the film cover: uint8 [K, GRID, GRID], 255 = all."""
    region, placed = geometry.region, geometry.placed
    inner = torch.from_numpy(masks[:, region.top : region.bottom, region.left : region.right])[None].float()
    size = (placed.height, placed.width)
    canvas = torch.zeros(1, len(masks), geometry.side, geometry.side)
    resized = functional.interpolate(inner, size=size, mode="bilinear", antialias=True)
    canvas[:, :, placed.top : placed.bottom, placed.left : placed.right] = resized
    cells = functional.adaptive_avg_pool2d(canvas, GRID)[0]
    return np.asarray((cells * 255).round().numpy(), dtype=np.uint8)


def truth_of(
    pixels: FloatImage,
    findings: tuple[FindingSpec, ...],
    masks: Mapping[str, npt.NDArray[np.bool_]],
    rounded: npt.NDArray[np.bool_],
) -> dict[str, npt.NDArray[Any]]:
    """One film's arrays of FindingsPhantoms (regions still as bytes)."""
    square, geometry = prepare(pixels, CLASSIFIER_SIDE)
    codes = {finding.code for finding in findings}
    clear = {finding.code for finding in findings if finding.value >= CLEAR.get(finding.code, np.inf)}
    return {
        "squares": to_bytes(square)[0].numpy(),
        "labels": np.array([code in codes for code in FINDINGS], dtype=np.float32),
        "clear": np.array([code in clear for code in FINDINGS], dtype=np.bool_),
        "regions": shares(regions(findings, masks, rounded), geometry),
    }


def _film(seed: int) -> dict[str, npt.NDArray[Any]]:
    torch.set_num_threads(1)
    spec = draw_spec(seed)
    film = make_phantom(spec)
    drawn = [mask for name, mask in film.masks.items() if name.startswith(("nodule", "mass"))]
    rounded = np.any([np.zeros_like(film.masks["heart"]), *drawn], axis=0)
    return truth_of(film.radiograph.pixels, spec.findings, film.masks, rounded)


def gathered(rows: Iterable[dict[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
    """Rows of single films as arrays over films."""
    listed = list(rows)
    return {name: np.stack([row[name] for row in listed]) for name in listed[0]}


def make_findings_phantoms(first_seed: int, count: int, cache: Path | None = None) -> FindingsPhantoms:
    """The films of `count` seeds from the first, read from the cache folder when they are there."""
    stored = cache / f"findings_{first_seed}_{count}.npz" if cache else None
    if stored and stored.exists():
        with np.load(stored) as held:
            whole = {name: held[name] for name in held.files}
    else:
        seeds = range(first_seed, first_seed + count)
        with multiprocessing.get_context("spawn").Pool(phantoms.WORKERS) as pool:
            whole = gathered(track(pool.imap(_film, seeds, chunksize=4), total=count, description="phantoms"))
        if stored:
            stored.parent.mkdir(parents=True, exist_ok=True)
            np.savez(stored, allow_pickle=False, **whole)
    arrays = {name: torch.from_numpy(values) for name, values in whole.items()}
    return FindingsPhantoms(**{**arrays, "regions": arrays["regions"].float() / 255.0})


def make_sets(sets: Iterable[tuple[int, int]], cache: Path | None = None) -> FindingsPhantoms:
    """The films of several ranges of seeds, each given as its first seed and count."""
    parts = [make_findings_phantoms(first, count, cache) for first, count in sets]
    return FindingsPhantoms(*(torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])))
