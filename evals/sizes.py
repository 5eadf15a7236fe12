"""How near the diameters of lesions come to the truth: phantoms with one mass or nodule each, and real nodules.

python -m evals.sizes [--films N] [--first-seed S] [--data DIR] [--json FILE]

The truth is the two axes of its exact mask on the film. Films are 512 pixels wide, PA or AP, upright. With --data it
is the diameter that JSRT gives of its nodules (Shiraishi et al. 2000): measured as found by the locator, and from boxes
around them whose edges are moved at random, as no user draws them to the pixel.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from evals.measurements import Row, markdown, plain_film, table
from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.radiograph import Radiograph, View
from models.outputs import Masks, Task
from models.pool import ModelPool
from models.recipes.data import read_grey
from tools.anatomy import Outlines
from tools.anatomy.correction import LESION_CORE, Marks, correct
from tools.anatomy.lesion import axes, outlined
from tools.anatomy.located import located
from tools.measurements import Measurement, Sheet, measured

FIRST_SEED = 9_900_000
"""First seed of the phantoms measured; no training set begins there."""
FILM_PIXELS = 512
RANGES_MM = {"mass": (34, 72), "nodule": (13, 29)}
"""Diameters in the patient."""

JSRT_PIXELS, JSRT_MM = 2048, 0.175
"""Pixels of a side of the original JSRT films, in which nodules' centres are given, and their size."""

BOX_SHIFTS = (0.0, 0.1, 0.2)
"""Standard deviations of a box's edges, as shares of the nodule's diameter."""


def drawn(seed: int) -> PhantomSpec:
    """One upright patient with a mass or a nodule, in turn."""
    rng = random.Random(f"sizes/{seed}")
    kind, side = tuple(RANGES_MM)[seed % len(RANGES_MM)], rng.choice(("left", "right"))
    view = View.PA if rng.random() < 0.7 else View.AP
    finding = parse_finding(f"{kind}:{side}:{rng.randint(*RANGES_MM[kind])}mm")
    return PhantomSpec(seed=seed, size=FILM_PIXELS, view=view, position="erect", findings=(finding,))


def truths(film: PhantomFilm) -> dict[str, float]:
    """True sizes in mm in the detector plane, by quantity code."""
    [finding] = film.spec.findings
    mask = film.masks[f"{finding.code}_{finding.side}"]
    pixel = film.radiograph.spacing_mm[0] if film.radiograph.spacing_mm else math.nan
    long, short = axes(np.argwhere(mask).astype(float))[2:]
    return {"lesion_long_mm": (long + 1) * pixel, "lesion_mean_mm": ((long + short) / 2 + 1) * pixel}


def rows_of(films: Iterator[PhantomFilm], models: ModelPool) -> tuple[list[Row], Counter[str]]:
    """Every size with its truth, and why those that are not told are not."""
    rows: list[Row] = []
    why: Counter[str] = Counter()
    for film in films:
        [finding] = film.spec.findings
        done = _found(film.radiograph, models)
        if not done.measured:
            why[f"{finding.code}: {done.reason.split(' (')[0].split('. ')[0]}"] += 1
        for name, truth in truths(film).items():
            value = done.value(name)
            rows += [
                Row(label, truth, math.nan if value is None else value) for label in (f"{finding.code}: {name}", name)
            ]
    return rows, why


def _found(film: Radiograph, models: ModelPool) -> Measurement:
    """The diameter as `measure` tells it, where nobody outlined the lesion."""
    [prediction] = models.predict(Task.SEGMENT, [film])
    if not isinstance(prediction.output, Masks):
        raise TypeError(f"{prediction.model_id} serves segment but returned {type(prediction.output).__name__}")
    found = Outlines(prediction.output, prediction.card, prediction.model_id, prediction.revision)
    seen = located(models, film, found)
    [done] = measured(Sheet(film, found, lesions=seen.lesions, no_lesion=seen.no_lesion), ["lesion_diameter"])
    return done


def real_rows(data: Path, models: ModelPool) -> tuple[list[Row], Counter[str]]:
    """Rows of JSRT's nodules in mm, and what became of its films without one."""
    rows: list[Row] = []
    told: Counter[str] = Counter()
    chance = np.random.default_rng(FIRST_SEED)
    with (data / "jsrt.csv").open(newline="", encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    for row in listed:
        film = plain_film(read_grey(data / row["file"]))
        pixel = JSRT_MM * JSRT_PIXELS / film.shape[1]
        found = _found(film, models).value("lesion_long_px")
        if not row["size_mm"]:
            told["without a nodule, none told" if found is None else "without a nodule, one told"] += 1
            continue
        truth = float(row["size_mm"])
        rows.append(Row("found: longest", truth, math.nan if found is None else found * pixel))
        middle = np.array([float(row["y"]), float(row["x"])]) * film.shape[1] / JSRT_PIXELS
        for shift in BOX_SHIFTS:
            half = truth / pixel / 2
            edges = np.concatenate([middle - half, middle + half]) + chance.normal(0, shift, 4) * 2 * half
            top, low, bottom, high = np.clip(edges, 0, film.shape[1]).tolist()
            lesion = outlined(correct(film.pixels, None, Marks(box=(top, low, bottom, high), core=LESION_CORE)))
            for name, px in (("longest", lesion.long_px), ("average", lesion.mean_px)):
                rows.append(Row(f"box, edges off by {shift:.0%}: {name}", truth, px * pixel))
    return rows, told


def main() -> None:
    """Measure, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=90)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--data", type=Path, help="folder of real films")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.films)
    models = ModelPool(device="cpu", profile="embedded")
    rows, why = rows_of((make_phantom(drawn(seed)) for seed in seeds), models)
    facts: dict[str, Any] = {"sizes": table(rows), "not_told": dict(why)}
    console = Console()
    console.print(markdown(facts["sizes"]), markup=False, soft_wrap=True)
    if arguments.data:
        real, told = real_rows(arguments.data, models)
        facts["JSRT"] = table(real)
        console.print(f"\nJSRT, mm\n{markdown(facts['JSRT'])}", markup=False, soft_wrap=True)
        why += told
    for reason, count in why.items():
        console.print(f"{count} x {reason}", markup=False, soft_wrap=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
