"""Of masks: Dice, intersection over union, and the 95th percentile of the distance between outlines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, distance_transform_edt

Mask = npt.NDArray[np.bool_]


def mask_iou(ours: Mask, theirs: Mask) -> float:
    """Intersection over union; two empty masks agree (1)."""
    union = int((ours | theirs).sum())
    return int((ours & theirs).sum()) / union if union else 1.0


def hd95(ours: Mask, theirs: Mask, spacing: tuple[float, float] = (1.0, 1.0)) -> float | None:
    """95th percentile of all distances from each outline to the other, both ways taken together.

    Args:
        ours: bool [H, W].
        theirs: the same size.
        spacing: of rows and columns; the distance is in its unit.

    Returns:
        None where one mask is empty: there is no distance.
    """
    if not ours.any() or not theirs.any():
        return None
    one, other = outline(ours), outline(theirs)
    to_other = distance_transform_edt(~other, sampling=spacing)[one]
    to_one = distance_transform_edt(~one, sampling=spacing)[other]
    return float(np.percentile(np.concatenate([to_other, to_one]), 95))


def outline(mask: Mask) -> Mask:
    """Pixels of a mask that touch its outside by an edge; the film's border is outside."""
    return mask & ~binary_erosion(mask)
