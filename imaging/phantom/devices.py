"""Tubes, lines and pacemakers: curves in the patient with radiopaque walls, their masks and distances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from imaging.phantom import physics
from imaging.phantom.body import CARINA_Y, Body, Point, carina_point, shift_at, spine_centre_z
from imaging.phantom.bones import Cloud, frames, join, resample
from imaging.phantom.findings import FindingSpec
from imaging.phantom.lesions import Draw, mask_name
from imaging.phantom.projection import Geometry, splat

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

SAMPLE_MM = 0.3
"""Distance of wall samples along and around a tube."""

STRIPE_IRON_MM2 = 0.55
"""Cross-section of a tube's barium stripe as iron that attenuates as much: set by eye, no maker states it."""

LEAD_IRON_MM2 = 0.80
"""Cross-section of the metal in a pacemaker lead's coils (two coils of thin MP35N wire), as iron; set by eye."""

CAN_MM = (23.0, 20.0, 3.0)
"""Half width, half height and half depth of a pacemaker's case (about 46 × 40 × 6 mm, as makers' data sheets)."""

CAN_IRON_MM = 4.0
"""Iron that attenuates as the case with battery does; set by eye: the case shows white with its outline."""

MASK_MM = 0.25
"""Wall or metal along the ray (mm) from which a pixel belongs to a device's mask."""


@dataclass(frozen=True)
class Device:
    """One device, ready to be projected.

    Attributes:
        name: mask name, e.g. 'central_line_right'.
        code: its word in a specification, e.g. 'central_line'.
        side: 'left', 'right' or None.
        wall: polymer volumes (reference mm, mm³), counted as soft tissue.
        metal: iron-equivalent volumes.
        tip: where it ends, reference mm.
        parameters: what is true of it, mm of the patient.
        finding: the ontology code it is reported as.
    """

    name: str
    code: str
    side: str | None
    wall: Cloud
    metal: Cloud
    tip: Point
    parameters: dict[str, Any]
    finding: str = "support_devices"


def curve(knots: list[Point]) -> Array:
    """A smooth line [N, 3] through the knots, about 1 mm apart."""
    points = np.array(knots, dtype=float)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.linspace(0, along[-1], max(int(along[-1]), 2))
    return CubicSpline(along, points, bc_type="natural")(at).astype(np.float32)


def hose(
    line: Array, outer_mm: float, wall_mm: float, metal_mm2: float, rng: np.random.Generator
) -> tuple[Cloud, Cloud]:
    """(wall, metal) of a tube along a line [N, 3]; its metal runs as a stripe in the wall's front, 0.6 mm wide."""
    fine = resample(line, SAMPLE_MM)
    step = float(np.linalg.norm(np.diff(fine, axis=0), axis=1).mean())
    tangent, side, normal = frames(fine, np.array([1.0, 0, 0], dtype=np.float32))
    around = max(int(2 * np.pi * outer_mm / SAMPLE_MM), 12)
    angle = (np.arange(around)[None, :] + rng.random((len(fine), around)))[..., None] * (2 * np.pi / around)
    radius = outer_mm - wall_mm * rng.random((len(fine), around, 1))
    shift = (rng.random((len(fine), around, 1)) - 0.5) * step * tangent[:, None]
    ring = fine[:, None] + radius * (np.cos(angle) * side[:, None] + np.sin(angle) * normal[:, None]) + shift
    area = np.pi * (outer_mm**2 - (outer_mm - wall_mm) ** 2)
    wall = Cloud(ring.reshape(-1, 3).astype(np.float32), np.full(ring[..., 0].size, area * step / around, np.float32))
    many = 6
    across = (rng.random((len(fine), many, 1)) - 0.5) * 0.6 + 0.3 * outer_mm
    stripe = fine[:, None] + across * side[:, None] + (rng.random((len(fine), many, 1)) - 0.5) * step * tangent[:, None]
    metal = Cloud(
        stripe.reshape(-1, 3).astype(np.float32), np.full(len(fine) * many, metal_mm2 * step / many, np.float32)
    )
    return wall, metal


def ett(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Device:
    """Endotracheal tube of 7.5 mm bore; its tip stands the given distance (mm of the patient) above the carina."""
    z0 = float(spine_centre_z(10.0)) - 30
    tip_y = carina_point()[1] - spec.value / body.scale[1]
    top, low = (0.0, -120.0, z0 - 8), (-2.0, CARINA_Y - 4, z0 - 6)

    def axis(y: float, off: float) -> Point:
        t = (y - top[1]) / (low[1] - top[1])
        return (top[0] + t * (low[0] - top[0]) + off, y, top[2] + t * (low[2] - top[2]))

    line = curve([axis(-120.0, 0.0), axis(-40.0, 1.2), axis(tip_y * 0.5, -0.8), axis(tip_y, 0.8)])
    told = {"tip_to_carina_mm": spec.value}
    return Device("ett", "ett", None, *hose(line, 5.1, 1.3, STRIPE_IRON_MM2, rng), axis(tip_y, 0.8), told)


def ng_tube(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Device:
    """Nasogastric tube down the oesophagus, tip in the stomach below the left dome."""

    def before_spine(x: float, y: float) -> Point:
        return (x, y, float(spine_centre_z(y)) - 24.0)

    low = body.dome_left
    bend = float(rng.uniform(-3, 3))
    tip = (62.0, low + 46.0, -12.0)
    knots = [before_spine(1.0, -120.0), before_spine(3.0, 0.0), before_spine(2.0 + bend, 90.0)]
    knots += [before_spine(4.0 + bend, 150.0), before_spine(12.0, low + 4), (30.0, low + 26, 20.0), tip]
    return Device("ng_tube", "ng_tube", None, *hose(curve(knots), 2.4, 0.7, STRIPE_IRON_MM2, rng), tip, {})


def central_line(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Device:
    """Subclavian line of 7 F; its tip lies in the superior vena cava near the right atrium."""
    tip = (-16.0 + float(rng.uniform(-2, 2)), 122.0 + float(rng.uniform(-8, 8)), -24.0)
    knots = [(sign * 112.0, 58.0, -62.0), (sign * 84.0, 32.0, -55.0), (sign * 48.0, 34.0, -44.0)]
    knots += [(-4.0, 48.0, -36.0)] if sign > 0 else []
    knots += [(-14.0, 66.0, -27.0), (-16.0, 96.0, -25.0), tip]
    line = hose(curve(knots), 1.2, 0.45, STRIPE_IRON_MM2, rng)
    return Device(f"central_line_{side}", "central_line", side, *line, tip, {})


def pacemaker(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Device:
    """Case below the clavicle and one lead to the right ventricle's apex."""
    middle = np.array([sign * 100.0, 62.0, -82.0])
    tip = (30.0 + body.heart_x, body.tendon + 2.0, -66.0)
    knots = [(sign * 84.0, 48.0, -78.0), (sign * 62.0, 32.0, -58.0), (sign * 34.0, 38.0, -42.0)]
    knots += [(-2.0, 52.0, -36.0)] if sign > 0 else []
    knots += [(-14.0, 76.0, -27.0), (-18.0, 118.0, -25.0), (-18.0, body.tendon - 22.0, -40.0), tip]
    wall, lead = hose(curve(knots), 1.1, 0.5, LEAD_IRON_MM2, rng)
    grid = np.stack(np.meshgrid(np.arange(0, 1, 1 / 190), np.arange(0, 1, 1 / 165)), axis=-1).reshape(-1, 2)
    count = len(grid)
    flat = 2 * (grid + rng.random((count, 2)) * (1 / 190, 1 / 165)) - 1
    place = np.concatenate([flat, rng.uniform(-1, 1, (count, 1))], axis=1)
    # A superellipse: a box with round corners.
    place = place[(np.abs(place[:, :2]) ** 3.5).sum(1) < 1]
    area = 4 * CAN_MM[0] * CAN_MM[1] * len(place) / count
    case = (middle + place * np.array(CAN_MM)).astype(np.float32)
    can = Cloud(case, np.full(len(case), area * CAN_IRON_MM / len(case), np.float32))
    return Device(f"pacemaker_{side}", "pacemaker", side, wall, join([lead, can]), tip, {"leads": 1})


def chest_drain(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Device:
    """Drain of 28 F from the side of the chest up to the apex."""
    tip = (sign * 56.0, 34.0 + float(rng.uniform(-6, 10)), 14.0)
    knots = [(sign * 168.0, 190.0, -8.0), (sign * 126.0, 158.0, -4.0), (sign * 108.0, 110.0, 10.0)]
    knots += [(sign * 86.0, 66.0, 22.0), tip]
    line = hose(curve(knots), 4.7, 1.2, STRIPE_IRON_MM2 * 1.5, rng)
    return Device(f"chest_drain_{side}", "chest_drain", side, *line, tip, {})


BUILDERS: dict[str, Callable[[Body, FindingSpec, str, int, np.random.Generator], Device]] = {
    "ett": ett,
    "ng_tube": ng_tube,
    "central_line": central_line,
    "pacemaker": pacemaker,
    "chest_drain": chest_drain,
}


MEDIAN = ("ett", "ng_tube", "central_line", "pacemaker")
"""Devices that lie in airways, oesophagus or great vessels and go with a displaced mediastinum."""

FOLLOW_MM = (45.0, 85.0)
"""Distance from the midline up to which such a device follows in full, and from which it does not."""


def place_devices(body: Body, chosen: list[Draw]) -> list[Device]:
    """The devices and retained objects among the findings of a patient, as `lesions.draws` gives them."""
    from imaging.phantom.objects import needle, sponge

    makers = {**BUILDERS, "retained_sponge": sponge, "retained_needle": needle}
    placed = []
    for spec, sides, rngs in chosen:
        for (side, sign), rng in zip(sides, rngs, strict=True):
            if spec.code in makers:
                device = replace(makers[spec.code](body, spec, side, sign, rng), name=mask_name(spec, side))
                placed.append(_follow(body, device) if spec.code in MEDIAN and body.shift_mm else device)
    return placed


def _follow(body: Body, device: Device) -> Device:
    """The device moved with the mediastinum."""

    def moved(points: Array) -> Array:
        near = np.clip((FOLLOW_MM[1] - np.abs(points[:, 0])) / (FOLLOW_MM[1] - FOLLOW_MM[0]), 0, 1)
        result = points.copy()
        result[:, 0] += shift_at(body, points[:, 1]) * near
        return result

    x, y, z = (float(v) for v in moved(np.array([device.tip], dtype=np.float32))[0])
    wall, metal = (replace(cloud, points=moved(cloud.points)) for cloud in (device.wall, device.metal))
    return replace(device, wall=wall, metal=metal, tip=(x, y, z))


def project(
    body: Body, devices: list[Device], geometry: Geometry
) -> tuple[dict[str, Mask], Array | None, Array | None, dict[str, float]]:
    """(masks, mm of wall [H, W], mm of iron [H, W], measures); the maps are None without devices.

    Measures in the detector plane: ett_tip_to_carina_mm, the tube's tip above the carina along the film's rows.
    """
    scale = np.array(body.scale, dtype=np.float32)
    volume, blur = np.float32(np.prod(scale)), 0.3 / geometry.pixel_mm
    masks: dict[str, Mask] = {}
    measures: dict[str, float] = {}
    walls: Array | None = None
    metals: Array | None = None
    for device in devices:
        wall, metal = (
            physics.blur(splat(geometry, cloud.points * scale, cloud.volume * volume), blur)
            for cloud in (device.wall, device.metal)
        )
        masks[device.name] = (wall > MASK_MM) | (metal > MASK_MM)
        walls = wall if walls is None else walls + wall
        metals = metal if metals is None else metals + metal
        if device.code == "ett":
            x, y, z = carina_point()
            row, _, _ = geometry.project(np.array([device.tip, (x + float(shift_at(body, y)), y, z)]) * scale)
            measures["ett_tip_to_carina_mm"] = float(row[1] - row[0]) * geometry.pixel_mm
    return masks, walls, metals, measures
