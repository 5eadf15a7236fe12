"""Findings without a single round shape: oedema, infiltration, atelectasis, emphysema, fibrosis, pleura, hernia."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from imaging.phantom.body import Body, cage, ellipsoid
from imaging.phantom.bones import Cloud
from imaging.phantom.findings import FindingSpec
from imaging.phantom.lesions import Lesion, place
from imaging.phantom.vessels import lung_voxels

Array = npt.NDArray[np.float32]
Builder = Callable[[Body, FindingSpec, str, int, np.random.Generator], Lesion]

LUNG_TOP, LUNG_BOTTOM = 4.0, 215.0
"""Heights (reference mm) between which zones are thirds for smooth weights."""

KERLEY_MM = (14.0, 0.8, 9.0)
"""Length, thickness and depth of a thickened interlobular septum at the lung's edge (Kerley B: 10-20 mm long)."""

HONEYCOMB_MM = (2.0, 4.5)
"""Radii of honeycomb cells (Fleischner glossary 2008: 3-10 mm in diameter)."""

HONEYCOMB_WALL_MM = 0.8
"""Radius of the strands of a honeycomb cell's wall (1-3 mm thick by the same glossary)."""

ALVEOLAR_FROM = 0.35
"""Severity of oedema from which alveoli fill; below it is interstitial alone."""

WING = (58.0, 118.0, 2.0)
"""Centre of the left half of the bat wing in reference mm, lateral of the hilum; mirrored for the right."""

WING_MM = (46.0, 62.0, 75.0)
"""Its half axes at severity 1, within which alveoli are filled; the lung's mantle and apex stay free. Set by eye."""

EDEMA_DENSITY = 0.95
"""Of lung whose alveoli are full, g/cm³."""

LOBAR_FROM = 0.5
"""Severity of atelectasis from which a lobe collapses; below it is a plate."""

TENSION_SHIFT_MM = (14.0, 16.0)
"""Shift of the mediastinum by a tension pneumothorax where none is said: this plus that times its share of air."""

TENSION_DOME_MM, TENSION_FLAT = 22.0, 0.55
"""How far its dome is pushed down, and the share of the dome's drop that is lost; set by eye."""

COLLAPSE_SHIFT_MM = 13.0
"""Shift of the mediastinum towards a completely collapsed lobe; set by eye."""

PUSH_FROM_ML, PUSH_MM_PER_ML = 1200.0, 0.010
"""Volume from which an effusion pushes the mediastinum away, and how far; set by eye."""

MAX_SHIFT_MM = 40.0
"""No mediastinum is shifted further."""

MOST_SEPTA, MOST_CELLS = 30, 1450
"""Septal lines and honeycomb cells per lung at severity 1; a milder disease shows the first of the same ones."""


def everywhere(x: Array, y: Array, z: Array) -> Array:
    """The distance of a finding that takes the whole lung."""
    return np.full_like(y, -50.0)


def patches(rng: np.random.Generator, size_mm: float) -> Callable[[Array, Array, Array], Array]:
    """A smooth random field of about unit variance with lumps of `size_mm`; cheap on slices (separable in y)."""
    across = rng.normal(0, 1.6 / size_mm, (6, 2))
    down = rng.uniform(0.8, 2.2, 6) / size_mm
    phase = rng.uniform(0, 2 * np.pi, (6, 2))

    def field(x: Array, y: Array, z: Array) -> Array:
        total = sum(
            np.sin(a[0] * x + a[1] * z + p[0]) * np.sin(d * y + p[1])
            for a, d, p in zip(across, down, phase, strict=True)
        )
        result: Array = np.multiply(total, 0.8).astype(np.float32)
        return result

    return field


def zone_weight(zone: str | None, y: Array) -> Array:
    """1 inside a third of the lung's height, falling smoothly to 0 beyond it; 1 everywhere without a zone."""
    if zone is None:
        return np.ones_like(y)
    step = (LUNG_BOTTOM - LUNG_TOP) / 3
    top = LUNG_TOP + step * ("upper", "middle", "lower").index(zone)
    low = 1 / (1 + np.exp(-(y - top) / 8)) if zone != "upper" else 1.0
    high = 1 / (1 + np.exp((y - top - step) / 8)) if zone != "lower" else 1.0
    return np.asarray(low * high * np.ones_like(y), dtype=np.float32)


def edema(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Lesion:
    """Interstitial: haze, septal lines, fuller vessels; alveolar as well: a patchy bat wing lateral of the hilum, which
    grows wider and denser with severity."""
    s = spec.severity
    lumps = patches(rng, 16.0)
    wing = max(0.0, (s - ALVEOLAR_FROM) / (1 - ALVEOLAR_FROM))
    half = (0.75 + 0.25 * wing) * np.array(WING_MM)
    filled = np.sqrt(wing)

    def fill(x: Array, y: Array, z: Array) -> Array:
        haze = (0.05 + 0.12 * s) * (0.55 + 0.45 * np.clip(y / 200, 0, 1))
        r2 = ((x - sign * WING[0]) / half[0]) ** 2 + ((y - WING[1]) / half[1]) ** 2 + ((z - WING[2]) / half[2]) ** 2
        patchy = np.clip(0.85 + 0.45 * lumps(x, y, z), 0.1, 1.5)
        result: Array = np.minimum(haze + filled * np.exp(-(r2**2)) * patchy, 1.0).astype(np.float32)
        return result

    kind = "alveolar" if wing > 0 else "interstitial"
    return Lesion(
        f"edema_{side}", "edema", side, everywhere, EDEMA_DENSITY, sign, parameters={"severity": s, "kind": kind},
        fill=fill, cloud=_septa(body, sign, int(8 + (MOST_SEPTA - 8) * s), rng), vessels=1 + 0.35 * s,
    )  # fmt: skip


def _septa(body: Body, sign: int, count: int, rng: np.random.Generator) -> Cloud:
    """Short horizontal plates at the lower lateral lung border."""
    space = lung_voxels(body, sign, 6.0)
    x, y, z = space.T
    edge = (-cage(body, sign, x, y, z) < 14) & (y > 120) & (y < 205) & (np.abs(x) > 95) & (np.abs(z) < 45)
    space = space[edge] if edge.any() else space
    start = space[rng.integers(len(space), size=MOST_SEPTA)] + np.array([sign * 3.0, 0, 0])
    each = 900
    local = rng.random((MOST_SEPTA, each, 3)) * np.array(KERLEY_MM) * np.array([-sign, 1, 1])
    local[..., 1] += local[..., 0] * rng.normal(0, 0.15, (MOST_SEPTA, 1))
    start, local = start[:count], local[:count]
    volume = float(np.prod(KERLEY_MM)) / each * 0.8
    points = (start[:, None] + local).reshape(-1, 3).astype(np.float32)
    return Cloud(points, np.full(len(points), volume, dtype=np.float32))


def infiltration(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Lesion:
    """An ill-defined patchy infiltrate of about the given diameter, or even ground glass; vessels stay visible."""
    radius = spec.value / 2 / body.mean_scale
    cx, cy, cz = place(body, spec, sign, min(radius, 24.0), rng)
    lumps, glass = patches(rng, 9.0), spec.kind == "ground_glass"

    def distance(x: Array, y: Array, z: Array) -> Array:
        result: Array = np.sqrt((x - cx) ** 2 + ((y - cy) / 1.1) ** 2 + (z - cz) ** 2) - np.float32(1.25 * radius)
        return result

    def fill(x: Array, y: Array, z: Array) -> Array:
        r2 = ((x - cx) ** 2 + ((y - cy) / 1.1) ** 2 + (z - cz) ** 2) / np.float32(radius**2)
        even = np.float32(0.65) if glass else np.clip(0.7 + 0.6 * lumps(x, y, z), 0, 1)
        result: Array = np.exp(-1.6 * r2) * even
        return result

    where = [round(c * k, 1) for c, k in zip((cx, cy, cz), body.scale, strict=True)]
    told = {"diameter_mm": spec.value, "severity": spec.severity, "centre_mm": where}
    if glass:
        told["kind"] = "ground_glass"
    return Lesion(
        f"infiltration_{side}", "infiltration", side, distance, 0.60 + 0.35 * spec.severity, sign, parameters=told,
        fill=fill, vessels=1.0 if glass else 0.8,
    )  # fmt: skip


def atelectasis(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Lesion:
    """Mild: a plate of collapsed lung, 3-6 mm thick; severe: an upper or lower lobe against the mediastinum."""
    s, zone = spec.severity, spec.zone or "lower"
    lobar = s >= LOBAR_FROM and zone != "middle"
    if not lobar:
        return _plate(body, replace(spec, zone=zone), side, sign, rng)
    share = (s - LOBAR_FROM) / (1 - LOBAR_FROM)
    reach = 34.0 - 8 * share

    def lower(x: Array, y: Array, z: Array) -> Array:
        border = sign * x - (24.0 + reach * np.clip((y - 110) / 100, 0, 1.4))
        result: Array = np.maximum(np.maximum(border * np.float32(0.9), 108 - y), -z - 18)
        return result

    def upper(x: Array, y: Array, z: Array) -> Array:
        # The fissure rises from the hilum outwards; what lies above it is airless.
        out = np.clip(sign * x - 26, 0, 90)
        fissure = 92.0 - 10 * share - 1.45 * out + 0.006 * out**2
        result: Array = ((y - fissure) * np.float32(0.6)).astype(np.float32)
        return result

    told = {"severity": s, "kind": "lobar", "lobe": zone}
    shape = lower if zone == "lower" else upper
    return Lesion(f"atelectasis_{side}", "atelectasis", side, shape, 0.85 + 0.15 * share, sign, parameters=told)


def _plate(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Lesion:
    """A disc of collapsed lung, nearly edge-on to the beam."""
    cx, cy, cz = place(body, spec, sign, 16.0, rng)
    thick = 2.5 + 5.0 * spec.severity
    radius = 24.0 + 30.0 * spec.severity
    slope, back = rng.uniform(-0.35, 0.35), rng.uniform(-0.05, 0.05)

    def distance(x: Array, y: Array, z: Array) -> Array:
        r2 = ((x - cx) ** 2 + (z - cz) ** 2) / np.float32(radius**2)
        off = np.abs((y - cy) - slope * (x - cx) - back * (z - cz) - 3.0 * np.sin((x - cx) / 19.0))
        result: Array = (off - np.float32(thick) * (0.5 - 0.5 * r2)).astype(np.float32)
        return result

    told = {"severity": spec.severity, "kind": "plate", "thickness_mm": round(thick * body.scale[1], 1)}
    return Lesion(f"atelectasis_{side}", "atelectasis", side, distance, 0.95, sign, parameters=told)


def emphysema(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Lesion:
    """Lung with less tissue and fewer vessels, most in the upper zones; `reshape` flattens the domes."""
    s = spec.severity
    holes = patches(rng, 20.0)

    def fill(x: Array, y: Array, z: Array) -> Array:
        weight = zone_weight(spec.zone, y) if spec.zone else 1.0 - 0.35 * np.clip(y / 200, 0, 1)
        result: Array = (weight * np.clip(0.85 + 0.2 * holes(x, y, z), 0.4, 1)).astype(np.float32)
        return result

    return Lesion(
        f"emphysema_{side}", "emphysema", side, everywhere, body.lung_density * (1 - 0.6 * s), sign,
        parameters={"severity": s}, fill=fill, vessels=1 - 0.45 * s,
    )  # fmt: skip


def fibrosis(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Lesion:
    """A net of honeycomb rings and haze under the pleura, in the lower zones unless another is named."""
    s, zone = spec.severity, spec.zone or "lower"

    def fill(x: Array, y: Array, z: Array) -> Array:
        depth = np.maximum(-cage(body, sign, x, y, z), 0)
        result: Array = (0.45 + 0.55 * s) * zone_weight(zone, y) * np.exp(-depth / np.float32(16.0))
        return result

    return Lesion(
        f"fibrosis_{side}", "fibrosis", side, everywhere, 0.50, sign, parameters={"severity": s, "zone": zone},
        fill=fill, cloud=_honeycomb(body, sign, zone, int(350 + (MOST_CELLS - 350) * s), rng), vessels=1.0,
    )  # fmt: skip


def _honeycomb(body: Body, sign: int, zone: str, count: int, rng: np.random.Generator) -> Cloud:
    """Rings of scar in random planes, crowded under the pleura."""
    space = lung_voxels(body, sign, 6.0)
    x, y, z = space.T
    weight = np.exp(np.minimum(cage(body, sign, x, y, z), 0) / 13.0) * zone_weight(zone, y)
    most = MOST_CELLS
    chosen = space[rng.choice(len(space), size=most, p=weight / weight.sum())] + rng.uniform(-3, 3, (most, 3))
    radius = rng.uniform(*HONEYCOMB_MM, most)[:count, None, None]
    axes = np.linalg.qr(rng.normal(size=(most, 3, 2)))[0][:count]
    angle = np.linspace(0, 2 * np.pi, 44, endpoint=False)[None, :, None]
    ring = radius * (np.cos(angle) * axes[:, None, :, 0] + np.sin(angle) * axes[:, None, :, 1])
    points = chosen[:count, None] + ring + rng.normal(0, 0.3, ring.shape)
    volume = np.broadcast_to(2 * np.pi * radius[..., 0] / 44 * np.pi * HONEYCOMB_WALL_MM**2, ring.shape[:2])
    return Cloud(points.reshape(-1, 3).astype(np.float32), volume.ravel().astype(np.float32))


def pleural_thickening(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Lesion:
    """A wavy rind of the given greatest thickness inside the lateral wall; with zone upper an apical cap."""
    full = spec.value / body.mean_scale
    phase = float(rng.uniform(0, 6.28))

    def distance(x: Array, y: Array, z: Array) -> Array:
        lateral = np.maximum(np.clip((sign * x - 50) / 35, 0, 1), np.clip((34 - y) / 12, 0, 1))
        wave = 0.80 + 0.20 * np.sin(y / np.float32(15.0) + phase)
        rind = full * wave * zone_weight(spec.zone, y) * lateral
        result: Array = (-cage(body, sign, x, y, z) - rind).astype(np.float32)
        return result

    told = {"thickness_mm": spec.value, **({"zone": spec.zone} if spec.zone else {})}
    return Lesion(f"pleural_thickening_{side}", "pleural_thickening", side, distance, 1.0, sign, parameters=told)


def hernia(body: Body, spec: FindingSpec, side: str, sign: int, rng: np.random.Generator) -> Lesion:
    """Stomach in the chest: a rounded sac behind the heart with air over a fluid level."""
    radius = spec.value / 2 / body.mean_scale
    centre = (8.0 + float(rng.uniform(-4, 10)), body.tendon + 14.0 - 0.75 * radius, 30.0)
    radii = (radius * 1.05, radius, radius * 0.8)
    wall = 3.5
    level = centre[1] + radius * float(rng.uniform(-0.1, 0.3))

    def distance(x: Array, y: Array, z: Array) -> Array:
        return ellipsoid(x, y, z, centre, radii)

    def hollow(x: Array, y: Array, z: Array) -> Array:
        inner = ellipsoid(x, y, z, centre, (radii[0] - wall, radii[1] - wall, radii[2] - wall))
        result: Array = np.maximum(inner, (y - np.float32(level)))
        return result

    told = {"diameter_mm": spec.value, "centre_mm": [round(c * k, 1) for c, k in zip(centre, body.scale, strict=True)]}
    return Lesion("hernia", "hernia", None, distance, 1.0, 0, parameters=told, hollow=hollow)


BUILDERS: dict[str, Builder] = {
    "edema": edema,
    "infiltration": infiltration,
    "atelectasis": atelectasis,
    "emphysema": emphysema,
    "fibrosis": fibrosis,
    "pleural_thickening": pleural_thickening,
    "hernia": hernia,
}


def reshape(body: Body, chosen: list[tuple[FindingSpec, list[int]]]) -> Body:
    """The body with the chest that goes with its findings: domes low and flat or drawn up, mediastinum displaced.

    Args:
        chosen: findings with the signs of their sides.
    """
    normal = body.dome_left
    for spec, signs in chosen:
        s = spec.severity
        down = {"emphysema": 16.0 * s, "fibrosis": -9.0 * s}.get(spec.code, 0.0)
        if spec.code == "atelectasis" and s >= LOBAR_FROM and spec.zone != "middle":
            down = -14.0 * s
        if down:
            right = body.dome_right + (down if -1 in signs else 0)
            left = body.dome_left + (down if 1 in signs else 0)
            body = replace(body, dome_right=right, dome_left=left)
        if spec.code == "emphysema" and len(signs) == 2:
            body = replace(
                body, dome_drop=body.dome_drop * (1 - 0.6 * s), heart_scale=body.heart_scale * (1 - 0.08 * s)
            )
        if spec.kind == "tension":
            body = _under_tension(body, signs)
    # The stomach's bubble stays under its dome.
    x, y, z, radius = body.gas
    body = replace(body, gas=(x, y + body.dome_left - normal, z, radius))
    shift = sum(_shift(spec, sign) for spec, signs in chosen for sign in signs)
    return replace(body, shift_mm=float(np.clip(shift, -MAX_SHIFT_MM, MAX_SHIFT_MM)) / body.scale[0])


def _under_tension(body: Body, signs: list[int]) -> Body:
    """The body with the domes of these sides pushed down and flattened."""
    if 1 in signs:
        body = replace(body, dome_left=body.dome_left + TENSION_DOME_MM, flatten_left=TENSION_FLAT)
    if -1 in signs:
        body = replace(body, dome_right=body.dome_right + TENSION_DOME_MM, flatten_right=TENSION_FLAT)
    return body


def _shift(spec: FindingSpec, sign: int) -> float:
    """How far (mm of the patient, positive to the left) a finding of one side displaces the mediastinum."""
    if spec.kind == "tension":
        push = TENSION_SHIFT_MM[0] + TENSION_SHIFT_MM[1] * spec.value / 100
        return -sign * (spec.shift_mm if spec.shift_mm is not None else push)
    if spec.code == "effusion":
        return -sign * PUSH_MM_PER_ML * max(spec.value - PUSH_FROM_ML, 0)
    if spec.code == "atelectasis" and spec.severity >= LOBAR_FROM and spec.zone != "middle":
        return sign * COLLAPSE_SHIFT_MM * (spec.severity - LOBAR_FROM) / (1 - LOBAR_FROM)
    return 0.0
