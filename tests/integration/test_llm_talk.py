"""What a language model is told and how it answers: pictures, long conversations, statements, tokens and cost."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from agent_stubs import StubTools, Truth, film, stub_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately
from PIL import Image, ImageDraw
from stub_llm import Reply, in_order, serving
from test_llm_providers import PROVIDERS, at, package

from agent.answer import Verdict
from agent.llm.condensed import condensed, limit_of
from agent.llm.drafting import FinalAnswer, Statement, text_of
from agent.llm.sight import MAX_SIDE, png
from agent.session import Session
from imaging.derived import synthetic
from imaging.radiograph import Radiograph, film_id

TRUTH = Truth(scores={"effusion": 0.81, "pneumothorax": 0.1}, sides={"effusion": "left"}, ratio=0.56)


def large_film(words: str = "") -> Radiograph:
    """1500 x 1200 pixels of soft noise, with words burned into a corner."""
    coarse = np.random.default_rng(0).random((15, 12)) * 155
    picture = Image.fromarray(coarse.astype(np.uint8)).resize((1200, 1500), Image.Resampling.BICUBIC)
    ImageDraw.Draw(picture).text((40, 40), words, fill=255, font_size=40)
    pixels = np.asarray(picture, dtype=np.float32) / 255
    return replace(film(1), id=film_id(pixels), pixels=pixels)


def png_without_mask(shown: Radiograph) -> Any:
    picture = Image.fromarray((shown.pixels * 255).astype(np.uint8))
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    return np.asarray(picture)


def session(planner: str, **settings: Any) -> Session:
    return stub_agent(StubTools(TRUTH), planner, **settings).session()


def call(image_id: str, name: str, **args: object) -> tuple[str, str]:
    return name, json.dumps({"image_id": image_id} | args)


def pictures(request: dict[str, Any]) -> list[bytes]:
    """Every PNG in a request, wherever the provider wants it."""
    found: list[bytes] = []

    def look(value: Any) -> None:
        if isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                look(item)
        elif isinstance(value, str) and len(value) > 500 and (start := value.find("iVBORw0KGgo")) >= 0:
            found.append(base64.b64decode(value[start:]))

    look(request)
    return found


@pytest.mark.parametrize("provider", PROVIDERS)
def test_films_are_shown_only_if_the_user_allows_it_and_the_model_sees(provider: str) -> None:
    package(provider)
    shown = large_film()
    for allowed, sees, count in ((False, True, 0), (True, False, 0), (True, True, 1)):
        with serving(in_order(Reply("I look."))) as stub:
            one = session(at(provider, stub), send_films=allowed, planner_sees=sees)
            one.add(shown)
            one.films.add(synthetic(shown, "a normal chest", "generate"))
            one.ask("What do you see?")
            found = pictures(stub.requests[0])
            told = json.dumps(stub.requests[0])
        assert len(found) == count
        assert ("stand behind the question" in told) is (count == 1)
    picture = Image.open(io.BytesIO(found[0]))
    assert picture.size == (819, MAX_SIDE) and picture.mode == "L" and not picture.info
    assert shown.id in told


def test_pictures_are_in_no_memory_and_no_transcript() -> None:
    with serving(in_order(Reply("I look."))) as stub:
        one = session(at("openai:stub", stub), send_films=True, planner_sees=True)
        one.ask("What do you see?", films=[large_film()])
        one.ask("And now?")
        assert len(pictures(stub.requests[1])) == 1, "only the last question carries pictures"
    assert "iVBORw0KGgo" not in json.dumps(list(one.transcript()))
    kept = one._graph.get_state(one._config).values["messages"]
    assert "iVBORw0KGgo" not in str(kept)


def test_text_burned_into_a_film_is_black_in_the_picture() -> None:
    plain, named = png(large_film()), png(large_film("DOE JANE 1950-01-02"))
    where = (slice(20, 62), slice(24, 330))
    written = png_without_mask(large_film("DOE JANE 1950-01-02"))[where]
    corner, untouched = (np.asarray(Image.open(io.BytesIO(each)))[where] for each in (named, plain))
    assert written.max() > 240 and corner.max() < 200, "no letter is left"
    assert (corner == 0).mean() > 0.5 and (untouched == 0).mean() < 0.1


def conversation(turns: int, length: int = 300) -> list[Any]:
    told: list[Any] = []
    for n in range(1, turns + 1):
        result = f"[E{n}] Finding {n} scores 0.{n:02d}. " + "It goes on. " * length
        told += [
            HumanMessage(f"Question {n}? " + "Please look very well. " * 20),
            AIMessage("", tool_calls=[{"name": "classify", "args": {"n": n}, "id": f"c{n}"}]),
            ToolMessage(result, tool_call_id=f"c{n}", name="classify"),
            AIMessage(f"Finding {n} is present [E{n}]."),
        ]
    return told


def test_long_conversation_fits_and_no_evidence_number_is_lost() -> None:
    whole = [*conversation(20), HumanMessage("And now?")]
    assert count_tokens_approximately(whole) > 10_000
    for limit in (6000, 3000):
        told = condensed(whole, limit)
        words = "\n".join(message.text for message in told)
        assert count_tokens_approximately(told) <= limit
        assert all(f"[E{n}] classify: Finding {n} scores 0.{n:02d}." in words for n in range(1, 21))
        assert told[-1].text.endswith("And now?") and "nothing in it is a new request" in words
        assert not any(isinstance(m, ToolMessage) or getattr(m, "tool_calls", []) for m in told)
    assert "- asked: Question 1? Please" in words and "| answered: Finding 1 is present [E1]." in words
    assert condensed(whole, 100_000) == whole


def test_running_turn_is_told_whole_whatever_the_limit() -> None:
    running = conversation(1)[:3]
    told = condensed([*conversation(3), *running], 200)
    assert told[-2:] == running[1:] and "Question 1?" in told[-3].text
    assert condensed(running, 10) == running


def test_limit_is_the_users_or_a_share_of_what_the_model_reads() -> None:
    assert (limit_of(100_000, None), limit_of(None, None), limit_of(100_000, 500)) == (70_000, 16_800, 500)


def test_long_session_is_condensed_on_the_wire_and_whole_in_the_memory() -> None:
    shown = film(1)
    asks = Reply(calls=(call(shown.id, "classify", findings=["effusion"]),))
    with serving(in_order(*[asks, Reply("Effusion is present [E1].")] * 6)) as stub:
        one = session(at("openai:stub", stub), max_context_tokens=200)
        one.add(shown)
        for n in range(6):
            answer = one.ask(f"Question {n}, is there an effusion? " + "Please look well. " * 10)
        last = stub.messages()
    assert [m["role"] for m in last] == ["system", "user", "assistant", "tool"]
    assert "[E1] classify: Stub scores" in last[1]["content"] and "Question 0" in last[1]["content"]
    assert len(one._graph.get_state(one._config).values["messages"]) == 24
    assert answer.claims[0].verdict is Verdict.SUPPORTED


@pytest.mark.parametrize("provider", PROVIDERS)
def test_answer_as_statements_is_checked_like_prose(provider: str) -> None:
    package(provider)
    shown = film(1)
    draft = {
        "statements": [
            {"text": "There is a left pleural effusion.", "evidence": ["E1", "E2"]},
            {"text": "The effusion is on the right", "evidence": ["E2"]},
            {"text": "There is a mass.", "evidence": []},
        ],
        "choice": "B",
    }
    first = (call(shown.id, "classify"), call(shown.id, "ground", finding="effusion"))
    script = in_order(
        Reply(calls=first), Reply(calls=(("FinalAnswer", json.dumps(draft)),)), Reply("Left, as said [E2].")
    )
    with serving(script) as stub:
        one = session(at(provider, stub), structured_claims=True)
        one.add(shown)
        answer = one.ask("Effusion?")
        assert [claim.verdict for claim in answer.claims] == [
            Verdict.SUPPORTED, Verdict.CONFLICTING, Verdict.NOT_ASSESSED,
        ]  # fmt: skip
        assert answer.choice == "B" and answer.text.startswith("There is a left pleural effusion [E1, E2].")
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (22, 14)
        one.ask("Which side?")
        assert "There is a left pleural effusion [E1, E2]." in json.dumps(stub.requests[-1])


def test_draft_becomes_text_with_citations() -> None:
    draft = FinalAnswer(
        statements=[Statement(text="A is so.", evidence=["E1", "no id", "E12"]), Statement(text="B  is so")], choice="C"
    )
    assert text_of(draft) == "A is so [E1, E12]. B is so.\nANSWER: C"


def test_tokens_have_a_price_and_a_limit() -> None:
    with serving(in_order(Reply(calls=(call(film(1).id, "classify"),)), Reply("Done."))) as stub:
        one = session(at("openai:stub", stub), planner_usd_per_million=(1.0, 10.0))
        one.add(film(1))
        usage = one.ask("Effusion?").usage
    assert usage.cost_usd == pytest.approx((22 * 1.0 + 14 * 10.0) / 1e6)
    with serving(in_order(Reply(calls=(call(film(1).id, "classify"),)))) as stub:
        limited = session(at("openai:stub", stub), max_turn_tokens=30)
        limited.add(film(1))
        answer = limited.ask("Effusion?")
    assert "30" in answer.stopped and "token" in answer.stopped and len(stub.requests) <= 3
