"""Films that tools make: put into the session beside their film, and described in the result."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from pydantic import BaseModel, Field

from imaging.failures import BadArguments
from imaging.radiograph import FilmArray, Radiograph

if TYPE_CHECKING:
    from tools.contract.tool import ToolContext

PICTURE_SIDE = 1024
"""Longest side in pixels of the picture in a result: enough for a screen, half a megabyte at most."""

STAYS_BESIDE = "It was computed, not acquired: it stands beside its film, never in its place."


class MadeFilm(BaseModel):
    """A film that a tool made and that is now in the session.

    `--save DIR` writes it as DIR/<file>.<code>.png in full.
    """

    code: str = Field(description="what was done, in snake_case: bone_suppressed, clahe, window, inverted, synthetic")
    film_id: str = Field(description="its id; other tools take it")
    film_name: str = Field(description='what to call it, e.g. "film 2"')
    parent_id: str | None = Field(description="id of the film it was computed from; None for a synthetic one")
    picture: str = Field(description="base64 of an 8-bit grey PNG, white = dense")
    size: tuple[int, int] = Field(description="[H, W] of the picture; the film's own, or smaller")


def keep(context: ToolContext, made: Radiograph) -> Radiograph:
    """Put a made film (Radiograph.derived) into the session; the same one twice is one film.

    Raises:
        BadArguments: it equals a film that was acquired, so nothing was changed.
        FilmRefused: the session is full.
    """
    kept = context.films.add(made)
    if kept.derived is None:
        raise BadArguments(f"That changes nothing on {context.films.name(kept.id)}.", "Ask for another change.")
    return kept


def described(context: ToolContext, made: Radiograph, code: str) -> dict[str, object]:
    """The fields of MadeFilm for a film that was kept."""
    picture, size = encode_picture(made.pixels)
    return {
        "code": code,
        "film_id": made.id,
        "film_name": context.films.name(made.id),
        "parent_id": made.derived.parent if made.derived else None,
        "picture": picture,
        "size": size,
    }


def encode_picture(pixels: FilmArray, longest_side_px: int = PICTURE_SIDE) -> tuple[str, tuple[int, int]]:
    """(base64 PNG, its [H, W]) of pixels [H, W] in [0, 1], made smaller where a side is longer than that."""
    picture = Image.fromarray(np.rint(pixels.clip(0, 1) * 255).astype(np.uint8))
    picture.thumbnail((longest_side_px, longest_side_px), Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii"), (picture.height, picture.width)
