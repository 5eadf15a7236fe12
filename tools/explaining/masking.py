"""Did the highlighted area matter? Cover it, and cover areas of the same size and shape elsewhere, and compare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imaging.geometry import extent
from tools.anatomy.outlines import BoolMask
from tools.explaining.chest import Chest
from tools.explaining.covering import AT_ONCE, Ask, Covered, log_odds

AREA_SHARE = 0.1
"""Share of the chest that is taken as highlighted: where the map is highest. A choice of ours."""

RANDOM_AREAS = 39
"""With 39 others, being the first of 40 happens by chance once in 40."""

MATTERS_BELOW = 0.05
"""An area mattered if at most this share of areas chosen at random lowers the score as far."""

OVERLAP_MAX = 0.25
"""Most of the highlighted area that a random one may share with it."""

TRIES = 20
"""Draws of a random area before one that overlaps more is taken: a large area leaves little room."""


@dataclass(frozen=True)
class MaskingTest:
    """What covering did.

    Attributes:
        area: bool [h, w] on the small film: what was highlighted and covered.
        before, after: the score as the film is, and with the area covered.
        random_after: mean score with the random areas covered, one at a time.
        as_low: how many of them lower the log odds at least as far.
        random_areas: how many there were.
        p_value: share of all areas, the highlighted one among them, that lower the log odds at least as far.
    """

    area: BoolMask
    before: float
    after: float
    random_after: float
    as_low: int
    random_areas: int
    p_value: float

    @property
    def mattered(self) -> bool:
        """Whether the area lowered the score further than chance would have it."""
        return self.after < self.before and self.p_value <= MATTERS_BELOW


def masking_test(chest: Chest, heat: npt.NDArray[np.float32], ask: Ask, seed: int) -> MaskingTest:
    """Cover the highest part of a map [h, w] on the small film, and random areas of its size and shape in the chest.

    Raises:
        ValueError: the map is 0 everywhere.
    """
    area = highest(heat, chest.inside)
    covered = Covered.of(chest.film)
    others = _elsewhere(area, chest, np.random.default_rng(seed))
    films = [chest.film, covered.at(area), *(covered.at(other) for other in others)]
    scores = np.concatenate([ask(films[start : start + AT_ONCE]) for start in range(0, len(films), AT_ONCE)])
    before, after, random = scores[0], scores[1], scores[2:]
    as_low = int((log_odds(random) <= log_odds(after)).sum())
    return MaskingTest(
        area, float(before), float(after), float(random.mean()), as_low, len(others), (1 + as_low) / (1 + len(others))
    )


def highest(heat: npt.NDArray[np.float32], chest: BoolMask) -> BoolMask:
    """Where a map is highest: so many pixels, anywhere on the film, as make up AREA_SHARE of the chest.

    Raises:
        ValueError: the map is 0 everywhere.
    """
    if not heat.max() > 0:
        raise ValueError("nothing on the film raises the score")
    count = max(1, round(AREA_SHARE * int(chest.sum())))
    limit = np.partition(heat.ravel(), -count)[-count]
    return (heat >= limit) & (heat > 0)


def _elsewhere(area: BoolMask, chest: Chest, random: np.random.Generator) -> list[BoolMask]:
    """Areas of the same size and shape in the chest, some mirrored; what crosses its edge enters at the other one."""
    inside = chest.inside | area
    top, left, bottom, right = extent(inside)
    window = (slice(top, bottom), slice(left, right))
    shape = area[window]
    found = []
    for _ in range(RANDOM_AREAS):
        best, least = area, 2.0
        for _ in range(TRIES):
            flipped = shape[:, ::-1] if random.random() < 0.5 else shape
            drawn = np.roll(flipped, (random.integers(shape.shape[0]), random.integers(shape.shape[1])), (0, 1))
            shared = float((drawn & shape).sum() / shape.sum())
            if shared < least:
                best, least = np.zeros_like(area), shared
                best[window] = drawn
            if least <= OVERLAP_MAX:
                break
        found.append(best)
    return found
