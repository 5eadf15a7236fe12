"""A film with its lungs masked, with the whole chest masked, and with the lungs alone: what a score rests on.

A score that stays good without the lungs rests on something else: the frame, devices, the projection, the patient's
build (Sourget et al., "Mask of Truth", arXiv:2412.04030, entered from memory, unchecked).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from imaging.geometry import extent
from imaging.radiograph import Radiograph, canonical, film_id
from models.outputs import Masks
from tools.anatomy.outlines import BoolMask

MARGIN = 0.02
"""Share of the film's width by which the lungs are widened, so that no edge of them shows."""


def variants(film: Radiograph, outlines: Masks) -> dict[str, Radiograph]:
    """The film and its masked variants; the film alone where no lung is outlined.

    What is masked takes the mean grey of what is left.
    """
    lungs = _lungs(film, outlines)
    if lungs is None:
        return {"whole": film}
    top, low, bottom, high = extent(lungs)
    chest = np.zeros_like(lungs)
    chest[top:bottom, low:high] = True
    return {
        "whole": film,
        "without_lungs": _masked(film, lungs),
        "without_chest": _masked(film, chest),
        "lungs_alone": _masked(film, ~lungs),
    }


def _lungs(film: Radiograph, outlines: Masks) -> BoolMask | None:
    """The hulls of both lungs with a margin."""
    hulls = [convex_hull_image(m) for code in ("left_lung", "right_lung")
             if code in outlines.codes and (m := outlines.get(code)).any()]  # fmt: skip
    if not hulls:
        return None
    wide: BoolMask = ndimage.binary_dilation(
        np.logical_or.reduce(hulls), iterations=max(1, round(MARGIN * film.shape[1]))
    )
    return None if wide.all() else wide


def _masked(film: Radiograph, mask: BoolMask) -> Radiograph:
    pixels = film.pixels.copy()
    pixels[mask] = film.pixels[~mask].mean()
    made = canonical(pixels)
    return replace(film, id=film_id(made), pixels=made)
