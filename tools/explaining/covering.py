"""What happens to a classifier's score when parts of a film are covered by a blur of their surroundings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import logit

from imaging.radiograph import FilmArray, Radiograph
from tools.anatomy.outlines import BoolMask
from tools.explaining.chest import Chest, with_pixels

BLUR_SHARE = 0.08
"""Standard deviation of the blur that covers an area, as a share of the film's longest side: wide enough that no lesion
or vessel is left, narrow enough that the mean grey of its place stays."""

EDGE_SHARE = 0.01
"""Standard deviation of the soft edge of a covered area: a hard one would be a finding of its own."""

WINDOW_SHARE, STEP_SHARE = 1 / 4, 1 / 8
"""Side of the window that covers part of the chest, and its step, as shares of the chest's sides: 49 places."""

AT_ONCE = 8
"""Covered films asked for together."""

LEAST = 1e-6
"""Scores are kept this far from 0 and 1, where log odds end."""

Ask = Callable[[Sequence[Radiograph]], npt.NDArray[np.float64]]
"""Films -> a finding's score on each, in [0, 1]."""


@dataclass(frozen=True)
class Covered:
    """A film and its blur, of which covered films are made."""

    film: Radiograph
    blurred: FilmArray

    @classmethod
    def of(cls, film: Radiograph) -> Covered:
        """The film with its blur."""
        return cls(film, ndimage.gaussian_filter(film.pixels, BLUR_SHARE * max(film.shape)).clip(0, 1))

    def at(self, mask: BoolMask) -> Radiograph:
        """The film with a masked area [h, w] covered, its edge soft."""
        soft = ndimage.gaussian_filter(mask.astype(np.float32), EDGE_SHARE * max(self.film.shape))
        cover = np.maximum(soft, mask)
        return with_pixels(self.film, (self.film.pixels * (1 - cover) + self.blurred * cover).clip(0, 1))


def log_odds(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Log odds of scores in [0, 1]: falls of a low and of a high score compare on this scale."""
    found: npt.NDArray[np.float64] = logit(np.clip(np.asarray(scores, dtype=np.float64), LEAST, 1 - LEAST))
    return found


def cover_map(chest: Chest, ask: Ask) -> npt.NDArray[np.float32]:
    """How far the log odds fall, on average over the windows that cover a pixel, float32 [h, w] of the small film.

    Occlusion sensitivity (Zeiler and Fergus, ECCV 2014). Outside the chest, and where covering raises the score, 0.
    """
    covered = Covered.of(chest.film)
    windows = _windows(chest.box)
    films = [chest.film, *(covered.at(_filled(chest.film.shape, window)) for window in windows)]
    odds = log_odds(np.concatenate([ask(films[start : start + AT_ONCE]) for start in range(0, len(films), AT_ONCE)]))
    fallen, times = np.zeros(chest.film.shape), np.zeros(chest.film.shape)
    for window, left in zip(windows, odds[1:], strict=True):
        fallen[window] += odds[0] - left
        times[window] += 1
    mean: npt.NDArray[np.float32] = (fallen / np.maximum(times, 1)).clip(0).astype(np.float32)
    return mean


def _windows(box: tuple[int, int, int, int]) -> list[tuple[slice, slice]]:
    """Windows over the chest, row by row, the last ones at its far edges."""
    top, left, bottom, right = box
    starts = np.arange(0, 1 - WINDOW_SHARE + STEP_SHARE / 2, STEP_SHARE)
    rows, columns = (
        [
            slice(round(low + start * (high - low)), round(low + (start + WINDOW_SHARE) * (high - low)))
            for start in starts
        ]
        for low, high in ((top, bottom), (left, right))
    )
    return [(row, column) for row in rows for column in columns]


def _filled(shape: tuple[int, int], window: tuple[slice, slice]) -> BoolMask:
    mask = np.zeros(shape, dtype=np.bool_)
    mask[window] = True
    return mask
