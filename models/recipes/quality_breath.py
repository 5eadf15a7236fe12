"""Can the depth of the breath be read off the quality network's trunk? python -m models.recipes.quality_breath --help

A ridge regression on the frozen trunk's maps learns `PhantomSpec.inspiration` from synthetic films. It is measured on
phantoms it has not seen, within each view, and on real films: nobody says their depth, but supine films must not come
out deeper than upright ones. Nothing is stored: the figures are the reason in quality_figures.INSPIRATION.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file
from scipy.stats import pearsonr
from sklearn.metrics import roc_auc_score

from imaging.phantom.body import sample_body
from models.preprocess import FloatImage, prepare
from models.quality import QUALITY_SIDE, VIEWS, QualityNetwork, load_quality
from models.recipes.phantoms import TRAINING_SEED, draw_spec, make_phantoms
from models.recipes.quality_figures import VIEW
from models.weights import EMBEDDED_DIR

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

PENALTY = 0.3
"""Of the ridge, against a mean square of 1 of the standardised maps."""

SPREAD_FLOOR = 0.05
"""Added to each number's spread, so that numbers that hardly vary are not blown up."""

FOLDS = 5
POOR = 0.35
"""Depth below which a breath is called poor, as tools.contract.quality.SHALLOW."""

RIBS = 3.0
"""Posterior ribs between depth 0 and 1 (PhantomSpec.inspiration)."""


def maps_of(network: QualityNetwork, pictures: Sequence[FloatImage]) -> Floats:
    """The trunk's maps of pictures [H, W] in [0, 1], one row each: float32 [N, 11200]."""
    with torch.inference_mode():
        rows = [network.trunk(prepare(picture, QUALITY_SIDE)[0]).flatten().numpy() for picture in pictures]
    return np.stack(rows).astype(np.float32)


def ridge(known: Floats, depths: Doubles, asked: Floats, penalty: float = PENALTY) -> Doubles:
    """Depths [M] of `asked` [M, K] by a ridge regression on `known` [N, K], solved in its N dual unknowns.

    Both are standardised by the mean and spread of `known`.
    """
    middle, spread = known.mean(axis=0), known.std(axis=0) + SPREAD_FLOOR
    rows, others = (known - middle) / spread, (asked - middle) / spread
    width = known.shape[1]
    weights = np.linalg.solve(rows @ rows.T / width + penalty * np.eye(len(rows)), depths - depths.mean())
    told: Doubles = others @ rows.T / width @ weights + depths.mean()
    return told


def held_out(maps: Floats, depths: Doubles) -> Doubles:
    """Each film's depth [N] from the films of the other FOLDS - 1 parts; every row is another patient."""
    fold = np.arange(len(depths)) % FOLDS
    told = np.empty(len(depths))
    for part in range(FOLDS):
        told[fold == part] = ridge(maps[fold != part], depths[fold != part], maps[fold == part])
    return told


def phantom_figures(told: Doubles, depths: Doubles, views: Sequence[str]) -> dict[str, dict[str, float]]:
    """By view: films, correlation, mean absolute error in ribs, the same of always saying the median, and the area
    under the ROC curve for a poor breath (NaN without both kinds)."""
    figures: dict[str, dict[str, float]] = {}
    for view in VIEWS[:2]:
        rows = np.asarray(views) == view
        if rows.sum() < 2:
            continue
        truth, said = depths[rows], told[rows]
        poor = truth < POOR
        figures[view] = {
            "films": float(rows.sum()),
            "correlation": float(pearsonr(said, truth).statistic),
            "error_ribs": RIBS * float(np.abs(said - truth).mean()),
            "median_error_ribs": RIBS * float(np.abs(np.median(truth) - truth).mean()),
            "auc_poor": float(roc_auc_score(poor, -said)) if 0 < poor.sum() < len(poor) else float("nan"),
        }
    return figures


def real_figures(told: Doubles, sets: Sequence[str], views: Floats) -> dict[str, dict[str, float]]:
    """Mean depth told, its spread and the films, by "data set view" of real films; `views` are places in VIEWS."""
    names = np.array(
        [f"{name} {VIEWS[int(view)] if view >= 0 else '?'}" for name, view in zip(sets, views, strict=True)]
    )
    return {
        str(name): {
            "films": float((names == name).sum()),
            "mean": float(told[names == name].mean()),
            "spread": float(told[names == name].std()),
        }
        for name in np.unique(names)
    }


def table(title: str, figures: dict[str, dict[str, float]]) -> Table:
    """Figures as a table for the terminal."""
    columns = list(next(iter(figures.values())))
    shown = Table("", *columns, title=title)
    for name, row in figures.items():
        shown.add_row(name, *(f"{row[column]:.3g}" for column in columns))
    return shown


def main() -> None:
    """Make the phantoms, measure, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=800, help="phantoms to make")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/hilum-quality"), help="of models.recipes.quality")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = load_quality(load_file(EMBEDDED_DIR / "embedded-quality.safetensors"))
    phantoms = make_phantoms(TRAINING_SEED, arguments.films, arguments.cache)
    maps = maps_of(network, [pixels.astype(np.float32) / 255 for pixels in phantoms.pixels])
    specs = [draw_spec(TRAINING_SEED + number) for number in range(arguments.films)]
    depths = np.array([sample_body(spec, np.random.default_rng([7, spec.seed])).inspiration for spec in specs])
    console = Console()
    views = [spec.view.value for spec in specs]
    console.print(table("Held-out phantoms", phantom_figures(held_out(maps, depths), depths, views)))
    stored = arguments.cache / "test_plain.npz"
    if stored.exists():
        with np.load(stored) as real:
            asked = real["features"].astype(np.float32).reshape(len(real["features"]), -1)
            told = ridge(maps, depths, asked)
            views_told = np.nan_to_num(real["truth"][:, VIEW], nan=-1)
            console.print(table("Real films", real_figures(told, [str(kind) for kind in real["kinds"]], views_told)))


if __name__ == "__main__":
    main()
