"""The quality tool, the warnings it words and the gate that other tools stand behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from stub_pool import as_view, context_of, phantom, quality_of_picture

from imaging.phantom import PhantomSpec
from imaging.phantom.faults import orientation
from imaging.radiograph import View
from models.outputs import Task
from tools.contract import ToolContext
from tools.contract.quality import exposure, quality_facts, quality_warnings
from tools.quality import quality as quality_tool
from tools.segment import segment

LATERAL = np.array([0.05, 0.05, 0.9], dtype=np.float32)
BASES = np.array([0.1, 0.9, 0.1, 0.1], dtype=np.float32)


def run_segment(header: View = View.PA, **changes: Any) -> tuple[Any, list[Task]]:
    film = phantom()
    context, image_id, pool = context_of(film, radiograph=as_view(film, header), quality=quality_of_picture(**changes))
    return segment.run(context, {"image_id": image_id}), pool.calls


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"is_chest": False, "is_chest_score": 0.02}, "does not look like a radiograph of the chest"),
        ({"turned_deg": 90, "turned_score": 0.97}, "turned by 90° clockwise"),
        ({"inverted": True, "inverted_score": 0.98}, "inverted"),
    ],
)
def test_a_picture_that_would_mislead_is_refused_before_any_model_reads_it(changes: dict[str, Any], says: str) -> None:
    result, calls = run_segment(**changes)
    assert result.failure is not None and result.failure.kind == "not_applicable"
    assert says in result.failure.message and result.failure.hint
    assert calls == [Task.QUALITY]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"mirrored": True, "mirrored_score": 0.99}, "mirrored"),
        ({"turned_deg": 180, "turned_score": 0.6}, "turned by 180°"),
        ({"inverted": True, "inverted_score": 0.7}, "inverted"),
        ({"cut_edges": ("bases",), "cut_scores": BASES}, "the lung bases"),
        ({"inspiration": 0.1}, "Shallow breath"),
        ({"view": "AP"}, "says PA; the picture looks AP."),
        ({"view": "LATERAL", "view_scores": LATERAL}, "says PA; the picture looks lateral."),
    ],
)
def test_what_is_doubtful_is_warned_of_and_the_tool_still_answers(changes: dict[str, Any], says: str) -> None:
    result, _ = run_segment(**changes)
    assert result.ok and any(says in caveat for caveat in result.caveats)


def test_a_lateral_whose_file_names_no_view_is_refused() -> None:
    result, _ = run_segment(View.UNKNOWN, view="LATERAL", view_scores=LATERAL)
    assert result.failure is not None and result.failure.kind == "not_applicable"
    assert "lateral" in result.failure.message


def test_a_lateral_by_its_header_that_looks_frontal_is_refused_with_the_doubt() -> None:
    result, _ = run_segment(View.LATERAL, view="PA")
    assert result.failure is not None and result.failure.kind == "not_applicable"
    assert "its file says so, but the picture looks PA" in result.failure.message
    assert "correct its view" in result.failure.hint
    agreed, _ = run_segment(View.LATERAL, view="LATERAL", view_scores=LATERAL)
    assert agreed.failure is not None and "but" not in agreed.failure.message


def test_an_agreeing_film_brings_no_warning() -> None:
    film = phantom()
    assert quality_warnings(as_view(film, View.PA), quality_of_picture()) == []


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turned_deg", [0, 90, 180, 270])
def test_a_header_that_lies_about_the_pose_is_warned_of_and_a_true_one_is_not(turned_deg: int, mirrored: bool) -> None:
    # Expected: the orientation that the phantom's DICOM writer puts into the header of such a picture.
    said = orientation(PhantomSpec(turned_deg=turned_deg, mirrored=mirrored))
    film = as_view(phantom(), View.PA)
    film = replace(film, source=replace(film.source, orientation=said))
    for turn in (0, 90, 180, 270):
        for flip in (False, True, None):
            told = quality_warnings(film, quality_of_picture(turned_deg=turn, mirrored=flip))
            lied = turn != turned_deg or flip not in (None, mirrored)
            assert any("Patient Orientation says" in warning for warning in told) == lied, (turn, flip, told)
    assert not any("Orientation" in said for said in quality_warnings(film, quality_of_picture(view="LATERAL")))


def test_a_header_that_lies_about_the_body_part_is_warned_of() -> None:
    film = as_view(phantom(), View.PA)
    hand, chest = (replace(film, source=replace(film.source, body_part=part)) for part in ("HAND", "CHEST"))
    assert quality_warnings(chest, quality_of_picture()) == []
    said = quality_warnings(hand, quality_of_picture())
    assert said == ["The header says the body part is HAND; the picture looks like a chest."]
    [refused] = quality_warnings(chest, quality_of_picture(is_chest=False, is_chest_score=0.01))
    assert "does not look like a radiograph of the chest, though its header says CHEST, (score 0.01" in refused


def test_without_a_view_in_the_file_the_picture_is_quoted_as_such() -> None:
    said = quality_warnings(as_view(phantom(), View.UNKNOWN), quality_of_picture(view="AP"))
    assert said == ["The file does not say the view; the picture looks AP."]


def facts_of(**changes: Any) -> dict[str, Any]:
    film = phantom()
    context, image_id, _ = context_of(film, quality=quality_of_picture(**changes))
    return quality_facts(context.films.get(image_id), predicted(context, image_id))


def predicted(context: ToolContext, image_id: str) -> Any:
    return context.models.predict(Task.QUALITY, [context.films.get(image_id)])[0]


def test_facts_carry_every_verdict() -> None:
    facts = facts_of(cut_edges=("bases",), cut_scores=BASES, turned_deg=270, mirrored=True)
    expected = {"is_chest": True, "view": "PA", "rotation": 270, "mirrored": True, "inverted": False,
                "clipped": True, "clipped_edges": ["bases"], "inspiration": "deep"}  # fmt: skip
    assert {name: facts[name] for name in expected} == expected
    assert facts["score"] == pytest.approx(0.99) and facts["score_kind"] and facts["revision"]


def test_facts_of_no_chest_say_nothing_of_a_chest() -> None:
    facts = facts_of(is_chest=False, is_chest_score=0.01)
    silent = ("view", "rotation", "mirrored", "inverted", "clipped", "inspiration")
    assert facts["is_chest"] is False and [facts[name] for name in silent] == [None] * len(silent)


@pytest.mark.parametrize(
    "changes", [{"inspiration": None}, {"view": "LATERAL", "view_scores": LATERAL}, {"is_chest": False}]
)
def test_where_no_breath_is_told_the_reason_is(changes: dict[str, Any]) -> None:
    facts = facts_of(**changes)
    assert facts["inspiration"] is None and facts["inspiration_score"] is None and facts["inspiration_reason"]
    assert facts_of()["inspiration_reason"] == ""


def test_the_tool_answers_on_any_picture_and_says_no_chest() -> None:
    film = phantom()
    context, image_id, _ = context_of(film, quality=quality_of_picture(is_chest=False, is_chest_score=0.03))
    result = quality_tool.run(context, {"image_id": image_id})
    assert result.ok and "does not look like a radiograph of the chest" in result.summary
    assert result.data is not None and result.data.remedy.startswith("Give an upright frontal chest film")


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda grey: grey, "usual"),
        (lambda grey: 0.45 + 0.1 * grey, "flat"),
        (lambda grey: np.clip(3 * grey - 2.4, 0, 1), "dark"),
        (lambda grey: np.clip(3 * grey, 0, 1), "bright"),
        (lambda grey: 0.35 * grey, "dark"),
    ],
)
def test_exposure_follows_the_greys(change: Any, verdict: str) -> None:
    """Expected: what was done to the greys of a phantom of usual exposure."""
    film = phantom()
    pixels = change(film.radiograph.pixels).astype(np.float32)
    assert exposure(as_view(film, View.PA, pixels=pixels)).verdict == verdict
