"""Tubes, lines and pacemakers: where they lie and how far from the carina."""

from __future__ import annotations

import numpy as np
import pytest

from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom, parse_finding

SIZE = 192


def film(*findings: str, seed: int = 4, size: int = SIZE, **more: object) -> PhantomFilm:
    return make_phantom(PhantomSpec(seed=seed, size=size, findings=tuple(map(parse_finding, findings)), **more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def normal() -> PhantomFilm:
    return film()


@pytest.mark.parametrize("distance", [20, 70])
def test_ett_tip_stands_as_far_above_the_carina_as_said(distance: int) -> None:
    f = film(f"ett:{distance}mm", size=384)
    # Magnified by 1.02 to 1.15 between patient and detector on a PA film.
    assert distance * 1.0 < f.measures["ett_tip_to_carina_mm"] < distance * 1.16
    rows, columns = np.nonzero(f.masks["ett"])
    pixel = f.radiograph.spacing_mm[0]
    assert (f.measures["carina_row"] - rows.max()) * pixel == pytest.approx(f.measures["ett_tip_to_carina_mm"], abs=2.5)
    assert (f.masks["trachea"][rows, columns]).mean() > 0.7
    assert f.findings[0]["parameters"] == {"device": "ett", "tip_to_carina_mm": distance}


@pytest.mark.parametrize(
    ("text", "name", "side"),
    [
        ("ng_tube", "ng_tube", None),
        ("central_line", "central_line_right", "right"),
        ("central_line:left", "central_line_left", "left"),
        ("pacemaker", "pacemaker_left", "left"),
        ("chest_drain:right", "chest_drain_right", "right"),
    ],
)
def test_devices_are_seen_where_their_mask_is(normal: PhantomFilm, text: str, name: str, side: str | None) -> None:
    f = film(text)
    mask, found = f.masks[name], f.findings[0]
    assert found["code"] == "support_devices" and found["side"] == side and found["visible"]
    assert 0.0005 < mask.mean() < 0.06 and name in f.boxes
    change = f.radiograph.pixels - normal.radiograph.pixels
    assert change[mask].mean() > 0.003 > 3 * change[~mask].mean() and abs(np.median(change[~mask])) < 0.01
    assert f.scene.mass.metal is not None and f.scene.mass.metal[mask].sum() > 0.9 * f.scene.mass.metal.sum()
    if side and name.startswith("chest"):
        assert (np.nonzero(mask)[1].mean() > SIZE / 2) == (side == "left")


def test_ng_tube_ends_below_the_dome(normal: PhantomFilm) -> None:
    f = film("ng_tube")
    row, column = (v[-1] for v in np.nonzero(f.masks["ng_tube"]))
    assert f.masks["diaphragm"][row, column] and column > SIZE / 2


def test_devices_stay_on_the_bone_free_film() -> None:
    f = film("pacemaker", marker=False)
    assert f.bone_free[f.masks["pacemaker_left"]].mean() > 0.9 * f.radiograph.pixels[f.masks["pacemaker_left"]].mean()


def test_a_device_does_not_move_a_finding() -> None:
    both, alone = film("mass:left:upper", "ett"), film("mass:left:upper")
    assert np.array_equal(both.masks["mass_left"], alone.masks["mass_left"])
    assert "ett_tip_to_carina_mm" not in alone.measures
