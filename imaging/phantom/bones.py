"""Bones as clouds of small volumes: ribs, clavicles, scapulae, humeri, vertebral arches and sternum.

A cloud is (points [N, 3] in reference mm, volume of cortical bone at each point in mm³). Cortex is sampled on the
surface, spongiosa inside the tube; jitter keeps the sampling lattice from showing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imaging.phantom.body import _B, _F, VERTEBRA_PITCH, Body, half_width, spine_centre_z
from imaging.phantom.trunk import upper_arm

Points = npt.NDArray[np.float32]

SPONGIOSA_CORTICAL_FRACTION = 0.16
"""Share of cortical bone in rib and vertebral spongiosa by volume; the rest is marrow (ICRP 110)."""

SAMPLE_MM = 0.55
"""Distance of cortex samples along and around a tube; about one and a half film pixels before blur."""


RIB_CORTEX_MM = (0.68, 0.26)
"""Thickness of a rib's cortex at the back and at its front end, which shows less on real films; set by eye."""


@dataclass(frozen=True)
class Cloud:
    """Points [N, 3] (reference mm) and volumes [N] (mm³ of cortical-equivalent bone)."""

    points: Points
    volume: npt.NDArray[np.float32]


def join(clouds: list[Cloud]) -> Cloud:
    """One cloud of several."""
    return Cloud(
        np.concatenate([c.points for c in clouds]).astype(np.float32),
        np.concatenate([c.volume for c in clouds]).astype(np.float32),
    )


def frames(line: Points, up: Points) -> tuple[Points, Points, Points]:
    """(tangent, side, normal) unit vectors [N, 3] along a polyline; `up` is the preferred direction of `side`."""
    tangent = np.gradient(line, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
    side = up - (up * tangent).sum(1, keepdims=True) * tangent
    side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
    return tangent, side.astype(np.float32), np.cross(tangent, side).astype(np.float32)


def resample(line: Points, step: float) -> Points:
    """The polyline [M, 3] at equal steps of about `step` mm."""
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    count = max(int(lengths[-1] / step), 2)
    at = np.linspace(0, lengths[-1], count)
    return np.stack([np.interp(at, lengths, line[:, k]) for k in range(3)], axis=1).astype(np.float32)


def tube(
    line: Points,
    up: Points,
    radii: npt.NDArray[np.floating],
    cortex_mm: float | npt.NDArray[np.floating],
    rng: np.random.Generator,
) -> Cloud:
    """Bone tube: line [M, 3], `up` [3] or [M, 3] direction of the first semi-axis, radii [2] or [M, 2] mm.

    Cortex of `cortex_mm`, one number or [M], on the surface, spongiosa inside.
    """
    step = SAMPLE_MM
    fine = resample(line, step)
    place = np.linspace(0, 1, len(line))
    at = np.linspace(0, 1, len(fine))

    def spread(values: npt.NDArray[np.floating], width: int) -> Points:
        full = np.broadcast_to(values, (len(line), width))
        return np.stack([np.interp(at, place, full[:, k]) for k in range(width)], axis=1).astype(np.float32)

    _, side, normal = frames(fine, spread(up, 3))
    semi = spread(radii, 2)
    mean = float(semi.mean())
    cortex = spread(np.reshape(cortex_mm, (-1, 1)), 1)[:, :, None]
    ds = float(np.linalg.norm(np.diff(fine, axis=0), axis=1).mean())
    around = max(int(2 * np.pi * mean / step), 8)
    angle = (np.arange(around)[None, :] + rng.random((len(fine), around))) * (2 * np.pi / around)
    ca, sa = np.cos(angle)[..., None].astype(np.float32), np.sin(angle)[..., None].astype(np.float32)
    shift = (rng.random((len(fine), around, 1)) - 0.5).astype(np.float32) * ds * frames(fine, side)[0][:, None]
    depth = (1 - cortex * rng.random((len(fine), around, 1)) / mean).astype(np.float32)
    ring = semi[:, None, :1] * ca * side[:, None] + semi[:, None, 1:] * sa * normal[:, None]
    skin_points = fine[:, None] + depth * ring + shift
    perimeter = np.pi * np.sqrt(2 * (semi**2).sum(1))
    shell = np.broadcast_to((perimeter * ds / around)[:, None] * cortex[:, :, 0], angle.shape)
    inner = max(int(np.pi * semi.prod(1).mean() / 2.2), 2)
    radius = np.sqrt(rng.random((len(fine), inner, 1))) * (1 - cortex / mean)
    turn = rng.random((len(fine), inner, 1)) * 2 * np.pi
    core = fine[:, None] + (
        radius * (semi[:, None, :1] * np.cos(turn) * side[:, None] + semi[:, None, 1:] * np.sin(turn) * normal[:, None])
    )
    filling = np.pi * semi.prod(1) * (1 - cortex[:, 0, 0] / mean) ** 2 * ds * SPONGIOSA_CORTICAL_FRACTION / inner
    spongy = np.broadcast_to(filling[:, None], (len(fine), inner))
    return Cloud(
        np.concatenate([skin_points.reshape(-1, 3), core.reshape(-1, 3)]).astype(np.float32),
        np.concatenate([shell.ravel(), spongy.ravel()]).astype(np.float32),
    )


def _descent(theta: npt.NDArray[np.floating] | float) -> npt.NDArray[np.floating]:
    """How far a rib has come down at angle theta (0 back .. pi front), without scale; steepest along the side."""
    angle = np.asarray(theta, dtype=float)
    return np.asarray(
        0.58 * angle / np.pi + 0.42 / (1 + np.exp(-(angle - 1.40) / 0.42)) - 0.42 / (1 + np.exp(1.40 / 0.42))
    )


def rib_line(body: Body, number: int, side: int) -> Points:
    """Centreline [M, 3] of one rib (1..12) from its head to its costochondral end, just outside the cage."""
    k = number - 1
    start_y = -8.0 + 22.8 * k + 1.0 * body.wobble[8 + (k % 8)]
    end = (0.80, 0.90, 0.93, 0.93, 0.92, 0.90, 0.86, 0.82, 0.76, 0.70, 0.5, 0.36)[k]
    drop = (38, 60, 76, 88, 97, 104, 109, 110, 106, 95, 58, 40)[k] * (1.08 - 0.14 * body.inspiration)
    t = np.linspace(0, 1, 90)
    theta = np.pi * end * t
    # Down along the back arc, steepest at the side, flattening to the front end.
    steep = _descent(theta) / _descent(np.pi * end)
    fall = drop * steep
    y = start_y - 5.0 * np.sin(np.pi * np.clip(t * 5, 0, 1)) + fall
    at = np.clip(y, 4, 300)
    half = half_width(body, at) + 5.0 - (9.0 if number == 1 else 3.0 if number == 2 else 0.0)
    front, back = _F(at) - 3.5, _B(at) + 4.5
    sine, cosine = np.sin(theta), np.cos(theta)
    x = half * np.sign(sine) * np.abs(sine) ** 0.97
    z = (front + back) / 2 + (back - front) / 2 * np.sign(cosine) * np.abs(cosine) ** 0.97
    gutter = np.exp(-((t / 0.06) ** 2))
    x = np.maximum(x, 17.0) * (1 - gutter) + 17.0 * gutter
    z = z * (1 - gutter) + (spine_centre_z(at) + 13.0) * gutter
    return np.stack([side * x, y, z], axis=1).astype(np.float32)


def rib(body: Body, number: int, side: int, rng: np.random.Generator) -> Cloud:
    """One rib: flat in the cage's plane, taller than thick."""
    line = rib_line(body, number, side)
    t = np.linspace(0, 1, len(line))
    height = (5.6 + 1.2 * np.sin(np.pi * t)) * (0.8 if number in (11, 12) else 1.0)
    thick = 3.2 + 0.7 * np.exp(-t * 6) - 1.2 * t**2
    if number == 1:
        height, thick = height * 0.55, thick * 2.2
    up = np.broadcast_to(np.array([0, 1.0, 0], dtype=np.float32), line.shape)
    back, front = RIB_CORTEX_MM
    forward = np.clip((t - 0.45) / 0.35, 0, 1)
    cortex = back + (front - back) * forward * forward * (3 - 2 * forward)
    return tube(line, up, np.stack([height, thick], axis=1), cortex, rng)


def clavicle(body: Body, side: int, rng: np.random.Generator) -> Cloud:
    """S-shaped clavicle from the sternum (low, medial) to the acromion."""
    rise = 4.0 * body.wobble[18] + (side * 2.0 * body.wobble[19])
    knots = np.array(
        [
            [17, 36, -50],
            [38, 29, -56],
            [62, 20 - rise / 2, -52],
            [95, 10 - rise, -34],
            [125, 4 - rise, -14],
            [156, 8 - rise, -2],
        ]
    )
    s = np.linspace(0, 1, len(knots))
    fine = np.linspace(0, 1, 60)
    line = np.stack([np.interp(fine, s, knots[:, k]) for k in range(3)], axis=1)
    for k in range(3):
        line[:, k] = rounded(line[:, k])
    line[:, 0] *= side
    width = 5.4 + 2.4 * np.exp(-fine * 9) + 0.8 * fine
    up = np.array([0, 1.0, 0])
    return tube(line.astype(np.float32), up, np.stack([width, width * 0.85], axis=1), 1.3, rng)


def rounded(values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """A fifth-degree polynomial through a polyline's coordinate: rounds its knots."""
    t = np.linspace(-1, 1, len(values))
    result: npt.NDArray[np.floating] = np.polynomial.Polynomial.fit(t, values, 5)(t)
    return result


def plate(
    corners: npt.NDArray[np.floating], thickness_mm: float, rng: np.random.Generator, pitch: float = 0.5
) -> Cloud:
    """A thin bony triangle [3, 3] of cortical thickness `thickness_mm`."""
    a, b, c = (np.asarray(k, dtype=np.float32) for k in corners)
    area = float(np.linalg.norm(np.cross(b - a, c - a)) / 2)
    count = int(area / pitch**2)
    u, v = rng.random(count), rng.random(count)
    flip = u + v > 1
    u, v = np.where(flip, 1 - u, u)[:, None], np.where(flip, 1 - v, v)[:, None]
    points = a + u * (b - a) + v * (c - a)
    return Cloud(points.astype(np.float32), np.full(count, area * thickness_mm / count, dtype=np.float32))


def scapula(body: Body, side: int, rng: np.random.Generator) -> list[Cloud]:
    """Blade, its thick borders, spine with acromion, coracoid and glenoid."""
    out = 8.0 * body.wobble[20] * 0.5 + 10.0 * body.inspiration
    superior, inferior = (92.0 + out, 20.0, 82.0), (112.0 + out, 152.0, 100.0)
    glenoid, acromion = (146.0 + out * 0.4, 42.0, 38.0), (170.0, 6.0, 12.0)
    root, coracoid = (100.0 + out, 48.0, 92.0), (132.0, 22.0, 2.0)
    if body.arms_up:
        # Turned with the raised arm: the lower angle swings outwards and forwards, the socket looks up.
        superior, inferior = (74.0 + out, 34.0, 90.0), (142.0 + out, 142.0, 62.0)
        glenoid, acromion = (122.0, 8.0, 26.0), (126.0, -26.0, 24.0)
        root, coracoid = (84.0 + out, 58.0, 96.0), (112.0, 2.0, -8.0)
    mirror = np.array([side, 1, 1], dtype=np.float32)
    pts = {
        k: np.array(v, dtype=np.float32) * mirror
        for k, v in {
            "s": superior,
            "i": inferior,
            "g": glenoid,
            "a": acromion,
            "r": root,
            "c": coracoid,
        }.items()
    }
    up = np.array([0, 0, 1.0])

    def bar(p: str, q: str, r: tuple[float, float], cortex: float, sag: float = 0.0) -> Cloud:
        bow = np.sin(np.linspace(0, np.pi, 20))[:, None] * np.array([sag * side, 0, 0])
        line = (np.linspace(pts[p], pts[q], 20) + bow).astype(np.float32)
        return tube(line, up, np.array(r), cortex, rng)

    return [
        plate(np.array([pts["s"], pts["i"], pts["g"]]), 1.6, rng, 0.6),
        bar("g", "i", (3.6, 3.0), 0.8, -5.0),
        bar("s", "i", (1.6, 1.4), 0.5, -4.0),
        bar("s", "g", (1.6, 1.4), 0.5),
        bar("r", "a", (4.5, 2.6), 0.6),
        bar("g", "c", (4.0, 4.0), 0.6),
    ]


def humerus(body: Body, side: int, rng: np.random.Generator) -> list[Cloud]:
    """Head and shaft of the upper arm."""
    grow = 18.0 * body.habitus * 0.4
    shoulder, end = upper_arm(body, side, grow)
    if body.arms_up:
        head = np.array(shoulder, dtype=np.float32)
    else:
        head = np.array([side * (172.0 + grow), 44.0, 16.0], dtype=np.float32)
    elbow = np.array([end[0] + side * 2.0, end[1] + 5.0, end[2]], dtype=np.float32)
    count = 60000
    direction = rng.standard_normal((count, 3)).astype(np.float32)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    r = 22.0
    shell = Cloud(
        head + direction * r * (1 - 0.05 * rng.random((count, 1), dtype=np.float32)),
        np.full(count, 4 * np.pi * r**2 * 0.6 / count, dtype=np.float32),
    )
    radial = r * rng.random((count, 1), dtype=np.float32) ** (1 / 3)
    core = Cloud(
        head + direction * radial,
        np.full(count, 4 / 3 * np.pi * r**3 * SPONGIOSA_CORTICAL_FRACTION / count, dtype=np.float32),
    )
    flare = 11.0 + 9.0 * np.exp(-np.arange(38) / 4.0)
    shaft = tube(
        np.linspace(head, elbow, 40).astype(np.float32)[2:],
        np.array([0, 0, 1.0]),
        np.stack([flare, flare], 1),
        2.6,
        rng,
    )
    return [shell, core, shaft]


def vertebral_arches(body: Body, rng: np.random.Generator) -> list[Cloud]:
    """Pedicles, transverse and spinous processes of C5 to L2."""
    clouds = []
    for k in range(-3, 14):
        y = -4.0 + VERTEBRA_PITCH * k
        z = float(spine_centre_z(y))
        grow = 1 + 0.012 * max(k, 0)
        for side in (-1, 1):
            pedicle = np.linspace([side * 10.5 * grow, y - 3, z + 12], [side * 11.5 * grow, y - 3, z + 26], 8)
            clouds.append(
                tube(pedicle.astype(np.float32), np.array([0, 1.0, 0]), np.array([5.0, 3.2]) * grow, 0.25, rng)
            )
            lateral = np.linspace([side * 14, y - 2, z + 24], [side * (33 - 0.6 * max(k, 0)), y - 5, z + 30], 10)
            clouds.append(tube(lateral.astype(np.float32), np.array([0, 1.0, 0]), np.array([4.0, 3.6]), 0.3, rng))
        spinous = np.linspace([0, y + 4, z + 34], [0.6 * body.wobble[21], y + 22, z + 50], 12)
        clouds.append(tube(spinous.astype(np.float32), np.array([1.0, 0, 0]), np.array([3.2, 5.0]), 0.25, rng))
    return clouds


def spine_level(y: npt.NDArray[np.floating], z: npt.NDArray[np.floating] | float | None = None) -> Points:
    """Place along the spine in vertebrae: 0 in the middle of T1, 1 of T2, ...; halves are discs.

    With z (reference mm, broadcastable) levels are square to the spine's curve, without it they are horizontal.
    """
    if z is not None:
        lean = (spine_centre_z(y + 2.0) - spine_centre_z(y - 2.0)) / 4.0
        y = y + (z - spine_centre_z(y)) * lean
    levels: Points = np.divide(y + 4.0, VERTEBRA_PITCH).astype(np.float32)
    return levels


def vertebral_density(
    y: npt.NDArray[np.floating], z: npt.NDArray[np.floating] | None = None
) -> npt.NDArray[np.float32]:
    """Cortical-equivalent share of the spine's column at points (see `spine_level`): bodies, dense end plates, discs
    without bone."""
    phase = np.mod(spine_level(y, z) + 0.5, 1.0) - 0.5
    gap = np.abs(phase)
    body = 1 / (1 + np.exp((gap - 0.415) * 60))
    plates = np.exp(-(((gap - 0.395) / 0.036) ** 2))
    return (SPONGIOSA_CORTICAL_FRACTION * (0.52 * body + 0.60 * plates)).astype(np.float32)


def skeleton(body: Body, rng: np.random.Generator) -> dict[str, Cloud]:
    """All bones but the vertebral bodies, by name; ribs are 'rib_left_1' .. 'rib_right_12'."""
    bones: dict[str, Cloud] = {}
    for side, name in ((1, "left"), (-1, "right")):
        for number in range(1, 13):
            bones[f"rib_{name}_{number}"] = rib(body, number, side, rng)
        bones[f"clavicle_{name}"] = clavicle(body, side, rng)
        bones[f"scapula_{name}"] = join(scapula(body, side, rng))
        bones[f"humerus_{name}"] = join(humerus(body, side, rng))
    bones["arches"] = join(vertebral_arches(body, rng))
    front = np.array(
        [[0, 38.0, float(_F(45.0)) - 12], [0, 88.0, float(_F(90.0)) - 14], [0, 178.0, float(_F(180.0)) - 14]]
    )
    line = resample(front.astype(np.float32), 4.0)
    wide = np.interp(line[:, 1], [38, 55, 80, 92, 160, 178], [27, 24, 15, 13, 18, 9])
    bones["sternum"] = tube(line, np.array([1.0, 0, 0]), np.stack([wide, np.full(len(wide), 5.0)], axis=1), 0.9, rng)
    return bones
