"""Tools that the embedded planner knows by nothing but their declaration: called by their words, cited like ours."""

from __future__ import annotations

from typing import Any

import pytest
from agent_stubs import OneFilm, StubTools, Truth, film, stub_agent
from pydantic import BaseModel, Field

from agent.answer import Answer
from agent.core import Agent
from imaging.failures import NotApplicable
from tools.contract import Registry, Result, Tool, ToolArguments, ToolContext


class Finds(OneFilm):
    finding: str = Field(description="code")
    side: str | None = Field(default=None, description="side")


class Particulars(OneFilm):
    k: int = Field(default=5, description="how many")
    anatomy: str | None = Field(default=None, description="zone")
    age_from: float | None = Field(default=None, description="years")
    question: str = Field(default="", description="the user's words")


class Films(ToolArguments):
    image_ids: list[str] = Field(description="films")


class Words(ToolArguments):
    text: str = Field(description="the user's words")


class Nothing(BaseModel):
    unusable: str = ""


ARGUMENTS: dict[str, tuple[type[ToolArguments], tuple[str, ...]]] = {
    "bones": (OneFilm, ("how old are the bones", "bone age")),
    "volume": (Finds, ("in millilitres", "volume")),
    "stitch": (Films, ("stitch", "stitch the films")),
    "grammar": (Words, ("check the grammar", "spelling")),
    "neighbours": (Particulars, ("neighbours", "find neighbours")),
    "refuse": (OneFilm, ("count the stents",)),
}


class Others:
    """A third party's tools beside our stubs; every run is noted."""

    def __init__(self, unusable: str = "") -> None:
        self.runs: list[tuple[str, dict[str, Any]]] = []
        self.ours = StubTools(Truth(scores={"effusion": 0.8}, sides={"effusion": "left"}))
        self.unusable = unusable

    def agent(self) -> Agent:
        theirs = [self._tool(name, model, words) for name, (model, words) in ARGUMENTS.items()]
        check = self._tool("quality", OneFilm, ("is it upside down",))
        return stub_agent(tools=_Given(Registry([check, *self.ours.registry(), *theirs])))

    def _tool(self, name: str, arguments: type[ToolArguments], words: tuple[str, ...]) -> Tool:
        def run(context: ToolContext, given: ToolArguments) -> Result:
            asked = given.model_dump(exclude_none=True)
            self.runs.append((name, asked))
            if name == "refuse":
                raise NotApplicable("There is no stent to count on a chest film.", "Ask for something else.")
            films = [asked["image_id"]] if "image_id" in asked else asked.get("image_ids", [])
            said = Nothing(unusable=self.unusable if name == "quality" else "")
            return Result(summary=f"Said by {name}. It is done.", data=said, image_ids=films, caveats=["It is a stub."])

        return Tool(
            name, f"Their {name}", arguments, Nothing, (), "stub", run, prompt="Stub. Of a tool.", asked_by=words
        )


class _Given:
    """Stands in for StubTools where a test brings its own registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def registry(self) -> Registry:
        return self._registry


def ask(question: str, *, films: int = 1, unusable: str = "") -> tuple[Answer, Others]:
    others = Others(unusable)
    answer = others.agent().session().ask(question, films=[film(n) for n in range(1, films + 1)])
    return answer, others


def called(others: Others) -> list[tuple[str, dict[str, Any]]]:
    return [(name, args) for name, args in others.runs if name != "quality"]


ONE = film(1).id


@pytest.mark.parametrize(
    ("question", "call"),
    [
        ("How old are the bones?", ("bones", {"image_id": ONE})),
        ("What is the bone-age?", ("bones", {"image_id": ONE})),
        ("Volume of the left effusion?", ("volume", {"image_id": ONE, "finding": "effusion", "side": "left"})),
        (
            "Find 3 similar neighbours over 60 by the left base",
            (
                "neighbours",
                {
                    "image_id": ONE,
                    "k": 3,
                    "anatomy": "left_lower_zone",
                    "age_from": 60.0,
                    "question": "Find 3 similar neighbours over 60 by the left base",
                },
            ),
        ),
        ("Please stitch the films", ("stitch", {"image_ids": [ONE]})),
        ("Check the grammar: no effusion seen", ("grammar", {"text": "Check the grammar: no effusion seen"})),
    ],
)
def test_question_in_a_tools_own_words_calls_it_and_cites_it(question: str, call: tuple[str, Any]) -> None:
    answer, others = ask(question)
    assert called(others) == [call]
    cited = [claim for claim in answer.claims if claim.text.startswith(f"Said by {call[0]}")]
    assert cited and cited[0].evidence and "Caveat: It is a stub" in answer.text


def test_films_are_checked_before_anything_else_runs() -> None:
    _, others = ask("How old are the bones?")
    assert [name for name, _ in others.runs] == ["quality", "bones"]


def test_unusable_film_stops_the_plan_with_its_reason() -> None:
    for question in ("Is there an effusion?", "How old are the bones?", "Which?\nA) effusion\nB) mass"):
        answer, others = ask(question, unusable="This is a cat.")
        assert called(others) == [] and others.ours.runs == []
        assert "This is a cat [E1]" in answer.text and "This is a cat." in answer.not_assessed
        assert not answer.findings and answer.choice is None


def test_text_tool_needs_no_film_and_no_check() -> None:
    answer, others = ask("Check the spelling: no pleural efusion", films=0)
    assert others.runs == [("grammar", {"text": "Check the spelling: no pleural efusion"})]
    assert "Said by grammar [E1]" in answer.text


def test_text_tool_asks_for_a_text_that_was_not_pasted() -> None:
    answer, others = ask("check the spelling", films=0)
    assert others.runs == [] and "grammar needs to be told: text" in answer.text


def test_tool_that_lacks_an_argument_says_which() -> None:
    answer, others = ask("What is its volume?")
    assert called(others) == []
    assert "volume needs to be told: finding" in answer.text


def test_longer_phrase_of_ours_outweighs_a_tools() -> None:
    _, others = ask("Which film shows more effusion volume?")
    assert called(others) == [] and {name for name, _ in others.ours.runs} == {"classify"}


def test_failed_run_is_told_as_failed() -> None:
    answer, _ = ask("Count the stents")
    assert "Their refuse is not assessed: There is no stent to count on a chest film [E2]" in answer.text


def test_follow_up_asks_the_same_tool_about_another_film() -> None:
    others = Others()
    session = others.agent().session()
    session.ask("Bone age on film 2?", films=[film(1), film(2)])
    others.runs.clear()
    session.ask("And on film 1?")
    assert called(others) == [("bones", {"image_id": ONE})]


@pytest.mark.parametrize("phrase", ["Bone age", "bone-age", "bone  age", ""])
def test_phrase_that_no_question_can_match_raises(phrase: str) -> None:
    with pytest.raises(ValueError, match="asked_by"):
        Tool("x", "X", OneFilm, Nothing, (), "stub", lambda c, a: Result(), prompt="p", asked_by=(phrase,))
