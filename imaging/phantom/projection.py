"""Cone-beam geometry: depth slices of rays through smooth bodies, and point clouds splatted onto the detector.

World axes in mm: x to the patient's left, y downwards (feet), z to the patient's back; y = 0 at the lung apex.
A frontal film shows u (columns) along +x and v (rows) along +y, seen from the patient's front.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from imaging.radiograph import View

Array = npt.NDArray[np.float32]

SOURCE_DISTANCE_MM = {View.PA: 1800.0, View.AP: 1000.0, View.LATERAL: 1800.0}
"""Focus to detector: 180 cm for PA and lateral, 100 cm for a bedside AP (European guidelines EUR 16260 EN, chest)."""

DEPTH_STEP_MM = 5.0
"""Distance of depth slices; surfaces between slices are placed by linear interpolation of the distance fields."""


@dataclass(frozen=True)
class Geometry:
    """Where focus, patient and detector stand.

    Attributes:
        view: PA, AP or LATERAL.
        size: detector rows = columns.
        pixel_mm: detector pixel pitch.
        centre_u, centre_v: detector coordinates (mm) of the film's centre, relative to the central ray.
        central_y: world y (mm) through which the central ray passes.
        detector: world coordinate (mm) of the detector plane along the beam axis (z, or x for LATERAL).
        source_sign: +1 when the focus lies on the positive side of that axis.
        distance_mm: focus to detector.
        yaw_rad: rotation of the patient about y.
        tilt: shear of y with depth, dimensionless (tangent of the beam's cranio-caudal angle).
    """

    view: View
    size: int
    pixel_mm: float
    centre_u: float
    centre_v: float
    central_y: float
    detector: float
    source_sign: float
    distance_mm: float
    yaw_rad: float = 0.0
    tilt: float = 0.0

    def magnification(self, along: npt.NDArray[np.floating] | float) -> npt.NDArray[np.floating] | float:
        """Detector mm per patient mm at a coordinate along the beam axis."""
        return self.distance_mm / (self.distance_mm - self.source_sign * (along - self.detector))

    def axes(self, size: int) -> tuple[Array, Array]:
        """Detector coordinates (u [1, size], v [size, 1]) in mm of pixel centres on a grid of size² pixels."""
        field = self.pixel_mm * self.size
        line = (np.arange(size, dtype=np.float32) + 0.5) * (field / size) - field / 2
        return (line + self.centre_u)[None, :].astype(np.float32), (line + self.centre_v)[:, None].astype(np.float32)

    def plane(self, along: float, size: int) -> tuple[Array, Array, Array]:
        """Patient coordinates (x, y, z), broadcastable to [size, size], where the rays cross the plane `along`."""
        u, v = self.axes(size)
        scale = np.float32(self.magnification(along))
        across = u / scale
        depth = np.full_like(across, along)
        y = v / scale + np.float32(self.central_y) + np.float32(self.tilt * along)
        x0, z0 = (depth, across) if self.view is View.LATERAL else (across, depth)
        cos, sin = np.float32(np.cos(self.yaw_rad)), np.float32(np.sin(self.yaw_rad))
        return x0 * cos + z0 * sin, y, -x0 * sin + z0 * cos

    def project(self, points: npt.NDArray[np.floating]) -> tuple[Array, Array, Array]:
        """Patient points [N, 3] (x, y, z) mm → (row, column) in pixels of the full grid, and magnification [N]."""
        cos, sin = np.float32(np.cos(self.yaw_rad)), np.float32(np.sin(self.yaw_rad))
        x = points[:, 0] * cos - points[:, 2] * sin
        z = points[:, 0] * sin + points[:, 2] * cos
        across, along = (z, x) if self.view is View.LATERAL else (x, z)
        scale = np.asarray(self.magnification(along), dtype=np.float32)
        u = across * scale
        v = (points[:, 1] - self.tilt * along - self.central_y) * scale
        half = self.size / 2 - 0.5
        row = (v - self.centre_v) / self.pixel_mm + half
        column = (u - self.centre_u) / self.pixel_mm + half
        return row.astype(np.float32), column.astype(np.float32), scale


def splat(geometry: Geometry, points: npt.NDArray[np.floating], volume_mm3: npt.NDArray[np.floating]) -> Array:
    """Thickness map [size, size] in mm of small volumes at points [N, 3] mm; `volume_mm3` is [N] or a scalar array.

    Each volume is spread bilinearly over four pixels; thickness along the ray = volume × magnification² / pixel area.
    """
    size = geometry.size
    row, column, scale = geometry.project(points)
    weight = np.broadcast_to(np.asarray(volume_mm3, dtype=np.float32), row.shape) * scale**2 / geometry.pixel_mm**2
    inside = (row > 0) & (row < size - 1) & (column > 0) & (column < size - 1)
    row, column, weight = row[inside], column[inside], weight[inside]
    r0, c0 = row.astype(np.int32), column.astype(np.int32)
    fr, fc = row - r0.astype(np.float32), column - c0.astype(np.float32)
    shares = np.stack([(1 - fr) * (1 - fc), (1 - fr) * fc, fr * (1 - fc), fr * fc], axis=1)
    pixels = (r0 * size + c0)[:, None] + np.array([0, 1, size, size + 1], dtype=np.int32)
    # Pixels by points, four entries a column: one pass in compiled code that leaves other threads running.
    starts = np.arange(0, 4 * len(row) + 1, 4, dtype=np.int32)
    spread = sparse.csc_array((shares.ravel(), pixels.ravel(), starts), shape=(size * size, len(row)))
    result: Array = (spread @ weight.astype(np.float32, copy=False)).reshape(size, size)
    return result


def inside_fraction(d0: Array, d1: Array, softness_mm: float) -> Array:
    """Share of the path between two slices that lies inside, from signed distances (mm, negative inside) at both.

    Exact where the distance is linear between the slices; `softness_mm` keeps silhouettes free of stair-steps.
    """
    result: Array = np.clip(0.5 - (d0 + d1) / (2 * (np.abs(d1 - d0) + np.float32(softness_mm))), 0, 1)
    return result


def upsampler(coarse: int, fine: int) -> sparse.csr_array:
    """Catmull-Rom interpolation matrix [fine, coarse], float32, between pixel-centred grids over the same extent."""
    position = (np.arange(fine) + 0.5) * coarse / fine - 0.5
    base = np.floor(position).astype(int)
    t = position - base
    weights = np.stack(
        [
            -0.5 * t + t**2 - 0.5 * t**3,
            1 - 2.5 * t**2 + 1.5 * t**3,
            0.5 * t + 2 * t**2 - 1.5 * t**3,
            -0.5 * t**2 + 0.5 * t**3,
        ]
    )
    matrix = np.zeros((fine, coarse), dtype=np.float32)
    for k in range(4):
        np.add.at(matrix, (np.arange(fine), np.clip(base + k - 1, 0, coarse - 1)), weights[k])
    return sparse.csr_array(matrix)
