"""Small pictures of noise, which open as films and cost nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def noise_films(folder: Path, count: int) -> Path:
    """A new folder with so many PNG files of 64 x 64 pixels, each another picture."""
    folder.mkdir()
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 255, (64, 64)).astype(np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    return folder
