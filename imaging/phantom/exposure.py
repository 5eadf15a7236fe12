"""One patient in the beam: thickness maps and silhouettes of everything smooth, from slices through the body."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse

from imaging.phantom import body as shapes
from imaging.phantom import trunk
from imaging.phantom.body import Body
from imaging.phantom.bones import vertebral_density
from imaging.phantom.distances import filled_groove
from imaging.phantom.lesions import Lesion
from imaging.phantom.projection import DEPTH_STEP_MM, SOURCE_DISTANCE_MM, Geometry, inside_fraction, upsampler
from imaging.radiograph import View

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

COARSE_PIXELS = 400
"""Side of the ray grid for smooth bodies: about 1 mm; silhouettes are placed below a pixel by their distance fields."""

FAR_MM = np.float32(12.0)
"""Silhouette fields are cut off at this distance from the border."""

CENTRAL_MM = 84.0
"""Great vessels and mediastinum lie nearer to their midline than this less FAR_MM (reference mm)."""

MIDLINE_MM = 16.0
"""A lung's septum is farther than FAR_MM from what lies this far beyond the midline (reference mm)."""

RUNS = 4
"""Runs of slices that are marched apart. Fixed, so that sums are the same whatever the number of threads."""

DENSER_BELOW = 0.37
"""Lungs are that share lighter at the apex and denser at the base than half way down: they carry their own weight, and
basal vessels are wider. Set so that the fields brighten downwards as on real films (python -m evals.realism)."""

MIDDLE_MM = 95.0
"""y (reference mm) half way down the lungs."""

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
    _matrix: sparse.csr_array | None = field(default=None, repr=False)

    def enlarge(self, coarse: Array) -> Array:
        """A map on the full detector grid [full, full] by Catmull-Rom interpolation."""
        if coarse.shape[0] == self.full:
            return coarse
        if self._matrix is None:
            self._matrix = upsampler(coarse.shape[0], self.full)
        columns = self._matrix @ np.ascontiguousarray(coarse.T)
        result: Array = self._matrix @ np.ascontiguousarray(columns.T)
        return result

    def thick(self, name: str) -> Array:
        """Thickness map of one structure in mm, full size, never negative."""
        result: Array = np.maximum(self.enlarge(self.thickness[name]), 0)
        return result

    def outline(self, name: str) -> Mask:
        """Mask [full, full] of the rays that meet the structure."""
        result: Mask = self.enlarge(self.silhouette[name]) < 0
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
    """Signed distances (reference mm) of all smooth structures at broadcastable points, lesions cut to their lung.

    Args:
        body, lesions: the patient.
        x, y, z: a slice's points, [1, G], [G, 1] and [1, G]; several slices on a device, [N, 1, G] and so on.
    """
    mid, arms = shapes.centred(body, x, y), trunk.arms(body, x, y, z)
    d: dict[str, Array] = {
        "body": trunk.skin(body, x, y, z, arms),
        "lean": trunk.skin(body, x, y, z, arms, depth=body.fat_mm),
        "heart": shapes.heart(body, mid, y, z),
        "spine": shapes.spine(x, y, z),
    }
    d.update(_windowed(np.abs(x) < CENTRAL_MM + abs(body.shift_mm), partial(great_vessels, body), x, y, z))
    d["heart"], d["mediastinum"] = filled_groove(d["heart"], d["mediastinum"])
    centre = np.minimum(np.minimum(d["heart"], d["mediastinum"]), d["spine"])
    for lesion in lesions:
        if not lesion.sign:
            d[lesion.name] = lesion.distance(x, y, z)
            centre = np.minimum(centre, d[lesion.name])
    hollows = [lesion.hollow(x, y, z) for lesion in lesions if lesion.hollow and not lesion.sign]
    for side in (1, -1):
        own = side * x > -(MIDLINE_MM + abs(body.shift_mm))
        d.update(_windowed(own, partial(_half, body, lesions, side), x, y, z, centre))
        hollows.append(d.pop("hollow"))
    d["gas"] = reduce(np.minimum, hollows)
    return d


def _half(
    body: Body, lesions: list[Lesion], side: int, x: Array, y: Array, z: Array, centre: Array
) -> dict[str, Array]:
    """Distances to one pleural space (+1 left, -1 right), what bounds it and what lies in it; 'hollow' is all gas."""
    name = "left" if side > 0 else "right"
    wall = shapes.cage(body, side, x, y, z)
    below = shapes.diaphragm(body, side, x, y, z)
    gap = shapes.septum(body, side, x, y, z)
    lung = np.maximum(np.maximum(wall, -below), np.maximum(-centre, gap))
    d = {
        f"lung_{name}": lung,
        f"dome_{name}": np.maximum(np.maximum(wall, below), gap),
        f"wall_{name}": np.maximum(wall, gap),
    }
    hollows = [shapes.stomach_gas(body, x, y, z, below)] if side > 0 else []
    for lesion in lesions:
        if lesion.sign == side:
            own = lesion.distance(x, y, z)
            d[lesion.name] = np.maximum(own, lung)
            if lesion.hollow:
                hollows.append(np.maximum(lesion.hollow(x, y, z), lung))
            if lesion.shell_mm:
                d[f"{lesion.name}/shell"] = np.maximum(own - np.float32(lesion.shell_mm), lung)
    d["hollow"] = reduce(np.minimum, hollows) if hollows else np.full_like(lung, FAR_MM)
    return d


def _windowed(inside: Mask, shape: Callable[..., dict[str, Array]], *at: Array) -> dict[str, Array]:
    """Distances of `shape` at points, worked out where `inside` [1, G] holds alone; FAR_MM elsewhere.

    Several slices at once ([N, 1, G], on a device) are worked out everywhere.
    """
    if inside.ndim > 2:
        return {name: np.where(inside, part, FAR_MM) for name, part in shape(*at).items()}
    columns = np.flatnonzero(inside)
    size = inside.shape[-1]
    first, end = (int(columns[0]), int(columns[-1]) + 1) if len(columns) else (0, 1)
    parts = shape(*(a[:, first:end] if a.shape[1] == size else a for a in at))
    result = {name: np.full((len(part), size), FAR_MM) for name, part in parts.items()}
    if len(columns):
        for name, part in parts.items():
            result[name][:, first:end] = part
    return result


def great_vessels(body: Body, x: Array, y: Array, z: Array) -> dict[str, Array]:
    """Distances to 'aorta', 'trachea' (the air in it and the main bronchi) and 'mediastinum'; arguments as in
    `distances`."""
    mid = shapes.centred(body, x, y)
    aorta = shapes.aorta(body, mid, y, z)
    return {
        "aorta": aorta,
        "trachea": shapes.airways(mid, y, z),
        "mediastinum": shapes.mediastinum(body, mid, y, z, aorta),
    }


def expose(
    body: Body, lesions: list[Lesion], geometry: Geometry, grid: int | None = None, pool: Executor | None = None
) -> Maps:
    """March through the body in DEPTH_STEP_MM slices and collect Maps on a grid of `grid` pixels a side.

    The slices are cut into RUNS runs, which `pool` takes at the same time; the maps do not depend on it.
    """
    at = planes(body, geometry)
    ends = np.linspace(0, len(at) - 1, RUNS + 1).astype(int)
    # Neighbouring runs share a slice: each layer between two slices is in one run.
    runs = [at[first : last + 1] for first, last in pairwise(ends)]
    grid = grid or min(geometry.size, COARSE_PIXELS)
    march = partial(_march, body, lesions, geometry, grid)
    return finish(pool.map(march, runs) if pool else map(march, runs), geometry, grid)


@dataclass
class Run:
    """What one run of slices adds to the Maps, each [G, G].

    Attributes:
        filled: layers filled by each structure, as a sum of shares.
        lung: g/cm³ of aerated lung, summed over the layers.
        silhouette: as in Maps.
    """

    filled: dict[str, Array]
    lung: Array
    silhouette: dict[str, Array]


def _march(body: Body, lesions: list[Lesion], geometry: Geometry, grid: int, run: list[float]) -> Run:
    """One run of slices, one after another."""
    sums = Run({}, np.zeros((grid, grid), dtype=np.float32), {})
    before: dict[str, Array] = {}
    for plane in run:
        at = points(body, geometry, plane, grid)
        d = {name: np.broadcast_to(v, (grid, grid)) for name, v in distances(body, lesions, *at).items()}
        for name, value in d.items():
            lowest = sums.silhouette.setdefault(name, np.full((grid, grid), FAR_MM))
            np.minimum(lowest, value, out=lowest)
        if before:
            filled, lung = layer(before, d, softness(geometry, grid), lesions, body, at)
            for name, share in filled.items():
                total = sums.filled.setdefault(name, np.zeros((grid, grid), dtype=np.float32))
                total += share
            sums.lung += lung
        before = d
    return sums


def points(body: Body, geometry: Geometry, plane: float, grid: int) -> tuple[Array, Array, Array]:
    """Where the rays cross one plane: (x, y, z) in reference mm, [1, G], [G, 1] and [1, G]."""
    x, y, z = geometry.plane(plane, grid)
    sx, sy, sz = (np.float32(s) for s in body.scale)
    return x / sx, y / sy, z / sz


def softness(geometry: Geometry, grid: int) -> float:
    """See `inside_fraction`: a little over half a pixel of the ray grid, in mm."""
    return 0.6 * geometry.pixel_mm * geometry.size / grid


def finish(runs: Iterable[Run], geometry: Geometry, grid: int) -> Maps:
    """The Maps of all runs, added in their order."""
    first, *others = runs
    filled, lung, silhouette = first.filled, first.lung, first.silhouette
    for run in others:
        for name, share in run.filled.items():
            filled[name] += share
        lung += run.lung
        for name, lowest in run.silhouette.items():
            np.minimum(silhouette[name], lowest, out=silhouette[name])
    u, v = geometry.axes(grid)
    path = np.sqrt(1 + (u**2 + v**2) / np.float32(geometry.distance_mm) ** 2) * np.float32(DEPTH_STEP_MM)
    thickness = {name: share * path for name, share in filled.items()}
    return Maps(thickness, lung * path * np.float32(0.1), silhouette, geometry.size, geometry.view is View.LATERAL)


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


def lung_gradient(y: Array) -> Array:
    """Factor on the lungs' density at height y (reference mm): see DENSER_BELOW."""
    result: Array = 1 + np.float32(DENSER_BELOW) * np.clip((y - MIDDLE_MM) / np.float32(MIDDLE_MM), -1, 1)
    return result


def layer(
    a: dict[str, Array],
    b: dict[str, Array],
    soft: float,
    lesions: list[Lesion],
    body: Body,
    at: tuple[Array, Array, Array],
) -> tuple[dict[str, Array], Array]:
    """The layer between two slices: share of it that each structure fills, and g/cm³ of aerated lung, all [G, G].

    Args:
        a, b: distances at both slices, see `distances`.
        soft: see `inside_fraction`.
        lesions: as in `distances`.
        body: as in `distances`.
        at: the second slice's points in reference mm.
    """
    collapsed = {s.sign: s.collapse[1] for s in lesions if s.collapse}

    def inside(name: str) -> Array:
        return inside_fraction(a[name], b[name], soft)

    share = {name: inside(name) for name in ("body", "lean", "heart", "lung_left", "lung_right")}
    share["air"] = inside_fraction(np.minimum(a["trachea"], a["gas"]), np.minimum(b["trachea"], b["gas"]), soft)
    column = inside("spine")
    share["spine_bone"] = column * vertebral_density(at[1], at[2]) if column.any() else column
    height = lung_gradient(at[1])
    masses = []
    for sign, side in ((1, "left"), (-1, "right")):
        own = np.float32(body.lung_density / collapsed.get(sign, 1.0) ** 3) * height
        mass = share[f"lung_{side}"] * own
        for lesion in lesions:
            if lesion.sign != sign:
                continue
            name = lesion.name
            part = inside(name)
            share[name] = part if lesion.fill is None else part * np.clip(lesion.fill(*at), 0, 1)
            mass = mass + share[name] * (np.float32(lesion.density) - own)
            if f"{name}/shell" in a:
                mass = mass + (inside(f"{name}/shell") - share[name]) * (np.float32(1.05) - own)
        masses.append(np.maximum(mass, 0))
    share.update({lesion.name: inside(lesion.name) for lesion in lesions if not lesion.sign})
    return share, masses[0] + masses[1]
