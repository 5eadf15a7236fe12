"""One patient in the beam: thickness maps and silhouettes of everything smooth, from slices through the body."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from imaging.phantom import body as shapes
from imaging.phantom import trunk
from imaging.phantom.body import Body
from imaging.phantom.bones import vertebral_density
from imaging.phantom.lesions import Lesion
from imaging.phantom.projection import DEPTH_STEP_MM, SOURCE_DISTANCE_MM, Geometry, inside_fraction, upsampler
from imaging.radiograph import View

Array = npt.NDArray[np.float32]

COARSE_PIXELS = 400
"""Side of the ray grid for smooth bodies: about 1 mm; silhouettes are placed below a pixel by their distance fields."""

FAR_MM = np.float32(12.0)
"""Silhouette fields are cut off at this distance from the border."""

CENTRAL_MM = 84.0
"""Great vessels and mediastinum lie nearer to their midline than this less FAR_MM (reference mm)."""

LATERAL_CENTRE_Z = -8.0
"""Reference z on which a lateral film is centred: halfway between skin of breast and back."""

AIR_GAP_MM = 25.0
"""Between skin and detector: cassette front and grid."""


@dataclass
class Maps:
    """Projected fields on the ray grid [G, G], float32.

    Attributes:
        thickness: mm along the ray by structure: 'body', 'lean', 'lung_left', 'lung_right', 'air', 'spine_bone' (mm of
            cortical bone), 'heart' and one per lesion.
        parenchyma: g/cm² of aerated lung.
        silhouette: smallest signed distance (mm) met along the ray, by structure; < 0 where the ray hits it.
        full: side of the detector grid.
        lateral: whether the rays go from side to side.
    """

    thickness: dict[str, Array]
    parenchyma: Array
    silhouette: dict[str, Array]
    full: int
    lateral: bool = False
    _matrix: Array | None = field(default=None, repr=False)

    def enlarge(self, coarse: Array) -> Array:
        """A map on the full detector grid [full, full] by Catmull-Rom interpolation."""
        if coarse.shape[0] == self.full:
            return coarse
        if self._matrix is None:
            self._matrix = upsampler(coarse.shape[0], self.full)
        result: Array = (self._matrix @ coarse @ self._matrix.T).astype(np.float32, copy=False)
        return result

    def thick(self, name: str) -> Array:
        """Thickness map of one structure in mm, full size, never negative."""
        result: Array = np.maximum(self.enlarge(self.thickness[name]), 0)
        return result

    def outline(self, name: str) -> npt.NDArray[np.bool_]:
        """Mask [full, full] of the rays that meet the structure."""
        result: npt.NDArray[np.bool_] = self.enlarge(self.silhouette[name]) < 0
        return result


def stand(
    body: Body, view: View, size: int, field_mm: float, shift: tuple[float, float], yaw_deg: float, tilt: float
) -> Geometry:
    """Patient before the detector: chest against it for PA, back for AP, left side for LATERAL (mm, world coordinates).

    A lateral film shows columns along +z: the patient looks to the picture's left, the spine is at its right.
    """
    if view is View.LATERAL:
        side = (float(trunk.WIDE(60.0)) + 18 * max(body.habitus, -0.5)) * body.scale[0]
        along = {"detector": side + AIR_GAP_MM, "source_sign": -1.0}
        shift = (shift[0] + LATERAL_CENTRE_Z * body.scale[2], shift[1])
    else:
        front = (float(trunk.FRONT(190.0)) - 18 * max(body.habitus, 0) - 0.4 * body.breast) * body.scale[2]
        back = (float(trunk.BACK(150.0)) + 11 * max(body.habitus, 0)) * body.scale[2]
        facing = view is View.PA
        along = {
            "detector": front - AIR_GAP_MM if facing else back + AIR_GAP_MM,
            "source_sign": 1.0 if facing else -1.0,
        }
    return Geometry(
        view=view,
        size=size,
        pixel_mm=field_mm / size,
        centre_u=shift[0],
        centre_v=shift[1],
        central_y=135.0 * body.scale[1],
        **along,
        distance_mm=SOURCE_DISTANCE_MM[view],
        yaw_rad=float(np.deg2rad(yaw_deg)),
        tilt=tilt,
    )


def distances(body: Body, lesions: list[Lesion], x: Array, y: Array, z: Array) -> dict[str, Array]:
    """Signed distances (reference mm) of all smooth structures at broadcastable points, lesions cut to their lung."""
    mid, arms = shapes.centred(body, x, y), trunk.arms(body, x, y, z)
    d: dict[str, Array] = {
        "body": trunk.skin(body, x, y, z, arms),
        "lean": trunk.skin(body, x, y, z, arms, depth=body.fat_mm),
        "heart": shapes.heart(body, mid, y, z),
        "spine": shapes.spine(x, y, z),
    }
    hollows = []
    d.update(_central(body, x, y, z))
    centre = np.minimum(shapes.smooth_union(d["heart"], d["mediastinum"], 24.0), d["spine"])
    for lesion in lesions:
        if not lesion.sign:
            d[lesion.name] = lesion.distance(x, y, z)
            centre = np.minimum(centre, d[lesion.name])
        if lesion.hollow and not lesion.sign:
            hollows.append(lesion.hollow(x, y, z))
    for side, name in ((1, "left"), (-1, "right")):
        wall = shapes.cage(body, side, x, y, z)
        below = shapes.diaphragm(body, side, x, y, z)
        gap = shapes.septum(body, side, x, y, z)
        if side > 0:
            hollows.append(shapes.stomach_gas(body, x, y, z, below))
        lung = np.maximum(np.maximum(wall, -below), np.maximum(-centre, gap))
        d[f"lung_{name}"] = lung
        d[f"dome_{name}"] = np.maximum(np.maximum(wall, below), gap)
        d[f"wall_{name}"] = np.maximum(wall, gap)
        for lesion in lesions:
            if lesion.sign == side:
                own = lesion.distance(x, y, z)
                d[lesion.name] = np.maximum(own, lung)
                if lesion.hollow:
                    hollows.append(np.maximum(lesion.hollow(x, y, z), lung))
                if lesion.shell_mm:
                    d[f"{lesion.name}/shell"] = np.maximum(own - np.float32(lesion.shell_mm), lung)
    d["gas"] = np.minimum.reduce([np.broadcast_to(h, d["spine"].shape) for h in hollows])
    return d


def _central(body: Body, x: Array, y: Array, z: Array) -> dict[str, Array]:
    """Distances to aorta, trachea and mediastinum, worked out near the midline alone; FAR_MM elsewhere.

    Args:
        x, y, z: a slice's points, [1, G], [G, 1] and [1, G].
    """
    names = ("aorta", "trachea", "mediastinum")
    result = {name: np.full((y.shape[0], x.shape[1]), FAR_MM) for name in names}
    near = np.flatnonzero(np.abs(x[0]) < CENTRAL_MM + abs(body.shift_mm))
    if len(near):
        window = slice(int(near[0]), int(near[-1]) + 1)
        x, z = x[:, window], z[:, window]
        mid = shapes.centred(body, x, y)
        aorta = shapes.aorta(body, mid, y, z)
        parts = (aorta, shapes.airways(mid, y, z), shapes.mediastinum(body, mid, y, z, aorta))
        for name, part in zip(names, parts, strict=True):
            result[name][:, window] = part
    return result


def expose(body: Body, lesions: list[Lesion], geometry: Geometry, grid: int | None = None) -> Maps:
    """March through the body in DEPTH_STEP_MM slices and collect Maps on a grid of `grid` pixels a side."""
    grid = grid or min(geometry.size, COARSE_PIXELS)
    scale = np.array(body.scale, dtype=np.float32)
    u, v = geometry.axes(grid)
    secant = np.sqrt(1 + (u**2 + v**2) / np.float32(geometry.distance_mm) ** 2)
    soft = 0.6 * geometry.pixel_mm * geometry.size / grid
    zero = np.zeros((grid, grid), dtype=np.float32)
    maps = Maps({}, zero.copy(), {}, geometry.size, geometry.view is View.LATERAL)
    before: dict[str, Array] = {}
    for plane in planes(body, geometry):
        x, y, z = geometry.plane(plane, grid)
        at = (x / scale[0], y / scale[1], z / scale[2])
        d = distances(body, lesions, *at)
        for name, value in d.items():
            d[name] = value = np.broadcast_to(value, (grid, grid))
            near = np.minimum(value, FAR_MM)
            maps.silhouette[name] = np.minimum(maps.silhouette.get(name, near), near)
        if before:
            _accumulate(maps, before, d, secant * np.float32(DEPTH_STEP_MM), soft, lesions, body, at)
        before = d
    return maps


def planes(body: Body, geometry: Geometry) -> list[float]:
    """World coordinates (mm) along the beam of the slices through the body."""
    low, high = _extent(body, 0 if geometry.view is View.LATERAL else 2)
    return [float(at) for at in np.arange(low, high + DEPTH_STEP_MM, DEPTH_STEP_MM)]


def _extent(body: Body, axis: int) -> tuple[float, float]:
    """World range (mm) of the body along the beam."""
    if axis == 0:
        reach = ((186.0 if body.arms_up else 250.0) + 24 * max(body.habitus, -0.5)) * body.scale[0]
        return -reach, reach
    front = float(trunk.FRONT(230.0)) - 24 * max(body.habitus, -0.3) - 0.7 * body.breast - 6
    back = float(trunk.BACK(150.0)) + 14 * max(body.habitus, 0) + 6
    return front * body.scale[2], back * body.scale[2]


def _accumulate(
    maps: Maps,
    a: dict[str, Array],
    b: dict[str, Array],
    path: Array,
    soft: float,
    lesions: list[Lesion],
    body: Body,
    at: tuple[Array, Array, Array],
) -> None:
    """Add the layer between two slices to the maps; `path` is its length along each ray in mm, `at` the second slice's
    points in reference mm."""
    share: dict[str, Array] = {}
    collapsed = {s.sign: s.collapse[1] for s in lesions if s.collapse}

    def add(name: str, value: Array) -> None:
        share[name] = value
        total = maps.thickness.setdefault(name, np.zeros_like(path))
        total += value * path

    for name in ("body", "lean", "heart", "lung_left", "lung_right"):
        add(name, inside_fraction(a[name], b[name], soft))
    hollow = inside_fraction(np.minimum(a["trachea"], a["gas"]), np.minimum(b["trachea"], b["gas"]), soft)
    add("air", hollow)
    column = inside_fraction(a["spine"], b["spine"], soft)
    add("spine_bone", column * vertebral_density(at[1], at[2]) if column.any() else column)
    for sign, side in ((1, "left"), (-1, "right")):
        lung = share[f"lung_{side}"]
        own = np.float32(body.lung_density / collapsed.get(sign, 1.0) ** 3)
        mass = lung * own
        for lesion in lesions:
            if lesion.sign != sign:
                continue
            name = lesion.name
            part = inside_fraction(a[name], b[name], soft)
            add(name, part if lesion.fill is None else part * np.clip(lesion.fill(*at), 0, 1))
            mass += share[name] * (np.float32(lesion.density) - own)
            if f"{name}/shell" in a:
                skin = inside_fraction(a[f"{name}/shell"], b[f"{name}/shell"], soft) - share[name]
                mass += skin * (np.float32(1.05) - own)
        maps.parenchyma += np.maximum(mass, 0) * path * np.float32(0.1)
    for lesion in lesions:
        if not lesion.sign:
            add(lesion.name, inside_fraction(a[lesion.name], b[lesion.name], soft))
