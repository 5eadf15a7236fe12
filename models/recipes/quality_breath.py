"""Teaches the quality network the depth of the breath: python -m models.recipes.quality_breath [--data DIR].

It learns to count the posterior ribs above the right dome from synthetic films alone, whose count is exact; they are
cut, tilted, stretched and toned at random. Trunk and all other outputs stay as they are. Measured on phantoms of other
folds, and on real films against counts made by eye (breath_counts.csv) and by what is known of their sources. Weights
and card are written anew.
"""

import argparse
import multiprocessing
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image
from rich.progress import track
from safetensors.torch import load_file
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional

from imaging.geometry import mask_box
from imaging.phantom import PhantomSpec, make_phantom
from imaging.radiograph import View
from models.preprocess import FloatImage, prepare
from models.quality import FULL_RIBS, POOR_RIBS, QUALITY_SIDE, QualityNetwork, breath_neck, load_quality
from models.recipes.cards import halved, write_card, write_weights
from models.recipes.data import MaskedFilm, jsrt_films, read_grey, tuberculosis_films
from models.recipes.phantoms import draw_spec
from models.recipes.quality_figures import LIMITS, MEASURED_ON, SCORE_MEANING, TRAINING_DATA, VERDICTS
from models.recipes.quality_films import soil
from models.weights import EMBEDDED_DIR

Bytes = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]

NAME = "embedded-quality"
COUNTS = Path(__file__).with_name("breath_counts.csv")
"""Posterior ribs on real films, estimated by eye: file, ribs, and whether the film served the choice of method or only
the check afterwards."""

FIRST_SEED = 8_000_000
FILMS = 260
SIZE = 256
FOLDS = 5
CHANGES = 8
"""Changed pictures of each film, beside the film as it is."""

BORDER, STRETCH, TILT_DEG = 0.10, 0.13, 4.0
"""Largest border added (share of the side), largest stretch (logarithm), and spread of the tilt. Stretching leaves the
number of ribs as it is, so that ribs are counted and proportions are not relied on."""

EPOCHS = 25
BATCH = 64
RATE = 2e-3
DECAY = 5e-2
SEED = 1

SHALLOW_RIBS = POOR_RIBS + 0.35 * (FULL_RIBS - POOR_RIBS)
"""Ribs below which a breath is called shallow, as tools.contract.quality.SHALLOW."""

RESAMPLES = 1000

RULE = (
    "told for upright frontal films whose lung apices and bases are on the film; on others the ribs above the "
    "diaphragm cannot be counted"
)

TAUGHT_ON = (
    " The breath: {films} synthetic frontal films of this project, sick and well, PA and AP, with breaths drawn "
    "evenly, each also cut, tilted, stretched and toned; no real film."
)

MEASURED_BREATH = (
    " Breath (figures): synthetic films by 5-fold cross-validation over patients; NIH, JSRT and Montgomery films, "
    "none of which it learnt from. By eye: this project's makers, no radiologists, measured rib spacing, apex and dome "
    "on locally equalised pictures before seeing any output, turned into ribs by a line fitted on phantoms; 46 films "
    "served the choice among three heads, 20 only the check. Outlines: of the phantoms' true ribs the same ratio has a "
    "rank correlation of 0.65 (156 PA films), so 1 cannot be reached. On 37 further phantoms, made after the "
    "generator's hearts became 7 % smaller: correlation 0.96, error 0.21 ribs. Intervals: bootstrap over films. "
    "Before (a ridge regression, revision e20a65c8ee71, never told to users): correlation 0.66 within PA and 0.68 "
    "within AP on phantoms of a state whose breath spanned fewer ribs; on real films JSRT, "
    "taken at full inspiration, came out shallowest and NIH AP deeper than PA."
)

BREATH_LIMITS = (
    "The breath's depth is learnt from synthetic films alone. On real films it puts sources in the expected order and "
    "follows the height of the outlined lungs, but on the 20 films kept for the check its agreement with ribs "
    "estimated by eye could not be shown (rank correlation 0.17, -0.31 to 0.66; on the 46 others 0.54). It tells half "
    "a rib more than they do in the mean, 0.8 rib off in a single film, and real films within a narrower range: take "
    "it as a hint, and count ribs where it matters.",
    "AP films project the diaphragm lower: the same breath shows up to half a rib more than on a PA film. What is told "
    "is what the film shows.",
)


@dataclass(frozen=True)
class BreathFilm:
    """A synthetic film.

    Attributes:
        pixels: uint8 [SIZE, SIZE].
        lungs: box of both lungs, (row_min, col_min, row_max, col_max), max exclusive.
        ribs: posterior ribs above the right dome; NaN where the field cuts that lung.
        view: "PA" or "AP".
    """

    pixels: Bytes
    lungs: tuple[int, int, int, int]
    ribs: float
    view: str


def breath_spec(seed: int) -> PhantomSpec:
    """A drawn patient whose breath is drawn evenly from poor to full, apart from view and position."""
    spec, rng = replace(draw_spec(seed), size=SIZE), np.random.default_rng([43, seed])
    depth, erect = float(rng.uniform(0, 1)), bool(rng.random() < 0.5)
    return replace(spec, inspiration=depth, position="erect" if erect or spec.view is View.PA else "supine")


def breath_film(seed: int, cache: Path) -> BreathFilm:
    """The film of a seed, from the cache where it lies there."""
    stored = cache / f"breath_{seed}.npz"
    if not stored.exists():
        made = make_phantom(breath_spec(seed), threads=1)
        lungs = mask_box(made.masks["left_lung"] | made.masks["right_lung"])
        pixels = np.round(made.radiograph.pixels * 255).astype(np.uint8)
        ribs, view = made.measures["posterior_ribs"], made.spec.view.value
        np.savez_compressed(stored, pixels=pixels, lungs=np.array(lungs), ribs=ribs, view=view)
    with np.load(stored) as held:
        row_min, col_min, row_max, col_max = (int(edge) for edge in held["lungs"])
        return BreathFilm(held["pixels"], (row_min, col_min, row_max, col_max), float(held["ribs"]), str(held["view"]))


def breath_films(count: int, cache: Path, workers: int) -> list[BreathFilm]:
    """The films of so many seeds whose ribs can be counted."""
    seeds = range(FIRST_SEED, FIRST_SEED + count)
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        made = list(track(pool.imap(partial(breath_film, cache=cache), seeds), total=count, description="phantoms"))
    return [film for film in made if np.isfinite(film.ribs)]


def changed(film: BreathFilm, rng: np.random.Generator) -> Bytes:
    """The film with each edge moved outwards or up to the lungs, tilted, stretched and toned; ribs as before."""
    height, width = film.pixels.shape
    top, left, bottom, right = film.lungs
    room = (top, left, height - bottom, width - right)
    sides = (height, width, height, width)
    moves = [
        int(rng.uniform(-BORDER * side, 0.95 * space)) if rng.random() < 0.7 else 0
        for side, space in zip(sides, room, strict=True)
    ]
    image = Image.fromarray(film.pixels)
    if rng.random() < 0.4:
        image = image.rotate(float(rng.normal(0, TILT_DEG)), Image.Resampling.BILINEAR, fillcolor=0)
    image = image.crop((moves[1], moves[0], width - moves[3], height - moves[2]))
    stretched = int(image.width * np.exp(rng.uniform(-STRETCH, STRETCH)))
    return soil(np.asarray(image.resize((stretched, image.height), Image.Resampling.BILINEAR)), rng)


def maps_of(network: QualityNetwork, pictures: Sequence[FloatImage]) -> torch.Tensor:
    """The trunk's maps of pictures [H, W] in [0, 1]: float16 [N, 112, 10, 10]."""
    with torch.inference_mode():
        return torch.cat([network.trunk(prepare(picture, QUALITY_SIDE)[0]).half() for picture in pictures])


@dataclass(frozen=True)
class Lessons:
    """Pictures to learn from: maps float16 [N, 112, 10, 10], ribs [N], and of which film each is; `plain` marks films
    as they are."""

    maps: torch.Tensor
    ribs: Doubles
    film: npt.NDArray[np.int64]
    plain: npt.NDArray[np.bool_]


def lessons(network: QualityNetwork, films: Sequence[BreathFilm]) -> Lessons:
    """Each film as it is and CHANGES times changed."""
    maps, each = [], CHANGES + 1
    for number, film in enumerate(track(films, description="trunk")):
        rng = np.random.default_rng([44, number])
        pictures = [film.pixels, *(changed(film, rng) for _ in range(CHANGES))]
        maps.append(maps_of(network, [np.divide(picture, 255, dtype=np.float32) for picture in pictures]))
    numbers = np.repeat(np.arange(len(films)), each)
    ribs = np.repeat([film.ribs for film in films], each)
    return Lessons(torch.cat(maps), ribs, numbers, np.arange(len(numbers)) % each == 0)


def teach(maps: torch.Tensor, ribs: Doubles) -> nn.Sequential:
    """A neck that reads the depth (0 for POOR_RIBS, 1 for FULL_RIBS) off maps [N, 112, 10, 10]; least squares, AdamW,
    one cycle."""
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    neck = breath_neck().train()
    depth = torch.from_numpy((ribs - POOR_RIBS) / (FULL_RIBS - POOR_RIBS)).float()
    optimiser = torch.optim.AdamW(neck.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=RATE, total_steps=EPOCHS * -(-len(maps) // BATCH))
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(maps), generator=generator).split(BATCH):
            if len(rows) > 1:
                loss = functional.mse_loss(neck(maps[rows].float())[:, 0], depth[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            schedule.step()
    return neck.eval()


def count(neck: nn.Module, maps: torch.Tensor) -> Doubles:
    """Posterior ribs [N] told from maps [N, 112, 10, 10]."""
    with torch.inference_mode():
        depth = torch.cat([neck(part.float())[:, 0] for part in maps.split(BATCH)])
    told: Doubles = POOR_RIBS + (FULL_RIBS - POOR_RIBS) * depth.numpy().astype(np.float64)
    return told


def held_out(taught: Lessons) -> Doubles:
    """Ribs told of every picture by a neck that learnt from the films of the other folds."""
    fold, told = taught.film % FOLDS, np.empty(len(taught.ribs))
    for part in track(range(FOLDS), description="folds"):
        neck = teach(taught.maps[torch.from_numpy(fold != part)], taught.ribs[fold != part])
        told[fold == part] = count(neck, taught.maps[torch.from_numpy(fold == part)])
    return told


def figure(meaning: str, dataset: str, value: Any, *columns: npt.NDArray[Any]) -> dict[str, Any]:
    """A row of the card: `value` of the columns [N] with its bootstrap interval over films."""
    rng = np.random.default_rng(SEED)
    draws = [rng.integers(0, len(columns[0]), len(columns[0])) for _ in range(RESAMPLES)]
    low, high = np.nanpercentile([value(*(column[rows] for column in columns)) for rows in draws], (2.5, 97.5))
    return {
        "meaning": meaning, "dataset": dataset, "films": len(columns[0]), "value": float(value(*columns)),
        "low": float(low), "high": float(high),
    }  # fmt: skip


def _correlation(told: Doubles, truth: Doubles) -> float:
    return float(np.corrcoef(told, truth)[0, 1])


def _error(told: Doubles, truth: Doubles) -> float:
    return float(np.abs(told - truth).mean())


def _shallow(told: Doubles, truth: Doubles) -> float:
    poor = truth < SHALLOW_RIBS
    return float(roc_auc_score(poor, -told)) if 0 < poor.sum() < len(poor) else float("nan")


def _rank(told: Doubles, truth: Doubles) -> float:
    return float(spearmanr(told, truth).statistic)


def phantom_figures(told: Doubles, taught: Lessons, views: Sequence[str]) -> list[dict[str, Any]]:
    """Correlation, error and separation of shallow breaths, by view on films as they are, and on changed ones."""
    view = np.asarray(views)[taught.film]
    sets = {f"phantoms, {name}": taught.plain & (view == name) for name in ("PA", "AP")}
    sets["phantoms, cut, stretched and toned"] = ~taught.plain
    return [
        figure(meaning, name, value, told[rows], taught.ribs[rows])
        for name, rows in sets.items()
        for meaning, value in (
            ("correlation of the ribs told with the true ones", _correlation),
            ("mean absolute error in ribs", _error),
            (f"AUROC of a breath below {SHALLOW_RIBS:.2f} ribs", _shallow),
        )
    ]


def real_films(data: Path) -> pd.DataFrame:
    """NIH films of adults, JSRT and Montgomery: columns file, dataset, and NIH's labels."""
    nih, jsrt, tb = (pd.read_csv(data / f"{name}.csv") for name in ("nih", "jsrt", "tb"))
    nih = nih[nih["age"] >= 18].assign(dataset="NIH " + nih["view"])
    montgomery = tb[tb["source"] == "Montgomery"].assign(dataset="Montgomery PA")
    return pd.concat([nih, jsrt.assign(dataset="JSRT PA"), montgomery], ignore_index=True)


def real_figures(told: Doubles, films: pd.DataFrame) -> list[dict[str, Any]]:
    """Rank correlation with counts by eye, mean ribs by source, and how findings change them within PA."""
    rows = []
    table = pd.read_csv(COUNTS)
    counted = films.assign(told=told).merge(table, on="file")
    for use, meaning in (("choice", "films the method was chosen on"), ("check", "films only checked on")):
        part = counted[counted["use"] == use]
        columns = part["told"].to_numpy(), part["ribs"].to_numpy()
        rows.append(figure(f"rank correlation with ribs estimated by eye, {meaning}", "NIH, JSRT, Montgomery", _rank,
                           *columns))  # fmt: skip
        rows.append(figure("mean absolute difference from them in ribs", f"the same, {meaning}", _error, *columns))
    for name in ("JSRT PA", "Montgomery PA", "NIH PA", "NIH AP"):
        rows.append(figure("mean ribs told", name, np.mean, told[(films["dataset"] == name).to_numpy()]))
    pa = (films["dataset"] == "NIH PA").to_numpy()
    for label in ("Emphysema", "Effusion", "Atelectasis"):
        present = films.loc[pa, label].to_numpy() > 0
        rows.append(figure(f"AUROC of {label.lower()} by ribs told (0.5 = no difference)", "NIH PA", _separation,
                           told[pa], present))  # fmt: skip
    return rows


def lung_height(film: MaskedFilm) -> float:
    """Height of the right lung over the width of both, of outlines [N, H, W] whose first two are the lungs."""
    left, right = film.masks[:2]
    return float(np.ptp(np.flatnonzero(right.any(1))) / np.ptp(np.flatnonzero((left | right).any(0))))


def outlined_figures(told: Doubles, films: pd.DataFrame, data: Path) -> list[dict[str, Any]]:
    """Rank correlation with the height of lungs that people outlined, which a deeper breath makes taller."""
    rows = []
    for name, outlined in (("JSRT", jsrt_films(data)), ("Montgomery", tuberculosis_films(data, "Montgomery"))):
        heights = np.array([lung_height(film) for film in outlined])
        mine = told[(films["dataset"] == f"{name} PA").to_numpy()]
        meaning = "rank correlation with the right lung's height over the chest's width, both as outlined by people"
        rows.append(figure(meaning, f"{name} PA", _rank, mine, heights))
    return rows


def _separation(told: Doubles, present: npt.NDArray[np.bool_]) -> float:
    return float(roc_auc_score(present, told)) if 0 < present.sum() < len(present) else float("nan")


def main() -> None:
    """Make the phantoms, teach, measure, and store weights and card anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--films", type=int, default=FILMS, help="phantoms to make")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/hilum-quality"), help="keeps phantoms between runs")
    parser.add_argument("--workers", type=int, default=2, help="processes that make phantoms")
    parser.add_argument("--out", type=Path, default=EMBEDDED_DIR)
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.cache.mkdir(parents=True, exist_ok=True)
    network = load_quality(load_file(EMBEDDED_DIR / f"{NAME}.safetensors"))
    films = breath_films(given.films, given.cache, given.workers)
    taught = lessons(network, films)
    figures = phantom_figures(held_out(taught), taught, [film.view for film in films])
    network.breath.load_state_dict(teach(taught.maps, taught.ribs).state_dict())
    identity = write_weights(halved(network), given.out, NAME)
    delivered = load_quality(load_file(given.out / f"{NAME}.safetensors"))
    real = real_films(given.data)
    maps = torch.cat([maps_of(delivered, [read_grey(given.data / name)]) for name in track(real["file"])])
    told = count(delivered.breath, maps)
    figures += [*real_figures(told, real), *outlined_figures(told, real, given.data)]
    card = tomllib.loads((EMBEDDED_DIR / f"{NAME}.toml").read_text(encoding="utf-8"))
    card |= {
        **identity,
        "training_data": TRAINING_DATA + TAUGHT_ON.format(films=len(films)),
        "score_meaning": SCORE_MEANING,
        "measured_on": MEASURED_ON + MEASURED_BREATH,
        "limits": [*LIMITS, *BREATH_LIMITS],
        "reproduce": "python -m models.recipes.quality --pictures DIR; python -m models.recipes.quality_breath",
        "verdicts": VERDICTS,
        "inspiration": {"usable": True, "reason": RULE},
        "figures": figures,
    }
    write_card(card, given.out)


if __name__ == "__main__":
    main()
