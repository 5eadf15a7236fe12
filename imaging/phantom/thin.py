"""What is too thin for slices: bronchi and fissures, projected as area densities from small volumes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imaging.phantom import physics
from imaging.phantom.airways import airway_clouds
from imaging.phantom.body import Body, airways, centred
from imaging.phantom.bones import Cloud, join
from imaging.phantom.lesions import Lesion
from imaging.phantom.lobes import fissure_surfaces
from imaging.phantom.projection import Geometry, splat
from imaging.phantom.vessels import lung_distance

Array = npt.NDArray[np.float32]

FISSURE_PITCH_MM = 0.6
"""Distance of the samples of a fissure."""

BLUR_MM = 0.30
"""Width (sigma) that hides the sampling; the detector blurs as much again."""


@dataclass(frozen=True)
class Thin:
    """Bronchi and fissures on the detector grid, [H, W] float32.

    Attributes:
        density: g/cm² that they add to the tissue they lie in; negative where a lumen displaces it.
        airways: mm of air in bronchi beyond the main ones.
    """

    density: Array
    airways: Array


def follow(cloud: Cloud, lesions: list[Lesion], side: int, airless: float = 0.0) -> Cloud:
    """A lung's cloud where a shrunken lung (+1 left, -1 right) takes it; inside airless lesions only the share
    `airless` of its volume is left."""
    points, volume = cloud.points, cloud.volume
    for lesion in lesions:
        if lesion.sign != side:
            continue
        if lesion.collapse:
            anchor, factor = lesion.collapse
            points = (np.array(anchor) + (points - np.array(anchor)) * factor).astype(np.float32)
        if lesion.fill is None:
            inside = lesion.distance(points[:, 0], points[:, 1], points[:, 2]) < 0
            volume = np.where(inside, volume * np.float32(airless), volume)
    return Cloud(points, volume)


def project_thin(body: Body, lesions: list[Lesion], geometry: Geometry, rng: np.random.Generator) -> Thin:
    """Bronchi and fissures of both lungs as they lie with the patient's lesions."""
    soft, lung = physics.DENSITY_G_CM3["soft"], body.lung_density
    scale = np.array(body.scale, dtype=np.float32)
    weights: list[Cloud] = []
    lumina: list[Cloud] = []
    for side in (1, -1):
        lumen, wall = (follow(cloud, lesions, side) for cloud in airway_clouds(body, side, rng))
        lumina.append(lumen)
        # Bronchi leave the main ones inside the hilum's soft tissue and then run through lung.
        for cloud, own in ((lumen, 0.0), (wall, soft)):
            x, y, z = cloud.points.T
            around = np.where(lung_distance(body, side, x, y, z) < 0, lung, soft)
            # Where a lobar bronchus leaves the main one there is air already.
            change = np.where(airways(centred(body, x, y), y, z) < 0, 0, own - around)
            weights.append(Cloud(cloud.points, (cloud.volume * change).astype(np.float32)))
        for cloud in fissure_surfaces(body, side, FISSURE_PITCH_MM, rng).values():
            sheet = follow(cloud, lesions, side)
            weights.append(Cloud(sheet.points, (sheet.volume * (soft - lung)).astype(np.float32)))

    def spread(clouds: list[Cloud]) -> Array:
        whole = join(clouds)
        volume = (whole.volume * np.prod(scale)).astype(np.float32)
        return physics.blur(splat(geometry, whole.points * scale, volume), BLUR_MM / geometry.pixel_mm)

    return Thin(density=spread(weights) / np.float32(10), airways=spread(lumina))
