"""make_phantom: specification → film, masks, boxes, measures and findings, all from one projection."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imaging.cores import core_count
from imaging.phantom import physics
from imaging.phantom.anatomy import Anatomy, Boxes, StructureMasks
from imaging.phantom.body import Body, sample_body
from imaging.phantom.bones import Cloud, join, skeleton
from imaging.phantom.devices import Device, place_devices, project
from imaging.phantom.diffuse import reshape
from imaging.phantom.exposure import COARSE_PIXELS, Maps, expose, stand
from imaging.phantom.faults import aim, outside, turn, turn_measures, turn_point, withhold
from imaging.phantom.fractures import Fracture, break_ribs, fracture_masks
from imaging.phantom.lesions import Lesion, build, draws
from imaging.phantom.lobes import lobe_of
from imaging.phantom.masks import Mask, collect, ratio_by_heart_scale
from imaging.phantom.measures import measure
from imaging.phantom.picture import Scene, add_devices, spawn, weigh
from imaging.phantom.projection import Geometry, splat
from imaging.phantom.spec import PhantomSpec
from imaging.phantom.thin import project_thin
from imaging.phantom.vessels import vessels
from imaging.radiograph import Radiograph, Source, SpacingOrigin, View, canonical, film_id

Array = npt.NDArray[np.float32]
March = Callable[[Body, list[Lesion], Geometry], Maps]

WARNING = "SYNTHETIC: this film was computed by Hilum's phantom; it shows no real patient."
"""First warning of every phantom film."""


@dataclass(frozen=True, eq=False)
class PhantomFilm:
    """A synthetic film with its truth.

    Attributes:
        radiograph: the film; spacing_mm is in the detector plane (IMAGER).
        masks: bool [H, W] by structure and lesion name; those of imaging.phantom.anatomy.STRUCTURES (lobes, chambers,
            great vessels, organs, vertebrae, single ribs ...) are computed on first use. left_lung/right_lung are lung
            fields as SCR draws them: inside the rib cage, beside heart and mediastinum, above the diaphragm; fluid and
            free air included; on a lateral film all that rays through a lung meet above its dome. 'aerated_left' and
            'aerated_right' leave fluid, free air and dense disease out.
        boxes: (row_min, col_min, row_max, col_max) per mask, max exclusive; lists those of the ready masks.
        measures: cardiothoracic_ratio, heart_width_mm and more, defined in imaging.phantom.measures.measure; mm are in
            the detector plane.
        annotations: what is burned in, one entry each: kind ('side_marker', 'patient', 'text'), text, box, identifying.
        findings: code, side, status 'present', parameters with units in their names (mm and ml of the patient).
        spec: what was asked, with everything that was drawn filled in.
        scene: what stood in the beam; further pictures and maps are computed from it when asked for.
    """

    radiograph: Radiograph
    masks: Mapping[str, Mask] = field(repr=False)
    boxes: Mapping[str, tuple[int, int, int, int]]
    measures: dict[str, float]
    findings: tuple[dict[str, Any], ...]
    annotations: tuple[dict[str, Any], ...]
    spec: PhantomSpec
    scene: Scene = field(repr=False)
    anatomy: Anatomy = field(repr=False)

    @cached_property
    def lines(self) -> dict[str, Array]:
        """Polylines [N, 2] float32 (row, column) of fissures, domes and mediastinal lines, by name; computed on first
        use, see imaging.phantom.lines.lines."""
        from imaging.phantom.lines import lines

        size = self.spec.size
        return {
            name: np.array([turn_point(float(r), float(c), size, self.spec) for r, c in line], dtype=np.float32)
            for name, line in lines(self.anatomy).items()
        }

    @cached_property
    def bone_free(self) -> Array:
        """The same film without bone, pixels [H, W] float32 in [0, 1]: bone is replaced by soft tissue before exposure,
        with the film's own noise, grey scale and side marker. Computed on first use."""
        return self.scene.bone_free()

    @cached_property
    def bone_only(self) -> Array:
        """What bone adds to the film, [H, W] float32 in [0, 1]: film minus `bone_free`, never negative."""
        result: Array = np.maximum(self.radiograph.pixels - self.bone_free, 0).astype(np.float32)
        return result

    @cached_property
    def layers(self) -> dict[str, Array]:
        """Thickness maps [H, W] float32 in mm of patient along each ray, computed on first use.

        'body', 'fat', 'lung_left', 'lung_right', 'air', 'heart', 'vessels', one per lesion, and mm of cortical bone in
        'bone' (all), 'ribs_left', 'ribs_right', 'clavicle_left', 'clavicle_right', 'bone_rest' (without vertebral
        bodies).
        """
        return self.scene.layers()

    def write_png(self, path: str | Path, bits: int = 8) -> None:
        """See imaging.phantom.files.write_png."""
        from imaging.phantom.files import write_png

        write_png(self, path, bits)

    def write_dicom(self, path: str | Path, bits: int = 12, monochrome: int = 2, modality: str = "DX") -> None:
        """See imaging.phantom.files.write_dicom."""
        from imaging.phantom.files import write_dicom

        write_dicom(self, path, bits, monochrome, modality)

    def facts(self) -> dict[str, Any]:
        """See imaging.phantom.facts.facts."""
        from imaging.phantom.facts import facts

        return facts(self)

    def report(self) -> str:
        """See imaging.phantom.report.report."""
        from imaging.phantom.report import report

        return report(self)


def make_phantom(spec: PhantomSpec, threads: int | None = None) -> PhantomFilm:
    """The film of one specification. Same specification, same pixels (on one machine).

    Args:
        spec: what to show.
        threads: threads that work at it; one per core when left out. The pixels do not depend on it.
    """
    with ThreadPoolExecutor(threads or core_count()) as pool:
        return compose(spec, pool, partial(expose, pool=pool))


def compose(spec: PhantomSpec, pool: Executor, march: March) -> PhantomFilm:
    """The film of one specification; what does not wait for another part is given to `pool`.

    Args:
        spec: what to show.
        pool: threads; none of the parts given to it waits for another.
        march: `expose`, or its counterpart on a device.
    """
    rng = np.random.default_rng([7, spec.seed])
    body = sample_body(spec, rng)
    spec = _filled(spec, body, spawn(11, spec))
    geometry = _stand(spec, body, spawn(13, spec))
    chosen = [(f, [sign for _, sign in sides]) for f, sides, _ in draws(spec.findings, spawn(17, spec))]
    body = _fit_heart(spec, reshape(body, chosen), _ratio_geometry(spec, body, geometry))
    lesions = build(body, spec.findings, spawn(17, spec))
    geometry, wide = aim(spec, body, lesions, geometry)
    skeletal = pool.submit(_bones, body, spec, geometry)
    vascular = pool.submit(_project_vessels, body, lesions, geometry, spawn(23, spec))
    tenuous = pool.submit(project_thin, body, lesions, geometry, spawn(37, spec))
    maps = march(body, lesions, geometry)
    (bones, fractures, bone_maps), blood, thin = skeletal.result(), vascular.result(), tenuous.result()
    weighed = pool.submit(weigh, body, maps, bone_maps, blood, geometry, spawn(29, spec))
    masks = collect(maps, bone_maps, lesions)
    devices = place_devices(body, draws(spec.findings, spawn(17, spec)))
    device_masks, wall, metal, distances = project(body, devices, geometry)
    masks.update(device_masks)
    masks.update(fracture_masks(body, fractures, geometry))
    mass = weighed.result()
    mass = replace(mass, soft=np.maximum(mass.soft + thin.density, 0))
    mass = add_devices(mass, wall, metal)
    lungs = masks["left_lung"] | masks["right_lung"]
    if maps.lateral:
        # Exposure and grey scale go by lung that nothing dense lies over, as on a frontal film.
        lungs &= ~(masks["mediastinum"] | masks["heart"] | masks["diaphragm"] | masks["spine"])
    scene = Scene(spec, geometry, mass, replace(maps, silhouette={}), bone_maps, blood, lungs)
    measures = withhold({**measure(masks, body, geometry), **distances}, masks)
    measures.update(outside(masks, body, lesions, geometry, wide))
    fields = {name: masks[name] for name in ("left_lung", "right_lung", "heart")}
    grid = min(spec.size, COARSE_PIXELS)
    anatomy = Anatomy(body, geometry, bones, masks["trachea"], thin.airways, lesions, fields, grid)
    ready = {name: turn(mask, spec) for name, mask in masks.items()}
    shown = StructureMasks(ready, anatomy, partial(turn, spec=spec))
    picture, annotations = scene.develop()
    return PhantomFilm(
        radiograph=_radiograph(spec, geometry, picture),
        masks=shown,
        boxes=Boxes(shown, list(ready)),
        measures=turn_measures(measures, spec.size, spec),
        annotations=annotations,
        findings=_findings(body, spec, [*lesions, *fractures], devices, shown),
        spec=spec,
        scene=scene,
        anatomy=anatomy,
    )


def _filled(spec: PhantomSpec, body: Body, rng: np.random.Generator) -> PhantomSpec:
    """The spec with everything that was drawn written in."""
    u, n = rng.random(8), rng.standard_normal(4).clip(-2, 2)

    def pick(value: Any, drawn: Any) -> Any:
        return drawn if value is None else value

    return replace(
        spec,
        field_mm=pick(spec.field_mm, float(round(352 + 62 * u[0] ** 1.6, 1))),
        age_years=body.age_years,
        sex=body.sex,
        habitus=body.habitus,
        inspiration=body.inspiration,
        rotation_deg=pick(spec.rotation_deg, float(round(1.8 * n[0], 2))),
        dose=pick(spec.dose, float(round(2 ** (0.6 * n[1]), 3))),
        processing=pick(spec.processing, "film" if u[1] < 0.5 else "digital"),
        marker=pick(spec.marker, bool(u[2] < 0.7)),
    )


def _stand(spec: PhantomSpec, body: Body, rng: np.random.Generator) -> Geometry:
    """Patient, focus and detector with the small errors of positioning."""
    n = rng.standard_normal(3).clip(-2, 2)
    shift = (float(4.0 * n[0]), float(6.0 + 9.0 * n[1]))
    tilt = float(0.02 * n[2] + (0.05 if spec.view.value == "AP" else 0.0))
    if spec.tilt_deg is not None:
        tilt = math.tan(math.radians(spec.tilt_deg))
    return stand(body, spec.view, spec.size, float(spec.field_mm or 0), shift, float(spec.rotation_deg or 0), tilt)


def _ratio_geometry(spec: PhantomSpec, body: Body, geometry: Geometry) -> Geometry:
    """The geometry in which a cardiothoracic ratio is read: the film's own, or for a lateral film its PA film's."""
    if spec.view is not View.LATERAL:
        return geometry
    return _stand(replace(spec, view=View.PA), body, spawn(13, spec))


def _fit_heart(spec: PhantomSpec, body: Body, geometry: Geometry) -> Body:
    """Give the heart the size that meets the target ratio of a cardiomegaly finding, by bisection on the projection."""
    targets = [f.value for f in spec.findings if f.code == "cardiomegaly"]
    if not targets:
        return body
    ratio = ratio_by_heart_scale(body, geometry)
    low, high = 0.6, 2.4
    for _ in range(13):
        middle = (low + high) / 2
        if ratio(middle) < targets[-1]:
            low = middle
        else:
            high = middle
    return replace(body, heart_scale=(low + high) / 2)


def _bones(
    body: Body, spec: PhantomSpec, geometry: Geometry
) -> tuple[dict[str, Cloud], list[Fracture], dict[str, Array]]:
    """(clouds by bone, fractures, maps of `_project_bones`) of the skeleton with its broken ribs."""
    bones, fractures = break_ribs(body, skeleton(body, spawn(19, spec)), draws(spec.findings, spawn(17, spec)))
    return bones, fractures, _project_bones(body, bones, geometry)


def _project_bones(body: Body, bones: dict[str, Cloud], geometry: Geometry) -> dict[str, Array]:
    """Thickness (mm of cortical bone) maps [H, W] per group: ribs_left, ribs_right, clavicle_*, other."""
    groups: dict[str, list[Cloud]] = {}
    for name, cloud in bones.items():
        part, _, rest = name.partition("_")
        key = f"ribs_{rest.split('_')[0]}" if part == "rib" else name if part == "clavicle" else "other"
        groups.setdefault(key, []).append(cloud)
    scale = np.array(body.scale, dtype=np.float32)
    factor = np.float32(np.prod(scale) * body.bone_density)
    result = {}
    for key, clouds in groups.items():
        cloud = join(clouds)
        result[key] = physics.blur(
            splat(geometry, cloud.points * scale, cloud.volume * factor), 0.45 / geometry.pixel_mm
        )
    return result


def _project_vessels(body: Body, lesions: list[Lesion], geometry: Geometry, rng: np.random.Generator) -> Array:
    """Thickness (mm of blood) map [H, W] of both lungs' vessels; they follow a collapsed lung and vanish in fluid."""
    scale = np.array(body.scale, dtype=np.float32)
    parts = []
    for side in (1, -1):
        cloud = vessels(body, side, rng)
        points, volume = cloud.points, cloud.volume
        for lesion in lesions:
            if lesion.sign != side:
                continue
            if lesion.cloud:
                parts.append(lesion.cloud)
            if lesion.collapse:
                anchor, factor = lesion.collapse
                points = (np.array(anchor) + (points - np.array(anchor)) * factor).astype(np.float32)
            inside = lesion.distance(points[:, 0], points[:, 1], points[:, 2]) < 0
            kept = max(0.0, 0.95 - lesion.density) if lesion.density else 0
            volume = np.where(inside, volume * np.float32(kept if lesion.vessels is None else lesion.vessels), volume)
        parts.append(Cloud(points, volume))
    cloud = join(parts)
    return physics.blur(splat(geometry, cloud.points * scale, cloud.volume * np.prod(scale)), 0.30 / geometry.pixel_mm)


def _radiograph(spec: PhantomSpec, geometry: Geometry, pixels: Array) -> Radiograph:
    """The film in Hilum's own form."""
    film = canonical(pixels)
    rows, columns = film.shape
    return Radiograph(
        id=film_id(film),
        pixels=film,
        source=Source("phantom", rows, columns, 16, "MONOCHROME2"),
        spacing_mm=(geometry.pixel_mm, geometry.pixel_mm),
        spacing_origin=SpacingOrigin.IMAGER,
        view=spec.view,
        view_origin="header",
        acquired=spec.date,
        age_years=spec.age_years,
        sex=spec.sex,
        warnings=(WARNING,),
    )


def _findings(
    body: Body,
    spec: PhantomSpec,
    lesions: Sequence[Lesion | Fracture],
    devices: list[Device],
    masks: Mapping[str, Mask],
) -> tuple[dict[str, Any], ...]:
    """What the film shows, in the ontology's codes, one entry per lesion, fracture, device and retained object."""

    def entry(code: str, side: str | None, mask: str, parameters: dict[str, Any]) -> dict[str, Any]:
        seen = bool(masks[mask].any())
        return {
            "code": code, "side": side, "status": "present", "mask": mask, "visible": seen, "parameters": parameters
        }  # fmt: skip

    found = [entry(s.code, s.side, s.name, {**s.parameters, **_lobe(body, s)}) for s in lesions]
    found += [entry(d.finding, d.side, d.name, {"device": d.code, **d.parameters}) for d in devices]
    found += [
        entry("cardiomegaly", None, "heart", {"target_ratio": asked.value})
        for asked in spec.findings
        if asked.code == "cardiomegaly"
    ]
    return tuple(found)


def _lobe(body: Body, lesion: Lesion | Fracture) -> dict[str, str]:
    """{'lobe': ...} of a lesion whose centre lies in a lung, where it does not name its lobe itself."""
    centre = lesion.parameters.get("centre_mm")
    if not isinstance(lesion, Lesion) or not lesion.sign or not centre or "lobe" in lesion.parameters:
        return {}
    x, y, z = (float(c) / s for c, s in zip(centre, body.scale, strict=True))
    return {"lobe": lobe_of(body, lesion.sign, x, y, z)}
