"""Anatomy of the phantom against the patient it was projected from: lateral view, lobes, chambers, bones, lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imaging.geometry import mask_box
from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.phantom.airways import RADIUS_MM, SEGMENTS, bronchi
from imaging.phantom.anatomy import CHAMBERS, LOBE_MASKS, STRUCTURES, VERTEBRAE
from imaging.phantom.body import Body, carina_point, spine_centre_z
from imaging.phantom.lobes import fissure_surfaces, horizontal, lobe_distance, lobe_of, oblique
from imaging.phantom.vessels import lung_distance, lung_voxels
from imaging.radiograph import View

SIZE = 160


def film(*findings: str, seed: int = 4, size: int = SIZE, **more: object) -> PhantomFilm:
    return make_phantom(PhantomSpec(seed=seed, size=size, findings=tuple(map(parse_finding, findings)), **more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def frontal() -> PhantomFilm:
    return film(rotation_deg=0.0)


@pytest.fixture(scope="module")
def lateral() -> PhantomFilm:
    return film(view=View.LATERAL, rotation_deg=0.0)


@pytest.fixture(scope="module")
def body(frontal: PhantomFilm) -> Body:
    return frontal.anatomy.body


def middle(mask: np.ndarray) -> tuple[float, float]:
    """(row, column) of a mask's centre."""
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


def test_lateral_film_shows_the_same_patient_from_the_left(frontal: PhantomFilm, lateral: PhantomFilm) -> None:
    assert lateral.radiograph.view is View.LATERAL
    one, other = frontal.anatomy.body, lateral.anatomy.body
    assert replace(other, arms_up=False) == one and other.arms_up
    # The patient looks to the picture's left: sternum, heart, trachea and spine from left to right.
    columns = [middle(lateral.masks[name])[1] for name in ("heart", "descending_aorta", "spine")]
    assert columns == sorted(columns) and columns[2] > SIZE / 2
    assert middle(lateral.masks["ascending_aorta"])[1] < middle(lateral.masks["trachea"])[1]
    # Geometry by hand: the carina is magnified from the left side's detector at 180 cm.
    shot, (x, y, z) = lateral.scene.geometry, (c * s for c, s in zip(carina_point(), other.scale, strict=True))
    scale = 1800 / (1800 - (shot.detector - x))
    column = (z * scale - shot.centre_u) / shot.pixel_mm + SIZE / 2 - 0.5
    assert lateral.measures["carina_column"] == pytest.approx(column, abs=0.2)
    row = ((y - shot.tilt * x - shot.central_y) * scale - shot.centre_v) / shot.pixel_mm + SIZE / 2 - 0.5
    assert lateral.measures["carina_row"] == pytest.approx(row, abs=0.2)


def test_lateral_measures_and_masks(lateral: PhantomFilm) -> None:
    m = lateral.measures
    assert "cardiothoracic_ratio" not in m and "mediastinal_width_mm" not in m
    # A chest is 170 to 280 mm deep and its heart 90 to 160 mm on a lateral film.
    assert 170 < m["thorax_depth_mm"] < 280 and 90 < m["heart_depth_mm"] < 160
    lungs = [lateral.masks[f"{side}_lung"] for side in ("left", "right")]
    assert (lungs[0] & lungs[1]).sum() > 0.8 * lungs[0].sum()
    assert (lateral.masks["heart"] & lungs[0]).sum() > 0.6 * lateral.masks["heart"].sum()
    assert not (lungs[0] & lateral.masks["diaphragm_left"]).sum() > 0.02 * lungs[0].sum()
    pixels = lateral.radiograph.pixels
    clear = lungs[0] & lungs[1] & ~lateral.masks["heart"] & ~lateral.masks["mediastinum"] & ~lateral.masks["spine"]
    assert pixels[lateral.masks["liver"]].mean() > pixels[clear].mean() + 0.15


def test_arms_are_raised_off_the_lateral_lungs(lateral: PhantomFilm) -> None:
    # The right shoulder stands farthest from the detector: its shaft lies above the lungs' upper quarter.
    humeri = [lateral.anatomy.clouds[f"humerus_{side}"].points for side in ("left", "right")]
    assert all(np.median(points[:, 1]) < 0 for points in humeri)
    assert max(points[:, 1].max() for points in humeri) < 40


def test_cardiomegaly_of_a_lateral_film_is_that_of_the_pa_film() -> None:
    spec = PhantomSpec(seed=3, size=64, findings=(parse_finding("cardiomegaly:0.62"),))
    pa, side = make_phantom(spec), make_phantom(replace(spec, view=View.LATERAL))
    assert pa.anatomy.body.heart_scale == side.anatomy.body.heart_scale > 1.1


@pytest.mark.parametrize("text", ["effusion:left:700ml", "mass:right:upper:50mm", "pacemaker"])
def test_findings_are_seen_on_a_lateral_film(lateral: PhantomFilm, text: str) -> None:
    f = film(text, view=View.LATERAL, rotation_deg=0.0)
    mask = f.masks[f.findings[0]["mask"]]
    assert f.findings[0]["visible"] and mask.any()
    changed = f.radiograph.pixels - lateral.radiograph.pixels
    assert changed[mask].mean() > 0.01


@pytest.mark.parametrize("side", [1, -1])
def test_lobes_partition_a_lung(body: Body, side: int) -> None:
    space = lung_voxels(body, side, 9.0)
    inside = np.array([lobe_distance(body, side, lobe, *space.T) < 0 for lobe in SEGMENTS[side]])
    # Points on a fissure itself belong to no lobe; there are next to none.
    assert inside.sum(0).max() == 1 and inside.any(0).mean() > 0.999
    assert (inside.mean(1) > 0.05).all()
    for number, lobe in enumerate(SEGMENTS[side]):
        point = space[inside[number]][0]
        assert lobe_of(body, side, *map(float, point)) == lobe


def test_lobe_masks_cover_the_lung_fields(frontal: PhantomFilm) -> None:
    for side in ("left", "right"):
        field = frontal.masks[f"{side}_lung"]
        parts = [frontal.masks[name] for name in LOBE_MASKS if name.startswith(side)]
        assert not (np.logical_or.reduce(parts) & ~field).any()
        assert np.logical_or.reduce(parts).sum() > 0.995 * field.sum()
    rows = [middle(frontal.masks[f"right_{lobe}"])[0] for lobe in ("upper_lobe", "middle_lobe")]
    assert rows[0] < rows[1]


def test_fissures_lie_between_their_lobes_and_inside_the_lung(body: Body, frontal: PhantomFilm) -> None:
    clouds = fissure_surfaces(body, -1, 4.0)
    assert set(clouds) == {"oblique_fissure", "horizontal_fissure"}
    assert set(fissure_surfaces(body, 1, 4.0)) == {"oblique_fissure"}
    for cloud in clouds.values():
        assert (lung_distance(body, -1, *cloud.points.T) < 0).all()
    assert np.abs(oblique(body, -1, *clouds["oblique_fissure"].points.T)).max() < 1e-3
    assert np.abs(horizontal(body, *clouds["horizontal_fissure"].points.T)).max() < 1e-3
    # The oblique fissure falls forwards from T4/T5: at the back at y = 75 mm, at the front near the dome.
    points = clouds["oblique_fissure"].points
    back, front = points[points[:, 2] > 60], points[points[:, 2] < -50]
    assert 60 < back[:, 1].mean() < 120 and abs(front[:, 1].mean() - body.dome_right) < 40
    # Seen on the frontal film where it should be: in the right lung field, between upper and middle lobe.
    line = frontal.lines["horizontal_fissure"].round().astype(int)
    assert len(line) > 20 and frontal.masks["right_lung"][line[:, 0], line[:, 1]].all()
    near = frontal.masks["right_upper_lobe"] & frontal.masks["right_middle_lobe"]
    assert near[line[:, 0], line[:, 1]].mean() > 0.5


def test_lateral_film_has_both_domes_and_fissures(lateral: PhantomFilm) -> None:
    lines = lateral.lines
    assert {"dome_left", "dome_right", "oblique_fissure_left", "oblique_fissure_right"} <= set(lines)
    line = lines["oblique_fissure_left"]
    # From the back (right of the picture) above to the front below.
    assert np.corrcoef(line[:, 0], line[:, 1])[0, 1] < -0.9
    tops = {side: lines[f"dome_{side}"][:, 0].min() for side in ("left", "right")}
    body, shot = lateral.anatomy.body, lateral.scene.geometry
    # Both tops at 58 mm beside the midline, 22 mm before the spine's axis system: projected by hand.
    for side, sign, y in (("left", 1, body.dome_left), ("right", -1, body.dome_right)):
        point = np.array([[sign * 58.0, y, -22.0]]) * np.array(body.scale)
        assert tops[side] == pytest.approx(float(shot.project(point)[0][0]), abs=3.5)


def test_chambers_make_up_the_heart(frontal: PhantomFilm, lateral: PhantomFilm) -> None:
    for f in (frontal, lateral):
        heart = f.masks["heart"]
        parts = np.logical_or.reduce([f.masks[name] for name in CHAMBERS])
        assert not (parts & ~heart).any() and parts.sum() > 0.99 * heart.sum()
    at = {name: middle(frontal.masks[name]) for name in CHAMBERS}
    # Patient's left is at the picture's right; the left atrium lies above and, seen from the side, behind.
    assert at["left_ventricle"][1] > at["right_ventricle"][1] > at["right_atrium"][1]
    assert at["left_atrium"][0] < at["left_ventricle"][0]
    assert middle(lateral.masks["left_atrium"])[1] > middle(lateral.masks["right_ventricle"])[1] + 5
    found, whole = mask_box(frontal.masks["left_ventricle"]), frontal.boxes["heart"]
    assert found is not None and found[3] == whole[3] and frontal.boxes["right_atrium"][1] == whole[1]


def test_vertebrae_and_ribs_are_counted_downwards(frontal: PhantomFilm) -> None:
    rows = [middle(frontal.masks[name])[0] for name in VERTEBRAE]
    body, shot = frontal.anatomy.body, frontal.scene.geometry
    for k, row in enumerate(rows):
        y = -4.0 + 22.5 * k
        point = np.array([[0.0, y, float(spine_centre_z(y))]]) * np.array(body.scale)
        assert row == pytest.approx(float(shot.project(point)[0][0]), abs=2.0) or not 5 < row < SIZE - 10
    for side in ("left", "right"):
        tops = [frontal.boxes[f"rib_{side}_{k}"][0] for k in range(1, 11)]
        assert tops == sorted(tops)
        assert (middle(frontal.masks[f"scapula_{side}"])[1] > SIZE / 2) == (side == "left")
        ribs = np.logical_or.reduce([frontal.masks[f"rib_{side}_{k}"] for k in range(1, 13)])
        assert (frontal.masks["ribs"] & ribs).sum() > 0.9 * ribs.sum()


def test_bronchi_reach_every_lobe_and_leave_the_trachea_alone(frontal: PhantomFilm, body: Body) -> None:
    for side, lobes in SEGMENTS.items():
        space = lung_voxels(body, side, 9.0)
        for lobe, count in lobes.items():
            nodes, parent, radius = bronchi(body, side, lobe, space, np.random.default_rng(1))
            assert (parent[1:] < np.arange(1, len(parent))).all() and set(radius) == {*np.float32(RADIUS_MM)}
            tips = nodes[np.setdiff1d(np.arange(len(nodes)), parent)]
            assert len(tips) == 2 * count
            assert np.mean([lobe_of(body, side, *map(float, tip)) == lobe for tip in tips]) > 0.8
    airways, trachea = frontal.masks["airways"], frontal.masks["trachea"]
    assert (airways & trachea).sum() == trachea.sum() and airways.sum() > 1.5 * trachea.sum()


def test_mediastinal_lines_lie_where_lung_ends(frontal: PhantomFilm) -> None:
    lines, masks = frontal.lines, frontal.masks
    assert {
        "right_paratracheal_stripe",
        "azygo_oesophageal_line",
        "left_paraspinal_line",
        "right_paraspinal_line",
        "descending_aortic_line",
        "anterior_junction_line",
    } <= set(lines)
    assert all(line.dtype == np.float32 and line.shape[1] == 2 for line in lines.values())
    pixel = frontal.scene.geometry.pixel_mm
    # The right tracheal wall is 1 to 4 mm thick: the stripe stands that far, magnified, right of the air column.
    wall = []
    for row, column in lines["right_paratracheal_stripe"]:
        air = np.flatnonzero(masks["trachea"][round(float(row))])
        wall.append((air[0] - 0.5 - column) * pixel)
    assert 0 < np.median(wall) < 6
    spine = masks["spine"]
    for name, edge in (("left_paraspinal_line", -1), ("right_paraspinal_line", 0)):
        line = lines[name]
        found = [np.flatnonzero(spine[round(float(row))])[edge] for row in line[:, 0]]
        assert np.median(np.abs(line[:, 1] - found)) < 2.5
    aorta = [np.flatnonzero(masks["descending_aorta"][round(float(r))])[-1] for r, _ in lines["descending_aortic_line"]]
    assert np.median(np.abs(lines["descending_aortic_line"][:, 1] - aorta)) < 2


def test_structures_are_masks_on_first_use(frontal: PhantomFilm) -> None:
    assert set(STRUCTURES) <= set(frontal.masks) and len(frontal.masks) == len(set(frontal.masks))
    assert frontal.masks["liver"].dtype == bool and frontal.masks["liver"].shape == (SIZE, SIZE)
    assert frontal.masks["liver"] is frontal.masks["liver"] and "gastric_bubble" in frontal.boxes
    assert middle(frontal.masks["liver"])[1] < SIZE / 2 < middle(frontal.masks["gastric_bubble"])[1]
    with pytest.raises(KeyError):
        frontal.masks["spleen"]


def test_turned_films_turn_structures_and_lines() -> None:
    spec = PhantomSpec(seed=4, size=96, rotation_deg=0.0)
    plain, turned = make_phantom(spec), make_phantom(replace(spec, turned_deg=90))
    assert np.array_equal(turned.masks["left_ventricle"], np.rot90(plain.masks["left_ventricle"], -1))
    line, moved = plain.lines["dome_right"], turned.lines["dome_right"]
    assert np.allclose(moved, np.stack([line[:, 1], 95 - line[:, 0]], axis=1))


def test_a_focal_finding_names_its_lobe() -> None:
    f = film("nodule:right:upper:20mm", "mass:left:lower:40mm", size=64)
    body = f.anatomy.body
    for found, sign in zip(f.findings, (-1, 1), strict=True):
        centre = [c / s for c, s in zip(found["parameters"]["centre_mm"], body.scale, strict=True)]
        assert found["parameters"]["lobe"] == lobe_of(body, sign, *centre)
