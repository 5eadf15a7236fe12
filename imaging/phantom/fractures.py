"""Rib fractures: a gap across a rib, its front part displaced, and the truth of where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from imaging.phantom.body import Body
from imaging.phantom.bones import Cloud, resample, rib_line
from imaging.phantom.findings import FindingSpec
from imaging.phantom.lesions import Draw, mask_name
from imaging.phantom.projection import Geometry, splat

Mask = npt.NDArray[np.bool_]

PLACES = {"posterior": (0.20, 0.32), "lateral": (0.42, 0.54), "anterior": (0.76, 0.90)}
"""Shares of a rib's length, from its head, between which a fracture of each kind is drawn."""

GAP_MM = 1.6
"""Width of the gap between the ends."""

RECOVERY_MM = 90.0
"""Distance in front of the fracture over which the displaced part comes back to its course: the cartilage holds it."""

MARK_MM = 11.0
"""Length of both ends that belong to the fracture's mask."""

MASK_MM = 0.35
"""Cortical bone (mm along the ray) from which a pixel of the ends belongs to the mask."""


@dataclass(frozen=True)
class Fracture:
    """One broken rib.

    Attributes:
        name: mask name, e.g. 'fracture_left'.
        code, side: of the finding.
        ends: both ends of the break, after displacement, reference mm.
        parameters: what is true of it, mm of the patient.
    """

    name: str
    code: str
    side: str
    ends: Cloud
    parameters: dict[str, Any]


def break_ribs(body: Body, bones: dict[str, Cloud], chosen: list[Draw]) -> tuple[dict[str, Cloud], list[Fracture]]:
    """The bones of `bones.skeleton` with the fractures among the findings, and these fractures."""
    bones, found = dict(bones), []
    for spec, sides, rngs in chosen:
        if spec.code != "fracture":
            continue
        for (side, sign), rng in zip(sides, rngs, strict=True):
            drawn = int(rng.integers(4, 9))
            number = spec.rib or drawn
            name = f"rib_{side}_{number}"
            bones[name], fracture = _break(body, bones[name], spec, number, side, sign, rng)
            found.append(fracture)
    return bones, found


def _break(
    body: Body, bone: Cloud, spec: FindingSpec, number: int, side: str, sign: int, rng: np.random.Generator
) -> tuple[Cloud, Fracture]:
    """(the broken rib, its fracture): an oblique gap, the part in front of it moved down and inwards."""
    line = resample(rib_line(body, number, sign), 1.0)
    kind = spec.kind or ("posterior", "lateral", "anterior")[int(rng.integers(3))]
    share, slant = rng.uniform(*PLACES[kind]), rng.uniform(-0.5, 0.5)
    down = 1.0 if rng.random() < 0.7 else -1.0
    _, nearest = cKDTree(line).query(bone.points)
    middle = int(share * (len(line) - 1))
    tangent = line[min(middle + 3, len(line) - 1)] - line[max(middle - 3, 0)]
    tangent /= np.linalg.norm(tangent)
    # Millimetres in front of the break; near it exactly along the rib, slanted with the height across it.
    local = (bone.points - line[middle]) @ tangent
    along = np.where(np.abs(nearest - middle) < 20, local, (nearest - middle).astype(np.float32))
    along = along + slant * (bone.points - line[nearest])[:, 1]
    kept = np.abs(along) > GAP_MM / 2
    front = along > 0
    fade = np.clip(1 - np.maximum(along, 0) / RECOVERY_MM, 0, 1)
    scale = np.array(body.scale)
    upright = np.array([0.0, down, 0.0]) - (down * tangent[1]) * tangent
    upright /= np.linalg.norm(upright)
    way = spec.value / float(np.linalg.norm(upright * scale))
    moved = bone.points + (front * fade * fade * (3 - 2 * fade) * way)[:, None] * upright
    broken = Cloud(moved[kept].astype(np.float32), bone.volume[kept])
    near = np.abs(along[kept]) < MARK_MM
    parameters = {
        "bone": "rib",
        "rib": number,
        "place": kind,
        "displacement_mm": spec.value,
        "gap_mm": GAP_MM,
        "centre_mm": [round(float(c * s), 1) for c, s in zip(line[middle], scale, strict=True)],
    }
    ends = Cloud(broken.points[near], broken.volume[near])
    return broken, Fracture(mask_name(spec, side), "fracture", side, ends, parameters)


def fracture_masks(body: Body, fractures: list[Fracture], geometry: Geometry) -> dict[str, Mask]:
    """Mask [H, W] of each fracture by name: both ends and the gap's surroundings."""
    scale = np.array(body.scale, dtype=np.float32)
    factor = np.float32(np.prod(scale) * body.bone_density)
    return {f.name: splat(geometry, f.ends.points * scale, f.ends.volume * factor) > MASK_MM for f in fractures}
