"""Diffuse findings, each against the same patient without it."""

from __future__ import annotations

import numpy as np
import pytest

from imaging.failures import BadArguments
from imaging.phantom import FINDINGS, PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.phantom.devices import BUILDERS

SIZE = 160


def film(*findings: str, seed: int = 4, size: int = SIZE, **more: object) -> PhantomFilm:
    return make_phantom(PhantomSpec(seed=seed, size=size, findings=tuple(map(parse_finding, findings)), **more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def normal() -> PhantomFilm:
    return film()


def thickness(f: PhantomFilm) -> np.ndarray:
    return f.scene.mass.soft


@pytest.mark.parametrize(
    ("text", "code", "sides"),
    [
        ("edema:0.3", "edema", ("left", "right")),
        ("edema:0.9", "edema", ("left", "right")),
        ("infiltration:right:upper:100mm", "infiltration", ("right",)),
        ("atelectasis:left:middle:0.4", "atelectasis", ("left",)),
        ("atelectasis:right:upper:0.9", "atelectasis", ("right",)),
        ("atelectasis:left:lower:0.9", "atelectasis", ("left",)),
        ("fibrosis:0.8", "fibrosis", ("left", "right")),
        ("pleural_thickening:right:15mm", "pleural_thickening", ("right",)),
    ],
)
def test_dense_findings_add_tissue_where_their_mask_is(
    normal: PhantomFilm, text: str, code: str, sides: tuple[str, ...]
) -> None:
    f = film(text)
    assert [(x["code"], x["side"]) for x in f.findings] == [(code, side) for side in sides]
    for side in sides:
        mask = f.masks[f"{code}_{side}"]
        inside = mask & ~f.masks["diaphragm"] & ~normal.masks["diaphragm"]
        assert inside.sum() > 25 and (np.nonzero(mask)[1].mean() > SIZE / 2) == (side == "left")
        assert (thickness(f) - thickness(normal))[inside].mean() > 0.15
    assert np.array_equal(f.radiograph.pixels, film(text).radiograph.pixels)


def test_edema_grows_with_severity() -> None:
    amounts = [film(f"edema:{s}").layers["edema_left"].sum() for s in (0.1, 0.5, 1.0)]
    assert amounts == sorted(amounts) and amounts[2] > 3 * amounts[0]
    kinds = [film(f"edema:{s}", size=64).findings[0]["parameters"]["kind"] for s in (0.1, 0.9)]
    assert kinds == ["interstitial", "alveolar"]


def test_emphysema_takes_tissue_and_flattens_the_domes(normal: PhantomFilm) -> None:
    f = film("emphysema:0.9")
    lungs = f.masks["left_lung"] & normal.masks["left_lung"]
    assert thickness(f)[lungs].mean() < thickness(normal)[lungs].mean() - 0.5
    for side in ("left", "right"):
        assert f.measures[f"{side}_dome_height_mm"] < 0.75 * normal.measures[f"{side}_dome_height_mm"]
        assert f.measures[f"{side}_lung_area_mm2"] > normal.measures[f"{side}_lung_area_mm2"]


def test_lobar_collapse_draws_the_dome_up(normal: PhantomFilm) -> None:
    f = film("atelectasis:right:lower:0.9")
    assert f.findings[0]["parameters"]["kind"] == "lobar"
    assert f.measures["right_lung_area_mm2"] < normal.measures["right_lung_area_mm2"]
    assert f.measures["dome_difference_mm"] > normal.measures["dome_difference_mm"] + 5
    assert film("atelectasis:right:0.2", size=64).findings[0]["parameters"]["kind"] == "plate"


def test_hernia_is_a_round_sac_with_air_at_the_midline(normal: PhantomFilm) -> None:
    f = film("hernia:80mm")
    mask, found = f.masks["hernia"], f.findings[0]
    assert found["code"] == "hernia" and found["side"] is None
    top, left, bottom, right = f.boxes["hernia"]
    assert 70 < (bottom - top) * f.radiograph.spacing_mm[0] < 110 and abs((left + right) / 2 - SIZE / 2) < 0.12 * SIZE
    extra = f.layers["air"] - normal.layers["air"]
    assert extra[mask].max() > 30 and extra[~mask].max() < 5
    # Air lies above the fluid.
    assert np.nonzero(extra > 20)[0].mean() < np.nonzero(mask)[0].mean()


@pytest.mark.parametrize("code", sorted(FINDINGS))
def test_every_finding_has_a_mask_by_default(code: str) -> None:
    # A needle 0.9 mm thick is not to be seen in pixels of 6 mm.
    f = film(code, size=256 if code == "retained_needle" else 64)
    expected = "support_devices" if code in BUILDERS else "retained_object" if code.startswith("retained") else code
    assert f.findings and all(x["code"] == expected and x["visible"] and x["mask"] in f.masks for x in f.findings)


@pytest.mark.parametrize("text", ["hernia:left", "edema:upper", "edema:20mm", "infiltration:300mm", "fibrosis:2"])
def test_diffuse_findings_refuse(text: str) -> None:
    with pytest.raises(BadArguments):
        parse_finding(text)
