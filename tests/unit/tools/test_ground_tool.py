"""ground: the right place, the patient's side, or "not localised" with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stub_pool import FILM_SIZE, SCORES, card, context_of, heat_of, locator_card, phantom, sights_of

from imaging.phantom import PhantomFilm
from models.card import FindingCard
from models.locator import CLASSES
from models.outputs import Heatmaps, Task
from tools.contract import Result, Status
from tools.ground import GroundData, ground

UNFIT = card(Task.GROUND, localisation={"usable": False, "reason": "its maps find the right side by chance"})


def data_of(result: Result) -> GroundData:
    assert isinstance(result.data, GroundData), result.failure
    return result.data


@pytest.mark.parametrize("side", ["left", "right"])
def test_effusion_is_boxed_on_the_patients_side(side: str) -> None:
    film = phantom(3, f"effusion:{side}:800ml")
    lesion = film.masks[f"effusion_{side}"]
    context, image_id, _ = context_of(film, heat=heat_of(film, "effusion", lesion))
    result = ground.run(context, {"image_id": image_id, "finding": "effusion"})
    data = data_of(result)
    assert data.localised and result.findings[0].laterality == side
    assert result.findings[0].region == f"{side} lower zone"
    top, low, bottom, high = data.boxes[0].box
    rows, columns = np.nonzero(lesion)
    assert top <= np.median(rows) <= bottom and low <= np.median(columns) <= high
    assert {overlay.kind for overlay in result.overlays} == {"heatmap", "box"}


def test_other_side_than_asked_is_not_localised() -> None:
    context, image_id, _ = context_of(phantom(3, "effusion:left:800ml"))
    result = ground.run(context, {"image_id": image_id, "finding": "effusion", "side": "right"})
    assert not data_of(result).localised and "on the right" in data_of(result).reason
    assert result.findings[0].laterality is None


def test_heat_outside_plausible_anatomy_is_not_localised() -> None:
    film = phantom(3, "effusion:left:800ml")
    corner = np.zeros_like(film.masks["heart"])
    corner[:40, :40] = True
    context, image_id, _ = context_of(film, heat=heat_of(film, "effusion", corner))
    data = data_of(ground.run(context, {"image_id": image_id, "finding": "effusion"}))
    assert not data.localised and data.boxes == [] and "0% of the map" in data.reason


def test_model_whose_card_says_its_maps_are_no_places_is_not_localised() -> None:
    context, image_id, _ = context_of(phantom(), cards={Task.GROUND: UNFIT})
    result = ground.run(context, {"image_id": image_id, "finding": "effusion"})
    assert not data_of(result).localised and result.findings[0].laterality is None
    assert "its maps find the right side by chance" in result.summary


def test_unmeasured_localisation_is_a_caveat() -> None:
    context, image_id, _ = context_of(phantom(3, "effusion:left:800ml"))
    caveats = " ".join(ground.run(context, {"image_id": image_id, "finding": "effusion"}).caveats)
    assert "was not measured" in caveats


def test_flat_map_is_not_localised() -> None:
    film = phantom(3, "effusion:left:800ml")
    everywhere = np.ones_like(film.masks["heart"])
    context, image_id, _ = context_of(film, heat=heat_of(film, "effusion", everywhere))
    assert not data_of(ground.run(context, {"image_id": image_id, "finding": "effusion"})).localised


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [("pneumothorax", Status.ABSENT, "does not find"), ("hernia", Status.NOT_ASSESSED, "only 3 positive films"),
     ("cavity", Status.NOT_ASSESSED, "not trained on it")],
)  # fmt: skip
def test_what_the_classifier_does_not_see_is_not_localised(code: str, status: Status, reason: str) -> None:
    context, image_id, _ = context_of(phantom())
    result = ground.run(context, {"image_id": image_id, "finding": code})
    assert not data_of(result).localised and reason in data_of(result).reason
    assert result.findings[0].status is status and result.overlays == []


def test_present_heart_enlargement_is_the_hearts_outline() -> None:
    film = phantom(3, "cardiomegaly:0.62")
    context, image_id, _ = context_of(film, scores=SCORES | {"cardiomegaly": 0.9})
    data = data_of(ground.run(context, {"image_id": image_id, "finding": "cardiomegaly"}))
    assert data.localised and data.boxes[0].box == film.boxes["heart"]


def test_heart_that_only_the_ratio_calls_large_is_localised_by_it() -> None:
    film = phantom(3, "cardiomegaly:0.62")
    context, image_id, _ = context_of(film)
    result = ground.run(context, {"image_id": image_id, "finding": "cardiomegaly"})
    assert data_of(result).localised and "cardiothoracic ratio" in result.findings[0].reason


def test_model_without_a_map_for_the_finding_is_not_localised() -> None:
    context, image_id, _ = context_of(phantom())
    data = data_of(ground.run(context, {"image_id": image_id, "finding": "nodule"}))
    assert not data.localised and "no heat map" in data.reason


@pytest.mark.parametrize(("code", "drawn"), [("effusion", "effusion"), ("mass", "lung_lesion")])
def test_outline_of_the_locator_is_the_place_by_its_own_class_or_a_broader_one(code: str, drawn: str) -> None:
    """Expected: the lesion's own box, to the working grid."""
    film = phantom(3, f"{code}:left:{'800ml' if code == 'effusion' else '45mm'}")
    sights = sights_of(film, {drawn: film.masks[f"{code}_left"]})
    context, image_id, _ = context_of(film, scores=SCORES | {code: 0.9}, sights=sights)
    result = ground.run(context, {"image_id": image_id, "finding": code})
    data = data_of(result)
    assert data.localised and data.locator_status is Status.PRESENT and result.findings[0].laterality == "left"
    assert data.outlined_as == ("" if drawn == code else drawn)
    near = 6 if code == "mass" else 30
    assert np.abs(np.subtract(data.boxes[0].box, film.boxes[f"{code}_left"])).max() <= near
    assert {overlay.kind for overlay in result.overlays} == {"mask", "box"}


def test_an_outlined_pneumothorax_is_not_called_one_under_tension() -> None:
    """Nobody assesses tension, whose outline is a pneumothorax's: the place is told under that name alone."""
    film = phantom(3, "pneumothorax:left:30%")
    sights = sights_of(film, {"pneumothorax": film.masks["pneumothorax_left"]})
    context, image_id, _ = context_of(film, scores=SCORES, sights=sights)
    result = ground.run(context, {"image_id": image_id, "finding": "tension_pneumothorax"})
    told = {row.code: row.status for row in result.findings}
    assert told == {"pneumothorax": Status.PRESENT, "tension_pneumothorax": Status.NOT_ASSESSED}
    assert data_of(result).outlined_as == "pneumothorax"
    assert {overlay.label for overlay in result.overlays} == {"pneumothorax"}
    assert "Whether it is tension pneumothorax was not assessed" in result.summary


def test_locator_that_sees_what_the_classifier_does_not_says_so_and_the_two_disagree() -> None:
    film = phantom(3, "effusion:left:800ml")
    sights = sights_of(film, {"effusion": film.masks["effusion_left"]})
    context, image_id, _ = context_of(film, scores=SCORES | {"effusion": 0.05}, sights=sights)
    result = ground.run(context, {"image_id": image_id, "finding": "effusion"})
    assert data_of(result).localised and data_of(result).classifier_status is Status.ABSENT
    assert result.findings[0].status is Status.PRESENT
    assert any("disagree" in caveat for caveat in result.caveats)


def test_locator_that_sees_none_is_not_localised_though_the_classifier_does() -> None:
    film = phantom()
    context, image_id, _ = context_of(film, sights=sights_of(film, {}))
    result = ground.run(context, {"image_id": image_id, "finding": "effusion"})
    assert not data_of(result).localised and "0.50 is needed" in data_of(result).reason
    assert result.findings[0].status is Status.PRESENT and result.findings[0].laterality is None


@pytest.mark.parametrize(("asked", "there"), [({}, True), ({"side": "left"}, True), ({"side": "right"}, False)])
def test_fluid_that_no_model_places_is_on_the_denser_side_and_called_coarse(asked: dict[str, str], there: bool) -> None:
    film = phantom(3, "effusion:left:800ml")
    context, image_id, _ = context_of(film, sights=sights_of(film, {}))
    result = ground.run(context, {"image_id": image_id, "finding": "effusion", **asked})
    data = data_of(result)
    assert data.localised is there and data.coarse is there
    if there:
        assert result.findings[0].laterality == "left" and result.findings[0].status is Status.PRESENT
        assert any("The place is coarse" in caveat for caveat in result.caveats)


def test_opacity_whose_heat_map_is_no_place_is_told_by_the_denser_third() -> None:
    film = phantom(3, "consolidation:left:upper:90mm")
    known = card(Task.CLASSIFY, findings=[FindingCard(code="consolidation", label="Consolidation", threshold=0.5)])
    context, image_id, _ = context_of(
        film, scores={"consolidation": 0.9}, heat=heat_of(film, "consolidation", film.masks["heart"]),
        cards={Task.CLASSIFY: known, Task.GROUND: UNFIT},
    )  # fmt: skip
    data = data_of(ground.run(context, {"image_id": image_id, "finding": "consolidation"}))
    assert data.coarse and data.boxes[0].place == "left upper zone"


EVEN = 0.45
"""Of a map that sees nothing in particular."""


def sided(film: PhantomFilm, code: str, side: str, value: float) -> Heatmaps:
    """A map that is EVEN but for one lung, where it is of that value."""
    lung = heat_of(film, code, film.masks[f"{side}_lung"])
    return replace(lung, maps=np.where(lung.maps > 0.5, value, EVEN).astype(np.float32))


@pytest.mark.parametrize(("value", "there"), [(0.8, True), (0.5, False)])
def test_opacity_that_only_the_cells_see_is_on_the_side_where_they_are_higher(value: float, there: bool) -> None:
    """Log odds of 0.8 are 1.6 above those of EVEN, of 0.5 they are 0.2."""
    film, code = phantom(3), "consolidation"
    known = card(Task.CLASSIFY, findings=[FindingCard(code=code, label="Consolidation", threshold=0.5)])
    unfit = card(Task.GROUND, localisation={"usable": False, "side_from": 1.25, "side_evidence": "7 of 8."})
    heat, cells = heat_of(film, code, film.masks["heart"]), sided(film, "lung_opacity", "right", value)
    both = replace(heat, codes=(code, "lung_opacity"), values=np.ones(2), maps=np.concatenate((heat.maps, cells.maps)))
    context, image_id, _ = context_of(
        film, scores={code: 0.9}, heat=both, cards={Task.CLASSIFY: known, Task.GROUND: unfit}
    )
    result = ground.run(context, {"image_id": image_id, "finding": code})
    data = data_of(result)
    assert data.localised is there and data.coarse is there
    if there:
        assert data.boxes[0].side == "right" and any("7 of 8." in caveat for caveat in result.caveats)
        asked = {"image_id": image_id, "finding": code, "side": "left"}
        assert not data_of(ground.run(context, asked)).localised


@pytest.mark.parametrize("side", ["left", "right"])
def test_effusion_too_faint_to_outline_is_on_the_side_where_the_locators_map_is_higher(side: str) -> None:
    film = phantom(3)
    rows = [
        row.model_copy(update={"side_from": 0.5, "side_evidence": "10 of 11."} if row.code == "effusion" else {})
        for row in locator_card().findings
    ]
    seen = sights_of(film, {})
    lung = film.masks[f"{side}_lung"].reshape(FILM_SIZE // 2, 2, -1, 2).any(axis=(1, 3))
    seen.maps[CLASSES.index("effusion")] = np.where(lung, 0.3, 0.1)
    context, image_id, _ = context_of(film, sights=seen, cards={Task.DETECT: locator_card(findings=rows)})
    result = ground.run(context, {"image_id": image_id, "finding": "effusion"})
    data = data_of(result)
    assert data.coarse and result.findings[0].laterality == side and result.findings[0].status is Status.PRESENT
    assert data.confidence == pytest.approx(1.35, abs=0.01), "log odds of 0.3 less those of 0.1"
    assert "10 of 11." in " ".join(result.caveats) and "was not measured" not in " ".join(result.caveats)


def test_outline_outside_plausible_anatomy_is_not_localised() -> None:
    film = phantom(3, "effusion:left:800ml")
    corner = np.zeros_like(film.masks["heart"])
    corner[:60, :60] = True
    context, image_id, _ = context_of(film, sights=sights_of(film, {"effusion": corner}))
    assert not data_of(ground.run(context, {"image_id": image_id, "finding": "effusion"})).localised


def test_class_that_the_card_withholds_leaves_the_place_to_the_heat_map() -> None:
    film = phantom(3, "effusion:left:800ml")
    sights = sights_of(film, {"effusion": film.masks["effusion_left"]})
    cards = {Task.DETECT: locator_card("effusion")}
    context, image_id, _ = context_of(film, heat=heat_of(film, "effusion", film.masks["effusion_left"]), sights=sights,
                                      cards=cards)  # fmt: skip
    data = data_of(ground.run(context, {"image_id": image_id, "finding": "effusion"}))
    assert data.localised and data.locator_status is None


@pytest.mark.parametrize(("zone", "there"), [("upper", True), ("lower", False)])
def test_a_zone_is_looked_in_and_no_other(zone: str, there: bool) -> None:
    """Expected: a mass of the upper zone is localised there, and not in the lower one."""
    film = phantom(3, "mass:left:upper:45mm")
    sights = sights_of(film, {"lung_lesion": film.masks["mass_left"]})
    context, image_id, _ = context_of(film, scores=SCORES | {"mass": 0.9}, sights=sights)
    data = data_of(ground.run(context, {"image_id": image_id, "finding": "mass", "side": "left", "zone": zone}))
    assert data.localised is there and data.zone_asked == zone
    assert there or "in the left lower zone" in data.reason
