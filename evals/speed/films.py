"""Films for the benches: chest-like pictures written as PNG, each different, so that no cache helps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from imaging.phantom import PhantomSpec, make_phantom

PATIENTS = 4
"""Synthetic patients behind a bench's films; the rest are the same ones, shifted in grey and noise."""

SIDE = 1024
"""Rows and columns: the size of the ChestX-ray14 PNG files."""


def write_films(folder: Path, count: int, side: int = SIDE) -> list[Path]:
    """Write `count` different 8-bit PNG films into the folder; the same ones every time."""
    return list(_written(folder, count, side))


def _written(folder: Path, count: int, side: int) -> Iterator[Path]:
    patients = [
        np.round(make_phantom(PhantomSpec(seed=seed, size=side)).radiograph.pixels * 255).astype(np.int16)
        for seed in range(min(PATIENTS, count))
    ]
    rng = np.random.default_rng(0)
    for number in range(count):
        film = patients[number % len(patients)] + rng.integers(-2, 3, (side, side), dtype=np.int16)
        path = folder / f"{number:05}.png"
        Image.fromarray(film.clip(0, 255).astype(np.uint8)).save(path, compress_level=1)
        yield path
