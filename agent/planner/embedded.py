"""The embedded planner: a deterministic chat model that reads the question with the ontology and plans the tools."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import ToolCall, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable

from agent.answer import Evidence
from agent.films import FILMS_KEY
from agent.planner.compose import compose
from agent.planner.facts import Facts
from agent.planner.offers import Offer, Offers, bound, offers
from agent.planner.plan import Call, merged_calls, wanted
from agent.planner.question import Question
from agent.planner.reading import read

PIECE = re.compile(r"(?:\S+\s*){1,12}")
"""What is streamed at once: about a line. Each piece costs langchain more than planning it did."""
READINGS_KEPT = 512
"""Messages whose reading is kept, of all conversations."""


class EmbeddedPlanner(BaseChatModel):
    """Plans in rounds of tool calls and then answers; equal conversations get equal replies."""

    @property
    def _llm_type(self) -> str:
        return "hilum-embedded"

    def bind_tools(self, tools: Any, *, tool_choice: Any = None, **kwargs: Any) -> Runnable[Any, AIMessage]:
        """The planner with these tools; it calls no other."""
        return self.bind(tools=[bound(item) for item in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=reply(messages, kwargs.get("tools") or []))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        whole = reply(messages, kwargs.get("tools") or [])
        for piece in PIECE.findall(str(whole.content)):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if run_manager:
                run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk
        calls = [
            tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=n)
            for n, call in enumerate(whole.tool_calls)
        ]
        last = AIMessageChunk(content="", tool_call_chunks=calls, additional_kwargs=whole.additional_kwargs)
        yield ChatGenerationChunk(message=last)


def reply(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> AIMessage:
    """The next message: tool calls while something is needed, then the answer.

    Where earlier turns show what the next calls will give, those that follow from it are planned with them: the ledger
    answers the known ones at once, and a round of the graph takes longer than planning it.
    """
    offered = offers(tools)
    questions, about = _read_conversation(messages, offered)
    since = _this_turn(messages)
    records = _records(since)
    asked = [Call(c["name"], c["args"]) for m in since if isinstance(m, AIMessage) for c in m.tool_calls]
    made = _made(messages)
    calls: list[Call] = []
    while True:
        facts = Facts(records)
        planned = merged_calls([call for question in questions for call in wanted(question, facts, offered)])
        new = [call for call in planned if call not in asked]
        calls += new
        known = _records([made[key] for key in map(_key, new) if key in made])
        if not new or len(known) < len(new):
            break
        asked += new
        records += known
    if not calls:
        text, beside = compose(questions, facts, about["films"], offered)
        return AIMessage(content=text, additional_kwargs={"scripted": True, **beside})
    numbered = [
        ToolCall(name=call.tool, args=call.args, id=f"call_{len(messages)}_{n}") for n, call in enumerate(calls)
    ]
    return AIMessage(content="", tool_calls=numbered)


def _made(messages: list[BaseMessage]) -> dict[str, ToolMessage]:
    """What each call of this conversation that ended well gave, the last time."""
    gave = {m.tool_call_id: m for m in messages if isinstance(m, ToolMessage) and m.status == "success"}
    called = [c for m in messages if isinstance(m, AIMessage) for c in m.tool_calls if c["id"] in gave]
    return {_key(Call(c["name"], c["args"])): gave[c["id"] or ""] for c in called}


def _key(call: Call) -> str:
    return f"{call.tool} {json.dumps(call.args, sort_keys=True)}"


def _records(messages: Sequence[BaseMessage]) -> list[Evidence]:
    """What the tools' messages among these say."""
    told = [m.artifact for m in messages if isinstance(m, ToolMessage)]
    return [Evidence.model_validate(artifact) for artifact in told if isinstance(artifact, dict)]


def _read_conversation(messages: list[BaseMessage], offered: Offers) -> tuple[list[Question], dict[str, Any]]:
    """The questions of this turn, read after those of the turns before, and what came with them about the films."""
    previous: Question | None = None
    questions: list[Question] = []
    about: dict[str, Any] = {"films": [], "added": []}
    tools = tuple(offered.values())
    for message in messages:
        if isinstance(message, HumanMessage):
            about = message.additional_kwargs.get(FILMS_KEY, about)
            questions = list(_read(message.text, json.dumps(about), previous, tools))
            previous = questions[-1]
    return questions, about


@lru_cache(maxsize=READINGS_KEPT)
def _read(text: str, about: str, previous: Question | None, tools: tuple[Offer, ...]) -> tuple[Question, ...]:
    """`read` of what is told as JSON: every round of a turn reads the whole conversation, and the same each time."""
    told = json.loads(about)
    return tuple(read(text, told["films"], told["added"], previous, {offer.name: offer for offer in tools}))


def _this_turn(messages: list[BaseMessage]) -> list[BaseMessage]:
    asked = max((n for n, message in enumerate(messages) if isinstance(message, HumanMessage)), default=-1)
    return messages[asked + 1 :]
