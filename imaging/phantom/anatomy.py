"""Masks of single structures that few films are asked for: lobes, chambers, vessels, organs, vertebrae, ribs, scapulae.

They cost a second march through the body and are computed on first use; see `StructureMasks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from imaging.geometry import mask_box
from imaging.phantom import body as shapes
from imaging.phantom import physics
from imaging.phantom.airways import SEGMENTS
from imaging.phantom.body import VERTEBRA_PITCH, Body
from imaging.phantom.bones import Cloud, spine_level
from imaging.phantom.distances import filled_groove
from imaging.phantom.exposure import CENTRAL_MM, FAR_MM, Maps, planes
from imaging.phantom.lesions import Lesion
from imaging.phantom.lobes import lobe_distance
from imaging.phantom.masks import BONE_MASK_MM, Mask
from imaging.phantom.projection import Geometry, splat
from imaging.phantom.vessels import lung_distance

Array = npt.NDArray[np.float32]

SIDES = {"left": 1, "right": -1}

LOBE_MASKS = tuple(f"{side}_{lobe}" for side, sign in SIDES.items() for lobe in SEGMENTS[sign])
CHAMBERS = ("left_ventricle", "right_ventricle", "right_atrium", "left_atrium")
VESSELS = ("pulmonary_artery", "ascending_aorta", "aortic_arch", "descending_aorta")
ORGANS = ("liver", "gastric_bubble", "diaphragm_left", "diaphragm_right")
VERTEBRAE = tuple(f"vertebra_T{k}" for k in range(1, 13))
BONES = tuple(f"rib_{side}_{k}" for side in SIDES for k in range(1, 13)) + tuple(f"scapula_{side}" for side in SIDES)

STRUCTURES = (*LOBE_MASKS, *CHAMBERS, *VESSELS, *ORGANS, *VERTEBRAE, *BONES, "airways")
"""Names of all masks that are computed on first use."""

VERTEBRA_SHARE = 0.83
"""A vertebral body's share of the height of vertebra and disc, as drawn by bones.vertebral_density."""

AIRWAY_MASK_MM = 1.5
"""Air (mm along the ray) from which a pixel belongs to the bronchi beyond the main ones."""

Group = Callable[[Body, Array, Array, Array], dict[str, Array]]


def lobes(body: Body, x: Array, y: Array, z: Array) -> dict[str, Array]:
    """Signed distance (reference mm) to each lobe within its lung."""
    result = {}
    for side, sign in SIDES.items():
        lung = lung_distance(body, sign, x, y, z)
        for lobe in SEGMENTS[sign]:
            result[f"{side}_{lobe}"] = np.maximum(lung, lobe_distance(body, sign, lobe, x, y, z))
    return result


def heart_and_vessels(body: Body, x: Array, y: Array, z: Array) -> dict[str, Array]:
    """Signed distances to the chambers, which share the whole heart among them (each point belongs to the nearest; the
    outflow tract to the right ventricle), to the pulmonary arteries and the parts of the aorta."""
    mid = shapes.centred(body, x, y)
    left, right, right_atrium, left_atrium, outflow = shapes.heart_parts(body, mid, y, z)
    parts = dict(zip(CHAMBERS, (left, np.minimum(right, outflow), right_atrium, left_atrium), strict=True))
    middle = np.where(np.abs(x) < CENTRAL_MM + abs(body.shift_mm), shapes.mediastinum(body, mid, y, z), FAR_MM)
    whole, _ = filled_groove(shapes.heart(body, mid, y, z), middle)
    result = {}
    for name, part in parts.items():
        others = np.minimum.reduce([other for key, other in parts.items() if key != name])
        result[name] = np.maximum(whole, part - others)
    result["pulmonary_artery"] = shapes.pulmonary_artery(mid, y, z)
    result.update(zip(VESSELS[1:], shapes.aorta_parts(body, mid, y, z), strict=True))
    return result


def organs(body: Body, x: Array, y: Array, z: Array) -> dict[str, Array]:
    """Signed distances to liver, stomach bubble and what lies under each dome."""
    under = {}
    for side, sign in SIDES.items():
        under[side] = np.maximum(shapes.cage(body, sign, x, y, z), shapes.diaphragm(body, sign, x, y, z))
        under[side] = np.maximum(under[side], (-sign * x).astype(np.float32))
    # The liver's lower border rises from the right flank to the tip of its left lobe.
    border = (y - (body.dome_right + 92.0 - 1.05 * (x + 70.0))) * np.float32(0.7)
    liver = np.maximum(np.maximum(np.minimum(under["right"], under["left"]), border), x - np.float32(55.0))
    bubble = shapes.stomach_gas(body, x, y, z, shapes.diaphragm(body, 1, x, y, z))
    return {
        "liver": liver.astype(np.float32),
        "gastric_bubble": bubble,
        "diaphragm_left": under["left"],
        "diaphragm_right": under["right"],
    }


def vertebrae(body: Body, x: Array, y: Array, z: Array) -> dict[str, Array]:
    """Signed distances to the bodies of T1 to T12."""
    column, level = shapes.spine(x, y, z), spine_level(y, z)
    half = np.float32(VERTEBRA_SHARE / 2)
    return {
        name: np.maximum(column, (np.abs(level - np.float32(k)) - half) * np.float32(VERTEBRA_PITCH))
        for k, name in enumerate(VERTEBRAE)
    }


GROUPS: dict[str, Group] = {
    **dict.fromkeys(LOBE_MASKS, lobes),
    **dict.fromkeys((*CHAMBERS, *VESSELS), heart_and_vessels),
    **dict.fromkeys(ORGANS, organs),
    **dict.fromkeys(VERTEBRAE, vertebrae),
}
"""Which function a smooth structure's distance comes from."""


def outlines(body: Body, geometry: Geometry, group: Group, grid: int) -> dict[str, Mask]:
    """Masks [H, W] of the rays that meet each structure of a group, from a march on `grid` rays a side."""
    scale = np.array(body.scale, dtype=np.float32)
    nearest: dict[str, Array] = {}
    for plane in planes(body, geometry):
        x, y, z = geometry.plane(plane, grid)
        for name, value in group(body, x / scale[0], y / scale[1], z / scale[2]).items():
            near = np.minimum(value, FAR_MM)
            nearest[name] = np.minimum(nearest.get(name, near), near)
    size = (grid, grid)
    maps = Maps(
        {}, np.zeros(size, np.float32), {k: np.broadcast_to(v, size) for k, v in nearest.items()}, geometry.size
    )
    return {name: maps.outline(name) for name in nearest}


@dataclass
class Anatomy:
    """The patient of a film, from whom structures are projected when asked for.

    Attributes:
        body, geometry: as the film was taken.
        clouds: the skeleton's bones by name.
        trachea: mask [H, W] of trachea and main bronchi.
        bronchi: mm of air [H, W] in the bronchi beyond them.
        lesions: what carries the fissures along.
        fields: the lung fields 'left_lung' and 'right_lung' and the heart, to which lobes and chambers are cut.
        grid: rays a side.
    """

    body: Body
    geometry: Geometry
    clouds: dict[str, Cloud]
    trachea: Mask
    bronchi: Array
    lesions: list[Lesion]
    fields: dict[str, Mask]
    grid: int
    _done: dict[str, Mask] = field(default_factory=dict, repr=False)

    def mask(self, name: str) -> Mask:
        """Upright mask [H, W] of one of STRUCTURES."""
        if name not in self._done:
            self._done.update(self._compute(name))
        return self._done[name]

    def _compute(self, name: str) -> dict[str, Mask]:
        if name == "airways":
            return {name: self.trachea | (self.bronchi > AIRWAY_MASK_MM)}
        if name in GROUPS:
            found = outlines(self.body, self.geometry, GROUPS[name], self.grid)
            return {key: self._cut(key, mask) for key, mask in found.items()}
        scale = np.array(self.body.scale, dtype=np.float32)
        cloud, factor = self.clouds[name], np.float32(np.prod(scale) * self.body.bone_density)
        thickness = splat(self.geometry, cloud.points * scale, cloud.volume * factor)
        return {name: physics.blur(thickness, 0.45 / self.geometry.pixel_mm) > BONE_MASK_MM}

    def _cut(self, name: str, mask: Mask) -> Mask:
        """A lobe within its lung field and a chamber within the heart, as those masks are drawn."""
        if name in LOBE_MASKS:
            return mask & self.fields[f"{name.partition('_')[0]}_lung"]
        return mask & self.fields["heart"] if name in CHAMBERS else mask


class StructureMasks(Mapping[str, Mask]):
    """A film's masks by name: the ready ones, and those of STRUCTURES on first use; as the film is turned."""

    def __init__(self, ready: dict[str, Mask], anatomy: Anatomy, turn: Callable[[Mask], Mask]) -> None:
        self._ready, self._anatomy, self._turn = dict(ready), anatomy, turn
        self._names = tuple(dict.fromkeys((*ready, *STRUCTURES)))

    def __getitem__(self, name: str) -> Mask:
        if name not in self._ready:
            if name not in STRUCTURES:
                raise KeyError(name)
            self._ready[name] = self._turn(self._anatomy.mask(name))
        return self._ready[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


class Boxes(Mapping[str, tuple[int, int, int, int]]):
    """(row_min, col_min, row_max, col_max) of every mask that is not empty, max exclusive; on first use as the mask.

    Going through all names gives those of `ready` alone, so that a listing does not compute every structure.
    """

    def __init__(self, masks: Mapping[str, Mask], ready: list[str]) -> None:
        self._masks = masks
        self._boxes = {name: found for name in ready if (found := mask_box(masks[name])) is not None}
        self._listed = tuple(self._boxes)

    def __getitem__(self, name: str) -> tuple[int, int, int, int]:
        if name not in self._boxes:
            found = mask_box(self._masks[name])
            if found is None:
                raise KeyError(name)
            self._boxes[name] = found
        return self._boxes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)
