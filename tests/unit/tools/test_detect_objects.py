"""detect_objects on the phantom's exact outlines: what is seen, where a tip lies, and what comes first as an alert."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from stub_pool import card, context_of, locator_card, phantom, sights_of

from imaging.phantom import PhantomFilm
from imaging.radiograph import View
from models.locator import OBJECTS
from models.outputs import Masks, Task
from tools.anatomy.curves import middle_line
from tools.contract import Result, Status
from tools.detect_objects import SYNTHETIC, DetectObjectsData, detect_objects
from tools.knowledge.objects import objects

OUTLINED = ("left_lung", "right_lung", "heart", "trachea")


def outlines(film: PhantomFilm) -> Masks:
    stack = np.stack([film.masks[code] for code in OUTLINED])
    return Masks(OUTLINED, stack, np.ones(len(OUTLINED), dtype=np.float32))


def detected(film: PhantomFilm, *codes: str, question: str | None = None, **more: Any) -> Result:
    """The tool on a film whose locator sees exactly these of its devices."""
    drawn = {code: film.masks[next(name for name in film.boxes if name.startswith(code))] for code in codes}
    context, image_id, _ = context_of(film, masks=outlines(film), sights=sights_of(film, drawn), **more)
    return detect_objects.run(context, {"image_id": image_id, **({"question": question} if question else {})})


def data_of(result: Result) -> DetectObjectsData:
    assert isinstance(result.data, DetectObjectsData), result.failure
    return result.data


@pytest.mark.parametrize(("above_mm", "wrong"), [(12, True), (50, False), (80, True)])
def test_endotracheal_tip_is_measured_and_judged(above_mm: int, wrong: bool) -> None:
    """Expected: the phantom's ett_tip_to_carina_mm; 5 ± 2 cm is Goodman's usual place."""
    film = phantom(3, f"ett:{above_mm}mm", view=View.AP)
    result = detected(film, "ett")
    tip = data_of(result).tip
    assert tip is not None and tip.index == pytest.approx(film.measures["ett_tip_to_carina_mm"], abs=6)
    assert bool(data_of(result).alerts) is wrong
    assert result.summary.startswith("ALERT") is wrong
    assert any("Goodman" in caveat for caveat in result.caveats)


def test_a_tip_that_the_card_does_not_vouch_for_is_neither_told_nor_judged() -> None:
    film = phantom(3, "ett:12mm", view=View.AP)
    result = detected(film, "ett", cards={Task.DETECT: locator_card(tips=False)})
    data = data_of(result)
    assert data.tip is None and data.get("ett").tip is None and data.alerts == []
    assert "Where its tip lies is not told: how far off" in result.summary
    assert "usual" not in result.summary and " mm above" not in result.summary


@pytest.mark.parametrize(("certainty", "told"), [(0.8, True), (0.4, False)])
def test_tip_that_the_model_tells_counts_only_where_it_is_certain(certainty: float, told: bool) -> None:
    """Expected: 40 rows above the phantom's carina, as the model says, whatever the outline's end; else withheld."""
    film = phantom(3, "ett:12mm", view=View.AP)
    seen = sights_of(film, {"ett": film.masks["ett"]})
    tips = np.full((len(seen.codes), 3), np.nan, dtype=np.float32)
    carina = film.boxes["ett"][2] + film.measures["ett_tip_to_carina_mm"] / film.radiograph.spacing_mm[0]
    tips[seen.codes.index("ett")] = (carina - 40, film.radiograph.shape[1] / 2, certainty)
    rows = [row.model_copy(update={"tip_from": 0.6}) for row in locator_card().findings]
    context, image_id, _ = context_of(
        film,
        masks=outlines(film),
        sights=replace(seen, tips=tips),
        cards={Task.DETECT: card(Task.DETECT, findings=rows)},
    )
    result = detect_objects.run(context, {"image_id": image_id})
    tip = data_of(result).tip
    if told:
        assert tip is not None and tip.index == pytest.approx(40 * film.radiograph.spacing_mm[0], abs=6)
    else:
        assert tip is None and "not certain enough of the place on this film (0.40, 0.60 is needed)" in result.summary


def test_tip_without_a_spacing_is_in_pixels_and_not_judged() -> None:
    film = phantom(3, "ett:12mm", view=View.AP)
    result = detected(film, "ett", radiograph=replace(film.radiograph, spacing_mm=None, spacing_origin=None))
    tip = data_of(result).tip
    assert tip is not None and tip.unit == "px" and data_of(result).alerts == [] and " mm" not in result.summary


@pytest.mark.parametrize("side", ["left", "right"])
def test_retained_needle_alerts_first_on_its_side(side: str) -> None:
    film = phantom(4, f"retained_needle:{side}:40mm")
    result = detected(film, "retained_needle", question="Was a needle left behind?")
    assert result.summary.startswith("ALERT: a retained needle is suspected") and side in result.summary[:90]
    finding = next(row for row in result.findings if row.code == "retained_object")
    assert finding.status is Status.PRESENT
    top, low, bottom, high = data_of(result).get("retained_needle").boxes[0]
    truth = film.boxes[f"retained_needle_{side}"]
    assert np.abs(np.subtract((top, low, bottom, high), truth)).max() <= 4


def test_several_devices_at_once_each_with_outline_and_course() -> None:
    film = phantom(5, "ett:50mm", "ng_tube", "central_line:right", "chest_drain:left", view=View.AP)
    result = detected(film, "ett", "ng_tube", "central_line", "chest_drain")
    found = {item.code: item for item in data_of(result).objects}
    assert {code for code, item in found.items() if item.status is Status.PRESENT} == {
        "ett", "ng_tube", "central_line", "chest_drain",
    }  # fmt: skip
    for code in ("ett", "ng_tube", "central_line", "chest_drain"):
        assert found[code].lines and found[code].tip is not None
    drawn = film.boxes["ng_tube"]
    assert found["ng_tube"].tip is not None and found["ng_tube"].tip[0] == pytest.approx(drawn[2], abs=6)
    [row] = [row for row in result.findings if row.code == "support_devices"]
    assert row.status is Status.PRESENT and "nasogastric tube" in row.reason
    assert next(row for row in result.findings if row.code == "ett").status is Status.PRESENT


def test_nothing_seen_is_said_so_and_warned_of() -> None:
    result = detected(phantom(3), question="any tubes?")
    assert result.summary.startswith("Not seen: endotracheal tube")
    assert {row.status for row in result.findings} == {Status.ABSENT} and result.overlays == []
    assert SYNTHETIC in result.caveats


def test_the_device_asked_about_is_told_first() -> None:
    film = phantom(5, "ett:50mm", "ng_tube", "central_line:right", "chest_drain:left", view=View.AP)
    told = detected(film, "ett", "ng_tube", question="Where does the feeding tube end?").summary
    assert told.index("Nasogastric tube") < told.index("Endotracheal tube")


def test_band_is_uncertain_and_a_retained_object_alerts_from_there() -> None:
    film = phantom(4, "retained_needle:left:40mm")
    rows = [row.model_copy(update={"threshold": 0.95, "uncertain_low": 0.8, "uncertain_high": 0.95})
            for row in locator_card().findings]  # fmt: skip
    result = detected(film, "retained_needle", cards={Task.DETECT: card(Task.DETECT, findings=rows)})
    assert "cannot be excluded" in result.summary
    assert data_of(result).get("retained_needle").status is Status.UNCERTAIN


def test_middle_line_follows_a_drawn_curve() -> None:
    """Expected: the curve drawn, to a pixel, and its ends."""
    mask = np.zeros((80, 80), dtype=np.bool_)
    for row in range(10, 70):
        column = round(40 + 15 * np.sin(row / 12))
        mask[row, column - 1 : column + 2] = True
    mask[40, :] = False  # a gap is bridged
    line = middle_line(mask)
    expected = 40 + 15 * np.sin(line[:, 0] / 12)
    assert np.abs(line[:, 1] - expected).max() < 2.5
    assert line[0, 0] < 14 and line[-1, 0] > 66


def test_objects_are_the_locators() -> None:
    assert tuple(objects()) == OBJECTS
