"""Why does the tool think so? What the classifier went by is asked of `explain`, for what it calls present."""

from __future__ import annotations

from typing import Any

import pytest
from agent_stubs import OneFilm, StubTools, Truth, film, stub_agent
from pydantic import BaseModel, Field

from agent.core import Agent
from tools.contract import Registry, Result, Tool, ToolArguments, ToolContext

FILM = film(1)
SAID = "The score rests on the left lower zone. Covering it mattered."


class Explained(OneFilm):
    finding: str | None = Field(default=None, description="code")
    method: str | None = Field(default=None, description="how")


class Nothing(BaseModel):
    pass


def agent_of(runs: list[dict[str, Any]]) -> Agent:
    def run(context: ToolContext, given: ToolArguments) -> Result:
        runs.append(given.model_dump(exclude_none=True))
        return Result(summary=SAID, data=Nothing(), image_ids=[FILM.id], caveats=["It is a stub."])

    ours = StubTools(Truth(scores={"effusion": 0.8, "mass": 0.1}, sides={"effusion": "left"}))
    words = ("saliency map",)
    tool = Tool("explain", "Explain", Explained, Nothing, (), "stub", run, prompt="Stub. Of a tool.", asked_by=words)
    registry = Registry([*ours.registry(), tool])
    return stub_agent(tools=_Given(registry))


class _Given:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def registry(self) -> Registry:
        return self._registry


def test_why_asks_what_the_classifier_went_by_and_tells_it_with_its_evidence() -> None:
    runs: list[dict[str, Any]] = []
    session = agent_of(runs).session()
    session.ask("Is there an effusion?", films=[FILM])
    answer = session.ask("Why do you think so?")
    assert runs == [{"image_id": FILM.id, "finding": "effusion"}]
    [record] = [item for item in answer.evidence if item.tool == "explain"]
    assert f"The score rests on the left lower zone [{record.id}]" in answer.text
    assert "probability 0.80" in answer.text


def test_why_without_a_finding_is_of_the_surest_that_are_present() -> None:
    runs: list[dict[str, Any]] = []
    session = agent_of(runs).session()
    session.ask("What do you see?", films=[FILM])
    answer = session.ask("Why do you think so?")
    assert runs and {run["finding"] for run in runs} <= {row.code for row in answer.findings if row.status == "present"}
    assert "How sure the tools are" in answer.text


def test_what_is_absent_is_not_explained() -> None:
    runs: list[dict[str, Any]] = []
    answer = agent_of(runs).session().ask("Why do you think there is no mass?", films=[FILM])
    assert runs == [] and "Mass is absent" in answer.text


@pytest.mark.parametrize(
    ("asked", "more"), [("Saliency map please", {}), ("saliency map by occlusion", {"method": "occlusion"})]
)
def test_a_map_asked_for_afterwards_is_of_the_last_finding(asked: str, more: dict[str, str]) -> None:
    runs: list[dict[str, Any]] = []
    session = agent_of(runs).session()
    session.ask("Is there an effusion?", films=[FILM])
    session.ask(asked)
    assert runs == [{"image_id": FILM.id, "finding": "effusion", **more}]
