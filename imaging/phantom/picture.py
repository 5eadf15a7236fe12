"""One patient weighed and exposed: area densities, the detector's signal, the picture, and its bone-free twin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from imaging.phantom import display, physics
from imaging.phantom.body import Body
from imaging.phantom.exposure import Maps
from imaging.phantom.faults import turn
from imaging.phantom.person import name_block
from imaging.phantom.projection import Geometry
from imaging.phantom.spec import PhantomSpec

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

DEPTH_16 = 65535
"""Pictures are rounded to 16 bits, so that PNG and DICOM files hold exactly the film."""

SATURATION = 16.0
"""A digital detector saturates at this multiple of the lung's signal in a correct exposure. Set so that two stops burn
out the air beside the patient and four the lungs; no maker's figure."""

VISIT_STREAMS = (11, 13, 31)
"""Random streams of field, exposure, positioning, noise and look; patient, bones and lesions stay the same."""

LATERAL_STOPS = 1.3
"""A lateral film is exposed for heart and spine: this many stops more than a frontal one, whose lungs come out at the
same grey; set by eye."""

DISPLACED_MM = 40.0
"""Soft tissue that bone displaces is counted up to this thickness along the ray."""


def weigh(
    body: Body, maps: Maps, bones: dict[str, Array], blood: Array, geometry: Geometry, rng: np.random.Generator
) -> physics.Mass:
    """Area densities in g/cm² on the full grid from all thickness maps in mm."""
    t = maps.thickness
    lungs = t["lung_left"] + t["lung_right"]
    lean = np.maximum(t["lean"] - lungs - t["air"], 0)
    fat = np.maximum(t["body"] - t["lean"], 0)
    # Muscle planes and fat between them: a faint, coarse grain in what would otherwise be perfectly smooth tissue.
    grain = physics.texture(geometry.size, geometry.pixel_mm, 3.2, 30.0, rng)
    fine = physics.texture(geometry.size, geometry.pixel_mm, 2.4, 14.0, rng)
    bone_mm = sum(bones.values()) + maps.enlarge(t["spine_bone"]) * np.float32(body.bone_density)
    share = np.minimum(maps.thick("body") / 60, 1)
    lung_share = maps.enlarge(np.minimum(lungs / 60, 1))
    soft = maps.enlarge(lean * np.float32(physics.DENSITY_G_CM3["soft"] / 10) + maps.parenchyma)
    # Air in bronchi counts as negative blood (Lesion.cloud).
    soft += blood * np.float32((physics.DENSITY_G_CM3["blood"] - body.lung_density) / 10)
    soft += (grain * np.float32(0.10) + fine * np.float32(0.10) * lung_share) * share
    soft -= np.minimum(bone_mm, DISPLACED_MM) * np.float32(physics.DENSITY_G_CM3["soft"] / 10)
    return physics.Mass(
        soft=np.maximum(soft, 0),
        fat=np.maximum(maps.enlarge(fat) * np.float32(physics.DENSITY_G_CM3["fat"] / 10), 0),
        bone=np.maximum(bone_mm, 0) * np.float32(physics.DENSITY_G_CM3["bone"] / 10),
    )


def add_devices(mass: physics.Mass, wall: Array | None, metal: Array | None) -> physics.Mass:
    """The mass with devices: mm of polymer wall as soft tissue, mm of iron as metal, both [H, W]."""
    if wall is None or metal is None:
        return mass
    soft = mass.soft + wall * np.float32(physics.DENSITY_G_CM3["soft"] / 10)
    return replace(mass, soft=soft, metal=metal * np.float32(physics.DENSITY_G_CM3["metal"] / 10))


def spawn(stream: int, spec: PhantomSpec) -> np.random.Generator:
    """The generator of one stream of random numbers of a film; each visit has streams of its own where asked by
    `VISIT_STREAMS`."""
    again = [spec.visit] if spec.visit and stream in VISIT_STREAMS else []
    return np.random.default_rng([stream, spec.seed, *again])


@dataclass(frozen=True, eq=False)
class Scene:
    """What stands in the beam, kept with a film so that further pictures can be taken of it.

    Attributes:
        spec: the film's specification with everything drawn.
        geometry: focus, patient and detector.
        mass: area densities in g/cm² [H, W].
        maps: thickness maps on the ray grid; silhouettes are dropped.
        bones: mm of cortical bone [H, W] by group.
        blood: mm of blood in lung vessels [H, W].
        lungs: mask [H, W] of both lung fields; sets exposure and grey scale.
    """

    spec: PhantomSpec
    geometry: Geometry
    mass: physics.Mass
    maps: Maps
    bones: dict[str, Array]
    blood: Array
    lungs: Mask

    def picture(self, mass: physics.Mass | None = None) -> Array:
        """The picture [H, W] float32 in [0, 1] of this scene, or of another mass under the same exposure and noise.

        Exposure level and grey scale stay those of the scene itself, so that two pictures can be subtracted.
        """
        return self.develop(mass)[0]

    def develop(self, mass: physics.Mass | None = None) -> tuple[Array, tuple[dict[str, Any], ...]]:
        """(picture as in `picture`, what is burned in); see PhantomFilm.annotations."""
        spec, rng = self.spec, spawn(31, self.spec)
        signal, level = _signal(self, self.mass, rng)
        like = None
        if mass is not None:
            rng, like = spawn(31, self.spec), signal
            signal, _ = _signal(self, mass, rng, level)
        stops = spec.exposure_stops + (LATERAL_STOPS if spec.view.value == "LATERAL" else 0.0)
        picture = display.render(signal, self.lungs, str(spec.processing), rng, like, stops)
        written: list[dict[str, Any]] = []
        if spec.marker:
            sign, ink = display.side_marker(len(picture), rng, spec.view.value == "LATERAL")
            picture = display.burn(picture, ink)
            where = display.burned_box(turn(ink, spec))
            written.append({"kind": "side_marker", "text": sign, "box": where, "identifying": False})
        picture = turn(1 - picture if spec.inverted else picture, spec)
        blocks = [("patient", name_block(spec))] if spec.name_block else []
        for kind, lines in blocks + [("text", (text,)) for text in spec.texts]:
            ink = display.write_text(len(picture), lines, [entry["box"] for entry in written])
            picture = display.burn_text(picture, ink)
            entry = {"kind": kind, "text": "\n".join(lines), "box": display.burned_box(ink)}
            written.append({**entry, "identifying": kind == "patient"})
        return (np.round(picture * DEPTH_16) / DEPTH_16).astype(np.float32), tuple(written)

    def bone_free(self) -> Array:
        """The picture [H, W] had all bone been soft tissue: same exposure, scatter physics, noise and grey scale."""
        displaced = np.minimum(self.mass.bone * np.float32(10 / physics.DENSITY_G_CM3["bone"]), DISPLACED_MM)
        soft = self.mass.soft + displaced * np.float32(physics.DENSITY_G_CM3["soft"] / 10)
        return self.picture(replace(self.mass, soft=soft, bone=np.zeros_like(self.mass.bone)))

    def layers(self) -> dict[str, Array]:
        """Thickness maps [H, W] in mm along the ray; see PhantomFilm.layers."""
        result = {name: self.maps.thick(name) for name in self.maps.thickness if name not in ("lean", "spine_bone")}
        result["fat"] = np.maximum(result["body"] - self.maps.thick("lean"), 0)
        result["bone"] = self.mass.bone * np.float32(10 / physics.DENSITY_G_CM3["bone"])
        for name, thickness in self.bones.items():
            result["bone_rest" if name == "other" else name] = np.maximum(thickness, 0)
        result["vessels"] = np.maximum(self.blood, 0)
        return {name: turn(thickness, self.spec) for name, thickness in result.items()}


def _signal(
    scene: Scene, mass: physics.Mass, rng: np.random.Generator, level: float | None = None
) -> tuple[Array, float]:
    """(detector signal [H, W], its level behind the lung); `level` sets the dose when it comes from another mass."""
    spec, pixel = scene.spec, scene.geometry.pixel_mm
    bedside = spec.view.value == "AP"
    look = rng.random(4)
    signal = physics.primary(mass)
    signal = physics.scattered(signal, (0.55 if bedside else 0.28) + 0.15 * look[0], 38.0, pixel)
    signal = physics.blur(signal, (0.16 + 0.08 * look[1] + (0.12 if bedside else 0)) / pixel)
    if level is None:
        level = float(np.median(signal[scene.lungs])) if scene.lungs.any() else float(np.median(signal))
    received = float(spec.dose or 1) * 2**spec.exposure_stops
    signal = physics.noisy(signal, level, received, pixel, 0.12 / pixel, rng)
    if spec.processing == "digital" and spec.exposure_stops > 0:
        signal = np.minimum(signal, np.float32(level * SATURATION / 2**spec.exposure_stops))
    return signal, level
