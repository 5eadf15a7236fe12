"""Findings as shapes in the patient: where they are, what they weigh, and what they do to the lung around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from imaging.phantom.body import Body, cage, heart
from imaging.phantom.bones import Cloud
from imaging.phantom.findings import FINDINGS, FindingSpec
from imaging.phantom.vessels import lung_distance, lung_voxels

Array = npt.NDArray[np.float32]
Distance = Callable[[Array, Array, Array], Array]

VISCERAL_PLEURA_MM = 0.9
"""Thickness drawn for the visceral pleura with the lung's crowded edge (anatomically 0.2-0.4 mm plus atelectasis)."""

VOXEL_MM = 4.0
"""Voxels (reference mm) in which volumes of fluid and air are counted."""


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
        cloud: strands of soft tissue drawn as small volumes (reference mm, mm³).
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


def _sides(spec: FindingSpec, rng: np.random.Generator) -> list[tuple[str, int]]:
    """The sides a finding is built on; where none was said the rule's own, else a random one (always one draw)."""
    drawn = "left" if rng.random() < 0.5 else "right"
    rule = FINDINGS[spec.code]
    if not rule.sided:
        return [("", 0)]
    chosen = spec.side or rule.usual_side or drawn
    names = ["left", "right"] if chosen == "bilateral" else [chosen]
    return [(name, 1 if name == "left" else -1) for name in names]


def draws(
    findings: tuple[FindingSpec, ...], rng: np.random.Generator
) -> list[tuple[FindingSpec, list[tuple[str, int]], np.random.Generator]]:
    """Each finding with its sides and its own random numbers."""
    result = []
    for number, spec in enumerate(findings):
        own = np.random.default_rng([int(rng.integers(2**31)), number])
        result.append((spec, _sides(spec, own), own))
    return result


def _litres(body: Body) -> float:
    """ml of one reference voxel in the individual."""
    return VOXEL_MM**3 * float(np.prod(body.scale)) / 1000


def effusion(body: Body, spec: FindingSpec, side: str, sign: int) -> Lesion:
    """Free fluid of an upright patient: level, with a meniscus that climbs the wall; volume exact to a voxel."""
    space = lung_voxels(body, sign, VOXEL_MM)
    x, y, z = space.T
    climb = 22.0 + 22.0 * min(spec.value / 1500, 1.0)

    def height(x: Array, y: Array, z: Array) -> Array:
        wall = np.maximum(-cage(body, sign, x, y, z), 0)
        result: Array = (y + climb * np.exp(-wall / np.float32(13.0))).astype(np.float32)
        return result

    order = np.sort(height(x, y, z))[::-1]
    unit = _litres(body)
    count = min(round(spec.value / unit), int(0.97 * len(order)))
    level = float(order[count])

    def distance(x: Array, y: Array, z: Array) -> Array:
        result: Array = (level - height(x, y, z)) * np.float32(0.8)
        return result

    return Lesion(
        f"effusion_{side}", "effusion", side, distance, 1.0, sign, parameters={"volume_ml": round(count * unit, 1)}
    )


def pneumothorax(body: Body, spec: FindingSpec, side: str, sign: int) -> Lesion:
    """Free air between chest wall and a lung shrunk towards its lower medial part; its share of volume is solved."""
    space = lung_voxels(body, sign, VOXEL_MM)
    x, y, z = space.T
    anchor = (sign * 34.0, body.dome_apex + 25.0, 0.0)

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
    return Lesion(
        f"pneumothorax_{side}",
        "pneumothorax",
        side,
        lambda x, y, z: away(factor, x, y, z),
        0.0,
        sign,
        collapse=(anchor, factor),
        shell_mm=VISCERAL_PLEURA_MM,
        parameters={"fraction": round(float(free), 3), "volume_ml": round(float(free) * len(space) * _litres(body), 1)},
    )


def place(
    body: Body, spec: FindingSpec, sign: int, radius: float, rng: np.random.Generator
) -> tuple[float, float, float]:
    """A spot in the lung (reference mm), clear of heart, dome and midline on a frontal film; zone as asked or drawn."""
    if spec.place:
        return spec.place
    space = lung_voxels(body, sign, 6.0)
    x, y, z = space.T
    dome = body.dome_left if sign > 0 else body.dome_right
    edges = np.linspace(4.0, dome - 4, 4)
    zone = spec.zone or ("upper", "middle", "lower")[int(rng.integers(3))]
    k = ("upper", "middle", "lower").index(zone)
    inner = -lung_distance(body, sign, x, y, z)
    planes = [heart(body, x, y, np.float32(depth)) for depth in (-70.0, -40.0, -10.0, 20.0)]  # type: ignore[arg-type]
    clear = np.min(planes, axis=0)
    for slack in (1.0, 0.6, 0.2, -2.0):
        good = (y > edges[k]) & (y < edges[k + 1]) & (inner > min(radius, 30) * slack) & (clear > radius * slack)
        good &= np.abs(x) > 34
        if good.any():
            break
    else:
        good = inner > 0
    x0, y0, z0 = space[good][int(rng.integers(int(good.sum())))]
    return float(x0), float(y0), float(z0)


def rounded(body: Body, spec: FindingSpec, side: str, sign: int, index: int, rng: np.random.Generator) -> Lesion:
    """A nodule or mass: nearly a ball of the given diameter in the patient, a little lobulated."""
    radius = spec.value / 2
    cx, cy, cz = place(body, spec, sign, radius / body.mean_scale, rng)
    sx, sy, sz = body.scale
    waves = rng.uniform(0, 2 * np.pi, 4)
    lumpy = 0.05 + 0.05 * float(rng.random())

    def distance(x: Array, y: Array, z: Array) -> Array:
        px, py, pz = (x - cx) * sx, (y - cy) * sy, (z - cz) * sz
        r = np.sqrt(px**2 + py**2 + pz**2 + np.float32(1e-6))
        nx, ny, nz = px / r, py / r, pz / r
        bumps = np.sin(5 * nx + waves[0]) * np.sin(5 * ny + waves[1]) + np.sin(6 * nz + waves[2]) * np.sin(
            4 * nx + waves[3]
        )
        result: Array = ((r - radius * (1 + lumpy * bumps)) / body.mean_scale).astype(np.float32)
        return result

    where = {
        "diameter_mm": round(2 * radius, 1),
        "centre_mm": [round(cx * sx, 1), round(cy * sy, 1), round(cz * sz, 1)],
    }
    tail = f"_{index}" if index else ""
    return Lesion(f"{spec.code}_{side}{tail}", spec.code, side, distance, 1.03, sign, parameters=where)


def consolidation(body: Body, spec: FindingSpec, side: str, sign: int, index: int, rng: np.random.Generator) -> Lesion:
    """Airspace filled with fluid: an ellipsoid with a ragged border about the given diameter."""
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
    tail = f"_{index}" if index else ""
    density = 0.55 + 0.35 * spec.severity
    return Lesion(f"consolidation_{side}{tail}", "consolidation", side, distance, density, sign, parameters=where)


def build(body: Body, findings: tuple[FindingSpec, ...], rng: np.random.Generator) -> list[Lesion]:
    """All lesions of a patient, in order; cardiomegaly is a property of the body and makes no lesion."""
    from imaging.phantom.diffuse import BUILDERS

    lesions: list[Lesion] = []
    for spec, sides, own in draws(findings, rng):
        for side, sign in sides:
            index = sum(1 for done in lesions if done.code == spec.code and done.side == (side or None))
            if spec.code == "effusion":
                lesions.append(effusion(body, spec, side, sign))
            elif spec.code == "pneumothorax":
                lesions.append(pneumothorax(body, spec, side, sign))
            elif spec.code in ("nodule", "mass"):
                lesions.append(rounded(body, spec, side, sign, index, own))
            elif spec.code == "consolidation":
                lesions.append(consolidation(body, spec, side, sign, index, own))
            elif spec.code in BUILDERS:
                made = BUILDERS[spec.code](body, spec, side, sign, own)
                lesions.append(replace(made, name=f"{made.name}_{index}") if index else made)
    return lesions
