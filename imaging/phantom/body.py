"""The patient: parameters drawn from the seed, and the smooth shapes of trunk, lungs, heart and mediastinum.

All shapes live in a reference patient (mm; x left, y down from the lung apex, z back) that is stretched to the
individual by `Body.scale`. Distances are approximate signed distances in mm, negative inside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from imaging.phantom import breath
from imaging.phantom.distances import capsule, ellipsoid, smooth_union, squircle
from imaging.phantom.spec import PhantomSpec

Array = npt.NDArray[np.float32]
Point = tuple[float, float, float]

LEVELS_Y = np.array([-6, 0, 6, 14, 27, 50, 77, 110, 147, 190, 217, 245, 275, 310])
"""Heights (mm below the lung apex) at which the inner thoracic wall is tabulated."""

HALF_WIDTH = np.array([44, 52, 64, 76, 89, 103, 112, 119, 124, 128, 131, 131, 126, 116])
"""Half of the inner thoracic width at LEVELS_Y: read by eye off the mean outer lung border of 200 SCR masks
(van Ginneken 2006), brought back to the patient with a magnification of 1.06."""

CENTRE_X = np.array([42, 41, 38, 33, 26, 15, 6, 0, 0, 0, 0, 0, 0, 0])
"""Distance of each apex' axis from the midline at LEVELS_Y; 0 where one cage holds both lungs."""

FRONT_Z = np.array([12, 6, 0, -8, -20, -40, -58, -74, -86, -94, -97, -97, -95, -92])
BACK_Z = np.array([36, 48, 55, 61, 67, 75, 82, 88, 91, 91, 88, 84, 78, 72])
"""Inner front and back of the chest wall at LEVELS_Y: thoracic inlet narrow and tilted, kyphosis at mid height."""

CAGE_SQUARE = 0.05
"""How square the chest's cross-section is: 0 an ellipse, 1 a rectangle (distances.squircle). Set so that lungs brighten
towards their outer border as on real films (python -m evals.realism)."""

SPINE_Z_OFFSET = 31.0
"""Centre of the vertebral bodies in front of the inner back wall (mm)."""

VERTEBRA_PITCH = 22.5
"""Mean height of a thoracic vertebra with its disc (mm), T4-T10 (Panjabi et al., Spine 1991;16:888)."""

STOMACH_WALL_MM = 5.0
"""Diaphragm and stomach wall between lung and gas (reference mm)."""

CARINA_Y = 88.0
"""Level of the carina below the apex (T5): the vertebra T1 starts about 10 mm above the apex."""


def _curve(x: npt.NDArray[np.integer], y: npt.NDArray[np.integer]) -> PchipInterpolator:
    return PchipInterpolator(x.astype(float), y.astype(float), extrapolate=True)


_W, _C, _F, _B = (_curve(LEVELS_Y, t) for t in (HALF_WIDTH, CENTRE_X, FRONT_Z, BACK_Z))


@dataclass(frozen=True)
class Body:
    """One individual. Lengths are in reference millimetres unless `world` is said.

    Attributes:
        scale: (x, y, z) stretch from reference to world mm.
        age_years, sex, habitus: as in the spec.
        inspiration: 0..1.
        dome_right, dome_left: y of the diaphragm's highest points.
        dome_drop: how far the dome falls towards the wall.
        heart_scale: size of the heart (1 = reference), solved for cardiomegaly.
        heart_axis_deg: angle of the heart's long axis below the horizontal.
        fat_mm: subcutaneous fat thickness.
        breast: semi-axis of the breasts (0 = none).
        aorta_mm: radius of the aortic arch; it unfolds with age.
        knob_x, knob_y: centre of the aortic knob.
        gas: stomach bubble (x, y, z, radius).
        lung_density: g/cm³ of parenchyma without large vessels.
        bone_density: factor on all bone (age).
        arms_up: whether the arms are raised over the head, as for a lateral film.
        wobble: small random numbers that bend otherwise ideal outlines.
        supine: lying on the back: free fluid runs there.
        shift_mm: how far heart and mediastinum stand to the left (negative: right) of their place; see `centred`.
        flatten_right, flatten_left: share 0..1 of a dome's drop towards the wall that is lost.
    """

    scale: tuple[float, float, float]
    age_years: float
    sex: str
    habitus: float
    inspiration: float
    dome_right: float
    dome_left: float
    dome_drop: float
    heart_scale: float
    heart_axis_deg: float
    heart_x: float
    fat_mm: float
    breast: float
    aorta_mm: float
    knob_x: float
    knob_y: float
    gas: tuple[float, float, float, float]
    lung_density: float
    bone_density: float
    arm_drop: float
    arms_up: bool = False
    wobble: tuple[float, ...] = field(repr=False, default=())
    supine: bool = False
    shift_mm: float = 0.0
    flatten_right: float = 0.0
    flatten_left: float = 0.0

    @property
    def mean_scale(self) -> float:
        """Geometric mean of the stretch: turns reference distances into world mm."""
        return float(np.prod(self.scale) ** (1 / 3))

    @property
    def dome_apex(self) -> float:
        """y (reference mm) of the higher dome."""
        return min(self.dome_right, self.dome_left)

    @property
    def tendon(self) -> float:
        """y (reference mm) of the diaphragm's centre, on which the heart rests: it rises and falls less than the domes,
        and stands as high as they do at the usual breath."""
        return breath.DOME_USUAL_MM + breath.followed(self.dome_apex, breath.HEART_SHARE)


def sample_body(spec: PhantomSpec, rng: np.random.Generator) -> Body:
    """Draw an individual; what the spec says is kept, the rest comes from rng (always as many draws)."""
    u = rng.random(24)
    n = rng.standard_normal(24).clip(-2.2, 2.2)
    sex = spec.sex or ("F" if u[0] < 0.45 else "M")
    age = spec.age_years if spec.age_years is not None else float(np.clip(54 + 15 * n[0], 20, 92))
    habitus = spec.habitus if spec.habitus is not None else float(np.clip(0.45 * n[1] - 0.1, -1, 1))
    supine = spec.supine
    inspiration = spec.inspiration
    if inspiration is None:
        inspiration = float(np.clip((0.45 if supine else 0.75) + 0.22 * n[2], 0, 1))
    stature = 1.0 + 0.045 * n[3] - (0.055 if sex == "F" else 0.0)
    sx = stature * (0.99 + 0.035 * habitus + 0.045 * n[4])
    sz = stature * (1 + 0.05 * habitus + 0.04 * n[5])
    sy = stature * (0.975 - 0.01 * habitus + 0.055 * n[6])
    dome = breath.dome_mm(inspiration) + 8 * n[7] - 3 * habitus
    elderly = max(0.0, (age - 45) / 45)
    bubble = 12 + 14 * float(u[1])
    breast = 0.0 if sex == "M" else float(np.clip(44 + 16 * habitus + 7 * n[8], 26, 75))
    return Body(
        scale=(float(sx), float(sy), float(sz)),
        age_years=float(age),
        sex=sex,
        habitus=float(habitus),
        inspiration=float(inspiration),
        dome_right=float(dome),
        dome_left=float(dome + 8 + 7 * n[9]),
        dome_drop=float(58 + breath.STEEPER_MM * (breath.USUAL - inspiration) + 11 * n[10]),
        heart_scale=float(0.93 + 0.075 * n[11] + 0.037 * elderly),
        heart_axis_deg=float(
            np.clip(38 - 10 * habitus + breath.HEART_TURN_DEG * (inspiration - breath.USUAL) + 7 * n[12], 15, 60)
        ),
        heart_x=float(2.0 + 5.5 * n[13]),
        fat_mm=float(np.clip(13 + 16 * habitus + 3 * n[14], 4, 45)),
        breast=breast,
        aorta_mm=float(12 + 3 * elderly + 1.2 * n[15]),
        knob_x=float(20 + 6 * elderly + 3 * n[16]),
        knob_y=float(66 - 6 * elderly + 4 * n[17]),
        # The bubble lies under the left dome.
        gas=(55 + 8 * float(n[18]), float(dome + max(30 + 5 * n[19], 18 + 5 * n[9] + 0.8 * bubble)), 10.0, bubble),
        lung_density=float((0.225 + 0.03 * n[20]) * breath.crowding(inspiration) + (0.03 if supine else 0)),
        bone_density=float(np.clip(1.0 - 0.22 * elderly + 0.08 * n[21], 0.65, 1.2)),
        arm_drop=float(u[2]),
        arms_up=spec.view.value == "LATERAL",
        wobble=tuple(float(v) for v in rng.standard_normal(32)),
        supine=supine,
    )


def shift_at(body: Body, y: npt.NDArray[np.floating] | float) -> Array:
    """How far (reference mm, positive to the left) what lies between the lungs is displaced at height y: nothing in the
    neck, all of `Body.shift_mm` from below the carina on."""
    t = np.clip((np.asarray(y, dtype=np.float32) + 35) / 150, 0, 1)
    return (np.float32(body.shift_mm) * t * t * (3 - 2 * t)).astype(np.float32)


def centred(body: Body, x: Array, y: Array) -> Array:
    """x measured from the displaced midline: what heart, great vessels, mediastinum and airways are asked with."""
    return x - shift_at(body, y) if body.shift_mm else x


def septum(body: Body, side: int, x: Array, y: Array, z: Array) -> Array:
    """Distance (reference mm) to what parts both pleural spaces at the midline: negative on the given side.

    Displaced, it leans: the front goes all the way, the back is held by the spine.
    """
    if not body.shift_mm:
        return (1.5 - side * x).astype(np.float32)
    lean = 0.35 + 0.65 * np.clip((50 - z) / 120, 0, 1)
    return (1.0 - side * (x - shift_at(body, y) * lean)).astype(np.float32)


def half_width(body: Body, y: npt.NDArray[np.floating]) -> Array:
    """Half of the inner thoracic width at height y: bell-shaped in some patients, barrel-shaped in others."""
    y = np.clip(y, -6, 310)
    lean = 1 + 0.035 * body.wobble[22] * np.clip((y - 130) / 130, -1, 1) + 0.02 * body.wobble[23] * np.exp(-y / 40)
    return (_W(y) * lean).astype(np.float32)


def cage(body: Body, side: int, x: Array, y: Array, z: Array, offset: float = 0.0) -> Array:
    """Distance to the inner thoracic wall of one side (+1 left, -1 right); `offset` mm widens it."""
    half, centre = half_width(body, y) + offset, _C(y).astype(np.float32)
    front, back = _F(y).astype(np.float32) - offset, _B(y).astype(np.float32) + offset
    # The wall is a little flatter at the side of the lower ribs and asymmetric from person to person.
    half = half * np.float32(1 + 0.012 * side * body.wobble[0]) + np.float32(1.2 * body.wobble[1 + (side > 0)])
    a = np.maximum(half - centre, 4)
    b = np.maximum((back - front) / 2, 4)
    rho = squircle((side * x - centre) / a, (z - (front + back) / 2) / b, CAGE_SQUARE)
    return np.maximum((rho - 1) * np.minimum(a, b), -np.float32(offset) - (y + 2.0))


def spine_centre_z(y: npt.NDArray[np.floating] | float) -> Array:
    """z of the vertebral bodies' centre at height y (reference mm)."""
    y = np.asarray(y, dtype=np.float32)
    return (_B(np.clip(y, 25, 300)) - SPINE_Z_OFFSET - np.clip(25 - y, 0, 90) * 0.25).astype(np.float32)


def spine(x: Array, y: Array, z: Array) -> Array:
    """Distance to the column of vertebral bodies."""
    rx = (13.5 + 0.028 * np.clip(y, 0, 300)).astype(np.float32)
    waist = np.cos(2 * np.pi * (y + 4.0) / VERTEBRA_PITCH)
    rx = (rx * (1 - 0.05 * waist)).astype(np.float32)
    rho = squircle(x / rx, (z - spine_centre_z(y)) / (rx * 0.95), 0.3)
    result: Array = (rho - 1) * rx
    return result


def diaphragm(body: Body, side: int, x: Array, y: Array, z: Array) -> Array:
    """Distance to the part below one dome (negative below the diaphragm)."""
    own = _dome(body, side, x, z)
    if body.shift_mm:
        # Lung may lie beyond the midline, where the domes must meet without a step.
        share = np.clip(0.5 + side * x / np.float32(70.0), 0, 1)
        own = own + (_dome(body, -side, x, z) - own) * (1 - share * share * (3 - 2 * share))
    result: Array = ((own - y) * np.float32(0.75)).astype(np.float32)
    return result


def _dome(body: Body, side: int, x: Array, z: Array) -> Array:
    """Height y (reference mm) of one dome's surface."""
    top = body.dome_left if side > 0 else body.dome_right
    xc, zc = 58.0 + 4 * body.wobble[4], -22.0
    dx, dz = (side * x - xc), (z - zc)
    lateral = np.maximum(dx, 0) / np.float32(74.0)
    medial = np.maximum(-dx, 0) / np.float32(118.0)
    r2 = lateral**2 + medial**2 + (np.maximum(dz, 0) / 108.0) ** 2 + (np.maximum(-dz, 0) / 105.0) ** 2
    r2 = np.minimum(r2, 2.2).astype(np.float32)
    ripple = 1.2 * np.sin(side * x / 23.0 + body.wobble[5]) * np.sin(z / 31.0 + body.wobble[6])
    drop = body.dome_drop * (1 - (body.flatten_left if side > 0 else body.flatten_right))
    surface = top + np.float32(drop) * (0.40 * r2 + 0.52 * r2 * r2) + ripple
    result: Array = surface.astype(np.float32)
    return result


def stomach_gas(body: Body, x: Array, y: Array, z: Array, below: Array) -> Array:
    """Distance to the gas in the stomach; `below` is the left dome's `diaphragm`, under whose wall it stays."""
    r = body.gas[3]
    bubble = ellipsoid(x, y, z, body.gas[:3], (r * 1.3, r * 0.8, r * 1.2))
    return np.maximum(bubble, below + np.float32(STOMACH_WALL_MM))


def heart(body: Body, x: Array, y: Array, z: Array) -> Array:
    """Distance to the heart: its chambers and the right ventricle's outflow tract joined with fillets.

    It rests on the diaphragm's centre and grows upwards and to both sides from there.
    """
    left, right, right_atrium, left_atrium, outflow = heart_parts(body, x, y, z)
    d = smooth_union(left, right, 18.0)
    d = smooth_union(d, right_atrium, 16.0)
    d = smooth_union(d, outflow, 24.0)
    return smooth_union(d, left_atrium, 14.0) * np.float32(body.heart_scale)


def heart_parts(body: Body, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Distances, in the heart's own scale, to left ventricle, right ventricle, right atrium, left atrium and the right
    ventricle's outflow tract, without fillets."""
    s = body.heart_scale
    # A large heart has room to its right.
    hx = 6.0 + body.heart_x - 18.0 * max(s - 1.0, 0.0)
    hy, hz = body.tendon - 33.0 * s**0.5, -34.0
    angle = np.deg2rad(body.heart_axis_deg)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    px, py, pz = (x - hx) / s, (y - hy) / s, (z - hz) / s
    along, across = px * cos + py * sin, -px * sin + py * cos
    long, thick, right = (1 + 0.06 * body.wobble[k] for k in (24, 25, 26))
    ventricle = ellipsoid(along, across, pz, (24.0 * long, -4.0, 4.0), (60.0 * long, 37.0 * thick, 46.0))
    right_ventricle = ellipsoid(px, py, pz, (8.0, 16.0, -12.0), (50.0, 35.0, 42.0))
    atrium = ellipsoid(px, py, pz, (-19.0 * right, -2.0, 12.0), (29.0, 36.0 * right, 34.0))
    left_atrium = ellipsoid(px, py, pz, (-2.0, -20.0, 44.0), (33.0, 20.0, 22.0))
    outflow = ellipsoid(px, py, pz, (15.0, -20.0, -6.0), (23.0, 20.0, 31.0))
    return ventricle, right_ventricle, atrium, left_atrium, outflow


def aorta(body: Body, x: Array, y: Array, z: Array) -> Array:
    """Distance to arch and descending aorta; the arch runs from front right to back left over the knob."""
    ascending, arch, descending = aorta_parts(body, x, y, z)
    return np.minimum(np.minimum(arch, ascending), descending)


def aorta_parts(body: Body, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    """Distances to ascending aorta, arch and descending aorta."""
    r, kx, ky = body.aorta_mm, body.knob_x, body.knob_y
    back = float(spine_centre_z(ky + 20)) - 18
    arch = capsule(x, y, z, (-12.0, ky + 18, -42.0), (kx - 6, ky + 2, -5.0), (r, r))
    arch = smooth_union(arch, capsule(x, y, z, (kx - 6, ky + 2, -5.0), (kx, ky + 10, back), (r, r)), 6.0)
    ascending = capsule(x, y, z, (-12.0, ky + 18, -42.0), (-4.0, 135.0, -45.0), (r + 1, r + 2))
    down = capsule(x, y, z, (kx, ky + 10, back), descending_aorta_end(), (r - 0.5, r - 2.5))
    return ascending, arch, down


def descending_aorta_end() -> Point:
    """Where the axis of the descending aorta ends, below the domes (reference mm)."""
    return 10.0, 235.0, float(spine_centre_z(235.0)) - 22


def pulmonary_artery(x: Array, y: Array, z: Array) -> Array:
    """Distance to the pulmonary trunk, the left artery over the left main bronchus and the right one behind the
    ascending aorta."""
    trunk = ellipsoid(x, y, z, (16.0, 112.0, -18.0), (16.0, 27.0, 24.0))
    left = capsule(x, y, z, (18.0, 101.0, -14.0), (35.0, 98.0, 14.0), (10.0, 7.5))
    right = capsule(x, y, z, (12.0, 110.0, -18.0), (-26.0, 115.0, 2.0), (10.0, 7.5))
    return np.minimum(np.minimum(left, right), trunk)


def mediastinum(body: Body, x: Array, y: Array, z: Array, vessel: Array | None = None) -> Array:
    """Distance to the soft tissue between the lungs above and behind the heart, vessels of the neck included.

    `vessel` is the aorta's distance where the caller has it already.
    """
    wide = 1 + 0.06 * body.habitus
    neck = np.clip((y + 30) / 60, 0, 1)
    half: Array = ((13 + 3.5 * neck - 1.5 * np.clip((y - 95) / 60, 0, 1)) * wide).astype(np.float32)
    front = (-16 - 32 * np.clip((y - 5) / 70, 0, 1)).astype(np.float32)
    back = spine_centre_z(y)
    depth = np.asarray((back - front) / 2, dtype=np.float32)
    across: Array = (z - (front + back) / 2).astype(np.float32) / depth
    core = (squircle((x + 1.0) / half, across, 0.4) - 1) * half
    # The right lung lies against the trachea behind the cava, and behind the heart before the spine.
    beside_trachea = ellipsoid(x, y, z, (-26.0, 52.0, 6.0), (16.5, 36.0, 15.0))
    behind_heart = ellipsoid(x, y, z, (-24.0, 162.0, 39.0), (19.0, 55.0, 9.0))
    core = np.maximum(core, -np.minimum(beside_trachea, behind_heart))
    cava = capsule(x, y, z, (-12.0, 15.0, -21.0), (-18.0, 145.0, -24.0), (7.5, 10.5))
    subclavian = capsule(x, y, z, (18.0, -12.0, 20.0), (13.0, body.knob_y, 12.0), (6.5, 9.0))
    right_hilum = ellipsoid(x, y, z, (-17.0, 116.0, 0.0), (10.0, 24.0, 18.0))
    d = smooth_union(core, cava, 8.0)
    d = smooth_union(d, subclavian, 8.0)
    d = smooth_union(smooth_union(d, pulmonary_artery(x, y, z), 12.0), right_hilum, 14.0)
    return smooth_union(d, aorta(body, x, y, z) if vessel is None else vessel, 8.0)


def main_bronchi() -> tuple[tuple[Point, Point], tuple[Point, Point]]:
    """Axes (start, end) of the right and the left main bronchus in reference mm."""
    z0 = float(spine_centre_z(10.0)) - 30
    right = (-3.0, CARINA_Y - 4, z0 - 6), (-27.0, CARINA_Y + 32, z0)
    left = (1.0, CARINA_Y - 4, z0 - 6), (40.0, CARINA_Y + 28, z0)
    return right, left


def airways(x: Array, y: Array, z: Array) -> Array:
    """Distance to the air column of trachea and main bronchi."""
    z0 = float(spine_centre_z(10.0)) - 30
    right, left = main_bronchi()
    trachea = capsule(x, y, z, (0.0, -120.0, z0 - 8), (-2.0, CARINA_Y - 4, z0 - 6), (8.0, 8.0))
    bronchi = np.minimum(capsule(x, y, z, *right, (6.6, 5.0)), capsule(x, y, z, *left, (5.8, 4.6)))
    return np.minimum(trachea, bronchi)


@cache
def carina_point() -> Point:
    """The highest point (reference mm) between the main bronchi that lies in no airway, to 0.1 mm."""
    (start, end), _ = main_bronchi()
    y = np.arange(CARINA_Y - 4, CARINA_Y + 28, 0.1, dtype=np.float32)[:, None]
    x = np.arange(-30.0, 40.0, 0.1, dtype=np.float32)[None, :]
    t = (y - start[1]) / (end[1] - start[1])
    open_air = airways(x, y, (start[2] + t * (end[2] - start[2])).astype(np.float32)) < 0
    row = int(
        np.argmax(
            [
                bool(len(found) and not line[found[0] : found[-1]].all())
                for line in open_air
                for found in [np.flatnonzero(line)]
            ]
        )
    )
    found = np.flatnonzero(open_air[row])
    gap = np.flatnonzero(~open_air[row, found[0] : found[-1]]) + found[0]
    z = start[2] + float(t[row, 0]) * (end[2] - start[2])
    return float(x[0, gap].mean()), float(y[row, 0]), z
