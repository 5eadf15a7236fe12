"""The phantom: same spec same film, truth that fits the picture, physics that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from imaging.failures import BadArguments
from imaging.geometry import mask_box
from imaging.phantom import FindingSpec, PhantomFilm, PhantomSpec, make_phantom, parse_finding, physics
from imaging.phantom.masks import widest
from imaging.radiograph import SpacingOrigin, View

SIZE = 192


def film(*findings: str, seed: int = 4, size: int = SIZE, **more: object) -> PhantomFilm:
    return make_phantom(PhantomSpec(seed=seed, size=size, findings=tuple(map(parse_finding, findings)), **more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def normal() -> PhantomFilm:
    return film()


def column(mask: np.ndarray) -> float:
    return float(np.nonzero(mask)[1].mean())


def test_make_phantom_same_spec_same_film(normal: PhantomFilm) -> None:
    again = film()
    assert again.radiograph.id == normal.radiograph.id
    assert np.array_equal(again.radiograph.pixels, normal.radiograph.pixels)
    assert all(np.array_equal(again.masks[name], mask) for name, mask in normal.masks.items())


def test_make_phantom_other_seed_other_film(normal: PhantomFilm) -> None:
    assert film(seed=5).radiograph.id != normal.radiograph.id


def test_make_phantom_resolved_spec_gives_the_same_film(normal: PhantomFilm) -> None:
    again = make_phantom(normal.spec)
    assert again.spec == normal.spec and again.radiograph.id == normal.radiograph.id


def test_radiograph_states_what_it_is(normal: PhantomFilm) -> None:
    r = normal.radiograph
    assert r.source.format == "phantom" and r.view is View.PA and r.warnings[0].startswith("SYNTHETIC")
    assert (
        r.spacing_mm == pytest.approx((normal.spec.field_mm / SIZE,) * 2) and r.spacing_origin is SpacingOrigin.IMAGER
    )
    assert r.pixels.dtype == np.float32 and r.pixels.shape == (SIZE, SIZE)
    # Dense is white: the mediastinum is brighter than both lungs.
    lung = r.pixels[normal.masks["left_lung"] | normal.masks["right_lung"]].mean()
    assert r.pixels[normal.masks["mediastinum"]].mean() > lung + 0.1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_masks_are_disjoint_and_of_human_size(seed: int) -> None:
    f = film(seed=seed)
    left, right, heart = (f.masks[k] for k in ("left_lung", "right_lung", "heart"))
    assert not (left & right).any() and not ((left | right) & heart).any()
    assert not ((left | right) & f.masks["diaphragm"]).any()
    # SCR masks of 200 JSRT films: left 16,800 mm2, right 20,500, heart 11,200 (+- 20 %); twice that spread is allowed.
    assert 10_000 < f.measures["left_lung_area_mm2"] < 28_000
    assert 12_000 < f.measures["right_lung_area_mm2"] < 32_000
    assert 6_000 < heart.sum() * f.radiograph.spacing_mm[0] ** 2 < 18_000
    assert 230 < f.measures["thorax_width_mm"] < 330 and 0.35 < f.measures["cardiothoracic_ratio"] < 0.6
    for name in ("left_clavicle", "right_clavicle", "ribs", "spine", "trachea", "aorta", "mediastinum", "diaphragm"):
        assert f.masks[name].any(), name


def test_left_is_at_the_right_of_the_picture(normal: PhantomFilm) -> None:
    for pair in (("right_lung", "left_lung"), ("right_clavicle", "left_clavicle")):
        assert column(normal.masks[pair[0]]) < SIZE / 2 < column(normal.masks[pair[1]])
    assert column(normal.masks["heart"]) > column(normal.masks["trachea"])


@pytest.mark.parametrize("side", ["left", "right"])
def test_effusion_area_grows_with_volume_on_its_own_side(side: str) -> None:
    areas = []
    for volume in (150, 900):
        f = film(f"effusion:{side}:{volume}ml")
        mask = f.masks[f"effusion_{side}"]
        areas.append(int(mask.sum()))
        assert f.findings[0]["parameters"]["volume_ml"] == pytest.approx(volume, abs=1.0)
        assert (column(mask) > SIZE / 2) == (side == "left")
        assert f.masks[f"aerated_{side}"].sum() < f.masks[f"{side}_lung"].sum()
    assert areas[0] < areas[1]


def test_effusion_is_white_and_pneumothorax_is_black(normal: PhantomFilm) -> None:
    wet, airy = film("effusion:left:900ml"), film("pneumothorax:left:45%")
    fluid = wet.masks["effusion_left"] & normal.masks["left_lung"]
    assert wet.radiograph.pixels[fluid].mean() > normal.radiograph.pixels[fluid].mean() + 0.1
    free = airy.masks["pneumothorax_left"]
    assert airy.radiograph.pixels[free].mean() < normal.radiograph.pixels[free].mean() + 0.02
    assert airy.findings[0]["parameters"]["fraction"] == pytest.approx(0.45, abs=0.03)


@pytest.mark.parametrize(("target", "seed"), [(0.52, 4), (0.58, 3), (0.65, 1), (0.70, 3)])
def test_cardiomegaly_meets_its_ratio(target: float, seed: int) -> None:
    f = film(f"cardiomegaly:{target}", seed=seed, size=400)
    assert f.measures["cardiothoracic_ratio"] == pytest.approx(target, abs=0.01)
    heart = mask_box(f.masks["heart"])
    assert heart is not None
    thorax = widest(f.masks["left_lung"] | f.masks["right_lung"])
    assert f.measures["cardiothoracic_ratio"] == (heart[3] - heart[1]) / thorax


def test_nodule_is_where_and_as_large_as_said() -> None:
    f = film("nodule:right:upper:24mm", size=512)
    top, left, bottom, right = f.boxes["nodule_right"]
    # Magnified by 1.02 to 1.20 between patient and detector; lobulated by 10 %.
    size_mm = (bottom - top + right - left) / 2 * f.radiograph.spacing_mm[0]
    assert 24 * 0.88 < size_mm < 24 * 1.32
    assert (left + right) / 2 < 256 and (top + bottom) / 2 < 256
    assert (f.masks["nodule_right"] & f.masks["right_lung"]).sum() > 0.8 * f.masks["nodule_right"].sum()


def test_findings_combine() -> None:
    f = film("effusion:bilateral:300ml", "nodule:left:12mm", "consolidation:right:upper", "cardiomegaly:0.57")
    assert [x["code"] for x in f.findings] == ["effusion", "effusion", "nodule", "consolidation", "cardiomegaly"]
    assert {"effusion_left", "effusion_right", "nodule_left", "consolidation_right"} <= set(f.masks)


def test_ap_film_magnifies_the_heart() -> None:
    pa, ap = (
        film(seed=6),
        film(seed=6, view=View.AP, inspiration=make_phantom(PhantomSpec(seed=6, size=64)).spec.inspiration),
    )
    assert ap.measures["heart_width_mm"] > 1.05 * pa.measures["heart_width_mm"]


def test_noise_falls_with_dose() -> None:
    flat = np.full((200, 200), 0.2, dtype=np.float32)
    spread = [
        float(physics.noisy(flat, 0.2, dose, 0.2, 0.0, np.random.default_rng(1)).std() / 0.2) for dose in (1.0, 4.0)
    ]
    # 2.5 uGy x 30,000 /mm2/uGy x 0.5 x 0.04 mm2 = 1,500 quanta: 2.58 %.
    assert spread[0] == pytest.approx(1500**-0.5, rel=0.03) and spread[1] == pytest.approx(spread[0] / 2, rel=0.01)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("effusion:left:400ml", FindingSpec("effusion", "left", volume_ml=400)),
        ("0.4l:Left:effusion", FindingSpec("effusion", "left", volume_ml=400)),
        ("cardiomegaly:0.6", FindingSpec("cardiomegaly", target_ratio=0.6)),
        ("nodule:right:upper:18mm", FindingSpec("nodule", "right", "upper", diameter_mm=18)),
        ("mass:6cm", FindingSpec("mass", diameter_mm=60)),
        ("pneumothorax:left:20%", FindingSpec("pneumothorax", "left", fraction=0.2)),
        ("pneumothorax:left:0.2", FindingSpec("pneumothorax", "left", fraction=0.2)),
        ("consolidation:right:lower:0.8", FindingSpec("consolidation", "right", "lower", severity=0.8)),
        ("effusion", FindingSpec("effusion")),
    ],
)
def test_parse_finding_reads(text: str, expected: FindingSpec) -> None:
    assert parse_finding(text) == expected
    assert parse_finding(str(expected)).value == expected.value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("efusion:left", "Did you mean effusion"),
        ("", "Valid:"),
        ("effusion:lft", "Did you mean left"),
        ("effusion:left:right", "side twice"),
        ("cardiomegaly:left", "no side"),
        ("effusion:upper", "no zone"),
        ("nodule:400ml", "Give mm"),
        ("nodule:50mm", "out of range"),
        ("mass:10mm", "out of range"),
        ("effusion:99999ml", "out of range"),
        ("cardiomegaly:0.9", "out of range"),
    ],
)
def test_parse_finding_refuses(text: str, says: str) -> None:
    with pytest.raises(BadArguments) as caught:
        parse_finding(text)
    assert says in str(caught.value)


@pytest.mark.parametrize("wrong", [{"size": 10}, {"sex": "X"}, {"habitus": 3}, {"dose": 0}, {"processing": "cinema"}])
def test_phantom_spec_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(BadArguments):
        PhantomSpec(**wrong)  # type: ignore[arg-type]
