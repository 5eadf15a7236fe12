"""Questions about pictures that nobody acquired: named, read beside their original, and never read unasked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from agent_stubs import OneFilm, Said, StubTools, Truth, film, stub_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.messages.tool import ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult

from agent.core import Agent
from agent.films import told_films
from agent.session import Session
from imaging.derived import processed, synthetic
from imaging.radiograph import Radiograph
from tools.contract import Registry, Result, Tool, ToolArguments, ToolContext

FILM = film(1)
FADED = processed(FILM, np.sqrt(FILM.pixels), "bone suppressed", "stub@1")
NOBODY = replace(synthetic(film(2), "drawn", "stub"))
TRUTH = Truth(scores={"effusion": 0.8, "nodule": 0.1}, sides={"effusion": "left"})
FADED_TRUTH = Truth(scores={"effusion": 0.2, "nodule": 0.1})


class Insistent(BaseChatModel):
    """A planner that calls classify on the one film it wants, once a turn, whatever was asked."""

    wanted: str

    @property
    def _llm_type(self) -> str:
        return "insistent"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        done = isinstance(messages[-1], ToolMessage)
        args_ = {"image_id": self.wanted, "findings": ["effusion"]}
        call = ToolCall(name="classify", args=args_, id=f"c{len(messages)}")
        message = AIMessage("Done.") if done else AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=message)])


class Fade:
    """StubTools with a tool that puts FADED into the session."""

    def __init__(self) -> None:
        self.stubs = StubTools(TRUTH, {FADED.id: FADED_TRUTH})

    def registry(self) -> Registry:
        words = ("remove the ribs", "soft tissue image")
        return Registry(
            [*self.stubs.registry(), Tool("fade", "Fade", OneFilm, Said, (), "x", _fade, "Fades. It.", words)]
        )


def _fade(context: ToolContext, arguments: ToolArguments) -> Result:
    made = context.films.add(FADED)
    return Result(summary=f"Made {context.films.name(made.id)}.", image_ids=[FILM.id, made.id], data=Said())


def conversation(*extra: Radiograph) -> tuple[Session, StubTools]:
    fade = Fade()
    tools: Any = fade
    agent: Agent = stub_agent(tools)
    session = agent.session()
    for each in (FILM, *extra):
        session.films.add(each)
    return session, fade.stubs


def read_on(stubs: StubTools) -> set[str]:
    return {args["image_id"] for _, args in stubs.runs}


def test_made_film_is_a_film_of_the_session_and_not_read_unasked() -> None:
    session, stubs = conversation()
    answer = session.ask("Remove the ribs")
    assert [image["name"] for image in answer.images] == ["film 1", "film 2"]
    assert answer.images[1]["derived"]["parent"] == FILM.id
    for question in ("Is there an effusion?", "And a nodule?", "What do you see on both films?", "Has it changed?"):
        session.ask(question)
    assert read_on(stubs) == {FILM.id}


@pytest.mark.parametrize(
    "question",
    [
        "Is there an effusion on film 2?",
        "Is there an effusion on the bone-suppressed film?",
        "Effusion in the soft tissue image?",
        "compare both: is there an effusion?",
        "Compare film 1 and film 2",
        f"Is there an effusion on {FADED.id}?",
    ],
)
def test_processed_film_is_read_beside_its_original_and_named(question: str) -> None:
    session, stubs = conversation(FADED)
    answer = session.ask(question)
    assert read_on(stubs) == {FILM.id, FADED.id}
    assert "Film 2 (processed: bone suppressed, from film 1)" in answer.text and "Film 1:" in answer.text
    assert "Film 2 is processed, not acquired" in answer.text
    statuses = {row.image_id: row.status for row in answer.findings if row.code == "effusion"}
    assert statuses == {FILM.id: "present", FADED.id: "absent"}


def test_follow_up_that_names_no_film_is_about_the_acquired_one() -> None:
    session, stubs = conversation(FADED)
    session.ask("Is there an effusion on film 2?")
    stubs.runs.clear()
    session.ask("And a nodule?")
    assert read_on(stubs) == {FILM.id}


def test_words_for_such_a_film_ask_for_one_where_there_is_none() -> None:
    session, _ = conversation()
    assert [e.tool for e in session.ask("Show me the soft tissue image").evidence] == ["fade"]


def test_synthetic_film_is_read_by_its_number_alone() -> None:
    session, stubs = conversation(NOBODY)
    session.ask("Is there an effusion?")
    session.ask("Is there an effusion on all films?")
    assert read_on(stubs) == {FILM.id}
    answer = session.ask("Is there an effusion on film 2?")
    assert read_on(stubs) == {FILM.id, NOBODY.id}
    assert "Film 2 is synthetic: such a reading says nothing about any patient." in answer.text


def test_no_planner_can_have_a_synthetic_film_read_that_nobody_named() -> None:
    stubs = StubTools(TRUTH)
    session = stub_agent(stubs, planner=Insistent(wanted=NOBODY.id)).session()
    session.films.add(NOBODY)
    answer = session.ask("Is there an effusion?")
    assert stubs.runs == []
    assert answer.evidence[0].failure is not None and answer.evidence[0].failure.kind == "not_applicable"
    assert "Film 1 is synthetic" in answer.evidence[0].failure.message
    session.ask("Is there an effusion on film 1?")
    assert read_on(stubs) == {NOBODY.id}


def test_session_with_a_synthetic_film_alone_says_so() -> None:
    session = stub_agent(StubTools(TRUTH)).session()
    session.films.add(NOBODY)
    answer = session.ask("Is there an effusion?")
    assert "No film here was acquired from a patient" in answer.text and not answer.evidence


def test_planner_behind_an_api_is_told_which_films_were_not_acquired() -> None:
    session, _ = conversation(FADED, NOBODY)
    told = told_films([FILM, FADED, NOBODY], session.studies).splitlines()
    assert "NOT ACQUIRED" not in told[0]
    assert "NOT ACQUIRED: processed: bone suppressed, from film 1" in told[1]
    assert "NOT ACQUIRED: synthetic, shows no patient" in told[2]
