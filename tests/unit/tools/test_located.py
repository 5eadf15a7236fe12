"""measure takes free air and tips from the outlining model: sizes against the phantom's exact outlines."""

from __future__ import annotations

import numpy as np
import pytest
from stub_pool import context_of, locator_card, phantom, sights_of

from imaging.radiograph import View
from models.outputs import Masks, Task
from models.recipes.lesion_phantoms import free_air
from tools.contract import Result
from tools.measure import MeasureData, measure

OUTLINED = ("left_lung", "right_lung", "heart", "trachea")


def measured(spec: str, code: str, task: str, *unfit: str) -> tuple[Result, float]:
    """One measurement of a film whose locator sees the finding just as it is, and the truth of its first number."""
    film = phantom(3, spec, view=View.AP)
    name = next(mask for mask in film.boxes if mask.startswith(code))
    drawn = free_air(film, name, "left") if code == "pneumothorax" else film.masks[name]
    stack = np.stack([film.masks[outline] for outline in OUTLINED])
    masks = Masks(OUTLINED, stack, np.ones(len(OUTLINED), dtype=np.float32))
    context, image_id, _ = context_of(
        film, masks=masks, sights=sights_of(film, {code: drawn}), cards={Task.DETECT: locator_card(*unfit)}
    )
    lung = film.masks["left_lung"]
    share = (drawn & lung).sum() / lung.sum()
    truth = film.measures["ett_tip_to_carina_mm"] if code == "ett" else float(share)
    return measure.run(context, {"image_id": image_id, "tasks": [task]}), truth


def test_distance_of_the_tip_is_the_phantoms_and_who_outlined_it_is_said() -> None:
    result, truth = measured("ett:40mm", "ett", "tube_tip")
    assert isinstance(result.data, MeasureData), result.failure
    [done] = result.data.measurements
    assert done.index == pytest.approx(truth, abs=6)
    assert any("The device was outlined by" in caveat for caveat in result.caveats)


def test_share_of_a_pneumothorax_is_that_of_its_outline() -> None:
    result, truth = measured("pneumothorax:left:50%", "pneumothorax", "pneumothorax_size")
    assert isinstance(result.data, MeasureData), result.failure
    [done] = result.data.measurements
    assert done.side == "left" and done.index == pytest.approx(truth, abs=0.06)


def test_free_air_of_a_class_that_the_card_withholds_is_not_measured() -> None:
    result, _ = measured("pneumothorax:left:50%", "pneumothorax", "pneumothorax_size", "pneumothorax")
    assert result.failure is not None and "No tool here outlines" in result.failure.message


def test_tip_that_the_card_withholds_is_not_measured_and_the_card_says_why() -> None:
    film = phantom(3, "ett:40mm", view=View.AP)
    masks = Masks(OUTLINED, np.stack([film.masks[one] for one in OUTLINED]), np.ones(len(OUTLINED), dtype=np.float32))
    context, image_id, _ = context_of(
        film,
        masks=masks,
        sights=sights_of(film, {"ett": film.masks["ett"]}),
        cards={Task.DETECT: locator_card(tips=False)},
    )
    result = measure.run(context, {"image_id": image_id, "tasks": ["tube_tip"]})
    assert result.failure is not None and "Endotracheal tube: how far off" in result.failure.message
