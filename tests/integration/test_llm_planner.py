"""An LLM planner over real HTTP on loopback: what servers do, and what a planner may get wrong."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent
from stub_llm import Reply, StubLLM, in_order, serving

from agent.answer import Verdict
from agent.events import Answered, Planned, TextDelta, ToolFinished, ToolStarted
from agent.faults import AgentFault
from agent.session import Session
from imaging.failures import BadArguments, Unavailable

FILM = film(1)
TRUTH = Truth(scores={"effusion": 0.81, "pneumothorax": 0.1}, sides={"effusion": "left"}, ratio=0.56)


def call(name: str, **args: object) -> tuple[str, str]:
    return name, json.dumps({"image_id": FILM.id} | args)


def session(stub: StubLLM, tools: StubTools | None = None, **settings: object) -> Session:
    agent = stub_agent(tools or StubTools(TRUTH), "openai:stub", planner_base_url=stub.base_url, **settings)
    made = agent.session()
    made.add(FILM)
    return made


def test_parallel_calls_run_together_and_the_answer_cites_them() -> None:
    tools = StubTools(
        Truth(scores=TRUTH.scores, sides=TRUTH.sides, delay_s={"classify": 0.5, "measure": 0.4, "ground": 0.1})
    )
    calls = (call("classify", findings=["effusion"]), call("measure"), call("ground", finding="effusion"))
    script = in_order(
        Reply(calls=calls), Reply("There is a left pleural effusion [E1, E3]. The heart is not enlarged [E2].")
    )
    with serving(script) as stub:
        events = list(session(stub, tools).stream("Effusion?"))
    kinds = [type(event) for event in events]
    assert kinds[:4] == [Planned, ToolStarted, ToolStarted, ToolStarted]
    assert kinds.index(TextDelta) > max(n for n, kind in enumerate(kinds) if kind is ToolFinished)
    assert isinstance(events[-1], Answered)
    finished = [event.evidence.id for event in events if isinstance(event, ToolFinished)]
    assert sorted(finished) == ["E1", "E2", "E3"] and finished[0] == "E3", "numbers follow the plan, not the clock"
    answer = events[-1].answer
    assert [(record.id, record.tool) for record in answer.evidence] == [
        ("E1", "classify"),
        ("E2", "measure"),
        ("E3", "ground"),
    ]
    assert {claim.verdict for claim in answer.claims} == {Verdict.SUPPORTED}
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.planner) == (22, 14, "openai:stub")
    assert answer.timings_ms["tools"] < 950, "one second of tools must not run one after the other"


def test_planner_is_told_ids_and_evidence_numbers_and_no_path() -> None:
    with serving(in_order(Reply(calls=(call("classify"),)), Reply("Nothing more."))) as stub:
        session(stub).ask("What do you see?")
        system, user, _, result = stub.messages()
        names = [item["function"]["name"] for item in stub.requests[0]["tools"]]
    assert FILM.id in system["content"] and "ANSWER: B" in system["content"] and user["content"] == "What do you see?"
    assert result["content"].startswith("[E1] ") and names == ["classify", "segment", "measure", "ground", "report"]
    assert "/tmp" not in json.dumps(stub.requests)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (("classify", '{"image_id": '), ""),
        (("classify", "{}"), "image_id"),
        (call("classify", extra=1), "extra"),
        (("diagnose", "{}"), "not a valid tool"),
        (("classify", '{"image_id": "forged"}'), "forged"),
    ],
)
def test_wrong_calls_come_back_and_can_be_corrected(bad: tuple[str, str], told: str) -> None:
    script = in_order(Reply(calls=(bad,)), Reply(calls=(call("classify"),)), Reply("Pleural effusion is present [E1]."))
    tools = StubTools(TRUTH)
    with serving(script) as stub:
        answer = session(stub, tools).ask("Effusion?")
        told_back = json.dumps([m for m in stub.messages() if m["role"] == "tool"])
    assert told in told_back
    good = [record for record in answer.evidence if record.failure is None]
    assert len(good) == 1 and good[0].tool == "classify"


def test_one_429_is_retried_and_429_forever_is_unavailable() -> None:
    with serving(in_order(Reply(status=429), Reply("Hello."))) as stub:
        assert session(stub).ask("Hi").text == "Hello."
    with serving(in_order(Reply(status=429))) as stub:
        with pytest.raises(Unavailable, match="429") as raised:
            session(stub).ask("Hi")
        assert len(stub.requests) == 3 and "--planner embedded" in raised.value.hint


def test_hang_dead_server_and_refused_key_are_unavailable_with_the_remedy() -> None:
    with (
        serving(in_order(Reply("late", hang_s=2.0))) as stub,
        pytest.raises(Unavailable, match=r"within 0\.2 s") as raised,
    ):
        session(stub, planner_timeout_s=0.2).ask("Hi")
    assert raised.value.kind == "planner_timeout"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = StubLLM(f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(Unavailable, match="cannot be reached"):
        session(dead).ask("Hi")
    with serving(in_order(Reply(status=401))) as stub, pytest.raises(Unavailable, match="refused the key"):
        session(stub).ask("Hi")
    with serving(in_order(Reply(status=500))) as stub, pytest.raises(Unavailable, match="failed"):
        session(stub).ask("Hi")


def test_missing_key_package_or_model_name_is_said_before_any_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(Unavailable, match="OPENAI_API_KEY"):
        stub_agent(planner="openai:gpt-5")
    monkeypatch.setenv("MISTRAL_API_KEY", "x")
    with pytest.raises(Unavailable, match="package") as raised:
        stub_agent(planner="mistralai:mistral-large")
    assert "pip install 'langchain-mistralai'" in raised.value.hint
    with pytest.raises(BadArguments, match="neither 'embedded' nor"):
        stub_agent(planner="gpt-5")


def test_invented_citation_number_and_side_do_not_stand() -> None:
    lies = (
        "There is a pneumothorax [E7]. The effusion scores 0.93 [E1]. "
        "The effusion is on the right [E1, E2]. A mass is present."
    )
    calls = (call("classify"), call("ground", finding="effusion"))
    with serving(in_order(Reply(calls=calls), Reply(lies))) as stub:
        answer = session(stub).ask("What do you see?")
    assert "[E7]" not in answer.text and "does not exist" in answer.text
    assert [claim.verdict for claim in answer.claims] == [
        Verdict.NOT_ASSESSED, Verdict.NOT_ASSESSED, Verdict.CONFLICTING, Verdict.NOT_ASSESSED,
    ]  # fmt: skip
    assert "cites no evidence" in answer.text and len(answer.withdrawn) == 2


def test_limits_end_the_turn_with_what_is_known() -> None:
    endless = in_order(Reply(calls=(call("classify"), call("measure"))))
    with serving(endless) as stub:
        answer = session(stub, max_planner_calls=3).ask("Effusion?")
        assert len(stub.requests) == 3
    assert "limit of 3" in answer.stopped and "[E1]" in answer.text and "[E2]" in answer.text
    with serving(
        in_order(Reply(calls=(call("classify"), call("measure"))), Reply("Pleural effusion is present [E1]."))
    ) as stub:
        answer = session(stub, max_tool_calls=1).ask("Effusion?")
    assert "limit of 1 tool calls" in answer.stopped and [r.id for r in answer.evidence] == ["E1"]
    assert answer.text == "Pleural effusion is present [E1]."


def test_a_bug_in_a_tool_ends_the_turn_as_ours_and_the_session_goes_on() -> None:
    tools = StubTools(Truth(scores=TRUTH.scores, bug="measure"))
    script = in_order(Reply(calls=(call("classify"), call("measure"))), Reply("Still here."))
    with serving(script) as stub:
        one = session(stub, tools)
        with pytest.raises(AgentFault, match="'measure'") as raised:
            one.ask("Heart size?")
        assert isinstance(raised.value.__cause__, ZeroDivisionError)
        assert one.ask("Hello?").text == "Still here."
        roles = [message["role"] for message in stub.messages()]
    assert roles == ["system", "user"], "the broken turn is gone from memory"


def test_follow_up_keeps_earlier_turns_and_evidence() -> None:
    script = in_order(
        Reply(calls=(call("classify"),)), Reply("Pleural effusion is present [E1]."),
        Reply(calls=(call("classify"),)), Reply("As said, pleural effusion is present [E1].\nANSWER: B"),
    )  # fmt: skip
    tools = StubTools(TRUTH)
    with serving(script) as stub:
        one = session(stub, tools)
        one.ask("Effusion?")
        answer = asyncio.run(one.aask("Sure?"))
    assert len(tools.runs) == 1, "the same request is the same evidence"
    assert [record.id for record in answer.evidence] == ["E1"] and answer.choice == "B"
