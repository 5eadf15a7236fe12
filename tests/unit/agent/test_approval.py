"""Tools that need a person's approval: asked before each call; refused where nobody can be asked."""

from __future__ import annotations

import threading

from agent_stubs import StubTools, Truth, film, stub_agent

from agent.events import Answered, ApprovalAsked, ToolFinished
from agent.session import Session

TRUTH = Truth(scores={"effusion": 0.81}, sides={"effusion": "left"})
QUESTION = "Is there a pleural effusion, and where?"


def session(tools: StubTools, *names: str) -> Session:
    made = stub_agent(tools, ask_before=names).session()
    made.add(film(1))
    return made


def test_call_runs_when_the_user_allows_it() -> None:
    tools = StubTools(TRUTH)
    one = session(tools, "classify")
    asked: list[ApprovalAsked] = []
    one.approver = lambda item: asked.append(item) or True
    events = list(one.stream(QUESTION))
    assert asked == [event for event in events if isinstance(event, ApprovalAsked)]
    assert [(item.tool, item.args["image_id"], item.evidence_id) for item in asked] == [("classify", film(1).id, "E1")]
    assert "classify" in [name for name, _ in tools.runs]


def test_refused_call_does_not_run_is_on_record_and_is_told() -> None:
    tools = StubTools(TRUTH)
    one = session(tools, "classify")
    one.approver = lambda item: False
    answer = one.ask(QUESTION)
    assert "classify" not in [name for name, _ in tools.runs]
    refused = next(record for record in answer.evidence if record.tool == "classify")
    assert refused.failure is not None and "did not allow" in refused.failure.message
    assert any("did not allow" in reason for reason in answer.not_assessed)
    one.approver = lambda item: True
    again = one.ask(QUESTION)
    assert "present" in again.text and "classify" in [name for name, _ in tools.runs], "a refusal is no evidence"


def test_nobody_to_ask_is_a_refusal_with_the_reason() -> None:
    tools = StubTools(TRUTH)
    answer = session(tools, "*").ask(QUESTION)
    assert tools.runs == [] and all(record.failure is not None for record in answer.evidence)
    assert any("nobody can be asked here" in reason for reason in answer.not_assessed)


def test_one_call_is_asked_about_at_a_time() -> None:
    tools = StubTools(TRUTH)
    one = session(tools, "*")
    busy = threading.Lock()

    def approve(item: ApprovalAsked) -> bool:
        assert busy.acquire(blocking=False), "two questions stood at once"
        busy.release()
        return True

    one.approver = approve
    assert "effusion" in one.ask("Is there an effusion, how wide is the heart, and what do you see?").text


def test_what_is_known_is_told_again_without_asking() -> None:
    one = session(StubTools(TRUTH), "*")
    one.approver = lambda item: True
    one.ask(QUESTION)
    one.approver = None
    events = list(one.stream(QUESTION))
    assert not any(isinstance(event, ApprovalAsked) for event in events)
    assert all(event.evidence.failure is None for event in events if isinstance(event, ToolFinished))
    assert isinstance(events[-1], Answered)


def test_stopping_a_turn_that_waits_for_approval_ends_it() -> None:
    one = session(StubTools(TRUTH), "classify")
    left = threading.Event()
    one.approver = lambda item: left.wait(20)
    for event in one.stream(QUESTION):
        if isinstance(event, ApprovalAsked):
            one.stop()
        last = event
    left.set()
    assert isinstance(last, Answered) and "stopped" in last.answer.stopped.lower()
