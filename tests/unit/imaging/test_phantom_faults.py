"""Faults of positioning, exposure and handling: each with its exact truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imaging.failures import BadArguments
from imaging.geometry import mask_box
from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom, parse_clip, parse_finding
from imaging.phantom.facts import exposure
from imaging.phantom.faults import orientation, turn, turn_point, upright
from imaging.phantom.picture import _signal, spawn
from imaging.radiograph import View

SPEC = PhantomSpec(
    seed=4, size=96, rotation_deg=0.0, processing="digital", marker=True, findings=(parse_finding("nodule:left:24mm"),)
)


@pytest.fixture(scope="module")
def straight() -> PhantomFilm:
    return make_phantom(SPEC)


@pytest.fixture(scope="module")
def turned() -> PhantomFilm:
    return make_phantom(replace(SPEC, turned_deg=90, mirrored=True))


def test_masks_boxes_points_and_bone_turn_with_the_picture(straight: PhantomFilm, turned: PhantomFilm) -> None:
    def moved(picture: np.ndarray) -> np.ndarray:
        return picture[:, ::-1].T[:, ::-1]  # mirrored, then clockwise: transpose and flip left to right

    assert np.array_equal(turned.radiograph.pixels, moved(straight.radiograph.pixels))
    assert np.array_equal(turned.bone_free, moved(straight.bone_free))
    assert np.array_equal(turned.layers["heart"], moved(straight.layers["heart"]))
    assert turned.masks.keys() == straight.masks.keys()
    for name, mask in straight.masks.items():
        assert np.array_equal(turned.masks[name], moved(mask)), name
        assert turned.boxes.get(name) == mask_box(moved(mask))
    (marker,), (before,) = turned.annotations, straight.annotations
    ink = np.zeros(straight.radiograph.shape, dtype=bool)
    ink[before["box"][0] : before["box"][2], before["box"][1] : before["box"][3]] = True
    assert marker["box"] == mask_box(moved(ink)) and marker["text"] == before["text"]
    # The carina is marked as a dot, turned as a picture, and found again.
    dot = np.zeros((96, 96), dtype=bool)
    dot[round(straight.measures["carina_row"]), round(straight.measures["carina_column"])] = True
    row, column = np.argwhere(moved(dot))[0]
    assert turned.measures["carina_row"] == pytest.approx(row, abs=0.5)
    assert turned.measures["carina_column"] == pytest.approx(column, abs=0.5)
    assert turned.measures["cardiothoracic_ratio"] == straight.measures["cardiothoracic_ratio"]
    assert turned.facts()["findings"][0]["zones"] == straight.facts()["findings"][0]["zones"]
    assert [fault["code"] for fault in turned.facts()["faults"]] == ["turned", "mirrored"]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_orientation_says_where_left_and_feet_lie(degrees: int, mirrored: bool) -> None:
    spec = PhantomSpec(turned_deg=degrees, mirrored=mirrored)
    compass = np.full((3, 3), " ")
    compass[0, 1], compass[2, 1], compass[1, 2], compass[1, 0] = "H", "F", "L", "R"
    shown = turn(compass, spec)
    assert orientation(spec) == (shown[1, 2], shown[2, 1])
    assert np.array_equal(upright(shown, spec), compass)
    assert shown[tuple(int(v) for v in turn_point(1, 2, 3, spec))] == "L"


def test_a_lateral_film_looks_to_the_left() -> None:
    assert orientation(PhantomSpec(view=View.LATERAL)) == ("P", "F")


@pytest.mark.parametrize("edge", ["left", "right", "apex", "base"])
def test_the_field_cuts_off_the_share_asked_for(straight: PhantomFilm, edge: str) -> None:
    share, shot = 0.2, make_phantom(replace(SPEC, clip=(edge, 0.2)))
    whole, names = straight.measures, ("left", "right")
    area = {side: float(shot.masks[f"{side}_lung"].sum()) * shot.scene.geometry.pixel_mm**2 for side in names}
    full = {side: whole[f"{side}_lung_area_mm2"] for side in names}
    lost = {side: 1 - area[side] / full[side] for side in names}
    asked = lost[edge] if edge in names else 1 - sum(area.values()) / sum(full.values())
    # The straight film shows both lungs whole; its pixels of 4 mm leave the areas uncertain by a few per cent.
    assert whole["left_lung_outside"] == whole["right_lung_outside"] == 0
    assert asked == pytest.approx(share, abs=0.03)
    for side in names:
        assert shot.measures[f"{side}_lung_outside"] == pytest.approx(lost[side], abs=0.03)
    assert np.isnan(shot.measures["cardiothoracic_ratio"]) == (edge in names)
    assert shot.facts()["measures"]["cardiothoracic_ratio"] is None or edge not in names
    assert any(fault["code"].endswith("_outside") for fault in shot.facts()["faults"])


def test_film_turns_black_and_white_while_digital_keeps_its_grey_until_it_burns_out(straight: PhantomFilm) -> None:
    def lung(stops: float, processing: str) -> np.ndarray:
        scene = replace(straight.scene, spec=replace(straight.spec, exposure_stops=stops, processing=processing))
        return scene.picture()[straight.scene.lungs]

    white, right, black = (float(np.median(lung(stops, "film"))) for stops in (-2, 0, 2))
    assert white > 0.85 and 0.4 < right < 0.8 and black < 0.4
    aimed = lung(0, "digital")
    assert np.median(lung(-4, "digital")) == pytest.approx(np.median(aimed), abs=0.05)
    # Four stops over, 16 times the dose, the detector's ceiling lies at the lungs' median: half of them are one black.
    spec = replace(straight.spec, exposure_stops=4.0)
    signal, _ = _signal(replace(straight.scene, spec=spec), straight.scene.mass, spawn(31, spec))
    assert np.mean(signal[straight.scene.lungs] == signal.max()) == pytest.approx(0.5, abs=0.02)


def test_quantum_noise_follows_the_error_of_the_dose(straight: PhantomFilm) -> None:
    def signal(stops: float) -> np.ndarray:
        scene = replace(straight.scene, spec=replace(straight.spec, exposure_stops=stops, processing="film"))
        return _signal(scene, scene.mass, spawn(31, scene.spec))[0].astype(float)

    # One draw of noise scaled by 1/sqrt(dose): with s(k) = clean + n / sqrt(2**k), s(-2) - s(4) is n (2 - 1/4).
    few, aimed, many = signal(-2), signal(0), signal(4)
    assert np.std(few - many) / np.std(aimed - many) == pytest.approx((2 - 0.25) / (1 - 0.25), rel=0.01)


def test_exposure_indices_are_those_of_the_dose(straight: PhantomFilm) -> None:
    told = exposure(replace(straight, spec=replace(straight.spec, dose=1.0, exposure_stops=-1.0)))
    # 2.5 µGy aimed at, half of it received; 100 per µGy; 10 log10(1/2) = -3.01.
    assert told == {
        "detector_dose_ugy": 1.25, "exposure_stops": -1.0, "exposure_index": 125.0, "target_exposure_index": 250.0,
        "deviation_index": -3.01,
    }  # fmt: skip


def test_tilt_lifts_the_clavicles_on_a_lordotic_film() -> None:
    def gap(tilt: float) -> float:
        """Pixels from the right lung's apex down to the clavicle's upper border."""
        film = make_phantom(replace(SPEC, tilt_deg=tilt))
        assert film.facts()["positioning"]["tilt_deg"] == pytest.approx(tilt)
        return film.boxes["right_clavicle"][0] - film.boxes["right_lung"][0]

    assert gap(-20) < gap(20) - 3


def test_burned_in_text_is_white_in_its_box_and_told(straight: PhantomFilm) -> None:
    spec = replace(straight.spec, size=200, inverted=True, name_block=True, texts=("PORTABLE", "SUPINE 14:35"))
    film = make_phantom(spec)
    kinds = [(entry["kind"], entry["identifying"]) for entry in film.annotations]
    assert kinds == [("side_marker", False), ("patient", True), ("text", False), ("text", False)]
    assert [entry["text"] for entry in film.annotations[2:]] == ["PORTABLE", "SUPINE 14:35"]
    assert film.annotations[1]["text"].splitlines()[:2] == ["PHANTOM, HILUM", "ID PHANTOM-4"]
    plain = replace(film.scene, spec=replace(film.spec, name_block=False, texts=())).picture()
    rest = film.radiograph.pixels != plain
    for entry in film.annotations[1:]:
        top, left, bottom, right = entry["box"]
        # Letters of nine pixels are all soft edge: none reaches full white.
        assert film.radiograph.pixels[top:bottom, left:right].max() > 0.85
        rest[top - 2 : bottom + 2, left - 2 : right + 2] = False  # its black edge
    assert not rest.any()
    boxes = [entry["box"] for entry in film.annotations]
    for number, a in enumerate(boxes):
        for b in boxes[number + 1 :]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    assert {"inverted", "burned_in_name"} <= {fault["code"] for fault in film.facts()["faults"]}
    assert plain[film.masks["heart"]].mean() < plain[film.masks["right_lung"]].mean()  # dense is dark when inverted


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"seed": -1}, "0 to 9"),
        ({"exposure_stops": 5}, "-4 to 4"),
        ({"tilt_deg": 40}, "-25 to 25"),
        ({"turned_deg": 45}, "0, 90, 180, 270"),
        ({"clip": ("top", 0.1)}, "left, right, apex, base"),
        ({"clip": ("left", 0.9)}, "up to 0.6"),
        ({"view": View.LATERAL, "clip": ("left", 0.1)}, "apex, base"),
        ({"texts": ("two\nlines",)}, "one line"),
        ({"texts": ("",)}, "1 to 40"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(fields: dict, hint: str) -> None:
    with pytest.raises(BadArguments, match=hint):
        PhantomSpec(**fields)


def test_clip_is_read_as_words() -> None:
    assert parse_clip("left:20%") == ("left", 0.2) and parse_clip("base:0.1") == ("base", 0.1)
    for bad in ("left", "up:10%", "left:much"):
        with pytest.raises(BadArguments, match="left:20%"):
            parse_clip(bad)


def test_text_can_be_read_on_white_as_on_black(straight: PhantomFilm) -> None:
    # Inked pixels must stand out from their neighbours even where the film itself is white: abdomen, lower left.
    film = make_phantom(replace(straight.spec, size=200, texts=("UPPER", "LOWER", "THIRD", "FOURTH")))
    for entry in film.annotations[1:]:
        top, left, bottom, right = entry["box"]
        part = film.radiograph.pixels[top:bottom, left:right]
        assert part.max() - part.min() > 0.8, entry


def test_a_letter_that_the_font_lacks_is_refused_by_name(straight: PhantomFilm) -> None:
    with pytest.raises(BadArguments, match="no ü 漢"):
        replace(straight.scene, spec=replace(straight.spec, texts=("für 漢",))).picture()


def test_a_text_too_long_for_the_film_is_refused(straight: PhantomFilm) -> None:
    with pytest.raises(BadArguments, match="does not fit"):
        replace(straight.scene, spec=replace(straight.spec, texts=("A" * 40,))).picture()
