"""Airways beyond the main bronchi: lobar, segmental and subsegmental bronchi, tubes of air with a thin wall."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans2

from imaging.phantom.body import Body, Point, shift_at
from imaging.phantom.bones import Cloud, join, resample
from imaging.phantom.lobes import lobe_distance
from imaging.phantom.vessels import lung_voxels, tree_cloud

Points = npt.NDArray[np.float32]
Tree = tuple[Points, npt.NDArray[np.int64], npt.NDArray[np.float32]]

SEGMENTS = {
    -1: {"upper_lobe": 3, "middle_lobe": 2, "lower_lobe": 5},
    1: {"upper_lobe": 4, "lower_lobe": 4},
}
"""Segments of each lobe, right (-1) and left (+1): ten and eight, with the left apicoposterior and anteromedial basal
ones counted once each (Boyden's count as in anatomy textbooks, entered from memory)."""

LOBAR_ENDS: dict[int, dict[str, tuple[Point, ...]]] = {
    -1: {
        "upper_lobe": ((-17.0, 104.0, 1.0), (-38.0, 100.0, 4.0)),
        "middle_lobe": ((-33.0, 134.0, 2.0), (-46.0, 147.0, -20.0)),
        "lower_lobe": ((-27.0, 120.0, 1.0), (-33.0, 134.0, 2.0), (-40.0, 152.0, 14.0)),
    },
    1: {
        "upper_lobe": ((40.0, 116.0, 1.0), (55.0, 110.0, -8.0)),
        "lower_lobe": ((40.0, 116.0, 1.0), (50.0, 138.0, 14.0)),
    },
}
"""Courses of the lobar bronchi (reference mm), set by eye; the right lower one begins with the intermediate one."""

RADIUS_MM = (4.0, 2.7, 2.1)
"""Lumen radius of lobar, segmental and subsegmental bronchi: half of 8.3, 5.6 and 4.5 mm, generations 2 to 4 of
Weibel's model A (Morphometry of the Human Lung, 1963; entered from memory), subsegmental ones a little narrower."""

LUMEN_SHARE = 0.78
"""Lumen's share of a bronchus' outer radius; the wall is the rest."""

SEGMENT_REACH, SUBSEGMENT_REACH = 0.55, 0.5
"""How far a bronchus runs towards the middle of what it serves."""

VOXEL_MM, FEWEST_VOXELS = 9.0, 4
"""Voxels (reference mm) in which segments are found, and how many a segment needs to be divided."""

PIECE_MM = 3.0
"""Length of the pieces a bronchus is sampled in."""


def bronchi(body: Body, side: int, lobe: str, space: Points, rng: np.random.Generator) -> Tree:
    """Tree of one lobe: nodes [M, 3] in reference mm, each node's parent (-1 for the first), lumen radius [M].

    Args:
        side: +1 left, -1 right.
        lobe: a key of SEGMENTS[side].
        space: points [N, 3] that fill the lung evenly.
    """
    course = np.array(LOBAR_ENDS[side][lobe], dtype=np.float32)
    nodes, parent, radius = [course[0]], [-1], [RADIUS_MM[0]]

    def extend(start: int, knots: Points, width: float) -> int:
        """Append a line [N, 3] that begins at node `start`; returns its last node."""
        last = start
        for point in resample(knots, PIECE_MM)[1:]:
            nodes.append(point)
            parent.append(last)
            radius.append(width)
            last = len(nodes) - 1
        return last

    trunk = extend(0, course, RADIUS_MM[0])
    mine = space[lobe_distance(body, side, lobe, *space.T) < 0]
    middles, served = kmeans2(mine, SEGMENTS[side][lobe], minit="++", seed=rng)
    for k, middle in enumerate(middles):
        end = nodes[trunk] + (middle - nodes[trunk]) * SEGMENT_REACH
        branch = extend(trunk, np.stack([nodes[trunk], end]), RADIUS_MM[1])
        if (served == k).sum() < FEWEST_VOXELS:
            continue
        for target in kmeans2(mine[served == k], 2, minit="++", seed=rng)[0]:
            tip = nodes[branch] + (target - nodes[branch]) * SUBSEGMENT_REACH
            extend(branch, np.stack([nodes[branch], tip]), RADIUS_MM[2])
    tree = np.array(nodes, dtype=np.float32)
    tree[:, 0] += shift_at(body, tree[:, 1])
    return tree, np.array(parent, dtype=np.int64), np.array(radius, dtype=np.float32)


def airway_clouds(body: Body, side: int, rng: np.random.Generator) -> tuple[Cloud, Cloud]:
    """(lumen, wall) of one lung's bronchi beyond the main one, as volumes (mm³) in reference mm."""
    space = lung_voxels(body, side, VOXEL_MM)
    lumen, wall = [], []
    for lobe in SEGMENTS[side]:
        nodes, parent, radius = bronchi(body, side, lobe, space, rng)
        lumen.append(tree_cloud(nodes, parent, radius, rng))
        outer = (radius / LUMEN_SHARE).astype(np.float32)
        wall.append(tree_cloud(nodes, parent, outer, rng, LUMEN_SHARE))
    return join(lumen), join(wall)
