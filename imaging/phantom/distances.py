"""Approximate signed distances (mm, negative inside) to simple bodies, and their union with a fillet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

FILLET_MM = 24.0
"""Distance of heart and mediastinum from each other within which fat fills the groove between them."""


def squircle(u: Array, v: Array, k: float) -> Array:
    """Normalised radius of a squircle with k in 0 (ellipse) .. 1 (square), u and v normalised; 1 on the border."""
    uu, vv = np.minimum(u * u, 1.7), np.minimum(v * v, 1.7)
    radius: Array = np.sqrt(np.maximum(uu + vv - np.float32(k) * uu * vv, 1e-6))
    return np.where(np.maximum(u * u, v * v) > 1.7, np.float32(1.6), radius)


def ellipsoid(
    x: Array, y: Array, z: Array, centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> Array:
    """Approximate signed distance (mm) to an axis-parallel ellipsoid."""
    rho2 = ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 + ((z - centre[2]) / radii[2]) ** 2
    result: Array = ((np.sqrt(rho2 + np.float32(1e-6)) - 1) * np.float32(min(radii))).astype(np.float32)
    return result


def capsule(
    x: Array, y: Array, z: Array, a: tuple[float, float, float], b: tuple[float, float, float], r: tuple[float, float]
) -> Array:
    """Signed distance (mm) to a tube from a to b whose radius goes from r[0] to r[1]."""
    dx, dy, dz = (float(q - p) for p, q in zip(a, b, strict=True))
    square = dx * dx + dy * dy + dz * dz
    px, py, pz = x - float(a[0]), y - float(a[1]), z - float(a[2])
    t = np.clip(px * (dx / square) + py * (dy / square) + pz * (dz / square), np.float32(0), np.float32(1))
    gap = (px - t * dx) ** 2 + (py - t * dy) ** 2 + (pz - t * dz) ** 2
    result: Array = (np.sqrt(gap) - (r[0] + t * (r[1] - r[0]))).astype(np.float32)
    return result


def smooth_union(a: Array, b: Array, radius: float) -> Array:
    """Union of two distance fields with a fillet of about `radius` mm."""
    h = np.clip(0.5 + 0.5 * (b - a) / radius, 0, 1)
    result: Array = b + (a - b) * h - np.float32(radius) * h * (1 - h)
    return result


def filled_groove(heart_distance: Array, mediastinum_distance: Array) -> tuple[Array, Array]:
    """Distances to heart and mediastinum with the fat in the groove between them, each its nearer part: where they end
    on the film, as lung begins there."""
    both = smooth_union(heart_distance, mediastinum_distance, FILLET_MM)
    nearer = heart_distance - mediastinum_distance
    return (
        np.minimum(heart_distance, np.maximum(both, nearer)),
        np.minimum(mediastinum_distance, np.maximum(both, -nearer)),
    )
