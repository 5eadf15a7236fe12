"""Replay: a recorded session comes out the same from its transcript alone, and what changed is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent

from agent.memory import Memory
from agent.replay import read_transcript, replay
from agent.session import Session
from imaging.failures import BadArguments

TRUTH = Truth(scores={"effusion": 0.81, "pneumothorax": 0.1}, sides={"effusion": "left"}, ratio=0.56)


@pytest.fixture
def recorded(tmp_path: Path) -> Session:
    agent = stub_agent(StubTools(TRUTH))
    agent.memory = Memory(tmp_path / "s.db")
    session = agent.session()
    session.ask("What do you see?", films=[film(1)])
    session.ask("And on the right?")
    session.ask("Which?\nA) no effusion\nB) a left effusion")
    return session


def lines(session: Session) -> list[dict[str, Any]]:
    return read_transcript([json.dumps(line) for line in session.transcript()])


def test_transcript_alone_gives_the_same_answers_and_asks_nobody(recorded: Session) -> None:
    tools = StubTools(TRUTH)
    again = list(replay(lines(recorded), stub_agent(tools)))
    assert [turn.differences for turn in again] == [(), (), ()] and tools.runs == []
    assert [turn.question for turn in again][1] == "And on the right?"


def test_tools_run_anew_on_the_films_give_the_same(recorded: Session) -> None:
    tools = StubTools(TRUTH)
    again = list(replay(lines(recorded), stub_agent(tools), [film(1)]))
    assert [turn.differences for turn in again] == [(), (), ()] and tools.runs


def test_changed_model_is_found(recorded: Session) -> None:
    changed = StubTools(Truth(scores=TRUTH.scores | {"effusion": 0.7}, sides=TRUTH.sides, ratio=0.56))
    first, *_ = replay(lines(recorded), stub_agent(changed), [film(1)])
    assert "E1 findings differs" in first.differences and "findings differs" in first.differences


def test_tampered_answer_is_found(recorded: Session) -> None:
    told = lines(recorded)
    turn = next(line for line in told if line["kind"] == "turn")
    turn["answer"]["text"] = turn["answer"]["text"].replace("left", "right")
    first, *rest = replay(told, stub_agent())
    assert first.differences == ("text differs",) and not any(turn.differences for turn in rest)


def test_stopped_turn_is_named_and_the_next_one_replayed(tmp_path: Path) -> None:
    agent = stub_agent(StubTools(Truth(scores=TRUTH.scores, delay_s={"classify": 0.8})), max_turn_s=0.3)
    agent.memory = Memory(tmp_path / "s.db")
    session = agent.session()
    session.ask("Is there an effusion?", films=[film(1)])
    session.ask("What view is this?")
    stopped, facts = replay(lines(session), stub_agent())
    assert "not replayed: Stopped: the limit of 0.3 seconds" in stopped.differences[0]
    assert facts.question == "What view is this?"


@pytest.mark.parametrize(
    ("text", "says"),
    [("not json", "Line 1 of the transcript is not JSON"), ("[]", "does not say what it is"), ("", "no answered")],
)
def test_file_that_is_no_transcript_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadArguments, match=says):
        read_transcript(text.splitlines())
