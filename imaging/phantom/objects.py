"""Retained objects: a surgical sponge with its radiopaque thread, and a needle."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from imaging.phantom.body import Body
from imaging.phantom.bones import Cloud, frames, resample
from imaging.phantom.devices import Device, hose
from imaging.phantom.findings import FindingSpec
from imaging.phantom.lesions import place

Array = npt.NDArray[np.float32]

THREAD_IRON_MM2 = 0.35
"""Cross-section of a sponge's barium thread as iron that attenuates as much; set by eye."""

THREAD_RADIUS_MM = 0.6
"""Half the thread's width."""

THREAD_WAVES = (2, 3, 5)
"""Periods of the sines that fold the thread, per axis and overtone."""

CLOTH_SHARE = 0.55
"""Share of the sponge's body that is tissue and fluid beyond the lung's own; the rest is trapped air."""

CLOTH_GRID_MM = 0.7
"""Distance of the small volumes of cloth."""

NEEDLE_RADIUS_MM = 0.45
"""Half the thickness of a needle (0.9 mm of steel)."""

NEEDLE_ARC_RAD = 2.6
"""Angle that a curved surgical needle spans, a little less than half a circle."""


def sponge(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Device:
    """A crumpled sponge of the given diameter: a mottled soft mass with a folded radiopaque thread in it."""
    radius = spec.value / 2 / body.mean_scale
    centre = np.array(place(body, spec, sign, radius, rng))
    flat = np.array([1.0, 0.8, 0.6]) * radius
    t = np.linspace(0, 1, 200)[:, None]
    waves = [rng.uniform(0.5, 1.0, 3) * np.sin(2 * np.pi * k * t + rng.uniform(0, 2 * np.pi, 3)) for k in THREAD_WAVES]
    shape = np.sum(waves, axis=0)
    line = (centre + 0.8 * shape / np.linalg.norm(shape, axis=1).max() * flat).astype(np.float32)
    _, metal = hose(line, THREAD_RADIUS_MM, 0.3, THREAD_IRON_MM2, rng)
    told = {
        "diameter_mm": spec.value,
        "centre_mm": [round(float(c * s), 1) for c, s in zip(centre, body.scale, strict=True)],
        "thread_mm": round(_length(line * np.array(body.scale)), 1),
    }  # fmt: skip
    return _object(spec, side, _cloth(centre, flat, rng), metal, line[-1], told)


def _cloth(centre: npt.NDArray[np.floating], radii: npt.NDArray[np.floating], rng: np.random.Generator) -> Cloud:
    """Soft tissue (mm³) of a crumpled cloth: an ellipsoid with a whorled inside and an uneven border."""
    axes = [np.arange(-1.1 * r, 1.1 * r, CLOTH_GRID_MM) for r in radii]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = grid + rng.uniform(-0.5, 0.5, grid.shape) * CLOTH_GRID_MM
    waves = rng.normal(0, 1, (4, 3)) / 6.0
    phase = rng.uniform(0, 2 * np.pi, 4)
    lumps = np.sin(grid @ waves.T + phase).sum(axis=1)
    rho = np.sqrt(((grid / radii) ** 2).sum(axis=1))
    weight = np.clip((1 - rho) * 6 + 0.4 * lumps, 0, 1) * np.clip(CLOTH_SHARE + 0.22 * lumps, 0.1, 1)
    kept = weight > 0
    return Cloud((centre + grid[kept]).astype(np.float32), (weight[kept] * CLOTH_GRID_MM**3).astype(np.float32))


def needle(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Device:
    """A curved steel needle of the given length (along its curve), its point tapered."""
    radius = spec.value / NEEDLE_ARC_RAD / body.mean_scale
    centre = np.array(place(body, spec, sign, radius, rng))
    # Any turn in the film's plane, leaning up to 40 degrees out of it.
    turn, lean = rng.uniform(0, 2 * np.pi), rng.uniform(-0.7, 0.7)
    angle = np.linspace(0, NEEDLE_ARC_RAD, 60)
    x, y = radius * np.cos(angle + turn), radius * np.sin(angle + turn)
    line = (centre + np.stack([x * np.cos(lean), y, x * np.sin(lean)], axis=1)).astype(np.float32)
    line = centre + (line - line.mean(axis=0))
    # The individual's stretch is undone along the curve, so that the length is the patient's.
    factor = spec.value / _length(line * np.array(body.scale))
    line = (centre + (line - centre) * factor).astype(np.float32)
    metal = _wire(resample(line, 0.25), NEEDLE_RADIUS_MM, rng)
    nothing = Cloud(metal.points[:1], np.zeros(1, dtype=np.float32))
    told = {
        "length_mm": spec.value, "thickness_mm": 2 * NEEDLE_RADIUS_MM,
        "centre_mm": [round(float(c * s), 1) for c, s in zip(centre, body.scale, strict=True)],
    }  # fmt: skip
    return _object(spec, side, nothing, metal, line[-1], told)


def _wire(line: Array, radius_mm: float, rng: np.random.Generator) -> Cloud:
    """Solid metal (mm³) about a line [N, 3] that runs out to a point over its last eighth."""
    _, across, upwards = frames(line, np.array([1.0, 0.0, 0.0], dtype=np.float32))
    step = float(np.linalg.norm(np.diff(line, axis=0), axis=1).mean())
    size = radius_mm * np.minimum(1, np.linspace(8, 0.15, len(line)))
    each = 24
    angle, share = rng.uniform(0, 2 * np.pi, (len(line), each, 1)), np.sqrt(rng.random((len(line), each, 1)))
    off = size[:, None, None] * share * (np.cos(angle) * across[:, None] + np.sin(angle) * upwards[:, None])
    volume = np.repeat(np.pi * size**2 * step / each, each)
    return Cloud((line[:, None] + off).reshape(-1, 3).astype(np.float32), volume.astype(np.float32))


def _length(line: npt.NDArray[np.floating]) -> float:
    """Length of a polyline [N, 3]."""
    return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())


def _object(
    spec: FindingSpec, side: str, wall: Cloud, metal: Cloud, tip: npt.NDArray[np.floating], told: dict[str, Any]
) -> Device:
    end = (float(tip[0]), float(tip[1]), float(tip[2]))
    return Device(f"{spec.code}_{side}", spec.code, side, wall, metal, end, told, finding="retained_object")
