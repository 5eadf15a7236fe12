"""Operating points in a conversation: read from the question's words, handed to the classifier, told in the answer."""

from __future__ import annotations

from typing import Any

import pytest
from agent_stubs import OneFilm, StubTools, Truth, film, judged, stub_agent
from pydantic import BaseModel, Field

from agent.core import Agent
from agent.planner.offers import Offer
from agent.planner.operating import point_in
from agent.planner.reading import Kind, read
from tools.contract import Registry, Result, Tool, ToolArguments, ToolContext
from tools.contract.tool import installed

FILM = film(1)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("Is there an effusion with 95 % sensitivity?", {"sensitivity": 0.95}),
        ("any mass at 97.5% sensitivity", {"sensitivity": 0.975}),
        ("what do you see at a specificity of 0.9", {"specificity": 0.9}),
        ("sensitivity at least 98", {"sensitivity": 0.98}),
        ("use a threshold of 0.3", {"threshold": 0.3}),
        ("use .2 as cut-off; cutoff 0,25", {"threshold": 0.25}),
        ("set the threshold to 20 %", {"threshold": 0.2}),
        ("be more sensitive", {"operating_point": "sensitive"}),
        ("lower the threshold please", {"operating_point": "sensitive"}),
        ("I want fewer false positives", {"operating_point": "specific"}),
        ("use the default thresholds", {"operating_point": "card"}),
        ("use an ensemble: is there a mass?", {"ensemble": True}),
        ("ask several models with 90 percent sensitivity", {"ensemble": True, "sensitivity": 0.9}),
        ("Is there an effusion?", {}),
        ("Is film 2 more sensitive to rotation? What is the cardiothoracic ratio?", {"operating_point": "sensitive"}),
        ("What threshold do you use?", {}),
        ("a nodule of 30 mm on the left", {}),
    ],
)
def test_operating_point_is_read_from_the_words(text: str, given: dict[str, Any]) -> None:
    assert point_in(text) == given


class Movable(OneFilm):
    findings: list[str] | None = Field(default=None, description="codes")
    sensitivity: float | None = Field(default=None, description="rate")
    threshold: float | None = Field(default=None, description="value")
    operating_point: str | None = Field(default=None, description="point")
    ensemble: bool | None = Field(default=None, description="several")


class Moved(BaseModel):
    moved: str = ""
    members: list[str] = Field(default_factory=list)
    rows: list[dict[str, Any]] = Field(default_factory=list)


def moving_agent(runs: list[dict[str, Any]]) -> Agent:
    truth = Truth(scores={"effusion": 0.8, "mass": 0.1})

    def run(context: ToolContext, given: ToolArguments) -> Result:
        asked = given.model_dump(exclude_defaults=True)
        runs.append(asked)
        rows = [judged(code, FILM.id, truth) for code in asked.get("findings") or truth.scores]
        said = "Thresholds moved to x. This changes mass from absent to present." if len(asked) > 1 else ""
        members = ["a", "b"] if asked.get("ensemble") else []
        return Result(summary="Stub.", findings=rows, image_ids=[FILM.id], data=Moved(moved=said, members=members))

    stub = Tool("classify", "Stub classify", Movable, Moved, (), "stub", run, prompt="Stub.")
    return stub_agent(tools=_Given(Registry([stub])))


class _Given(StubTools):
    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._registry = registry

    def registry(self) -> Registry:
        return self._registry


def test_point_goes_to_the_classifier_and_what_it_changed_is_told() -> None:
    runs: list[dict[str, Any]] = []
    answer = moving_agent(runs).session().ask("Is there an effusion with 95 % sensitivity?", films=[FILM])
    assert runs == [{"image_id": FILM.id, "findings": ["effusion"], "sensitivity": 0.95}]
    assert "This changes mass from absent to present [E1]." in answer.text


def test_sentence_about_the_point_alone_belongs_to_the_question() -> None:
    runs: list[dict[str, Any]] = []
    moving_agent(runs).session().ask("Is there an effusion? Use a threshold of 0.3", films=[FILM])
    assert runs == [{"image_id": FILM.id, "findings": ["effusion"], "threshold": 0.3}]


def test_point_alone_asks_the_last_question_again() -> None:
    runs: list[dict[str, Any]] = []
    session = moving_agent(runs).session()
    session.ask("Is there a mass?", films=[FILM])
    session.ask("be more sensitive")
    session.ask("And an effusion?")
    assert runs[1:] == [
        {"image_id": FILM.id, "findings": ["mass"], "operating_point": "sensitive"},
        {"image_id": FILM.id, "findings": ["effusion"]},
    ]


def test_point_without_a_question_before_is_an_overview() -> None:
    runs: list[dict[str, Any]] = []
    moving_agent(runs).session().ask("Use a threshold of 0.3", films=[FILM])
    assert runs == [{"image_id": FILM.id, "threshold": 0.3}]


def test_members_of_an_ensemble_are_named() -> None:
    runs: list[dict[str, Any]] = []
    answer = moving_agent(runs).session().ask("Ask several models: is there a mass?", films=[FILM])
    assert runs[0]["ensemble"] is True and "Scores are the mean of a and b [E1]." in answer.text


def test_classifier_without_operating_points_is_asked_as_ever() -> None:
    tools = StubTools(Truth(scores={"effusion": 0.8}))
    stub_agent(tools=tools).session().ask("Is there an effusion with 95 % sensitivity?", films=[FILM])
    assert tools.runs[0] == ("classify", {"image_id": FILM.id, "findings": ["effusion"]})


def test_a_cut_off_moves_the_threshold_and_asks_for_no_check_of_the_film() -> None:
    """ "Cut off" is also what people say of a film that lacks a part of the lung; all our tools are offered here."""
    tools = {
        tool.name: Offer(tool.name, frozenset(tool.arguments.model_fields), frozenset({"image_id"}), tool.asked_by)
        for tool in installed()
    }
    facts: list[dict[str, Any]] = [
        {"number": 1, "id": FILM.id, "view": "PA", "role": None, "patient": None, "derived": None, "warnings": []}
    ]
    [first] = read("Is there a pneumothorax?", facts, [FILM.id], tools=tools)
    [second] = read("And with a cut-off of 0.6?", facts, [], first, tools)
    assert (second.kind, second.findings, dict(second.point)) == (Kind.PRESENCE, ("pneumothorax",), {"threshold": 0.6})
