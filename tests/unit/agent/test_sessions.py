"""Conversations: follow-ups, several films, isolation, order of evidence, and what a session refuses."""

from __future__ import annotations

import asyncio
import threading

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent

from agent import Agent, Answer, Busy
from agent.events import Answered, Planned, TextDelta, ToolFinished
from imaging.failures import BadArguments

TRUTH = Truth(scores={"effusion": 0.81, "pneumothorax": 0.1}, sides={"effusion": "left"})
CLEAR = Truth(scores={"effusion": 0.1, "pneumothorax": 0.1})


@pytest.mark.parametrize(
    ("follow_up", "says"),
    [
        ("And on the right?", "present on the left only"),
        ("what about the right?", "present on the left only"),
        ("and pneumothorax?", "No: pneumothorax is absent"),
        ("where?", "left lower zone"),
        ("which side?", "present on the left"),
        ("how sure are you?", "probability 0.81"),
        ("why?", "probability 0.81"),
        ("how large is it?", "is not assessed"),
        ("show it", "left lower zone"),
    ],
)
def test_follow_up_takes_what_it_leaves_out_from_the_turn_before(follow_up: str, says: str) -> None:
    session = stub_agent(StubTools(TRUTH)).session()
    session.ask("Is there a left effusion?", films=[film(1)])
    assert says in session.ask(follow_up).text


def test_same_question_again_is_planned_in_one_go_and_answered_alike_from_the_ledger() -> None:
    tools = StubTools(TRUTH)
    session = stub_agent(tools).session()
    first = session.ask("Is there a left effusion?", films=[film(1)])
    ran = len(tools.runs)
    events = list(session.stream("Is there a left effusion?"))
    planned = [event for event in events if isinstance(event, Planned)]
    assert [len(each.calls) for each in planned] == [ran] and ran > 1
    again = events[-1]
    assert isinstance(again, Answered)
    assert (again.answer.text, again.answer.claims) == (first.text, first.claims)
    assert len(tools.runs) == ran


def test_call_that_failed_is_not_taken_as_known() -> None:
    tools = StubTools(Truth(scores={"cardiomegaly": 0.7}, ratio=None))
    session = stub_agent(tools).session()
    assert "measured" not in session.ask("Is the heart enlarged?", films=[film(1)]).text
    tools.truth.ratio = 0.6
    assert "measured 0.60" in session.ask("Is the heart enlarged?").text


def test_films_are_chosen_by_number_all_or_the_last_added() -> None:
    one, two = film(1), film(2)
    tools = StubTools(per_film={one.id: TRUTH, two.id: CLEAR})
    session = stub_agent(tools).session()
    both = session.ask("Is there an effusion?", films=[one, two]).text
    assert "Film 1:" in both and "Film 2:" in both and "Pleural effusion is absent [E2]" in both
    assert "No: pleural effusion is absent" in session.ask("Is there an effusion in film 2?").text
    assert "Yes:" in session.ask("and in film 1?").text
    assert "present on film 1" in session.ask("Which film shows an effusion?").text
    changed = session.ask("Has the effusion changed?").text
    assert "present on film 1" in changed and "absent on film 2" in changed


def test_two_sessions_never_see_each_others_films() -> None:
    agent = stub_agent(StubTools(TRUTH))
    mine, yours = agent.session(), agent.session()
    mine.ask("Is there an effusion?", films=[film(1)])
    answer = yours.ask(f"Is there an effusion in {film(1).id}?", films=[film(2)])
    assert [facts["id"] for facts in answer.images] == [film(2).id]
    assert all(record.image_ids == [film(2).id] for record in answer.evidence)
    assert "no film in this session" in agent.session().ask("Is there an effusion?").text
    with pytest.raises(BadArguments):
        yours.films.get(film(1).id)


def test_evidence_is_numbered_in_the_order_asked_whatever_ends_first() -> None:
    slow = Truth(scores=TRUTH.scores, delay_s={"classify": 0.15})
    for _ in range(3):
        events = list(stub_agent(StubTools(slow)).session().stream("What do you see?", films=[film(1)]))
        planned = next(event for event in events if isinstance(event, Planned))
        assert [(number, title) for number, title, _ in planned.calls] == [
            ("E1", "Stub classify"),
            ("E2", "Stub measure"),
        ]
        assert [event.evidence.id for event in events if isinstance(event, ToolFinished)][:2] == ["E2", "E1"]
        last = events[-1]
        assert isinstance(last, Answered)
        streamed = "".join(event.text for event in events if isinstance(event, TextDelta))
        assert streamed.strip() == last.answer.text


def test_ask_and_aask_give_the_same_answer() -> None:
    first = stub_agent(StubTools(TRUTH)).session().ask("What do you see?", films=[film(1)])
    second = asyncio.run(stub_agent(StubTools(TRUTH)).session().aask("What do you see?", films=[film(1)]))
    left_out = {"timings_ms", "evidence"}
    assert first.model_dump(exclude=left_out) == second.model_dump(exclude=left_out)
    assert Answer.model_validate_json(first.model_dump_json()) == first


def test_second_question_meanwhile_is_refused_as_busy() -> None:
    session = stub_agent(StubTools(Truth(scores=TRUTH.scores, delay_s={"classify": 0.4}))).session()
    session.add(film(1))
    running = threading.Thread(target=session.ask, args=("Is there an effusion?",))
    running.start()
    with pytest.raises(Busy, match="another question"):
        for _ in range(50):
            session.ask("Is there a pneumothorax?")
    running.join()
    assert session.ask("Is there a pneumothorax?").text


def test_stopped_stream_leaves_the_session_usable() -> None:
    session = stub_agent(StubTools(TRUTH)).session()
    stream = session.stream("What do you see?", films=[film(1)])
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert session.ask("Is there an effusion?").evidence[0].id in {"E1", "E2", "E3"}


def test_empty_question_and_unknown_tool_are_refused_with_what_is_allowed() -> None:
    with pytest.raises(BadArguments, match="empty"):
        stub_agent().session().ask("  ")
    with pytest.raises(BadArguments, match="Did you mean 'classify'"):
        Agent(tools=["clasify"])


def test_limit_on_tool_calls_is_told_in_the_answer() -> None:
    answer = stub_agent(StubTools(TRUTH), max_tool_calls=1).session().ask("What do you see?", films=[film(1)])
    assert "limit of 1 tool calls" in answer.stopped and "effusion" in answer.text
