"""explain: maps and the masking test against models of which it is known where they look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from stub_pool import FILM_SIZE, context_of, masks_of, phantom

from imaging.radiograph import Radiograph
from models.outputs import Masks, Scores, Task
from models.predictions import Prediction
from tools.contract import Result, ToolContext
from tools.explain import ExplainData, explain
from tools.explaining import chest_of, cover_map, masking_test
from tools.explaining.masking import RANDOM_AREAS

LEFT_BASE = (slice(220, 290), slice(250, 310))
"""A part of the phantom's left lower chest, rows and columns of its 384."""


def brightness(film: Radiograph) -> float:
    """A score in (0, 1) that rises with how much the part differs from its mean: detail there, and nothing else."""
    return float(np.clip(0.1 + 8 * film.pixels[LEFT_BASE].std(), 0.01, 0.99))


def looking(context: ToolContext, pool: Any, score: Any) -> None:
    """Make the stub pool's classifier look at the films' pixels."""
    answer = pool.predict
    pool.gives_gradients = False

    def predict(task: Task, films: Sequence[Radiograph], **more: Any) -> list[Prediction]:
        made = answer(task, films, **{key: value for key, value in more.items() if key == "model_id"})
        if task is not Task.CLASSIFY:
            return made
        return [
            replace(one, output=Scores(("effusion",), np.array([score(film)])))
            for one, film in zip(made, films, strict=True)
        ]

    pool.predict = predict


def told(result: Result) -> ExplainData:
    assert isinstance(result.data, ExplainData), result.failure
    return result.data


def test_occlusion_points_where_the_model_looks_and_the_area_matters() -> None:
    context, image_id, pool = context_of(phantom())
    looking(context, pool, brightness)
    result = explain.run(context, {"image_id": image_id, "finding": "effusion", "method": "occlusion"})
    data = told(result)
    heat, area = result.overlays[0].as_heatmap(), result.overlays[1].as_mask()
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    scale = FILM_SIZE / heat.shape[0]
    assert 200 < row * scale < 310 and 230 < column * scale < 330
    assert data.mattered and data.random_as_low <= 1 and data.p_value <= 0.05
    assert data.score_covered < data.score_random_covered < data.score_uncovered + 0.05
    assert data.place.startswith("left") and "mattered to the model more" in result.summary
    assert area[LEFT_BASE].mean() > 0.5 and area.shape == (FILM_SIZE, FILM_SIZE)


def test_a_map_that_points_elsewhere_is_told_not_to_matter() -> None:
    """Truth: the model looks at the left base; the map highlights the right upper chest."""
    film = phantom()
    context, _, pool = context_of(film)
    looking(context, pool, brightness)
    chest = chest_of(film.radiograph, pool.outputs[Task.SEGMENT])
    heat = np.zeros(film.radiograph.shape, dtype=np.float32)
    heat[90:170, 90:150] = 1.0
    test = masking_test(chest, heat, lambda films: np.array([brightness(one) for one in films]), seed=1)
    assert not test.mattered and test.random_areas == RANDOM_AREAS and test.p_value > 0.05


def test_areas_are_as_large_as_the_highlighted_one_and_lie_elsewhere() -> None:
    film = phantom()
    _, _, pool = context_of(film)
    chest = chest_of(film.radiograph, pool.outputs[Task.SEGMENT])
    seen: list[Radiograph] = []

    def ask(films: Sequence[Radiograph]) -> np.ndarray:
        seen.extend(films)
        return np.full(len(films), 0.5)

    heat = np.zeros(film.radiograph.shape, dtype=np.float32)
    heat[LEFT_BASE] = 1.0
    test = masking_test(chest, heat, ask, seed=2)
    assert not test.mattered and test.as_low == RANDOM_AREAS and len(seen) == RANDOM_AREAS + 2
    assert len({one.id for one in seen}) > RANDOM_AREAS, "the areas differ"
    assert abs(int(test.area.sum()) - 70 * 60) < 50 or test.area.sum() <= 0.11 * chest.inside.sum()


def test_a_model_that_looks_nowhere_is_not_applicable() -> None:
    context, image_id, pool = context_of(phantom())
    looking(context, pool, lambda film: 0.8)
    result = explain.run(context, {"image_id": image_id, "finding": "effusion", "method": "occlusion"})
    assert result.failure is not None and result.failure.kind == "not_applicable"
    assert "raises the score" in result.failure.message


def test_finding_left_out_is_the_surest_present_one_and_none_present_is_not_applicable() -> None:
    context, image_id, pool = context_of(phantom())
    looking(context, pool, brightness)
    assert told(explain.run(context, {"image_id": image_id, "method": "occlusion"})).finding == "effusion"
    looking(context, pool, lambda film: 0.1)
    result = explain.run(context, {"image_id": image_id, "method": "occlusion"})
    assert result.failure is not None and "no finding present" in result.failure.message


def test_gradients_of_a_model_without_them_are_unavailable_and_occlusion_is_taken_unasked() -> None:
    context, image_id, pool = context_of(phantom())
    looking(context, pool, brightness)
    result = explain.run(context, {"image_id": image_id, "finding": "effusion", "method": "grad_cam"})
    assert result.failure is not None and result.failure.kind == "unavailable" and "occlusion" in result.failure.hint
    assert told(explain.run(context, {"image_id": image_id, "finding": "effusion"})).method == "occlusion"


def test_gradients_are_taken_where_the_model_gives_them_and_tested_all_the_same() -> None:
    """The stub's map glows on the effusion; its scores do not change, whatever is covered."""
    context, image_id, _ = context_of(phantom(3, "effusion:left:800ml"))
    result = explain.run(context, {"image_id": image_id, "finding": "effusion"})
    data = told(result)
    assert data.method == "hires_cam" and data.place.startswith("left") and not data.mattered
    assert "does not show the reason" in result.summary and data.p_value == 1.0


def test_unassessed_finding_is_not_applicable_and_an_unknown_one_bad_arguments() -> None:
    context, image_id, _ = context_of(phantom())
    result = explain.run(context, {"image_id": image_id, "finding": "hernia"})
    assert result.failure is not None and result.failure.kind == "not_applicable"
    result = explain.run(context, {"image_id": image_id, "finding": "sponge cake"})
    assert result.failure is not None and result.failure.kind == "bad_arguments"


def test_map_of_a_large_film_covers_it_whole() -> None:
    """A film four times as large is explained on a reduced one; the mask is the large film's."""
    film = phantom()
    grown = np.kron(film.radiograph.pixels, np.ones((4, 4), dtype=np.float32))
    big = replace(film.radiograph, pixels=grown, id="big")
    small = masks_of(film)
    masks = Masks(small.codes, np.kron(small.masks, np.ones((1, 4, 4))) > 0, small.quality)
    chest = chest_of(big, masks)
    assert max(chest.film.shape) == 640 and chest.shape == (1536, 1536)
    heat = cover_map(chest, lambda films: np.array([0.9 - one.pixels[100:300, 100:200].mean() for one in films]))
    assert heat.shape == chest.film.shape
