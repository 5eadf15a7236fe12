"""Masks and made films of a result as PNG files, for `hilum tool NAME FILM --save DIR`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from imaging.derived import to_png
from imaging.store import ImageStore
from tools.contract.results import Result

INSIDE = 255
"""Grey level of a pixel inside the structure; outside is 0."""


def save_masks(result: Result, folder: Path, stem: str) -> list[Path]:
    """Write every mask of a result as FOLDER/<stem>.<structure>.png, 8-bit, 0 or 255, in the film's own geometry.

    Args:
        result: of a tool whose overlays hold masks labelled with structure codes.
        folder: made if it does not exist; files of the same name are overwritten.
        stem: of the film's file.

    Returns:
        The files written, in the result's order; none when the result holds no mask.
    """
    masks = [overlay for overlay in result.overlays if overlay.kind == "mask"]
    if masks:
        folder.mkdir(parents=True, exist_ok=True)
    written = []
    for overlay in masks:
        target = folder / f"{stem}.{overlay.label.replace(' ', '_').replace('/', '_')}.png"
        Image.fromarray(overlay.as_mask().astype(np.uint8) * np.uint8(INSIDE)).save(target, format="PNG")
        written.append(target)
    return written


def save_films(result: Result, films: ImageStore, folder: Path, stem: str) -> list[Path]:
    """Write each film that a tool made as FOLDER/<stem>.<data.code>.png, 16-bit, its mark in a text chunk.

    Args:
        result: of any tool; films it made are among its `image_ids`.
        films: the store the tool was run on.
        folder: made if it does not exist; files of the same name are overwritten.
        stem: of the film's file.

    Returns:
        The files written; none when the tool made no film.
    """
    made = [films.get(image_id) for image_id in result.image_ids]
    code = getattr(result.data, "code", None)
    written = []
    for film in made[1:] if len(made) > 1 else made:
        if film.derived is None or not isinstance(code, str):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{stem}.{code}.png"
        target.write_bytes(to_png(film))
        written.append(target)
    return written
