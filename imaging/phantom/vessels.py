"""Pulmonary vessels: branching trees grown from the hila into the lungs, tapering by Murray's law."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imaging.phantom.body import Body, cage, centred, diaphragm, heart, mediastinum, septum, shift_at, spine
from imaging.phantom.bones import Cloud, join

Points = npt.NDArray[np.float32]

MURRAY_EXPONENT = 2.35
"""Parent radius^k = sum of child radii^k; 2.35 lies between Murray's 3 and human pulmonary arteries' 2.3-2.7
(Huang et al., J Appl Physiol 1996;81:2123)."""

TIP_RADIUS_MM = 0.78
"""Radius of the smallest vessels drawn; smaller ones are part of the parenchyma's density."""

PATH_WEIGHT = 0.42
"""Weight of the way back to the root against new wire when a tip chooses where to join (Cuntz et al. 2010)."""

PIECE_MM = 7.0
"""Tips may join a vessel anywhere; vessels are cut into pieces of this length."""


def lung_distance(body: Body, side: int, x: Points, y: Points, z: Points) -> Points:
    """Distance (reference mm) to one pleural space: cage above the dome, outside heart, mediastinum and spine."""
    d = np.maximum(cage(body, side, x, y, z), -diaphragm(body, side, x, y, z))
    mid = centred(body, x, y)
    d = np.maximum(d, -np.minimum(heart(body, mid, y, z), mediastinum(body, mid, y, z)))
    return np.maximum(np.maximum(d, -spine(x, y, z)), septum(body, side, x, y, z))


def lung_voxels(body: Body, side: int, step: float) -> Points:
    """Centres [N, 3] (reference mm) of voxels of `step` mm inside one pleural space."""
    beyond = abs(body.shift_mm) // step * step
    xs = np.arange(-beyond, 150, step, dtype=np.float32)[:, None, None] * side + side * step / 2
    ys = np.arange(-4, 312, step, dtype=np.float32)[None, :, None]
    zs = np.arange(-112, 100, step, dtype=np.float32)[None, None, :]
    inside = lung_distance(body, side, xs, ys, zs) < 0
    i, j, k = np.nonzero(inside)
    return np.stack([xs[i, 0, 0], ys[0, j, 0], zs[0, 0, k]], axis=1)


def grow(root: Points, stem: Points, targets: Points) -> tuple[Points, npt.NDArray[np.int64]]:
    """Connect targets [N, 3] to a tree that starts with root → stem. Returns nodes [M, 3] and each node's parent."""
    capacity = 60 * len(targets)
    nodes = np.zeros((capacity, 3), dtype=np.float32)
    parent = np.full(capacity, -1, dtype=np.int64)
    way = np.zeros(capacity, dtype=np.float32)
    nodes[0], nodes[1], parent[1] = root, stem, 0
    way[1] = np.linalg.norm(stem - root)
    count = 2
    for target in targets[np.argsort(np.linalg.norm(targets - stem, axis=1), kind="stable")]:
        gap = np.linalg.norm(nodes[:count] - target, axis=1)
        join_at = int(np.argmin(gap + PATH_WEIGHT * way[:count]))
        start, length = nodes[join_at], float(gap[join_at])
        pieces = max(1, int(length / PIECE_MM))
        before = start - nodes[max(int(parent[join_at]), 0)]
        bend = before / (np.linalg.norm(before) + 1e-6) * length * 0.22
        last = join_at
        for k in range(1, pieces + 1):
            t = k / pieces
            nodes[count] = start + (target - start) * t + bend * t * (1 - t) * 2
            parent[count] = last
            way[count] = way[last] + np.linalg.norm(nodes[count] - nodes[last])
            last, count = count, count + 1
    return nodes[:count], parent[:count]


def radii(parent: npt.NDArray[np.int64], tip_mm: float, cap_mm: float) -> npt.NDArray[np.float32]:
    """Radius of the vessel that ends in each node, from its number of tips."""
    tips = np.zeros(len(parent))
    has_child = np.zeros(len(parent), dtype=bool)
    has_child[parent[1:]] = True
    tips[~has_child] = 1
    for node in range(len(parent) - 1, 0, -1):
        tips[parent[node]] += tips[node]
    return np.minimum(tip_mm * tips ** (1 / MURRAY_EXPONENT), cap_mm).astype(np.float32)


def tree_cloud(
    nodes: Points,
    parent: npt.NDArray[np.int64],
    radius: npt.NDArray[np.float32],
    rng: np.random.Generator,
    hollow: float = 0.0,
) -> Cloud:
    """Volume samples of all pieces: uniform in each tube's cross-section, `volume` in mm³ of what fills it.

    `hollow` is the share of the radius that is left empty: 0 a full vessel, above it a tube's wall.
    """
    a, b, r = nodes[parent[1:]], nodes[1:], radius[1:]
    r_start = np.minimum(radius[parent[1:]], r * 1.25)
    length = np.linalg.norm(b - a, axis=1)
    per_piece = np.maximum(
        (np.pi * r**2 * length / np.clip(0.10 * r, 0.06, 0.5)).astype(int), np.ceil(length / 0.35).astype(int)
    )
    piece = np.repeat(np.arange(len(a)), per_piece)
    t = rng.random(len(piece), dtype=np.float32)[:, None]
    direction = ((b - a) / (length[:, None] + 1e-6))[piece]
    shift = rng.standard_normal((len(piece), 3)).astype(np.float32)
    shift -= (shift * direction).sum(1, keepdims=True) * direction
    shift /= np.linalg.norm(shift, axis=1, keepdims=True) + 1e-6
    here = r_start[piece] + t[:, 0] * (r[piece] - r_start[piece])
    empty = np.float32(hollow**2)
    shift *= (here * np.sqrt(empty + (1 - empty) * rng.random(len(piece), dtype=np.float32)))[:, None]
    volume = (np.pi * here**2 * (1 - empty) * length[piece] / per_piece[piece]).astype(np.float32)
    return Cloud((a[piece] + t * (b - a)[piece] + shift).astype(np.float32), volume)


def vessels(body: Body, side: int, rng: np.random.Generator, tips: int = 520) -> Cloud:
    """Arteries and veins of one lung as blood volumes in reference mm; lower zones get more and wider vessels."""
    space = lung_voxels(body, side, 6.0)
    depth = -cage(body, side, space[:, 0], space[:, 1], space[:, 2])
    weight = (0.75 + 0.5 * space[:, 1] / 220.0) * np.clip(depth / 9.0, 0.02, 1.0)
    hilum_y = 100.0 if side > 0 else 110.0
    away = np.linalg.norm(space - np.array([side * 30.0, hilum_y + 12, 4.0], dtype=np.float32), axis=1)
    weight *= 1 + 1.6 * np.exp(-((away / 50.0) ** 2))
    weight = weight / weight.sum()
    clouds = []
    for share, root, stem in (
        (1.0, (14.0, hilum_y - 8, -6.0), (36.0, hilum_y + 2, 4.0)),
        (0.6, (14.0, hilum_y + 26, 10.0), (34.0, hilum_y + 20, 6.0)),
    ):
        chosen = rng.choice(len(space), size=int(tips * share), replace=False, p=weight)
        targets = space[chosen] + rng.uniform(-3, 3, (len(chosen), 3)).astype(np.float32)
        flip = np.array([side, 1, 1], dtype=np.float32)
        aside = np.array([float(shift_at(body, hilum_y)), 0, 0], dtype=np.float32)
        nodes, parent = grow(
            np.array(root, dtype=np.float32) * flip + aside, np.array(stem, dtype=np.float32) * flip + aside, targets
        )
        size = radii(parent, TIP_RADIUS_MM, 8.5)
        size *= (0.82 + 0.30 * np.clip(nodes[:, 1] / 220, 0, 1)).astype(np.float32)
        clouds.append(tree_cloud(nodes, parent, size, rng))
    return join(clouds)
