"""A comparison as pictures: the prior laid over the current film, and the changed patches drawn on both."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
from PIL import Image
from pydantic import BaseModel, Field
from scipy import ndimage

from imaging.overlays import Overlay
from imaging.radiograph import Radiograph
from tools.anatomy.outlines import BoolMask
from tools.comparison.alignment import Alignment
from tools.comparison.changes import Patch
from tools.comparison.pair import OPACITY, Compared
from tools.comparison.pictures import seen

PICTURE_SIDE = 768
"""Longest side in pixels of the aligned prior in a result."""

MORE, LESS = "vermillion", "sky"
"""Colours of more and of less opacity than on the other film."""


class Beside(BaseModel):
    """A picture to show beside a film: the prior, laid over it."""

    image_id: str = Field(description="film that it stands beside")
    of: str = Field(description="film it shows")
    caption: str
    picture: str = Field(description="base64 of an 8-bit grey PNG of the film's shape or smaller, white = dense")


def beside(compared: Compared) -> list[Beside]:
    """The aligned prior for the current film; none where the films do not align."""
    aligned, pair = compared.aligned, compared.pair
    if aligned is None:
        return []
    caption = f"{pair.prior_name}, {pair.days} days earlier, laid over {pair.current_name}"
    return [Beside(image_id=pair.current_id, of=pair.prior_id, caption=caption, picture=_picture(aligned))]


def overlays(compared: Compared) -> list[Overlay]:
    """The patches of changed opacity, on the current film and where they lie on the prior."""
    if compared.found is None or compared.aligned is None:
        return []
    return [
        overlay
        for sighting in seen(OPACITY, compared.found)
        for patch in sighting.patches
        for overlay in _drawn(compared, compared.aligned, patch)
    ]


def _drawn(compared: Compared, aligned: Alignment, patch: Patch) -> Iterator[Overlay]:
    pair = compared.pair
    inverse = np.linalg.inv(aligned.affine[:, :2])
    moved = ndimage.affine_transform(
        patch.mask.astype(np.float32), inverse, -inverse @ aligned.affine[:, 2], output_shape=patch.mask.shape, order=1
    )
    yield from _outlined(aligned.current.film, aligned.current.placement.mask_to_film(patch.mask), patch.more,
                         pair.prior_name)  # fmt: skip
    yield from _outlined(aligned.prior.film, aligned.prior.placement.mask_to_film(moved > 0.5), not patch.more,
                         pair.current_name)  # fmt: skip


def _outlined(film: Radiograph, mask: BoolMask, more: bool, than: str) -> Iterator[Overlay]:
    if mask.any():
        label = f"{'more' if more else 'less'} opacity than on {than}"
        yield Overlay.mask(film.id, mask, label, color=MORE if more else LESS)


def _picture(aligned: Alignment) -> str:
    """The prior as it lies on the current film, base64 of a PNG of the current film's shape, made smaller."""
    film, prior = aligned.current.film, aligned.prior.film
    shrink = max(1.0, max(film.shape) / PICTURE_SIDE)
    shape = (round(film.shape[0] / shrink), round(film.shape[1] / shrink))
    here, there = aligned.current.placement, aligned.prior.placement
    # Pixel of the picture -> current film -> current grid -> prior's grid -> prior film.
    to_grid = np.diag(here.scale) * shrink
    linear, move = aligned.affine[:, :2], aligned.affine[:, 2]
    to_prior = np.linalg.inv(np.diag(there.scale))
    offset = to_prior @ (linear @ np.array(here.corner) + move - np.array(there.corner))
    pixels = ndimage.affine_transform(
        ndimage.gaussian_filter(prior.pixels, (shrink - 1) / 2), to_prior @ linear @ to_grid, offset, shape, order=1
    )
    stream = io.BytesIO()
    Image.fromarray(np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)).save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")


__all__ = ["Beside", "beside", "overlays"]
