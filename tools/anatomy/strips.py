"""Edges and lines of outlines, row by row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tools.anatomy.outlines import BoolMask

Floats = npt.NDArray[np.float64]
Point = tuple[float, float]


def edges(mask: BoolMask, rows: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
    """First and last column [n] of a mask bool [H, W] in each of the rows [n], none of which may be empty."""
    part = mask[rows]
    first = part.argmax(axis=1).astype(np.float64)
    last = (mask.shape[1] - 1 - part[:, ::-1].argmax(axis=1)).astype(np.float64)
    return first, last


def filled_rows(mask: BoolMask, low: float = -np.inf, high: float = np.inf) -> npt.NDArray[np.intp]:
    """Rows [n] of a mask bool [H, W] that hold any of it, between two rows, both included."""
    rows = np.flatnonzero(mask.any(axis=1))
    kept: npt.NDArray[np.intp] = rows[(rows >= low) & (rows <= high)]
    return kept
