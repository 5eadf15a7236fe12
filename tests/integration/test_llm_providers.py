"""Each provider's own package against a server that speaks its language: calls, streaming, tokens, refusals."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent
from stub_llm import Reply, StubLLM, in_order, serving

from agent.answer import Answer, Verdict
from agent.events import Answered, TextDelta
from agent.llm.named import parsed
from agent.session import Session
from imaging.failures import BadArguments, Unavailable

FILM = film(1)
TRUTH = Truth(scores={"effusion": 0.81, "pneumothorax": 0.1}, sides={"effusion": "left"}, ratio=0.56)
PROVIDERS = ["openai:stub", "anthropic:claude-stub", "google_genai:gemini-stub", "ollama:stub"]
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY")


@pytest.fixture(autouse=True)
def no_keys_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KEYS, "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("agent.llm.chain.FIRST_WAIT_S", 0.01)


def package(provider: str) -> None:
    """Skips where the provider's package, an extra, is not installed."""
    name = provider.partition(":")[0]
    pytest.importorskip(f"langchain_{name}", reason=f"the extra of {name} is not installed")


def at(provider: str, stub: StubLLM) -> str:
    """The planner's name with the stub's address, as each client wants it."""
    return f"{provider}@{stub.base_url if provider.startswith('openai') else stub.root_url}"


def session(planner: str, tools: StubTools | None = None, **settings: Any) -> Session:
    made = stub_agent(tools or StubTools(TRUTH), planner, **settings).session()
    made.add(FILM)
    return made


def call(name: str, **args: object) -> tuple[str, str]:
    return name, json.dumps({"image_id": FILM.id} | args)


def answered(events: list[Any]) -> Answer:
    assert isinstance(events[-1], Answered)
    return events[-1].answer


@pytest.mark.parametrize("provider", PROVIDERS)
def test_parallel_calls_streamed_text_and_tokens_of_every_provider(provider: str) -> None:
    package(provider)
    calls = (call("classify", findings=["effusion"]), call("measure"), call("ground", finding="effusion"))
    script = in_order(
        Reply("Looking.", calls=calls),
        Reply("There is a left pleural effusion [E1, E3]. The cardiothoracic ratio is 0.56 [E2]."),
    )
    tools = StubTools(TRUTH)
    with serving(script) as stub:
        events = list(session(at(provider, stub), tools).stream("Effusion?"))
        sent = json.dumps(stub.requests)
    answer = answered(events)
    assert [(record.id, record.tool) for record in answer.evidence] == [
        ("E1", "classify"), ("E2", "measure"), ("E3", "ground"),
    ]  # fmt: skip
    assert answer.text == "There is a left pleural effusion [E1, E3]. The cardiothoracic ratio is 0.56 [E2]."
    assert {claim.verdict for claim in answer.claims} == {Verdict.SUPPORTED}
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (22, 14)
    assert answer.planner == provider
    assert len([event for event in events if isinstance(event, TextDelta)]) > 5, "text comes as it is written"
    assert sent.count("[E1] ") == 1 and "/tmp" not in sent and "hilum_films" not in sent
    assert "127.0.0.1" not in answer.model_dump_json(), "an answer carries no address"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_second_turn_tells_the_first_in_the_providers_own_form(provider: str) -> None:
    package(provider)
    script = in_order(
        Reply(calls=(call("classify"),)), Reply("Effusion is present [E1]."), Reply("As said, it is present [E1].")
    )  # fmt: skip
    with serving(script) as stub:
        one = session(at(provider, stub))
        one.ask("Effusion?")
        one.ask("Sure?")
        last = stub.requests[-1]
    turns = last.get("messages") or last["contents"]
    roles = [turn["role"] for turn in turns if turn["role"] != "system"]
    expected = {
        "openai": ["user", "assistant", "tool", "assistant", "user"],
        "anthropic": ["user", "assistant", "user", "assistant", "user"],
        "google_genai": ["user", "model", "user", "model", "user"],
        "ollama": ["user", "assistant", "tool", "assistant", "user"],
    }[provider.partition(":")[0]]
    assert roles == expected
    assert FILM.id in json.dumps(last.get("system") or last.get("systemInstruction") or turns[0])


@pytest.mark.parametrize("provider", PROVIDERS)
def test_429_and_503_are_tried_again_and_a_refused_key_is_not(provider: str) -> None:
    package(provider)
    with serving(in_order(Reply(status=429), Reply(status=503), Reply("Hello."))) as stub:
        assert session(at(provider, stub)).ask("Hi").text == "Hello."
        assert len(stub.requests) == 3
    with serving(in_order(Reply(status=401))) as stub:
        with pytest.raises(Unavailable, match="refused the key") as raised:
            session(at(provider, stub)).ask("Hi")
        google = provider.startswith("google")  # its transport asks for new credentials twice before it gives up
        assert len(stub.requests) == (3 if google else 1) and raised.value.kind == "planner_refused_key"
        assert "--planner embedded" in raised.value.hint


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("reply", "kind"),
    [(Reply(status=429), "rate_limited"), (Reply(status=404), "not_found"), (Reply(status=400), "failed"),
     (Reply("late", hang_s=1.5), "timeout")],
    ids=["429", "404", "400", "hang"],
)  # fmt: skip
def test_refusals_have_one_name_whoever_refuses(provider: str, reply: Reply, kind: str) -> None:
    package(provider)
    with serving(in_order(reply)) as stub, pytest.raises(Unavailable) as raised:
        session(at(provider, stub), planner_timeout_s=0.4 if reply.hang_s else 20).ask("Hi")
    assert raised.value.kind == f"planner_{kind}" and stub.root_url in raised.value.message


def test_wrong_key_that_google_calls_a_wrong_argument_is_a_refused_key() -> None:
    package("google_genai:x")
    refusal = Reply(status=400, error="API key not valid. Please pass a valid API key.")
    with serving(in_order(refusal)) as stub, pytest.raises(Unavailable, match="refused the key") as raised:
        session(at("google_genai:gemini-stub", stub)).ask("Hi")
    assert "GOOGLE_API_KEY" in raised.value.hint


@pytest.mark.parametrize("provider", PROVIDERS)
def test_server_that_is_not_there_is_unreachable(provider: str) -> None:
    package(provider)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = StubLLM(f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(Unavailable, match="cannot be reached") as raised:
        session(at(provider, dead)).ask("Hi")
    assert raised.value.kind == "planner_unreachable"


def test_next_planner_answers_where_the_first_fails_and_the_answer_says_so() -> None:
    with serving(in_order(Reply(status=401))) as refusing, serving(in_order(Reply("Hello."))) as stub:
        answer = session(f"openai:one@{refusing.base_url}, openai:two@{stub.base_url}, embedded").ask("Hi")
        assert (answer.text, answer.planner) == ("Hello.", "openai:two")
        assert len(refusing.requests) == 1


def test_embedded_planner_takes_over_in_mid_turn_from_what_the_tools_gave() -> None:
    tools = StubTools(TRUTH)
    script = in_order(Reply(calls=(call("classify", findings=["effusion"]),)), Reply(status=401))
    with serving(script) as stub:
        answer = session(f"openai:stub@{stub.base_url}, embedded", tools).ask("Is there an effusion?")
    assert answer.planner == "openai:stub, then embedded"
    assert "effusion" in answer.text and {claim.verdict for claim in answer.claims} == {Verdict.SUPPORTED}
    assert [name for name, _ in tools.runs].count("classify") == 1


def test_all_planners_failing_is_what_the_last_one_said() -> None:
    with (
        serving(in_order(Reply(status=401))) as one,
        serving(in_order(Reply(status=404))) as two,
        pytest.raises(Unavailable) as raised,
    ):
        session(f"openai:one@{one.base_url}, openai:two@{two.base_url}").ask("Hi")
    assert raised.value.kind == "planner_not_found"


def test_names_of_planners_are_read_with_addresses_and_told_without() -> None:
    first, second, third, last = parsed(
        "openai:qwen3@http://me:secret@10.0.0.5:8000/v1, anthropic:claude-4@20250101,"
        "transformers:/data/Qwen3-8B,embedded"
    )
    assert (first.model, first.url, first.told) == ("qwen3", "http://me:secret@10.0.0.5:8000/v1", "openai:qwen3")
    assert (second.model, second.url, second.leaves_machine) == ("claude-4@20250101", "", True)
    assert (third.told, third.leaves_machine, last.told) == ("transformers:Qwen3-8B", False, "embedded")
    assert first.leaves_machine and not parsed("ollama:qwen3")[0].leaves_machine
    assert (
        parsed("openai:a,openai:b", "http://127.0.0.1:1/v1")[0].url
        and not parsed("openai:a,openai:b", "http://x")[1].url
    )
    with pytest.raises(BadArguments, match="neither 'embedded' nor"):
        parsed("openai:gpt-5, gpt-4")
    with pytest.raises(BadArguments, match="No planner"):
        parsed(" , ")
