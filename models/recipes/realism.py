"""How far phantoms stand in for patients: a segmenter trained on phantoms alone, measured on real outlines.

python -m models.recipes.realism [--data DIR] [--count N] [--epochs N] [--json FILE] prints Dice on JSRT and Montgomery,
and on phantoms that were not trained on: what is low there too was not learnt yet and says nothing about realism. A
proxy, meant for comparing two states of the phantom with the same settings; it writes no weights.
"""

import argparse
import json
import multiprocessing
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from imaging.phantom import make_phantom
from models.networks import STRUCTURES
from models.recipes.data import MaskedFilm, jsrt_films, tuberculosis_films
from models.recipes.dice import measure
from models.recipes.initialise import initialised_segmenter
from models.recipes.phantoms import draw_spec, structure_masks
from models.recipes.segmenter import CANVAS, LEARNING_RATE, train
from models.recipes.segmenter_card import LUNGS

FIRST_SEED = 4_000_000
"""Seeds of no other set."""

COUNT, HELD_OUT = 160, 30
"""Phantoms to train on, and more to measure on."""

EPOCHS = 14
"""Enough for lungs; the heart takes about twice, clavicles three times as many."""

THRESHOLD = 0.5
"""One threshold for all structures: nothing is chosen on real films."""


def phantom_film(seed: int) -> MaskedFilm:
    """One drawn phantom (PA or AP, normal or with findings) with its exact masks, CANVAS pixels a side."""
    film = make_phantom(replace(draw_spec(seed), size=CANVAS))
    masks = structure_masks(film)
    return MaskedFilm("phantom", str(seed), 0, film.radiograph.pixels, masks, np.ones(len(STRUCTURES), dtype=np.bool_))


def phantom_films(count: int, workers: int) -> list[MaskedFilm]:
    """The films of `count` seeds, made by `workers` processes."""
    seeds = range(FIRST_SEED, FIRST_SEED + count)
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return list(track(pool.imap(phantom_film, seeds, chunksize=4), total=count, description="phantoms"))


def summary(table: np.ndarray) -> dict[str, float]:
    """Mean Dice per structure of measure's table [N, 13], structures that were not drawn left out."""
    names = (*STRUCTURES, LUNGS)
    return {
        name: round(float(np.nanmean(column)), 4)
        for name, column in zip(names, table.T, strict=True)
        if not np.isnan(column).all()
    }


def transfer(
    data: Path, films: Sequence[MaskedFilm], held_out: Sequence[MaskedFilm], epochs: int
) -> dict[str, dict[str, float]]:
    """Train on the phantoms, measure on JSRT, Montgomery and the held-out phantoms: mean Dice by set and structure."""
    network = train(initialised_segmenter(), films, "phantoms only", epochs, LEARNING_RATE).eval()
    thresholds = [THRESHOLD] * len(STRUCTURES)
    sets: dict[str, Sequence[MaskedFilm]] = {
        "JSRT": list(jsrt_films(data)),
        "Montgomery": list(tuberculosis_films(data, "Montgomery")),
        "held-out phantoms": held_out,
    }
    return {name: summary(measure(network, outlined, thresholds)) for name, outlined in sets.items()}


def main() -> None:
    """Make the phantoms, train, measure, print one row per data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--count", type=int, default=COUNT, help="phantoms to train on")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--workers", type=int, default=2, help="processes that make phantoms")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    films = phantom_films(arguments.count + HELD_OUT, arguments.workers)
    figures = transfer(arguments.data, films[: arguments.count], films[arguments.count :], arguments.epochs)
    for name, row in figures.items():
        print(name, row)
    if arguments.json:
        arguments.json.write_text(json.dumps({"films": arguments.count, "epochs": arguments.epochs, **figures}))


if __name__ == "__main__":
    main()
