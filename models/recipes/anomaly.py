"""Fits and measures the embedded anomaly reference: python -m models.recipes.anomaly --cache DIR.

Features of normal films of four populations shape it; films with findings are looked at in measuring it only.
"""

import argparse
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from rich.progress import track
from safetensors.torch import load_file

from imaging.phantom import PhantomSpec, make_phantom
from imaging.radiograph import View
from models.networks import load_classifier, load_segmenter, segment
from models.preprocess import FloatImage
from models.recipes.cards import write_card, write_weights
from models.recipes.data import FOLDS, NIH_LABELS, read_grey
from models.recipes.statistics import auroc, patient_weights, resampled
from models.unusual import Reference, lung_box, lung_square, maps_of, trunk_mark
from models.weights import EMBEDDED_DIR

NAME = "embedded-anomaly"
DIRECTIONS = 32
"""Directions kept of 304 features. 24, 48 and 64 gave the same within 0.03 AUROC."""

SHRINK = 0.2
"""Share of the round covariance that each cell's is mixed with: about 400 films shape 32 x 32 numbers."""

WITHIN_SHRINK = 0.3
NIH_FILMS = 400
"""The first films of nih.csv: enough normal ones, and a quarter of an hour on one core."""

PHANTOMS = 120
PHANTOM_SEED = "20260/phnorm"
UNUSUAL_FROM = 0.9
BATCH = 8
LEAST = 1e-6


@dataclass(frozen=True)
class Films:
    """Films of one source: features [N, C, GRID, GRID], which are normal, their folds and patients."""

    name: str
    maps: npt.NDArray[np.float32]
    normal: npt.NDArray[np.bool_]
    folds: npt.NDArray[np.int64]
    patients: npt.NDArray[np.int64]


def sources(data: Path) -> Iterator[tuple[str, pd.DataFrame, Callable[[Any], FloatImage]]]:
    """Name of each source, its table (key, normal, fold, patient) and how a row's film is read."""
    tb, jsrt, nih = (pd.read_csv(data / f"{name}.csv") for name in ("tb", "jsrt", "nih"))
    for source in ("Montgomery", "Shenzhen"):
        part = tb[tb.source == source]
        table = part.assign(key=part.id, normal=part.tuberculosis == 0, patient=np.arange(len(part)))
        yield source, table, lambda row: read_grey(data / row.file)
    table = jsrt.assign(key=jsrt.id, normal=jsrt.x.isna(), patient=np.arange(len(jsrt)))
    yield "JSRT", table, lambda row: read_grey(data / row.file)
    first = nih.head(NIH_FILMS)
    none = first[list(NIH_LABELS)].sum(axis=1) == 0
    yield (
        "NIH ChestX-ray14",
        first.assign(key=first.image_index, normal=none, patient=first.patient_id),
        (lambda row: read_grey(data / row.file)),
    )
    numbers = np.arange(PHANTOMS)
    table = pd.DataFrame({"key": numbers, "normal": True, "fold": numbers % FOLDS, "patient": numbers})
    drawn = random.Random(PHANTOM_SEED)
    table["seed"], table["view"] = zip(
        *((drawn.randrange(2**31), "PA" if drawn.random() < 0.7 else "AP") for _ in numbers), strict=True
    )
    yield (
        "phantoms (synthetic)",
        table,
        lambda row: make_phantom(PhantomSpec(seed=row.seed, size=512, view=View(row.view))).radiograph.pixels,
    )


def features(rows: Iterable[Any], read: Callable[[Any], FloatImage]) -> tuple[list[int], npt.NDArray[np.float16]]:
    """Positions of the films on which lungs were outlined, and their features."""
    segmenter = load_segmenter(load_file(EMBEDDED_DIR / "embedded-segmenter.safetensors"))
    network = load_classifier(load_file(EMBEDDED_DIR / "embedded-classifier.safetensors"))
    kept, made = [], []
    for place, row in enumerate(track(list(rows), "features")):
        pixels = read(row)
        _, masks = segment(segmenter, pixels, [0.5] * 12)
        box = lung_box(masks[0] | masks[1])
        if box is None:
            continue
        with torch.inference_mode():
            made.append(maps_of(network, lung_square(pixels, box))[0].numpy().astype(np.float16))
        kept.append(place)
    return kept, np.stack(made)


def gathered(data: Path, cache: Path) -> list[Films]:
    """Every source with its features, computed once and kept in the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    found = []
    for name, table, read in sources(data):
        file = cache / f"{name.split()[0].lower()}.npz"
        if not file.exists():
            kept, maps = features(table.itertuples(), read)
            np.savez(file, keys=table.key.to_numpy()[kept].astype(str), maps=maps)
        held = np.load(file)
        rows = table.set_index(table.key.astype(str)).loc[held["keys"]]
        found.append(
            Films(
                name, held["maps"].astype(np.float32), rows.normal.to_numpy(bool), rows.fold.to_numpy(np.int64),
                rows.patient.to_numpy(np.int64),
            )
        )  # fmt: skip
    return found


def fit(normal: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
    """Mean, scale, projection and precision of normal films' features [N, C, GRID, GRID]."""
    scale = normal.std(axis=(0, 2, 3)) + LEAST
    scaled = normal / scale[:, None, None]
    mean = scaled.mean(axis=0)
    away = scaled - mean
    cells = away[:, :, ::2, ::2].transpose(0, 2, 3, 1).reshape(-1, away.shape[1])
    values, directions = np.linalg.eigh(cells.T @ cells / len(cells))
    projection = directions[:, -DIRECTIONS:] / np.sqrt(values[-DIRECTIONS:] + 1e-3)
    seen = np.einsum("nchw,cd->nhwd", away, projection, optimize=True)
    spread = np.einsum("nhwd,nhwe->hwde", seen, seen, optimize=True) / len(seen)
    round_ = np.eye(DIRECTIONS) * np.trace(spread, axis1=2, axis2=3)[..., None, None] / DIRECTIONS
    precision = np.linalg.inv((1 - SHRINK) * spread + SHRINK * round_)
    fitted = {"mean": mean, "scale": scale, "projection": projection, "precision": precision}
    return {name: value.astype(np.float32) for name, value in fitted.items()}


def populations(groups: list[npt.NDArray[np.float32]]) -> dict[str, npt.NDArray[np.float32]]:
    """Mean features of each population and the precision within them."""
    means = [group.mean(axis=(2, 3)) for group in groups]
    inside = np.concatenate([mean - mean.mean(axis=0) for mean in means])
    spread = inside.T @ inside / len(inside)
    round_ = np.eye(len(spread)) * np.trace(spread) / len(spread)
    within = np.linalg.inv((1 - WITHIN_SHRINK) * spread + WITHIN_SHRINK * round_)
    return {"centres": np.stack([mean.mean(axis=0) for mean in means]).astype(np.float32),
            "within": within.astype(np.float32)}  # fmt: skip


def cross_validated(films: list[Films], shaping: list[Films]) -> dict[str, npt.NDArray[np.float32]]:
    """Distances [N, GRID, GRID] of every film by a reference that its fold did not shape."""
    found = {one.name: np.zeros((len(one.maps), *one.maps.shape[2:]), dtype=np.float32) for one in films}
    blank = np.zeros(0, dtype=np.float32)
    for fold in range(FOLDS):
        fitted = fit(np.concatenate([one.maps[one.normal & (one.folds != fold)] for one in shaping]))
        reference = Reference(**fitted, centres=blank, within=blank, typical=blank, scores=(), populations=())
        for one in films:
            here = one.folds == fold
            found[one.name][here] = reference.distances(one.maps[here])
    return found


def measured(one: Films, percentiles: npt.NDArray[np.float64], shapes: bool) -> dict[str, Any]:
    """Figures of one source with abnormal films, for the card."""
    truth = (~one.normal).astype(np.float64)
    figure = resampled(auroc, truth, percentiles, patient_weights(one.patients))
    called = percentiles >= UNUSUAL_FROM
    return {
        "dataset": one.name, "normal": int(one.normal.sum()), "abnormal": int((~one.normal).sum()),
        "auroc": {"value": figure.value, "low": figure.low, "high": figure.high},
        "called_unusual_normal": float(called[one.normal].mean()),
        "called_unusual_abnormal": float(called[~one.normal].mean()),
        "normal_films_shaped_it": shapes,
    }  # fmt: skip


def build(data: Path, cache: Path, out: Path) -> None:
    """Fit on all normal films of the shaping sources, measure by cross-validation, and write both files."""
    films = gathered(data, cache)
    shaping = [one for one in films if one.name != "Shenzhen"]
    distances = cross_validated(films, shaping)
    groups = [one.maps[one.normal] for one in shaping]
    state = fit(np.concatenate(groups)) | populations(groups)
    state["typical"] = np.stack([distances[one.name][one.normal].mean(axis=0) for one in shaping])
    scores = [np.sort(distances[one.name][one.normal].mean(axis=(1, 2))) for one in shaping]
    names = tuple(one.name for one in shaping)
    reference = Reference(**state, scores=tuple(scores), populations=names)
    stored = {name: torch.from_numpy(np.ascontiguousarray(value)).half() for name, value in state.items()}
    stored |= {f"scores_{number}": torch.from_numpy(values) for number, values in enumerate(scores)}
    stored["within"] = torch.from_numpy(state["within"])
    figures = []
    for one in films:
        ranks = np.array(
            [
                reference.percentile(float(distance.mean()), int(near))
                for distance, near in zip(distances[one.name], reference.population(one.maps), strict=True)
            ]
        )
        if not one.normal.all():
            figures.append(measured(one, ranks, one in shaping))
    card = write_weights(stored, out, NAME) | words(figures)
    card["trunk"] = trunk_mark(load_file(EMBEDDED_DIR / "embedded-classifier.safetensors"))
    card["populations"] = [{"name": one.name, "normal_films": int(one.normal.sum())} for one in shaping]
    card["separation"] = figures
    write_card(card, out)


def words(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """What the card says in words."""
    told = "; ".join(
        f"{item['dataset']} {item['auroc']['value']:.2f} ({item['auroc']['low']:.2f} to {item['auroc']['high']:.2f}; "
        f"{item['normal']} normal, {item['abnormal']} not)"
        for item in figures
    )
    called = "; ".join(
        f"{item['dataset']} {item['called_unusual_normal']:.0%} of normal films and "
        f"{item['called_unusual_abnormal']:.0%} of the others"
        for item in figures
    )
    return {
        "task": "anomaly",
        "title": "Embedded judge of unusual chests",
        "licence": "Apache-2.0",
        "source": "distance to normal films; fitted by this project's recipe; shipped in the repository",
        "training_data": (
            "Features, by the embedded classifier's trunk, of normal films: Montgomery (Jaeger et al. 2014), JSRT "
            f"films without a nodule (Shiraishi et al. 2000), those of the first {NIH_FILMS} films of a sample of NIH "
            f"ChestX-ray14 that carry no label (Wang et al. 2017), and {PHANTOMS} synthetic films of this project. "
            "No film with a finding shaped it, though the trunk was trained on some."
        ),
        "intended_use": "Research and teaching on frontal chest radiographs of adults; not a medical device.",
        "score_kind": "measurement",
        "score_meaning": (
            "Mean distance of the chest's features from those of normal films, about 1 on these. The percentile is the "
            "share of normal films of the nearest population with a lower one; it is no probability of disease."
        ),
        "limits": [
            "Weak: it ranks films with findings above normal ones only a little better than chance where findings are "
            "small.",
            "Unusual is not ill: age, build, posture, another device or another hospital are unusual, too.",
            "On films of a hospital that shaped it not, normal films are often called unusual.",
            "Blind to what is small on a square of 256 pixels: most nodules are not seen.",
            "No label on an NIH film means that its report names none of fourteen findings.",
        ],
        "references": ["Defard T et al. PaDiM. ICPR 2021 Workshops, arXiv:2011.08785"],
        "reproduce": "python -m models.recipes.anomaly --cache FOLDER",
        "measured_on": (
            "Area under the ROC curve of the percentile, films with a finding against normal ones, five folds by "
            f"patient: {told}. Shenzhen shaped nothing and stands for another hospital. Called unusual at percentile "
            f"{UNUSUAL_FROM:.0%}: {called}. Levels, directions and the mean over cells were chosen on the same folds. "
            "95% intervals by bootstrap over patients."
        ),
    }  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=EMBEDDED_DIR)
    given = parser.parse_args()
    build(given.data, given.cache, given.out)


if __name__ == "__main__":
    main()
