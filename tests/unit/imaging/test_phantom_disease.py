"""Lobes, cavities, tension, supine fluid, fractures and retained objects, each against the patient's exact truth."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy import ndimage

from imaging.failures import BadArguments
from imaging.phantom import LOBES, PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.phantom.body import Body, sample_body
from imaging.phantom.bones import skeleton
from imaging.phantom.fractures import break_ribs
from imaging.phantom.lesions import VOXEL_MM, Lesion, build, draws
from imaging.phantom.lobes import lobe_distance
from imaging.phantom.vessels import lung_voxels
from imaging.radiograph import View

SIZE = 192


@functools.cache
def film(*findings: str, seed: int = 4, **more: object) -> PhantomFilm:
    return make_phantom(PhantomSpec(seed=seed, size=SIZE, findings=tuple(map(parse_finding, findings)), **more))  # type: ignore[arg-type]


@functools.cache
def body(seed: int = 4) -> Body:
    return sample_body(PhantomSpec(seed=seed), np.random.default_rng([7, seed]))


def lesions(*findings: str) -> dict[str, Lesion]:
    specs = tuple(map(parse_finding, findings))
    return {lesion.name: lesion for lesion in build(body(), specs, np.random.default_rng(5))}


def pixel(f: PhantomFilm) -> float:
    assert f.radiograph.spacing_mm
    return f.radiograph.spacing_mm[0]


@pytest.mark.parametrize(
    "text",
    [
        "pneumothorax:left:tension:60%:shift=20mm",
        "consolidation:right:middle_lobe:80mm",
        "cavity:right:upper:fluid_level:40mm:wall=5mm",
        "fracture:left:lateral:8mm:rib7",
        "nodule:left:12mm:#2",
        "retained_needle:left:lower:30mm",
    ],
)
def test_text_forms_come_back(text: str) -> None:
    assert str(parse_finding(text)) == text
    assert parse_finding("consolidation:left_lower_lobe") == parse_finding("consolidation:lobe=lower_lobe:left")


@pytest.mark.parametrize(
    "text",
    [
        "effusion:tension",
        "pneumothorax:left:shift=20mm",
        "pneumothorax:tension:shift=90mm",
        "consolidation:left:middle_lobe",
        "consolidation:upper_lobe:lower",
        "nodule:upper_lobe",
        "cavity:20mm:wall=10mm",
        "fracture:rib12",
        "fracture:rib=6.5",
        "nodule:#0",
        "cavity:wall=3mm:wall=4mm",
    ],
)
def test_what_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(BadArguments):
        parse_finding(text)


def test_supine_fluid_veils_the_lung_and_keeps_its_volume() -> None:
    lying = film("effusion:left:900ml", view=View.AP)
    sitting = film("effusion:left:900ml", view=View.AP, position="erect")
    assert [f.findings[0]["parameters"]["layering"] for f in (lying, sitting)] == ["supine", "erect"]
    for f in (lying, sitting):
        assert f.findings[0]["parameters"]["volume_ml"] == pytest.approx(900, rel=0.01)
    upper = [f.masks["left_lung"].copy() for f in (lying, sitting)]
    for mask in upper:
        rows = np.flatnonzero(mask.any(1))
        mask[rows[0] + len(rows) // 2 :] = False
    covered = [f.masks["effusion_left"][half].mean() for f, half in zip((lying, sitting), upper, strict=True)]
    # Lying, fluid lies behind the whole lung; sitting, 900 ml do not reach its upper half's middle.
    assert covered[0] > 0.6 > 0.3 > covered[1]
    # The lung's own tissue is not lost: it crowds in front of the fluid.
    dry = film(view=View.AP)
    both = upper[0] & dry.masks["left_lung"]
    assert (lying.scene.mass.soft - dry.scene.mass.soft)[both].mean() > 0.3


def test_position_is_checked() -> None:
    with pytest.raises(BadArguments, match="supine"):
        PhantomSpec(position="supine")
    assert PhantomSpec(view=View.AP).supine and not PhantomSpec(view=View.AP, position="erect").supine


@pytest.mark.parametrize(("side", "sign"), [("left", 1), ("right", -1)])
def test_tension_shifts_heart_and_trachea_and_pushes_the_dome(side: str, sign: int) -> None:
    plain, tense = film(f"pneumothorax:{side}:50%"), film(f"pneumothorax:{side}:50%:tension:shift=20mm")
    told = tense.findings[0]["parameters"]
    assert told["tension"] and told["mediastinal_shift_mm"] == pytest.approx(20, abs=0.1)
    assert not plain.findings[0]["parameters"]["tension"]

    def moved(name: str) -> float:
        columns = [np.nonzero(f.masks[name])[1].mean() for f in (tense, plain)]
        return -sign * (columns[0] - columns[1]) * pixel(plain)

    # Away from the air by 20 mm of the patient, magnified 1.0 to 1.15 at the heart; less up the trachea.
    assert 19 < moved("heart") < 24 and 4 < moved("trachea") < moved("heart")
    shift = (tense.measures["carina_column"] - plain.measures["carina_column"]) * pixel(plain)
    assert 16 < -sign * shift < 22
    tops = [np.flatnonzero((f.masks["diaphragm"] & f.masks[f"{side}_lung"].any(0)).any(1))[0] for f in (tense, plain)]
    assert (
        tops[0] >= tops[1]
        and sign * (tense.measures["dome_difference_mm"]) > sign * plain.measures["dome_difference_mm"]
    )


def test_an_ett_goes_with_the_shifted_trachea() -> None:
    f = film("pneumothorax:left:50%:tension:shift=25mm", "ett:40mm")
    rows, columns = np.nonzero(f.masks["ett"])
    assert f.masks["trachea"][rows, columns].mean() > 0.7


def test_large_effusion_pushes_and_collapse_pulls_the_mediastinum() -> None:
    normal = film().measures["carina_column"]
    assert film("effusion:left:2600ml").measures["carina_column"] < normal - 2
    assert film("atelectasis:left:upper:1.0").measures["carina_column"] > normal + 2


def test_lobes_share_the_lung_without_gap_or_overlap() -> None:
    for side, names in ((1, ("upper_lobe", "lower_lobe")), (-1, LOBES)):
        space = lung_voxels(body(), side, VOXEL_MM)
        inside = np.array([lobe_distance(body(), side, lobe, *space.T) < 0 for lobe in names])
        assert (inside.sum(0) <= 1).all() and inside.any(0).mean() > 0.999
        assert (inside.mean(1) > 0.1).all()
    with pytest.raises(ValueError, match="middle_lobe"):
        lobe_distance(body(), 1, "middle_lobe", *space.T)


def test_an_airless_lobe_ends_sharply_at_its_fissure_with_bronchi_in_it() -> None:
    f = film("consolidation:right:upper_lobe")
    told, mask = f.findings[0]["parameters"], f.masks["consolidation_right"]
    assert told["lobe"] == "upper_lobe" and not mask[:, SIZE // 2 + 8 :].any()
    space = lung_voxels(body(), -1, VOXEL_MM)
    filled = (lobe_distance(body(), -1, "upper_lobe", *space.T) < 0).sum()
    assert told["volume_ml"] == pytest.approx(filled * VOXEL_MM**3 * np.prod(body().scale) / 1000, rel=1e-3)
    # From full to nothing across the horizontal fissure within 12 mm, in the middle of the lung field.
    column = round(np.nonzero(mask)[1].mean())
    depth = f.layers["consolidation_right"][:, column]
    last = np.flatnonzero(depth > 0.8 * depth.max())[-1]
    assert depth[last + round(12 / pixel(f)) :].max() < 0.1 * depth.max()
    # Air in bronchi stands against the tissue, nowhere else.
    assert f.scene.blood[mask].min() < -1 and f.scene.blood[~ndimage.binary_dilation(mask, iterations=3)].min() > -0.01
    assert film("consolidation:middle_lobe").findings[0]["side"] == "right"


@pytest.mark.parametrize("level", ["", ":fluid_level"])
def test_cavity_holds_the_air_its_wall_leaves(level: str) -> None:
    f, normal = film(f"cavity:right:48mm:wall=8mm{level}"), film()
    told, mask = f.findings[0]["parameters"], f.masks["cavity_right"]
    assert told["wall_mm"] == 8 and told["fluid_level"] == bool(level)
    lung = np.flatnonzero(f.masks["right_lung"].any(1))
    assert np.nonzero(mask)[0].mean() < lung[0] + len(lung) * 0.45
    air = f.layers["air"] - normal.layers["air"]
    assert air[~mask].max() < 3
    # 32 mm across, a little more or less by its lobulation; magnified in the plane only.
    assert 26 < air.max() < 40
    top, _, bottom, _ = f.boxes["cavity_right"]
    assert 44 < (bottom - top) * pixel(f) < 62
    if level:
        open_air = air > 6
        columns = np.flatnonzero(open_air.sum(0) > 3)
        floor = [np.flatnonzero(open_air[:, c])[-1] for c in columns]
        assert np.percentile(floor, 80) - np.percentile(floor, 20) <= 2
        assert 0.5 < air.sum() / (film("cavity:right:48mm:wall=8mm").layers["air"] - normal.layers["air"]).sum() < 0.95


def test_a_broken_rib_steps_by_what_is_said() -> None:
    bones = skeleton(body(), np.random.default_rng(1))
    clouds = []
    for step in (0, 12):
        chosen = draws((parse_finding(f"fracture:left:rib6:lateral:{step}mm"),), np.random.default_rng(5))
        broken, (fracture,) = break_ribs(body(), bones, chosen)
        assert fracture.parameters["rib"] == 6 and fracture.parameters["displacement_mm"] == step
        clouds.append(broken["rib_left_6"])
        assert all(broken[name] is bones[name] for name in bones if name != "rib_left_6")
    moved = np.linalg.norm((clouds[1].points - clouds[0].points) * np.array(body().scale), axis=1)
    assert moved.max() == pytest.approx(12, abs=0.1) and (moved == 0).mean() > 0.3
    # The gap took bone away: about its width's share of the rib's length.
    lost = 1 - clouds[0].volume.sum() / bones["rib_left_6"].volume.sum()
    assert 0.002 < lost < 0.02


def test_fracture_mask_lies_on_the_named_rib() -> None:
    f = film("fracture:right:rib5:posterior:10mm")
    found, mask = f.findings[0], f.masks["fracture_right"]
    assert (found["code"], found["side"], found["parameters"]["place"]) == ("fracture", "right", "posterior")
    assert f.masks["ribs"][mask].mean() > 0.95 and 20 < mask.sum() < 400 and np.nonzero(mask)[1].max() < SIZE / 2
    change = np.abs(f.layers["ribs_right"] - film().layers["ribs_right"]) > 0.5
    assert change.any() and ndimage.binary_dilation(mask, iterations=round(90 / pixel(f)))[change].all()
    assert np.array_equal(f.layers["ribs_left"], film().layers["ribs_left"])


def test_needle_has_the_steel_of_its_length() -> None:
    f = film("retained_needle:left:40mm")
    found, metal = f.findings[0], f.scene.mass.metal
    assert found["code"] == "retained_object" and found["side"] == "left" and metal is not None
    mm = metal * 10 / 7.874  # density of iron
    # A rod 0.9 mm thick whose last eighth tapers to 15 % of it (mean square of its width there 0.38); magnified by
    # 1.02 to 1.15 both ways on a PA film.
    steel = 40 * np.pi * 0.45**2 * (7 + 0.38) / 8
    assert 1.02**2 < mm.sum() * pixel(f) ** 2 / steel < 1.15**2
    top, left, bottom, right = f.boxes["retained_needle_left"]
    assert np.hypot(bottom - top, right - left) * pixel(f) < 40 * 1.25


def test_sponge_is_a_soft_mass_with_a_radiopaque_thread() -> None:
    f, normal = film("retained_sponge:right:60mm"), film()
    found, mask = f.findings[0], f.masks["retained_sponge_right"]
    assert found["code"] == "retained_object" and found["parameters"]["thread_mm"] > 150
    assert f.scene.mass.metal is not None and f.scene.mass.metal[mask].sum() > 0.95 * f.scene.mass.metal.sum()
    assert (f.scene.mass.soft - normal.scene.mass.soft)[mask].mean() > 0.4
    top, left, bottom, right = f.boxes["retained_sponge_right"]
    assert 30 < (bottom - top) * pixel(f) < 80 and 30 < (right - left) * pixel(f) < 80


def test_a_finding_stays_itself_whatever_stands_beside_it() -> None:
    points = np.random.default_rng(0).uniform((20, 20, -60), (110, 200, 60), (400, 3)).astype(np.float32).T
    names = ("mass:left:50mm", "nodule:left:12mm", "nodule:left:8mm", "consolidation:left:60mm")
    together = lesions(*names)
    assert list(together) == ["mass_left", "nodule_left", "nodule_left_1", "consolidation_left"]
    again = {
        "mass_left": lesions(names[3], names[0]),
        "consolidation_left": lesions(names[3]),
        "nodule_left": lesions(names[1]),
        "nodule_left_1": lesions("nodule:left:8mm:#2"),
    }
    for name, found in again.items():
        assert np.array_equal(together[name].distance(*points), found[name].distance(*points))
    assert not np.array_equal(together["nodule_left"].distance(*points), together["nodule_left_1"].distance(*points))


def test_a_growing_mass_keeps_its_lobulation() -> None:
    small = lesions("mass:left:30mm")["mass_left"]
    centre = np.array(small.parameters["centre_mm"]) / body().scale
    first, second = parse_finding("mass:left:30mm"), parse_finding("mass:left:60mm")
    grown = [
        build(body(), (type(s)(s.code, s.side, diameter_mm=s.value, place=tuple(centre)),), np.random.default_rng(5))[0]
        for s in (first, second)
    ]
    direction = np.random.default_rng(1).normal(size=(50, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    bumps = []
    for lesion, radius in zip(grown, (15.0, 30.0), strict=True):
        at = (centre + direction * radius / np.array(body().scale)).astype(np.float32)
        bumps.append(lesion.distance(*at.T) / radius)
    assert np.allclose(bumps[0], bumps[1], atol=2e-3) and np.ptp(bumps[0]) > 0.02


def test_patchy_consolidation_leaves_air_between_and_ground_glass_is_even() -> None:
    patchy, solid = lesions("consolidation:left:120mm:patchy"), lesions("consolidation:left:120mm")
    made, space = patchy["consolidation_left"], lung_voxels(body(), 1, VOXEL_MM)
    inside = space[made.distance(*space.T) < -8].T
    assert made.fill is not None and made.parameters["kind"] == "patchy"
    share = made.fill(*inside)
    # Same place and border as the solid one, but islands of it.
    assert np.array_equal(made.distance(*inside), solid["consolidation_left"].distance(*inside))
    assert 0.1 < (share > 0.8).mean() < 0.6 and 0.1 < (share < 0.1).mean() < 0.7
    glass = lesions("infiltration:left:100mm:ground_glass")["infiltration_left"]
    assert glass.fill is not None and glass.parameters["kind"] == "ground_glass"
    inside = space[glass.distance(*space.T) < 0].T
    offset = inside.T - np.array(glass.parameters["centre_mm"]) / np.array(body().scale)
    shell = np.abs(np.linalg.norm(offset * (1, 1 / 1.1, 1), axis=1) - 20) < 2
    assert np.ptp(glass.fill(*inside)[shell]) < 0.1 and glass.fill(*inside).max() < 0.7
