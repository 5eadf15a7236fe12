"""Findings as shapes in the patient: where they are, what they weigh, and what they do to the lung around them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imaging.phantom.body import Body, cage, centred, heart, shift_at
from imaging.phantom.bones import Cloud
from imaging.phantom.bronchi import air_tree
from imaging.phantom.findings import FINDINGS, FindingSpec
from imaging.phantom.lobes import lobe_distance
from imaging.phantom.vessels import lung_distance, lung_voxels

Array = npt.NDArray[np.float32]
Distance = Callable[[Array, Array, Array], Array]

VISCERAL_PLEURA_MM = 0.9
"""Thickness drawn for the visceral pleura with the lung's crowded edge (anatomically 0.2-0.4 mm plus atelectasis)."""

VOXEL_MM = 4.0
"""Voxels (reference mm) in which volumes of fluid and air are counted."""

USUAL_ZONE = {"cavity": "upper", "retained_sponge": "lower"}
"""Zone of a focal finding that names none; others are drawn."""

BED_TILT_DEG = 12.0
"""Angle by which the head of a supine patient's bed is raised: fluid behind the lung deepens towards the base."""

PATCH_MM = 13.0
"""Size of the patches of a patchy consolidation."""

FLUID_EDGE_MM = 13.0
"""Distance from the chest wall over which the edge of free fluid climbs."""


@dataclass(frozen=True)
class Lesion:
    """One finding in one side, ready to be projected.

    Attributes:
        name: mask name, e.g. 'effusion_left'.
        code, side: of the finding; side 'left', 'right' or None.
        distance: signed distance in reference mm, negative inside; cut to the pleural space by the projector.
        density: g/cm³ of what fills it (soft-tissue attenuation).
        sign: +1 left, -1 right, 0 for a lesion outside the lungs, which pushes the lungs aside.
        collapse: (anchor xyz, factor) when the lung has shrunk towards the anchor.
        shell_mm: thickness of a soft-tissue skin on the inside of the lesion's border with the lung.
        parameters: what is true of it, in JSON-ready values with units in their names.
        fill: share 0..1 of the tissue at a point that has `density`; everywhere 1 without it.
        cloud: strands of soft tissue drawn as small volumes (reference mm, mm³); negative where air runs in the lesion.
        vessels: factor on the blood of the vessels inside; from the density when None.
        hollow: distance to air inside the lesion.
    """

    name: str
    code: str
    side: str | None
    distance: Distance
    density: float
    sign: int
    collapse: tuple[tuple[float, float, float], float] | None = None
    shell_mm: float = 0.0
    parameters: dict[str, Any] = field(default_factory=dict)
    fill: Distance | None = None
    cloud: Cloud | None = None
    vessels: float | None = None
    hollow: Distance | None = None


class Draw(NamedTuple):
    """One finding of a patient with what was drawn for it.

    Attributes:
        spec: the finding, its number filled in.
        sides: (name, sign) it is built on; ('', 0) without a side.
        rngs: random numbers of each side: they hang on code, side and number alone.
    """

    spec: FindingSpec
    sides: list[tuple[str, int]]
    rngs: list[np.random.Generator]


def _sides(spec: FindingSpec, rng: np.random.Generator) -> list[tuple[str, int]]:
    """The sides a finding is built on; where none was said the rule's own, else a random one."""
    rule = FINDINGS[spec.code]
    if not rule.sided:
        return [("", 0)]
    lone = "right" if spec.lobe == "middle_lobe" else None
    chosen = spec.side or lone or rule.usual_side or ("left" if rng.random() < 0.5 else "right")
    names = ["left", "right"] if chosen == "bilateral" else [chosen]
    return [(name, 1 if name == "left" else -1) for name in names]


def draws(findings: tuple[FindingSpec, ...], rng: np.random.Generator) -> list[Draw]:
    """Each finding with its sides and its own random numbers, in order; see FindingSpec.number."""
    base = int(rng.integers(2**31))
    taken: set[tuple[str, int, int]] = set()
    asked: dict[str, int] = {}
    result = []
    for spec in findings:
        word = zlib.crc32(spec.code.encode())
        asked[spec.code] = asked.get(spec.code, 0) + (spec.side is None)
        sides = _sides(spec, np.random.default_rng([base, word, 3, spec.number or asked[spec.code]]))
        number = spec.number or 1
        while any((spec.code, sign, number) in taken for _, sign in sides):
            number += 1
        taken.update((spec.code, sign, number) for _, sign in sides)
        rngs = [np.random.default_rng([base, word, sign + 1, number]) for _, sign in sides]
        result.append(Draw(replace(spec, number=number), sides, rngs))
    return result


def mask_name(spec: FindingSpec, side: str) -> str:
    """Name of the mask of a drawn finding: 'mass_left', the second of its kind on that side 'mass_left_1'."""
    number = (spec.number or 1) - 1
    return "_".join(part for part in (spec.code, side, str(number) if number else "") if part)


def _litres(body: Body) -> float:
    """ml of one reference voxel in the individual."""
    return VOXEL_MM**3 * float(np.prod(body.scale)) / 1000


def effusion(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Lesion:
    """Free fluid, volume exact to a voxel: at the base with a meniscus at the wall, or behind a supine lung."""
    space = lung_voxels(body, sign, VOXEL_MM)
    x, y, z = space.T
    climb = np.float32(22.0 + 22.0 * min(spec.value / 1500, 1.0))
    angle = math.radians(90 - BED_TILT_DEG) if body.supine else 0.0
    down, back = np.float32(math.cos(angle)), np.float32(math.sin(angle))

    def height(x: Array, y: Array, z: Array) -> Array:
        wall = np.maximum(-cage(body, sign, x, y, z), 0)
        result: Array = y * down + z * back + climb * np.exp(-wall / np.float32(FLUID_EDGE_MM))
        return result

    order = np.sort(height(x, y, z))[::-1]
    unit = _litres(body)
    count = min(round(spec.value / unit), int(0.97 * len(order)))
    level = float(order[count])

    def distance(x: Array, y: Array, z: Array) -> Array:
        result: Array = (level - height(x, y, z)) * np.float32(0.8)
        return result

    told = {"volume_ml": round(count * unit, 1), "layering": "supine" if body.supine else "erect"}
    # Behind a supine lung fluid takes the lung's own place; its tissue and vessels crowd towards the front.
    anchor = (sign * 34.0 + float(shift_at(body, 115.0)), 115.0, -70.0)
    collapse = (anchor, (1 - count / len(order)) ** (1 / 3)) if body.supine else None
    return Lesion(f"effusion_{side}", "effusion", side, distance, 1.0, sign, parameters=told, collapse=collapse)


def pneumothorax(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Lesion:
    """Free air between chest wall and a lung shrunk towards its lower medial part; its share of volume is solved."""
    space = lung_voxels(body, sign, VOXEL_MM)
    x, y, z = space.T
    anchor = (sign * 34.0 + float(shift_at(body, body.dome_apex)), body.dome_apex + 25.0, 0.0)

    def away(factor: float, x: Array, y: Array, z: Array) -> Array:
        px = anchor[0] + (x - anchor[0]) / factor
        py = anchor[1] + (y - anchor[1]) / factor
        pz = anchor[2] + (z - anchor[2]) / factor
        result: Array = -cage(body, sign, px, py, pz) * np.float32(factor)
        return result

    low, high = 0.25, 0.999
    for _ in range(18):
        middle = (low + high) / 2
        if float((away(middle, x, y, z) < 0).mean()) > spec.value / 100:
            low = middle
        else:
            high = middle
    factor = (low + high) / 2
    free = (away(factor, x, y, z) < 0).mean()
    told: dict[str, Any] = {
        "fraction": round(float(free), 3),
        "volume_ml": round(float(free) * len(space) * _litres(body), 1),
        "tension": spec.kind == "tension",
    }
    if spec.kind == "tension":
        told["mediastinal_shift_mm"] = round(-sign * body.shift_mm * body.scale[0], 1)
    return Lesion(
        f"pneumothorax_{side}",
        "pneumothorax",
        side,
        lambda x, y, z: away(factor, x, y, z),
        0.0,
        sign,
        collapse=(anchor, factor),
        shell_mm=VISCERAL_PLEURA_MM,
        parameters=told,
    )


def place(
    body: Body, spec: FindingSpec, sign: int, radius: float, rng: np.random.Generator
) -> tuple[float, float, float]:
    """A spot in the lung (reference mm), clear of heart, dome and midline on a frontal film; zone as asked or drawn."""
    if spec.place:
        return spec.place
    # A stream of its own: what is drawn for the shape stays the same once the place is given.
    rng = rng.spawn(1)[0]
    space = lung_voxels(body, sign, 6.0)
    x, y, z = space.T
    dome = body.dome_left if sign > 0 else body.dome_right
    edges = np.linspace(4.0, dome - 4, 4)
    zone = spec.zone or USUAL_ZONE.get(spec.code) or ("upper", "middle", "lower")[int(rng.integers(3))]
    k = ("upper", "middle", "lower").index(zone)
    inner = -lung_distance(body, sign, x, y, z)
    mid = centred(body, x, y)
    planes = [heart(body, mid, y, np.float32(depth)) for depth in (-70.0, -40.0, -10.0, 20.0)]  # type: ignore[arg-type]
    clear = np.min(planes, axis=0)
    for slack in (1.0, 0.85, 0.7, 0.55, 0.4, 0.2, -2.0):
        good = (y > edges[k]) & (y < edges[k + 1]) & (inner > min(radius, 30) * slack) & (clear > radius * slack)
        good &= np.abs(x) > 34
        if good.any():
            break
    else:
        good = inner > 0
    x0, y0, z0 = space[good][int(rng.integers(int(good.sum())))]
    return float(x0), float(y0), float(z0)


def rounded(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Lesion:
    """A nodule or mass: nearly a ball of the given diameter in the patient, a little lobulated."""
    radius = spec.value / 2
    cx, cy, cz = place(body, spec, sign, radius / body.mean_scale, rng)
    sx, sy, sz = body.scale
    distance = lobulated(body, (cx, cy, cz), radius, 0.05 + 0.05 * float(rng.random()), rng)
    where = {
        "diameter_mm": round(2 * radius, 1),
        "centre_mm": [round(cx * sx, 1), round(cy * sy, 1), round(cz * sz, 1)],
    }
    return Lesion(f"{spec.code}_{side}", spec.code, side, distance, 1.03, sign, parameters=where)


def lobulated(
    body: Body, centre: tuple[float, float, float], radius: float, lumpy: float, rng: np.random.Generator
) -> Distance:
    """Distance (reference mm) to nearly a ball: `centre` in reference mm, `radius` in mm of the patient, with bumps of
    up to twice the share `lumpy` of it."""
    (cx, cy, cz), (sx, sy, sz) = centre, body.scale
    waves = rng.uniform(0, 2 * np.pi, 4)

    def distance(x: Array, y: Array, z: Array) -> Array:
        px, py, pz = (x - cx) * sx, (y - cy) * sy, (z - cz) * sz
        r = np.sqrt(px**2 + py**2 + pz**2 + np.float32(1e-6))
        nx, ny, nz = px / r, py / r, pz / r
        bumps = np.sin(5 * nx + waves[0]) * np.sin(5 * ny + waves[1]) + np.sin(6 * nz + waves[2]) * np.sin(
            4 * nx + waves[3]
        )
        result: Array = ((r - radius * (1 + lumpy * bumps)) / body.mean_scale).astype(np.float32)
        return result

    return distance


def consolidation(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Lesion:
    """Airspace filled with fluid: a lobe up to its fissures, an ellipsoid with a ragged border, or patches in one."""
    from imaging.phantom.diffuse import patches

    if spec.lobe:
        return _lobar(body, spec, side, sign, rng)
    radius = spec.value / 2 / body.mean_scale
    cx, cy, cz = place(body, spec, sign, min(radius, 28.0), rng)
    stretch = rng.uniform(0.8, 1.2, 3)
    vectors = rng.normal(0, 1, (9, 3)) / np.array([22.0, 16.0, 12.0] * 3)[:, None]
    phases = rng.uniform(0, 2 * np.pi, 9)

    def distance(x: Array, y: Array, z: Array) -> Array:
        r = np.sqrt(((x - cx) / stretch[0]) ** 2 + ((y - cy) / stretch[1]) ** 2 + ((z - cz) / stretch[2]) ** 2)
        ragged = sum(np.sin(v[0] * x + v[1] * y + v[2] * z + p) for v, p in zip(vectors, phases, strict=True))
        result: Array = (r - radius + np.float32(0.11 * radius) * ragged).astype(np.float32)
        return result

    where = {
        "diameter_mm": spec.value,
        "centre_mm": [round(c * s, 1) for c, s in zip((cx, cy, cz), body.scale, strict=True)],
    }
    made = Lesion(
        f"consolidation_{side}", "consolidation", side, distance, 0.55 + 0.35 * spec.severity, sign, parameters=where
    )
    if spec.kind != "patchy":
        return made
    lumps = patches(rng, PATCH_MM)

    def fill(x: Array, y: Array, z: Array) -> Array:
        result: Array = np.clip(1.8 * lumps(x, y, z) - 0.2, 0, 1) * np.clip(-distance(x, y, z) / 8, 0, 1)
        return result

    return replace(made, parameters={**where, "kind": "patchy"}, fill=fill)


def _lobar(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Lesion:
    """A lobe without air but for its bronchi, which stand out as an air bronchogram."""
    lobe = str(spec.lobe)

    def distance(x: Array, y: Array, z: Array) -> Array:
        return lobe_distance(body, sign, lobe, x, y, z)

    space = lung_voxels(body, sign, VOXEL_MM)
    filled = space[distance(*space.T) < 0]
    bronchi = air_tree(body, sign, filled, rng)
    kept = (distance(*bronchi.points.T) < -1.0) & (lung_distance(body, sign, *bronchi.points.T) < -1.0)
    told = {"lobe": lobe, "severity": spec.severity, "volume_ml": round(len(filled) * _litres(body), 1)}
    return Lesion(
        f"consolidation_{side}", "consolidation", side, distance, 0.70 + 0.25 * spec.severity, sign,
        parameters=told, cloud=Cloud(bronchi.points[kept], -bronchi.volume[kept]),
    )  # fmt: skip


def build(body: Body, findings: tuple[FindingSpec, ...], rng: np.random.Generator) -> list[Lesion]:
    """All lesions of a patient, in order; what is a property of the body or a device makes no lesion."""
    from imaging.phantom.cavities import cavity
    from imaging.phantom.diffuse import BUILDERS

    makers = {
        "effusion": effusion, "pneumothorax": pneumothorax, "nodule": rounded, "mass": rounded,
        "consolidation": consolidation, "cavity": cavity, **BUILDERS,
    }  # fmt: skip
    return [
        replace(makers[spec.code](body, spec, side, sign, rng), name=mask_name(spec, side))
        for spec, sides, rngs in draws(findings, rng)
        if spec.code in makers
        for (side, sign), rng in zip(sides, rngs, strict=True)
    ]
