"""What a phantom film knows beside its picture: bone-free twin, thickness maps, measures."""

from __future__ import annotations

import numpy as np
import pytest

from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.phantom.measures import costophrenic_angle, dome_height

SIZE = 256


def film(*findings: str, seed: int = 4, size: int = SIZE, **more: object) -> PhantomFilm:
    return make_phantom(PhantomSpec(seed=seed, size=size, findings=tuple(map(parse_finding, findings)), **more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def normal() -> PhantomFilm:
    return film()


@pytest.mark.parametrize("processing", ["film", "digital"])
def test_bone_free_takes_the_ribs_away_and_nothing_else(processing: str) -> None:
    f = film(processing=processing, marker=False)
    free, only = f.bone_free, f.bone_only
    assert free.dtype == np.float32 and free.shape == (SIZE, SIZE) and free.min() >= 0 and free.max() <= 1
    assert only.min() >= 0 and np.abs(free + only - f.radiograph.pixels).max() < 0.08
    lungs = f.masks["left_lung"] | f.masks["right_lung"]
    rib = lungs & (f.layers["bone"] > 2)
    gap = lungs & (f.layers["bone"] < 0.01)
    assert only[rib].mean() > 0.04 > 0.02 > only[gap].mean()
    # Ribs no longer show: what is left does not follow the bone's thickness.
    thick = f.layers["bone"][lungs]
    seen = [abs(np.corrcoef(thick, image[lungs])[0, 1]) for image in (f.radiograph.pixels, free)]
    assert seen[1] < seen[0] - 0.1


def test_bone_free_is_the_same_each_time(normal: PhantomFilm) -> None:
    assert np.array_equal(normal.bone_free, film().bone_free)


def test_layers_are_thicknesses_of_the_patient(normal: PhantomFilm) -> None:
    layers = normal.layers
    assert all(v.shape == (SIZE, SIZE) and v.dtype == np.float32 and v.min() >= 0 for v in layers.values())
    lung = normal.masks["left_lung"]
    # Antero-posterior: a trunk of 180-330 mm, lung of 60-200 mm behind the lung field.
    assert 160 < layers["body"][lung].mean() < 340 and 60 < layers["lung_left"][lung].mean() < 200
    assert layers["lung_left"][normal.masks["right_lung"]].mean() < 5
    parts = sum(layers[k] for k in ("ribs_left", "ribs_right", "clavicle_left", "clavicle_right", "bone_rest"))
    assert np.allclose(np.minimum(parts, layers["bone"]), parts, atol=0.05)


def test_layers_hold_lesions() -> None:
    f = film("effusion:left:600ml")
    thickness, pixel = f.layers["effusion_left"], f.radiograph.spacing_mm[0]
    # Rays fan out: detector area shrinks by about 1.1 squared at the patient.
    assert thickness.sum() * pixel**2 / 1000 / 1.1**2 == pytest.approx(600, rel=0.12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_measures_are_human(seed: int) -> None:
    m = film(seed=seed).measures
    # PA chest films: mediastinum below 80 mm at the knob, knob 20-40 mm, main bronchi 50-100 degrees apart.
    assert 50 < m["mediastinal_width_mm"] < 90 and 15 < m["aortic_knob_width_mm"] < 45
    assert 50 < m["carina_angle_deg"] < 100 and 70 < m["carina_below_apex_mm"] < 130
    for side in ("left", "right"):
        assert 20 < m[f"{side}_costophrenic_angle_deg"] < 75 and 25 < m[f"{side}_dome_height_mm"] < 90
    assert -15 < m["dome_difference_mm"] < 35


@pytest.mark.parametrize(("inspiration", "ribs"), [(0.0, 7.0), (0.5, 8.5), (1.0, 10.0)])
def test_a_breath_spans_three_posterior_ribs(inspiration: float, ribs: float) -> None:
    # PhantomSpec.inspiration: 7 ribs when poor, 10 when full; bodies differ by up to a rib, their mean by less.
    found = [film(seed=s, size=96, inspiration=inspiration).measures["posterior_ribs"] for s in range(4)]
    assert np.mean(found) == pytest.approx(ribs, abs=0.4) and np.ptp(found) < 1.2


def test_posterior_ribs_are_those_above_the_dome(normal: PhantomFilm) -> None:
    count = normal.measures["posterior_ribs"]
    top = normal.lines["dome_right"]
    row, column = (round(float(v)) for v in top[top[:, 0].argmin()])
    # Each whole rib's shadow reaches that column above the dome; the next one's back part does not.
    for number in range(2, int(count) + 1):
        shadow = np.flatnonzero(normal.masks[f"rib_right_{number}"][:, column])
        assert len(shadow) and shadow[0] < row, number
    assert np.flatnonzero(normal.masks[f"rib_right_{int(count) + 1}"][:, column])[-1] > row
    assert np.isnan(film(size=96, clip=("right", 0.3)).measures["posterior_ribs"])


def test_a_poor_breath_crowds_the_lungs_and_lifts_the_heart() -> None:
    poor, full = (film(inspiration=depth, marker=False) for depth in (0.0, 1.0))
    bodies = [f.anatomy.body for f in (poor, full)]
    assert bodies[0].lung_density > 1.3 * bodies[1].lung_density
    rise = bodies[1].dome_right - bodies[0].dome_right
    assert bodies[1].tendon - bodies[0].tendon == pytest.approx(0.6 * rise)
    assert poor.measures["cardiothoracic_ratio"] > full.measures["cardiothoracic_ratio"] + 0.01
    assert poor.measures["right_lung_area_mm2"] < 0.75 * full.measures["right_lung_area_mm2"]


def test_carina_lies_where_the_air_divides(normal: PhantomFilm) -> None:
    row, column = round(normal.measures["carina_row"]), round(normal.measures["carina_column"])
    airway = normal.masks["trachea"]
    assert airway[row - 4, column] and not airway[row + 4, column]
    below = airway[row + 6]
    assert below[:column].any() and below[column:].any()


def test_an_effusion_blunts_the_costophrenic_angle(normal: PhantomFilm) -> None:
    wet = film("effusion:left:700ml").measures
    assert wet["left_costophrenic_angle_deg"] > normal.measures["left_costophrenic_angle_deg"] + 20
    assert wet["right_costophrenic_angle_deg"] == normal.measures["right_costophrenic_angle_deg"]


def test_costophrenic_angle_of_a_drawn_corner() -> None:
    rows, columns = np.mgrid[:100, :100]
    # Wall at column 80, dome falling outwards by one pixel per pixel: 45 degrees between them.
    lung = (columns <= 80) & (rows <= columns)
    assert costophrenic_angle(lung, 1, 1.0) == pytest.approx(45, abs=2)
    assert costophrenic_angle(lung[:, ::-1], -1, 1.0) == pytest.approx(45, abs=2)
    assert dome_height(lung & (columns > 60), ~lung, 1.0) == (19.0, 61.0, 61.0)


def test_measures_of_nothing_are_nan() -> None:
    nothing = np.zeros((8, 8), dtype=bool)
    assert np.isnan(costophrenic_angle(nothing, 1, 1.0)) and np.isnan(dome_height(nothing, nothing, 1.0)).all()


@pytest.mark.parametrize("seed", [2, 5])
def test_heart_ends_where_lung_begins_on_the_film(seed: int) -> None:
    """Expected: beside the heart's mask the rays run through lung alone; nothing unmasked displaces it there."""
    film = make_phantom(PhantomSpec(seed=seed, size=400))
    heart = film.masks["heart"]
    row = int(np.flatnonzero(heart.any(axis=1)).mean())
    first, last = (int(np.flatnonzero(heart[row])[k]) for k in (0, -1))
    for side, beside, away in (("right", first - 2, first - 7), ("left", last + 2, last + 7)):
        lung = film.layers[f"lung_{side}"][row]
        assert lung[beside] > 0.93 * lung[away], side
