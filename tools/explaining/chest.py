"""The part of a film in which areas are covered: the lungs and what lies between and just around them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from skimage.transform import resize

from imaging.geometry import extent
from imaging.radiograph import Radiograph, canonical, film_id
from models.outputs import Masks
from tools.anatomy.outlines import BoolMask

WORKING_SIDE = 640
"""Longest side of the film on which areas are covered: no classifier of the catalog but Ark+ sees more pixels."""

MARGIN = 0.08
"""Share of the lungs' height and width around them that belongs to the chest: the pleura, the diaphragm's angle."""


@dataclass(frozen=True)
class Chest:
    """A film made small, and where its chest is.

    Attributes:
        film: the film, its longest side WORKING_SIDE at most.
        box: (row_min, col_min, row_max, col_max) of the chest on it, in its pixels.
        shape: (H, W) of the film it was made from.
    """

    film: Radiograph
    box: tuple[int, int, int, int]
    shape: tuple[int, int]

    @property
    def inside(self) -> BoolMask:
        """bool [h, w]: the chest on the small film."""
        mask = np.zeros(self.film.shape, dtype=np.bool_)
        mask[self.box[0] : self.box[2], self.box[1] : self.box[3]] = True
        return mask


def chest_of(film: Radiograph, masks: Masks) -> Chest:
    """The chest by both lungs' outlines; ValueError where neither lung was outlined."""
    lungs = masks.get("left_lung") | masks.get("right_lung")
    if not lungs.any():
        raise ValueError("no lung was outlined")
    small = reduced(film)
    height, width = small.shape
    rows, columns = height / film.shape[0], width / film.shape[1]
    top, left, bottom, right = extent(lungs)
    tall, wide = MARGIN * (bottom - top), MARGIN * (right - left)
    box = (
        max(0, round((top - tall) * rows)),
        max(0, round((left - wide) * columns)),
        min(height, round((bottom + tall) * rows)),
        min(width, round((right + wide) * columns)),
    )
    return Chest(small, box, film.shape)


def reduced(film: Radiograph) -> Radiograph:
    """The film with its longest side WORKING_SIDE at most, a film of its own."""
    factor = WORKING_SIDE / max(film.shape)
    if factor >= 1:
        return film
    size = tuple(max(1, round(length * factor)) for length in film.shape)
    return with_pixels(film, resize(film.pixels, size, order=1, anti_aliasing=True, preserve_range=True).clip(0, 1))


def with_pixels(film: Radiograph, pixels: np.ndarray) -> Radiograph:
    """The film with other pixels [h, w] in [0, 1], by an id of its own."""
    made = canonical(pixels)
    return replace(film, id=film_id(made), pixels=made, spacing_mm=None)
