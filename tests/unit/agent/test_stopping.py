"""Stopping a turn, and the limits that do: an answer with what is known comes at once, and the session stays usable."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from agent import Answer
from agent.events import Answered, ToolFinished, ToolStarted
from agent.running import Running
from models.stopping import called_off, stoppable

SLOW = Truth(scores={"effusion": 0.81}, ratio=0.56, delay_s={"classify": 1.5})


def test_stop_answers_at_once_with_what_is_known() -> None:
    session = stub_agent(StubTools(SLOW)).session()
    answer, waited = None, 0.0
    for event in session.stream("What do you see?", films=[film(1)]):
        if isinstance(event, ToolFinished):
            session.stop()
            begun = time.perf_counter()
        if isinstance(event, Answered):
            answer, waited = event.answer, time.perf_counter() - begun
    assert answer is not None and waited < 1.0
    assert answer.stopped == "Stopped by the user." and "Cardiothoracic ratio 0.56 [E2]" in answer.text


def test_stopped_session_answers_the_next_question_once_the_last_has_ended() -> None:
    session = stub_agent(StubTools(SLOW)).session()
    session.add(film(1))
    threading.Timer(0.3, session.stop).start()
    assert "Stopped by the user" in session.ask("What do you see?").stopped
    answer = session.ask("How big is the heart?")
    assert not answer.stopped and "Cardiothoracic ratio 0.56" in answer.text


def test_stop_without_a_turn_does_nothing() -> None:
    session = stub_agent(StubTools(SLOW)).session()
    session.stop()
    assert not session.ask("How big is the heart?", films=[film(1)]).stopped


def test_time_limit_of_a_turn_is_kept_and_told() -> None:
    session = stub_agent(StubTools(SLOW), max_turn_s=0.4).session()
    answer = session.ask("What do you see?", films=[film(1)])
    assert "limit of 0.4 seconds" in answer.stopped and answer.timings_ms["total"] < 1300


class Talker(BaseChatModel):
    """Calls a tool every time, at a thousand tokens read and a hundred written a reply."""

    @property
    def _llm_type(self) -> str:
        return "talker"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        usage = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
        call = {"name": "measure", "args": {"image_id": film(1).id}, "id": f"c{len(messages)}"}
        message = AIMessage(content="", tool_calls=[call], usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=message)])


def talked(**limits: Any) -> Answer:
    return stub_agent(StubTools(SLOW), planner=Talker(), **limits).session().ask("How big?", films=[film(1)])


def test_token_limit_stops_after_the_reply_that_passed_it() -> None:
    answer = talked(max_turn_tokens=2000)
    assert "limit of 2000 planner tokens" in answer.stopped
    assert answer.usage.input_tokens == 2000 and answer.usage.output_tokens == 200


def test_cost_is_known_from_the_prices_and_its_limit_kept() -> None:
    answer = talked(max_turn_usd=0.005, planner_usd_per_million=(2.0, 10.0))
    # Two replies: 2 x (1000 x 2 + 100 x 10) / 1e6 = 0.006 dollars; one cost 0.003.
    assert answer.usage.cost_usd == pytest.approx(0.006) and "0.005 US dollars" in answer.stopped
    assert talked(max_turn_tokens=100).usage.cost_usd is None


def test_tools_of_a_stopped_turn_see_that_they_were_called_off() -> None:
    seen: list[bool] = []

    class Watching(StubTools):
        def _classify(self, image_id: str, asked: dict[str, Any], truth: Truth) -> Any:
            event = called_off()
            seen.append(event is not None and event.wait(2.0))
            return super()._classify(image_id, asked, truth)

    session = stub_agent(Watching(Truth(scores={"effusion": 0.8}))).session()
    for event in session.stream("Is there an effusion?", films=[film(1)]):
        if isinstance(event, ToolStarted):
            session.stop()
    session.ask("How big is the heart?")
    assert seen[0] is True and called_off() is None


def test_running_raises_what_the_graph_raises_and_tells_when_it_has_ended() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError("the graph's")

    ended = threading.Event()
    running = Running(threading.Event(), None, lambda: None)
    got: list[int] = []
    with pytest.raises(ZeroDivisionError, match="the graph's"):
        for piece in running.pieces(broken):
            got.append(piece)
    running.when_ended(ended.set)
    assert got == [1] and ended.wait(2.0)


def test_stoppable_is_undone_at_its_end() -> None:
    event = threading.Event()
    with stoppable(event):
        assert called_off() is event
    assert called_off() is None
