"""The middle line of a tube's or line's outline, and its ends. Pure: no film, no model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from skimage.morphology import skeletonize

from tools.anatomy.outlines import BoolMask

Line = npt.NDArray[np.float64]
"""Points [n, 2] (row, column) from one end to the other."""

BRIDGED = 2
"""Gaps of up to twice so many pixels in an outline are closed: tubes fade where they cross bone and heart."""

SHORTEST = 4
"""A middle line of fewer points is a spot, no line."""

NEIGHBOURS = tuple((row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if (row, column) > (0, 0))
"""Half of a pixel's eight neighbours, so that each pair is met once."""


def middle_line(mask: BoolMask) -> Line:
    """The longest way along the skeleton of a mask [H, W], gaps bridged; empty [0, 2] where there is no line.

    The upper end comes first.
    """
    if not mask.any():
        return np.zeros((0, 2))
    padded = np.pad(mask, BRIDGED)
    closed = ndimage.binary_closing(padded, np.ones((3, 3)), iterations=BRIDGED)[BRIDGED:-BRIDGED, BRIDGED:-BRIDGED]
    points = np.argwhere(skeletonize(closed))
    if len(points) < SHORTEST:
        return np.zeros((0, 2))
    graph = _joined(points)
    start = _farthest(graph, int(np.argmin(points[:, 0])))
    lengths, before = csgraph.dijkstra(graph, indices=start, return_predecessors=True)
    end = int(np.argmax(np.where(np.isinf(lengths), -1, lengths)))
    way = [end]
    while way[-1] != start:
        way.append(int(before[way[-1]]))
    line = points[way].astype(np.float64)
    if len(line) < SHORTEST:
        return np.zeros((0, 2))
    return line if line[0, 0] <= line[-1, 0] else line[::-1]


def _joined(points: npt.NDArray[np.int64]) -> sparse.csr_matrix:
    """Graph of neighbouring skeleton pixels, weighted by their distance."""
    number = {(int(row), int(column)): index for index, (row, column) in enumerate(points)}
    first, second, length = [], [], []
    for (row, column), index in number.items():
        for down, right in NEIGHBOURS:
            other = number.get((row + down, column + right))
            if other is not None:
                first.append(index)
                second.append(other)
                length.append(float(np.hypot(down, right)))
    size = len(points)
    half = sparse.coo_matrix((length, (first, second)), shape=(size, size))
    return (half + half.T).tocsr()


def _farthest(graph: sparse.csr_matrix, start: int) -> int:
    """The pixel farthest along the graph from one, within its piece."""
    lengths = csgraph.dijkstra(graph, indices=start)
    return int(np.argmax(np.where(np.isinf(lengths), -1, lengths)))
