"""Rough radiographs of everything but the chest, and CT-like slices: what the quality model must refuse.

Bones are chords through capsules and ellipsoids, soft tissue too; the picture is exp(-attenuation) with texture and
noise. They need not be anatomy, only look more like a hand, a knee, a pelvis, a skull or a spine than a chest does.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from imaging.phantom.physics import texture

Array = npt.NDArray[np.float32]

SIDE = 208
"""Rows and columns of a drawn picture; units of the shapes are shares of it."""

BONE, SOFT = 3.2, 1.0
"""Attenuation per unit of thickness, relative to soft tissue: cortical bone over muscle at 60 to 80 keV is about 3."""


class Sheet:
    """Thickness maps of soft tissue and bone on a unit square, to be drawn upon."""

    def __init__(self, rng: np.random.Generator) -> None:
        line = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
        self.rng = rng
        self.rows, self.columns = np.meshgrid(line, line, indexing="ij")
        self.soft = np.zeros((SIDE, SIDE), dtype=np.float32)
        self.bone = np.zeros((SIDE, SIDE), dtype=np.float32)

    def capsule(self, start: tuple[float, float], end: tuple[float, float], radius: float, end_radius: float) -> Array:
        """Chord lengths [SIDE, SIDE] through a tapered rod between two (row, column) points."""
        along = (end[0] - start[0], end[1] - start[1])
        square = max(along[0] ** 2 + along[1] ** 2, 1e-9)
        share = ((self.rows - start[0]) * along[0] + (self.columns - start[1]) * along[1]) / square
        share = np.clip(share, 0, 1)
        off = np.hypot(self.rows - start[0] - share * along[0], self.columns - start[1] - share * along[1])
        width = radius + (end_radius - radius) * share
        chord: Array = 2 * np.sqrt(np.maximum(width**2 - off**2, 0)).astype(np.float32)
        return chord

    def oval(self, centre: tuple[float, float], radii: tuple[float, float], depth: float, angle: float = 0.0) -> Array:
        """Chord lengths through an ellipsoid with semi-axes (row, column) and `depth`, turned by `angle` radians."""
        row, column = self.rows - centre[0], self.columns - centre[1]
        cos, sin = np.cos(angle), np.sin(angle)
        one, two = (row * cos + column * sin) / radii[0], (column * cos - row * sin) / radii[1]
        chord: Array = 2 * depth * np.sqrt(np.maximum(1 - one**2 - two**2, 0)).astype(np.float32)
        return chord

    def rod(self, start: tuple[float, float], end: tuple[float, float], radius: float, flare: float = 1.4) -> None:
        """A long bone: a shaft with a marrow cavity and wider ends."""
        shaft = self.capsule(start, end, radius, radius * self.rng.uniform(0.8, 1.2))
        cavity = self.capsule(start, end, radius * 0.6, radius * 0.6)
        ends = np.maximum(*(self.oval(p, (radius * flare, radius * flare), radius * flare) for p in (start, end)))
        self.bone = np.maximum(self.bone, np.maximum(shaft - 0.75 * cavity, 0.55 * ends))

    def flesh(self, start: tuple[float, float], end: tuple[float, float], radius: float, end_radius: float) -> None:
        """Soft tissue around a rod."""
        self.soft = np.maximum(self.soft, self.capsule(start, end, radius, end_radius))

    def picture(self) -> Array:
        """The radiograph: float32 [SIDE, SIDE] in [0, 1], 1 = dense."""
        rng = self.rng
        soft = self.soft * (1 + 0.06 * texture(SIDE, 1.0, 3.0, 60.0, rng))
        bone = self.bone * (1 + 0.15 * texture(SIDE, 1.0, 2.0, 12.0, rng))
        depth = rng.uniform(0.8, 5.0) * SOFT * soft + rng.uniform(0.7, 1.4) * BONE * np.maximum(bone, 0) * 2
        shown = 1 - np.exp(-depth) if rng.random() < 0.5 else np.log1p(depth)
        shown = ndimage.gaussian_filter(shown, rng.uniform(0.4, 1.2))
        shown = shown / max(float(shown.max()), 1e-6) + rng.uniform(0.0, 0.03) * rng.standard_normal(shown.shape)
        toned: Array = np.clip(shown, 0, 1).astype(np.float32) ** np.float32(rng.uniform(0.6, 1.6))
        return toned


def _at(start: tuple[float, float], angle: float, length: float) -> tuple[float, float]:
    """The point `length` from `start` in a direction, angle 0 upwards, radians clockwise."""
    return start[0] - length * float(np.cos(angle)), start[1] + length * float(np.sin(angle))


def hand(sheet: Sheet) -> None:
    """A hand or a foot: five rays of four bones from a wrist with two forearm bones."""
    rng, size = sheet.rng, float(sheet.rng.uniform(0.75, 1.1))
    wrist = (rng.uniform(0.66, 0.8), rng.uniform(0.42, 0.58))
    for ray in range(5):
        angle = (ray - 2) * rng.uniform(0.14, 0.26) + (0.45 if ray == 4 else 0.0)
        point = _at((wrist[0] - 0.05, wrist[1] + (ray - 2) * 0.035), angle, 0.02)
        for length, radius in ((0.19, 0.016), (0.12, 0.013), (0.08, 0.011), (0.05, 0.009)):
            far = _at(point, angle + rng.normal(0, 0.04), size * length * (0.75 if ray in (0, 4) else 1.0))
            sheet.rod(point, far, radius * size)
            sheet.flesh(point, far, 0.034 * size, 0.03 * size)
            point = _at(far, angle, 0.008)
    for _ in range(8):
        place = (wrist[0] + rng.uniform(-0.05, 0.03), wrist[1] + rng.uniform(-0.07, 0.07))
        sheet.bone = np.maximum(sheet.bone, 0.6 * sheet.oval(place, (0.022, 0.022), 0.02))
    sheet.soft = np.maximum(sheet.soft, sheet.oval((wrist[0] - 0.1, wrist[1]), (0.15, 0.13), 0.05))
    for shift in (-0.04, 0.04):
        sheet.rod((wrist[0] + 0.05, wrist[1] + shift), (1.1, wrist[1] + shift * 1.3), 0.026)
    sheet.flesh(wrist, (1.1, wrist[1]), 0.09, 0.12)


def joint(sheet: Sheet) -> None:
    """A knee, elbow, ankle or shaft: two rods that meet, sometimes a second beside one of them, and a kneecap."""
    rng, thick = sheet.rng, float(sheet.rng.uniform(0.04, 0.08))
    middle = (rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.6))
    bend = rng.choice([0.0, 0.0, rng.uniform(-1.2, 1.2)])
    up, down = _at(middle, rng.normal(0, 0.1), 0.8), _at(middle, np.pi + bend, 0.8)
    gap = _at(middle, np.pi + bend, thick * 2.2)
    sheet.rod(up, middle, thick, 1.7)
    sheet.rod(gap, down, thick * 0.9, 1.8)
    if rng.random() < 0.6:
        beside = (gap[0], gap[1] + thick * 1.9)
        sheet.rod(beside, (down[0], down[1] + thick * 1.9), thick * 0.4)
    if rng.random() < 0.5:
        sheet.bone = np.maximum(sheet.bone, 0.5 * sheet.oval((middle[0] - 0.03, middle[1]), (0.06, 0.05), 0.03))
    sheet.flesh(up, middle, thick * rng.uniform(2.6, 4.5), thick * 2.8)
    sheet.flesh(middle, down, thick * 2.8, thick * rng.uniform(2, 3))


def pelvis(sheet: Sheet) -> None:
    """Two iliac wings, femoral heads and shafts, a sacrum and a ring, in wide soft tissue."""
    rng, middle = sheet.rng, float(sheet.rng.uniform(0.46, 0.54))
    sheet.soft = sheet.oval((0.5, middle), (0.8, rng.uniform(0.45, 0.6)), 0.3)
    for sign in (-1, 1):
        wing = sheet.oval((0.32, middle + sign * 0.22), (0.17, 0.13), 0.03, sign * 0.5)
        hole = sheet.oval((0.63, middle + sign * 0.11), (0.06, 0.045), 0.05, sign * 0.4)
        ring = np.maximum(sheet.oval((0.61, middle + sign * 0.12), (0.12, 0.1), 0.04, sign * 0.4) - 2 * hole, 0)
        sheet.bone = np.maximum(sheet.bone, np.maximum(wing, ring))
        head = (0.53, middle + sign * 0.27)
        sheet.bone = np.maximum(sheet.bone, sheet.oval(head, (0.055, 0.055), 0.05))
        sheet.rod(head, (0.6, middle + sign * 0.36), 0.03)
        sheet.rod((0.6, middle + sign * 0.36), (1.1, middle + sign * 0.33), 0.04)
    spine(sheet, top=-0.1, bottom=0.4, middle=middle, half_width=0.06)
    _gas(sheet, (0.1, 0.6), middle)


def spine(
    sheet: Sheet, top: float = -0.05, bottom: float = 1.05, middle: float = 0.5, half_width: float = 0.08
) -> None:
    """A column of vertebral bodies, curved a little."""
    rng, pitch = sheet.rng, half_width * float(sheet.rng.uniform(1.1, 1.7))
    bend, phase = rng.uniform(0, 0.08), rng.uniform(0, 6)
    for row in np.arange(top, bottom, pitch):
        column = middle + bend * np.sin(3 * row + phase)
        body = sheet.oval((row, column), (pitch * 0.55, half_width * 1.15), 0.05)
        sheet.bone = np.maximum(sheet.bone, np.minimum(body, 0.07))


def back(sheet: Sheet) -> None:
    """A cervical or lumbar spine in a body that fills the film or in a neck."""
    rng = sheet.rng
    sheet.soft = sheet.oval((0.5, 0.5), (1.2, rng.uniform(0.25, 0.9)), rng.uniform(0.15, 0.35))
    spine(sheet, middle=rng.uniform(0.4, 0.6), half_width=rng.uniform(0.06, 0.14))
    if rng.random() < 0.5:
        _gas(sheet, (0.2, 0.8), 0.5)


def abdomen(sheet: Sheet) -> None:
    """Soft tissue with a spine, lowest ribs and bowel gas."""
    rng = sheet.rng
    sheet.soft = sheet.oval((0.5, 0.5), (1.1, rng.uniform(0.42, 0.6)), 0.3)
    spine(sheet, middle=rng.uniform(0.47, 0.53), half_width=0.07)
    for sign in (-1, 1):
        for row in (0.02, 0.1, 0.18):
            sheet.rod((row, 0.5 + sign * 0.1), (row + 0.12, 0.5 + sign * 0.4), 0.012, 1.0)
        if rng.random() < 0.6:
            sheet.bone += 0.6 * sheet.oval((1.0, 0.5 + sign * 0.25), (0.2, 0.16), 0.03, sign * 0.5)
    _gas(sheet, (0.15, 0.9), 0.5)


def _gas(sheet: Sheet, rows: tuple[float, float], middle: float) -> None:
    rng = sheet.rng
    for _ in range(int(rng.integers(2, 14))):
        place = (rng.uniform(*rows), middle + rng.uniform(-0.33, 0.33))
        radii = (rng.uniform(0.015, 0.07), rng.uniform(0.015, 0.08))
        sheet.soft = np.maximum(sheet.soft - sheet.oval(place, radii, rng.uniform(0.03, 0.12), rng.uniform(0, 3)), 0)


def skull(sheet: Sheet) -> None:
    """A shell with orbits, sinuses, a jaw with teeth and a neck; frontal or sideways."""
    rng, middle = sheet.rng, float(sheet.rng.uniform(0.45, 0.55))
    wide = rng.uniform(0.26, 0.4)
    head = sheet.oval((0.4, middle), (0.34, wide), 0.3)
    inner = sheet.oval((0.4, middle), (0.32, wide - 0.02), 0.285)
    sheet.soft = np.maximum(head, sheet.oval((0.85, middle), (0.4, 0.17), 0.18))
    sheet.bone = np.maximum(head - inner, 0) * 1.3 + 0.1 * sheet.oval((0.62, middle), (0.13, 0.17), 0.2)
    shift = rng.choice([0.0, wide * 0.5])
    for sign in (-1, 1):
        eye = sheet.oval((0.5, middle + shift + sign * 0.11), (0.06, 0.07), 0.06)
        sheet.bone = np.maximum(sheet.bone - 0.3 * eye, 0)
    for row in (0.7, 0.75):
        for column in np.linspace(-0.12, 0.12, 9):
            sheet.bone += 0.4 * sheet.oval((row, middle + shift + column), (0.025, 0.011), 0.03)
    spine(sheet, 0.75, 1.1, middle - shift / 2, 0.06)


def teeth(sheet: Sheet) -> None:
    """A panoramic or a bitewing film: two rows of teeth in a jaw."""
    rng = sheet.rng
    sheet.soft = sheet.oval((0.5, 0.5), (0.7, 0.9), 0.25)
    count, tall, bow = int(rng.integers(4, 17)), rng.uniform(0.1, 0.25), rng.uniform(0, 0.25)
    for sign in (-1, 1):
        for column in np.linspace(0.06, 0.94, count):
            row = 0.5 + sign * tall * 0.7 + bow * (0.25 - (column - 0.5) ** 2) * 2 - bow * 0.3
            sheet.bone += sheet.oval((row, column), (tall * 0.6, 0.36 / count), 0.06)
    sheet.bone += 0.25 * sheet.oval((0.5, 0.5), (0.42, 0.55), 0.1)


def breast(sheet: Sheet) -> None:
    """A mammogram: a half oval of glandular texture at one edge."""
    rng = sheet.rng
    edge = float(rng.choice([0.0, 1.0]))
    sheet.soft = sheet.oval((rng.uniform(0.45, 0.6), edge), (rng.uniform(0.3, 0.48), rng.uniform(0.3, 0.7)), 0.1)
    gland = np.maximum(texture(SIDE, 1.0, 2.6, 60.0, rng), 0) * (sheet.soft > 0.05)
    sheet.bone = 0.01 * gland.astype(np.float32)


def slice_of_body(rng: np.random.Generator) -> Array:
    """A CT-like or MR-like axial slice: an oval of organs with a spine, lungs or a brain, windowed."""
    sheet = Sheet(rng)
    tall, wide = rng.uniform(0.25, 0.42), rng.uniform(0.33, 0.46)
    flat = (sheet.oval((0.5, 0.5), (tall, wide), 1) > 0).astype(np.float32)
    inner = (sheet.oval((0.5, 0.5), (tall - 0.05, wide - 0.05), 1) > 0).astype(np.float32)
    shown = 0.35 * flat + rng.uniform(0.05, 0.25) * inner
    if rng.random() < 0.45:
        for sign in (-1, 1):
            lung = sheet.oval((0.47, 0.5 + sign * wide * 0.5), (tall * 0.66, wide * 0.36), 1, sign * 0.15) > 0
            shown = np.where(lung, rng.uniform(0.0, 0.12), shown)
        if rng.random() < 0.5:
            spots = texture(SIDE, 1.0, 1.2, 12.0, rng) > 1.8
            shown = np.where(spots & (inner > 0), 0.5, shown)
    elif rng.random() < 0.4:
        shell = flat - inner
        shown = np.where(shell > 0, rng.choice([1.0, 0.1]), shown)
        shown = shown + 0.12 * texture(SIDE, 1.0, 3.0, 25.0, rng) * inner
    for _ in range(int(rng.integers(1, 9))):
        place = (0.5 + rng.uniform(-tall, tall) * 0.6, 0.5 + rng.uniform(-wide, wide) * 0.7)
        organ = sheet.oval(place, (rng.uniform(0.02, 0.12), rng.uniform(0.02, 0.12)), 1, rng.uniform(0, 3)) > 0
        shown = np.where(organ & (inner > 0), rng.uniform(0.1, 0.8), shown)
    bone = sheet.oval((0.5 + tall * 0.62, 0.5), (0.05, 0.06), 1) > 0
    shown = np.where(bone, rng.uniform(0.7, 1.0), shown)
    if rng.random() < 0.4:
        shown = np.maximum(shown, 0.4 * (np.abs(sheet.rows - 0.5 - tall - 0.04) < 0.008))
    shown = shown * (1 + 0.08 * texture(SIDE, 1.0, 2.0, 30.0, rng)) + rng.uniform(0, 0.06) * rng.standard_normal(
        shown.shape
    )
    toned: Array = np.clip(ndimage.gaussian_filter(shown, rng.uniform(0.3, 1.2)), 0, 1).astype(np.float32)
    return toned


PARTS: dict[str, Callable[[Sheet], None]] = {
    "hand": hand,
    "joint": joint,
    "pelvis": pelvis,
    "back": back,
    "abdomen": abdomen,
    "skull": skull,
    "teeth": teeth,
    "breast": breast,
}


def radiograph_of(part: str, rng: np.random.Generator) -> Array:
    """A rough radiograph of one of PARTS: float32 [SIDE, SIDE] in [0, 1], turned and sometimes inverted."""
    sheet = Sheet(rng)
    PARTS[part](sheet)
    shown = np.rot90(sheet.picture(), int(rng.choice([0, 0, 0, 1, 2, 3])))
    if rng.random() < 0.3:
        angle = float(rng.uniform(-25, 25))
        shown = ndimage.rotate(shown, angle, reshape=False, order=1, mode="constant", cval=float(shown.min()))
    if rng.random() < 0.4:
        top, left = rng.integers(0, SIDE // 4, 2)
        shown = shown[top : SIDE - rng.integers(0, SIDE // 4), left : SIDE - rng.integers(0, SIDE // 4)]
    if rng.random() < 0.25:
        shown = 1 - shown
    return np.ascontiguousarray(shown, dtype=np.float32)
