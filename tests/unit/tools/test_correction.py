"""Outlines corrected by box, points and scribble: nearer to the phantom's truth, kept for the session, undone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from stub_pool import StubPool, card, context_of, masks_of, phantom

from imaging.failures import BadArguments
from models.outputs import Masks, Task
from tools.anatomy.correction import Marks, correct, stretched
from tools.contract import Result
from tools.contract.corrections import Correction, Corrections
from tools.measure import HEART, MeasureData, measure
from tools.segment import CorrectionMade, SegmentData, segment

Mask = np.ndarray


def dice(first: Mask, second: Mask) -> float:
    return 2 * float((first & second).sum()) / float(first.sum() + second.sum())


def deepest(mask: Mask) -> tuple[float, float]:
    """Where a user would click: the middle of what is wrong."""
    depth = ndimage.distance_transform_edt(mask)
    row, column = np.unravel_index(int(depth.argmax()), mask.shape)
    return float(row), float(column)


def box_of(mask: Mask) -> list[float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [float(rows[0]), float(columns[0]), float(rows[-1] + 1), float(columns[-1] + 1)]


def cut(mask: Mask, share: float = 0.65) -> Mask:
    """The mask without its lower part: what a segmenter misses under fluid."""
    top, _, bottom, _ = box_of(mask)
    kept = mask.copy()
    kept[int(top + share * (bottom - top)) :] = False
    return kept


def spilt(mask: Mask) -> Mask:
    """The mask with a disc too much at its outer border."""
    row, _ = deepest(mask)
    edge = int(np.flatnonzero(mask[int(row)])[-1])
    rows, columns = np.indices(mask.shape)
    return mask | ((rows - row) ** 2 + (columns - edge - 12) ** 2 < 22**2)


def correction_of(result: Result) -> CorrectionMade:
    assert isinstance(result.data, SegmentData), result.failure
    assert result.data.correction is not None
    return result.data.correction


@pytest.mark.parametrize(("code", "gain"), [("heart", 0.1), ("spine", 0.04)])
def test_box_around_what_was_missed_brings_the_outline_near_the_truth(code: str, gain: float) -> None:
    film = phantom(3)
    truth = film.masks[code]
    missed = cut(truth)
    corrected = correct(film.radiograph.pixels, missed, Marks(box=tuple(box_of(truth))))  # type: ignore[arg-type]
    assert dice(corrected, truth) > dice(missed, truth) + gain


@pytest.mark.parametrize("code", ["left_lung", "right_lung", "heart"])
def test_points_inside_what_was_missed_raise_the_dice_each_time(code: str) -> None:
    film = phantom(3)
    truth, outline = film.masks[code], cut(film.masks[code])
    reached = [dice(outline, truth)]
    for _ in range(3):
        outline = correct(film.radiograph.pixels, outline, Marks(inside=(deepest(truth & ~outline),)))
        reached.append(dice(outline, truth))
    assert reached == sorted(reached) and reached[-1] > reached[0] + 0.05


def test_point_outside_takes_away_what_is_too_much_and_leaves_the_rest() -> None:
    film = phantom(3)
    truth = film.masks["heart"]
    wrong = spilt(truth)
    place = deepest(wrong & ~truth)
    corrected = correct(film.radiograph.pixels, wrong, Marks(outside=(place,)))
    assert not corrected[int(place[0]), int(place[1])]
    assert dice(corrected, truth) > dice(wrong, truth)
    far = np.hypot(*(np.indices(truth.shape) - np.array(place)[:, None, None])) > 80
    assert np.array_equal(corrected & far, wrong & far)


def test_scribble_along_what_was_missed() -> None:
    film = phantom(3)
    truth = film.masks["spine"]
    missed = cut(truth)
    rows = np.flatnonzero((truth & ~missed).any(axis=1))
    stroke = tuple(
        (float(row), float(np.flatnonzero(truth[row]).mean())) for row in rows[5:-5:10]
    )  # fmt: skip
    corrected = correct(film.radiograph.pixels, missed, Marks(inside_strokes=(stroke,)))
    assert dice(corrected, truth) > dice(missed, truth) + 0.1
    assert all(corrected[int(row), int(column)] for row, column in stroke)


def test_nothing_but_a_box_outlines_the_heart_roughly() -> None:
    film = phantom(3)
    truth = film.masks["heart"]
    drawn = correct(film.radiograph.pixels, None, Marks(box=tuple(box_of(truth))))  # type: ignore[arg-type]
    assert dice(drawn, truth) > 0.7
    with pytest.raises(ValueError, match="nothing says where"):
        correct(film.radiograph.pixels, None, Marks(outside=((5.0, 5.0),)))


def test_stretched_outline_fills_the_box_and_keeps_its_middle() -> None:
    outline = np.zeros((200, 200), dtype=bool)
    outline[60:140, 60:140] = True
    assert box_of(stretched(outline, (50.0, 60.0, 150.0, 150.0))) == [50.0, 60.0, 150.0, 150.0]
    assert np.array_equal(stretched(outline, (60.0, 60.0, 140.0, 140.0)), outline)


def test_corrected_outline_is_kept_for_the_session_and_measured_on() -> None:
    film = phantom(3)
    context, image_id, _ = context_of(film, masks=masks_of(film, heart=cut(film.masks["heart"], 0.5)))
    ask: dict[str, object] = {"image_id": image_id, "tasks": [HEART]}
    before = measure.run(context, ask)
    args = {"image_id": image_id, "structure": "heart", "box": box_of(film.masks["heart"])}
    made = segment.run(context, args)
    correction = correction_of(made)
    assert correction.area_after_px > correction.area_before_px and correction.how == "a box"
    assert {overlay.label for overlay in made.overlays} == {"heart", "heart before"}
    assert "Later results of this session rest on it" in made.summary
    after = measure.run(context, ask)
    assert isinstance(before.data, MeasureData) and isinstance(after.data, MeasureData)
    truth = film.measures["cardiothoracic_ratio"]
    off = [abs((result.cardiothoracic_ratio or 0) - truth) for result in (before.data, after.data)]
    assert off[1] < off[0] and off[1] <= 0.03
    assert after.data.corrected == ["heart"] and "the user corrected: heart" in after.caveats[0]
    assert "Corrected by the user: heart" in after.data.measurements[0].chain[0].text
    [heart] = [item for item in _structures(segment.run(context, {"image_id": image_id})) if item.code == "heart"]
    assert heart.corrected
    undone = segment.run(context, {"image_id": image_id, "structure": "heart", "undo": True})
    assert correction_of(undone).undone
    again = measure.run(context, ask)
    assert isinstance(again.data, MeasureData)
    assert again.data.cardiothoracic_ratio == before.data.cardiothoracic_ratio and not again.data.corrected


def _structures(result: Result) -> list[Any]:
    assert isinstance(result.data, SegmentData)
    return result.data.structures


def test_pneumothorax_drawn_by_the_user_is_measured() -> None:
    film = phantom(3, "pneumothorax:left:45%")
    air = film.masks["pneumothorax_left"]
    context, image_id, _ = context_of(film)
    rows = np.flatnonzero(air.any(axis=1))
    stroke = [[float(row), float(np.median(np.flatnonzero(air[row]))), 1] for row in rows[:: max(1, len(rows) // 12)]]
    lung = deepest(film.masks["left_lung"] & ~air)
    marks = {"scribble": stroke, "points": [[*lung, 0]]}
    made = segment.run(context, {"image_id": image_id, "structure": "left_pneumothorax", **marks})
    assert made.ok, made.failure
    result = measure.run(context, {"image_id": image_id, "tasks": ["pneumothorax_size"]})
    assert isinstance(result.data, MeasureData), result.failure
    size = result.data.get("pneumothorax_size")
    assert size is not None and size.side == "left" and 0.02 < (size.index or 0) < 0.98


def test_lesion_drawn_by_the_user_is_measured() -> None:
    film = phantom(3, "mass:left:50mm")
    mask = film.masks["mass_left"]
    context, image_id, _ = context_of(film)
    ask: dict[str, object] = {"image_id": image_id, "tasks": ["lesion_diameter"]}
    assert "outline the nodule" in measure.run(context, ask).summary, "no model found it: the user may draw it"
    mark = {"image_id": image_id, "structure": "lung_lesion"}
    refused = segment.run(context, {**mark, "points": [[*deepest(mask), 1]]}).failure
    assert refused is not None and "drawn by a box" in refused.message
    made = segment.run(context, {**mark, "box": box_of(mask)})
    assert made.ok, made.failure
    result = measure.run(context, ask)
    assert isinstance(result.data, MeasureData), result.failure
    size = result.data.get("lesion_diameter")
    # The true size is that of the phantom's exact mask.
    truth = max(mask.any(axis=1).sum(), mask.any(axis=0).sum())
    assert size is not None and size.side == "left"
    assert (size.value("lesion_long_px") or 0) == pytest.approx(float(truth), rel=0.1)
    assert any("user's box" in caveat for caveat in result.caveats)
    assert "Corrected by the user: lung lesion" in size.chain[0].text


def test_promptable_model_draws_where_there_is_one_and_is_held_to_the_points() -> None:
    film = phantom(3)
    context, image_id, pool = context_of(film)
    truth = film.masks["heart"]
    drawn = np.zeros_like(truth)
    top, low, bottom, high = (int(edge) for edge in box_of(truth))
    drawn[top:bottom, low:high] = True

    class Prompted(StubPool):
        def predict(self, task: Task, films: Any, *, model_id: str | None = None, question: Any = None) -> Any:
            if task is Task.PROMPTED:
                asked.append(question)
            return super().predict(task, films, model_id=model_id)

    asked: list[Any] = []
    outputs = {**pool.outputs, Task.PROMPTED: Masks(("box_1",), drawn[None], np.ones(1, dtype=np.float32))}
    context = replace(context, models=Prompted(outputs, pool.cards, []))  # type: ignore[arg-type]
    corner = [float(top + 2), float(low + 2), 0]
    args = {"image_id": image_id, "structure": "heart", "box": box_of(truth), "points": [corner]}
    correction = correction_of(segment.run(context, args))
    assert correction.by.startswith(card(Task.PROMPTED).title) and correction.how == "a box and 1 point"
    assert asked[0].boxes == (tuple(box_of(truth)),)
    kept = context.corrections.of(image_id)["heart"].mask
    assert not kept[top + 2, low + 2] and dice(kept, drawn) > 0.8


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"box": [0, 0, 10, 10]}, "none is named"), ({"structure": "heart"}, "Nothing says how"),
        ({"structure": "heart", "box": [0, 0, 10, 9999]}, "does not lie on the film"),
        ({"structure": "heart", "points": [[5, 5, 2]]}, "neither inside"),
        ({"structure": "haert", "points": [[5, 5, 1]]}, "haert"),
        ({"structure": "trachea", "points": [[5, 5, 1]]}, "does not outline the trachea"),
        ({"structure": "heart", "undo": True}, "was not corrected"),
        ({"structure": "left_pneumothorax", "points": [[5, 5, 0]]}, "Nothing says where"),
        ({"structure": "heart", "points": [[1, 1, 1]] * 600}, "at most 500"),
    ],
)  # fmt: skip
def test_wrong_marks_are_bad_arguments(args: dict[str, object], says: str) -> None:
    context, image_id, _ = context_of(phantom(3))
    failure = segment.run(context, {"image_id": image_id, **args}).failure
    assert failure is not None and failure.kind == "bad_arguments"
    assert says in failure.message


def test_corrections_are_kept_by_film_and_their_state_tells_them_apart() -> None:
    corrections = Corrections()
    mask = np.zeros((4, 4), dtype=bool)
    assert corrections.state(["a", "b"]) == ""
    corrections.put("a", "heart", Correction(mask, "a box", "hand"))
    first = corrections.state(["a"])
    corrections.put("a", "heart", Correction(~mask, "a box", "hand"))
    assert corrections.state(["a"]) != first and corrections.state(["b"]) == ""
    assert corrections.of("a")["heart"].mask.all() and not corrections.of("a")["heart"].mask.flags.writeable
    corrections.forget("a", "heart")
    assert not corrections.of("a")
    with pytest.raises(BadArguments, match="was not corrected"):
        corrections.forget("a", "heart")
