"""How near the diameters of lesions come to the truth, on phantoms with one mass or nodule each.

python -m evals.sizes [--films N] [--first-seed S] [--json FILE]

The truth is the two axes of its exact mask on the film. Films are 512 pixels wide, PA or AP, upright.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from evals.measurements import Row, markdown, table
from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.radiograph import View
from models.outputs import Masks, Task
from models.pool import ModelPool
from tools.anatomy import Outlines
from tools.anatomy.lesion import axes
from tools.anatomy.located import located
from tools.measurements import Sheet, measured

FIRST_SEED = 9_000_000
"""First seed of the phantoms measured; no training set begins there."""
FILM_PIXELS = 512
RANGES_MM = {"mass": (34, 72), "nodule": (13, 29)}
"""Diameters in the patient."""


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
        radiograph = film.radiograph
        [prediction] = models.predict(Task.SEGMENT, [radiograph])
        if not isinstance(prediction.output, Masks):
            raise TypeError(f"{prediction.model_id} serves segment but returned {type(prediction.output).__name__}")
        found = Outlines(prediction.output, prediction.card, prediction.model_id, prediction.revision)
        seen = located(models, radiograph, found)
        [done] = measured(Sheet(radiograph, found, lesions=seen.lesions, no_lesion=seen.no_lesion), ["lesion_diameter"])
        if not done.measured:
            why[f"{finding.code}: {done.reason.split(' (')[0]}"] += 1
        for name, truth in truths(film).items():
            value = done.value(name)
            rows += [
                Row(label, truth, math.nan if value is None else value) for label in (f"{finding.code}: {name}", name)
            ]
    return rows, why


def main() -> None:
    """Measure, print the table, write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=90)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.films)
    rows, why = rows_of((make_phantom(drawn(seed)) for seed in seeds), ModelPool(device="cpu", profile="embedded"))
    facts: dict[str, Any] = {"sizes": table(rows), "not_told": dict(why)}
    console = Console()
    console.print(markdown(facts["sizes"]), markup=False, soft_wrap=True)
    for reason, count in why.items():
        console.print(f"{count} x {reason}", markup=False, soft_wrap=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
