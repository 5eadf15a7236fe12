"""Truth masks, and the heart's width on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from imaging.geometry import mask_box
from imaging.phantom import body as shapes
from imaging.phantom.body import Body
from imaging.phantom.distances import filled_groove
from imaging.phantom.exposure import CENTRAL_MM, FAR_MM, Maps
from imaging.phantom.lesions import Lesion
from imaging.phantom.projection import Geometry

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

BONE_MASK_MM = 0.35
"""Cortical bone (mm along the ray) from which a pixel belongs to a bone's mask."""

LESION_MASK_MM = {
    "effusion": 4.0,
    "pneumothorax": 3.0,
    "consolidation": 5.0,
    "edema": 10.0,
    "infiltration": 6.0,
    "atelectasis": 3.0,
    "emphysema": 25.0,
    "fibrosis": 4.0,
    "pleural_thickening": 2.0,
}
"""Thickness along the ray from which a pixel belongs to a lesion's mask; 1 mm for others. Where tissue is only partly
diseased (oedema, infiltration, emphysema, fibrosis), the share of it counts: 20 mm at one half are 10 mm."""

AIRLESS = ("effusion", "pneumothorax", "consolidation", "atelectasis")
"""Findings that the masks `aerated_left` and `aerated_right` leave out."""

CLAVICLE_MARGIN_MM = 6.0
"""Clavicles are marked where they lie over lungs and rib cage, as in SCR; this far beyond the cage's inner wall."""


def largest(mask: Mask) -> Mask:
    """The largest connected part of a mask [H, W], its holes filled."""
    full, found = mask, mask_box(mask)
    if found is None:
        return mask
    window = (slice(found[0], found[2]), slice(found[1], found[3]))
    mask = mask[window]
    labels, count = ndimage.label(mask)
    if count > 1:
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        mask = labels == int(np.argmax(sizes))
    outside, count = ndimage.label(np.pad(~mask, 1, constant_values=True))
    result = np.zeros_like(full)
    result[window] = (outside != outside[0, 0])[1:-1, 1:-1]
    return result


def collect(maps: Maps, bones: dict[str, Array], lesions: list[Lesion]) -> dict[str, Mask]:
    """All masks [H, W] by name; see PhantomFilm.masks.

    On a lateral film a lung is all that rays through it meet above its own dome: both overlap each other, heart, and
    spine.
    """
    heart, middle = maps.outline("heart"), maps.outline("mediastinum")
    dome = maps.outline("dome_left") | maps.outline("dome_right")
    spine = maps.outline("spine")
    centre = heart | middle | spine
    masks: dict[str, Mask] = {}
    for side in ("left", "right"):
        lung = maps.outline(f"lung_{side}")
        hidden = maps.outline(f"dome_{side}") if maps.lateral else centre | dome
        masks[f"{side}_lung"] = largest(lung & ~hidden)
    if not maps.lateral:
        masks["left_lung"] &= ~masks["right_lung"]
    masks["heart"] = largest(heart)
    masks["mediastinum"] = largest((middle | heart) & maps.outline("body") & ~(dome & ~heart))
    masks["aorta"] = largest(maps.outline("aorta"))
    masks["trachea"] = largest(maps.outline("trachea"))
    masks["spine"] = spine
    masks["diaphragm"] = dome
    masks["body"] = maps.outline("body")
    cage = maps.enlarge(np.minimum(maps.silhouette["wall_left"], maps.silhouette["wall_right"])) < CLAVICLE_MARGIN_MM
    for side in ("left", "right"):
        masks[f"{side}_clavicle"] = largest((bones[f"clavicle_{side}"] > BONE_MASK_MM) & cage)
    masks["ribs"] = (bones["ribs_left"] + bones["ribs_right"]) > BONE_MASK_MM
    for lesion in lesions:
        masks[lesion.name] = maps.thick(lesion.name) > LESION_MASK_MM.get(lesion.code, 1.0)
    for side in ("left", "right"):
        out = np.zeros_like(heart)
        for lesion in lesions:
            if lesion.side == side and lesion.code in AIRLESS:
                out |= masks[lesion.name]
        masks[f"aerated_{side}"] = masks[f"{side}_lung"] & ~out
    return masks


def widest(mask: Mask) -> int:
    """Largest distance (pixels) between the outermost pixels of one row of a mask [H, W]."""
    hit = mask.any(1)
    if not hit.any():
        return 0
    first = np.argmax(mask, axis=1)
    last = mask.shape[1] - 1 - np.argmax(mask[:, ::-1], axis=1)
    return int((last - first + 1)[hit].max())


def _extent(field: Array) -> float:
    """Width in pixels (below one) of the negative part of a profile [N] of distances."""
    inside = np.flatnonzero(field < 0)
    if not len(inside):
        return 0.0
    a, b = int(inside[0]), int(inside[-1])
    left = a - field[a] / (field[a] - field[a - 1]) if a else 0.0
    right = b + field[b] / (field[b] - field[b + 1]) if b < len(field) - 1 else float(b)
    return float(right - left)


def ratio_by_heart_scale(body: Body, geometry: Geometry, grid: int = 160) -> Callable[[float], float]:
    """Cardiothoracic ratio of a body by the scale of its heart, from coarse silhouettes: what `_fit_heart` solves for.

    All but the heart is worked out once.
    """
    scale = body.scale
    far = np.full((grid, grid), 1e3, dtype=np.float32)
    lung, below = {1: far, -1: far}, {1: far, -1: far}
    planes: list[tuple[Array, Array, Array, Array]] = []
    for plane in np.arange(-120.0, 110.0, 8.0):
        x, y, z = geometry.plane(float(plane * scale[2]), grid)
        x, y, z = x / np.float32(scale[0]), y / np.float32(scale[1]), z / np.float32(scale[2])
        mid = shapes.centred(body, x, y)
        middle = shapes.mediastinum(body, mid, y, z)
        planes.append((mid, y, z, np.where(np.abs(x) < CENTRAL_MM + abs(body.shift_mm), middle, FAR_MM)))
        for side in (1, -1):
            wall, dome = shapes.cage(body, side, x, y, z), shapes.diaphragm(body, side, x, y, z)
            wall = np.maximum(wall, shapes.septum(body, side, x, y, z))
            lung[side] = np.minimum(lung[side], np.maximum(wall, -dome))
            below[side] = np.minimum(below[side], np.maximum(wall, dome))
    abdomen = np.minimum(below[1], below[-1])

    def ratio(heart_scale: float) -> float:
        scaled, heart = replace(body, heart_scale=heart_scale), far
        for mid, y, z, middle in planes:
            heart = np.minimum(heart, filled_groove(shapes.heart(scaled, mid, y, z), middle)[0])
        return _cardiothoracic(heart, lung, np.minimum(abdomen, heart))

    return ratio


def _cardiothoracic(heart: Array, lungs: Mapping[int, Array], centre: Array) -> float:
    """Heart's width over the thorax's, of silhouettes [G, G] as distances; lungs by side, `centre` all between them."""
    field = np.full_like(heart, 1e3)
    for lung in lungs.values():
        beside = np.maximum(lung, -centre)
        field = np.minimum(field, np.where(ndimage.binary_dilation(largest(beside < 0)), beside, 1e3))
    thorax = max(_extent(row) for row in field)
    return _extent(heart.min(axis=0)) / thorax if thorax else 0.0
