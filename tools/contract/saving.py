"""Masks and pictures of a result as PNG files, for `hilum tool NAME FILM --save DIR`."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
from PIL import Image

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


def save_picture(result: Result, folder: Path, stem: str) -> list[Path]:
    """Write the picture that a tool made (`data.picture`, base64 of a PNG) as FOLDER/<stem>.<data.code>.png.

    Args:
        result: of any tool.
        folder: made if it does not exist; a file of the same name is overwritten.
        stem: of the film's file.

    Returns:
        The file written; empty when the result holds no picture.
    """
    picture, code = getattr(result.data, "picture", None), getattr(result.data, "code", None)
    if not isinstance(picture, str) or not isinstance(code, str):
        return []
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{stem}.{code}.png"
    target.write_bytes(base64.b64decode(picture))
    return [target]
