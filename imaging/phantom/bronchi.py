"""Bronchi beyond the main ones, where a finding makes them visible: the air bronchogram of an airless lobe."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imaging.phantom.body import Body, main_bronchi, shift_at
from imaging.phantom.bones import Cloud
from imaging.phantom.vessels import grow, radii, tree_cloud

Points = npt.NDArray[np.float32]

BRONCHI = 18
"""Ends of the tree: subsegmental bronchi of one lobe; smaller ones are not seen on films."""

END_RADIUS_MM, LOBAR_RADIUS_MM = 1.7, 4.5
"""Radii of the smallest and the widest of them, set by eye."""


def air_tree(body: Body, sign: int, space: Points, rng: np.random.Generator) -> Cloud:
    """Air (mm³) in bronchi that grow from one main bronchus (+1 left, -1 right) into a lobe given by points [N, 3]."""
    right, left = main_bronchi()
    start, end = (np.array(point, dtype=np.float32) for point in (left if sign > 0 else right))
    for point in (start, end):
        point[0] += float(shift_at(body, float(point[1])))
    targets = space[rng.integers(len(space), size=BRONCHI)] + rng.uniform(-2, 2, (BRONCHI, 3)).astype(np.float32)
    # Ends stay away from the pleura: the outer third of the way has no visible bronchi.
    targets = (end + (targets - end) * 0.72).astype(np.float32)
    nodes, parent = grow(start, end, targets)
    return tree_cloud(nodes, parent, radii(parent, END_RADIUS_MM, LOBAR_RADIUS_MM), rng)
