"""What every installed tool meets."""

from __future__ import annotations

import numpy as np
import pytest
from stub_pool import as_view, context_of, masks_of, phantom

from imaging.radiograph import View
from models.outputs import Task
from prompts import tool_prompt
from tools.contract import Tool
from tools.contract.results import SUMMARY_MAX_CHARACTERS
from tools.contract.tool import installed

TOOLS = list(installed())
OURS = {
    "classify", "segment", "measure", "ground", "report", "quality", "enhance", "suppress_bone", "generate",
    "read_report", "score_report", "retrieve_cases", "retrieve_knowledge", "audit", "deidentify", "dicom_header",
    "detect_objects", "fuse",
    "compare",
    "explain",
    "zero_shot",
    "anomaly",
    "tb_screen",
    "covid_severity",
    "vqa",
}  # fmt: skip
MORE = {
    "ground": {"finding": "effusion"}, "zero_shot": {"finding": "effusion"},
    "vqa": {"question": "Is there an effusion?"},
}  # fmt: skip
EFFUSION = "effusion:left:800ml"

ANY_PICTURE = {"quality", "enhance", "dicom_header", "vqa"}
"""Tools that take any picture, or any view, so refuse no lateral one."""

NEED_MORE = {"retrieve_cases"}
"""Tools that need more than a film and the models, such as an index; test_cases.py holds it to the same."""

FILM_TOOLS = [
    tool for tool in TOOLS
    if (field := tool.arguments.model_fields.get("image_id")) and field.is_required() and tool.name not in NEED_MORE
]  # fmt: skip
"""Tools that read one film at a time; what the others take, their own tests give them."""

each_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
each_film_tool = pytest.mark.parametrize("tool", FILM_TOOLS, ids=lambda tool: tool.name)
each_frontal_tool = pytest.mark.parametrize(
    "tool", [tool for tool in FILM_TOOLS if tool.name not in ANY_PICTURE], ids=lambda tool: tool.name
)


def test_our_tools_are_installed() -> None:
    assert {tool.name for tool in TOOLS} >= OURS


@each_tool
def test_schema_describes_every_argument_and_names_no_path(tool: Tool) -> None:
    schema = tool.arguments.model_json_schema()
    assert schema["additionalProperties"] is False
    for name, field in schema["properties"].items():
        assert field.get("description"), name
        assert not any(word in name for word in ("path", "file", "url")), name
    if "image_id" in schema["properties"]:
        field = schema["properties"]["image_id"]
        assert "string" in [field.get("type"), *(kind["type"] for kind in field.get("anyOf", []))]


@each_tool
def test_phrases_reach_the_tool_and_no_other(tool: Tool) -> None:
    mine = set(tool.asked_by)
    assert len(mine) == len(tool.asked_by)
    for other in TOOLS:
        assert other is tool or not mine & set(other.asked_by), f"{tool.name} and {other.name} are asked by the same"


@each_tool
def test_prompt_is_two_to_five_sentences(tool: Tool) -> None:
    text = tool_prompt(tool.name)
    assert tool.description == text
    assert 2 <= len([part for part in text.replace("?", ".").split(". ") if part]) <= 8
    assert len(text) < 1200


@each_film_tool
def test_result_has_card_model_summary_and_typed_data(tool: Tool) -> None:
    context, image_id, _ = context_of(phantom(3, EFFUSION))
    result = tool.run(context, {"image_id": image_id, **MORE.get(tool.name, {})})
    assert result.ok, result.failure
    assert isinstance(result.data, tool.result)
    assert 0 < len(result.summary) <= SUMMARY_MAX_CHARACTERS
    made = [film_id for film_id in result.image_ids if context.films.get(film_id).derived]
    assert result.image_ids == [image_id, *made]
    if tool.needs:
        assert result.model and result.revision
        assert {"title", "licence", "training_data", "score_meaning", "limits"} <= set(result.card)
    assert any("SYNTHETIC" in caveat for caveat in result.caveats)
    assert result.tool == tool.name
    result.model_validate_json(result.model_copy(update={"data": None}).model_dump_json())


@each_film_tool
def test_unknown_film_is_bad_arguments_and_runs_no_model(tool: Tool) -> None:
    context, _, pool = context_of(phantom())
    result = tool.run(context, {"image_id": "/etc/passwd", **MORE.get(tool.name, {})})
    assert result.failure is not None and result.failure.kind == "bad_arguments"
    assert pool.calls == []


@each_film_tool
def test_unknown_argument_is_bad_arguments(tool: Tool) -> None:
    context, image_id, pool = context_of(phantom())
    result = tool.run(context, {"image_id": image_id, "image_path": "x", **MORE.get(tool.name, {})})
    assert result.failure is not None and result.failure.kind == "bad_arguments"
    assert pool.calls == []


@each_frontal_tool
def test_film_without_lungs_is_not_applicable(tool: Tool) -> None:
    film = phantom()
    empty = np.zeros_like(film.masks["heart"])
    context, image_id, _ = context_of(film, masks=masks_of(film, left_lung=empty, right_lung=empty))
    result = tool.run(context, {"image_id": image_id, **MORE.get(tool.name, {})})
    assert result.failure is not None and result.failure.kind == "not_applicable"
    assert "no lungs" in result.failure.message


@each_frontal_tool
def test_lateral_film_is_not_applicable(tool: Tool) -> None:
    film = phantom()
    context, image_id, pool = context_of(film, radiograph=as_view(film, View.LATERAL))
    result = tool.run(context, {"image_id": image_id, **MORE.get(tool.name, {})})
    assert result.failure is not None and result.failure.kind == "not_applicable"
    assert "lateral" in result.failure.message
    assert pool.calls == [Task.QUALITY], "no model that reads disease is asked"


@each_film_tool
def test_same_film_twice_gives_the_same_result(tool: Tool) -> None:
    context, image_id, _ = context_of(phantom(3, EFFUSION))
    arguments = {"image_id": image_id, **MORE.get(tool.name, {})}
    first, second = (tool.run(context, arguments).model_dump(exclude={"elapsed_ms"}) for _ in range(2))
    assert first == second
