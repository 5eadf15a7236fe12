"""Replay: a recorded session again, from its transcript alone or with its tools run anew, and what differs.

The planner's replies are the recorded ones, so no LLM is asked and nothing is left to chance. With `films` the tools
run for real: a difference then means that a model, a tool or the code is no longer what it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, messages_from_dict
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from pydantic import BaseModel, ConfigDict, Field, create_model

from agent.answer import Answer, Evidence
from agent.session import Film, Session
from imaging.failures import BadArguments
from tools.contract import Registry, Result, Tool, ToolArguments, ToolContext

if TYPE_CHECKING:
    from agent.core import Agent

COMPARED = ("text", "claims", "findings", "choice", "not_assessed")
"""What of an answer must be the same. Times differ, and film facts are not there without the films."""
COMPARED_EVIDENCE = ("id", "tool", "args", "status", "summary", "findings", "data", "model", "revision")


@dataclass(frozen=True)
class Replayed:
    """One turn again: what differs from the record, in words; nothing where it is the same."""

    number: int
    question: str
    differences: tuple[str, ...]


def read_transcript(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The lines of a transcript file.

    Raises:
        BadArguments: it is none.
    """
    found = []
    for number, line in enumerate(filter(str.strip, lines), start=1):
        try:
            item = json.loads(line)
        except ValueError as error:
            raise BadArguments(f"Line {number} of the transcript is not JSON.", "Give a file of `export`.") from error
        if not isinstance(item, dict) or "kind" not in item:
            raise BadArguments(f"Line {number} of the transcript does not say what it is.", "Give a file of `export`.")
        found.append(item)
    if not any(item["kind"] == "turn" for item in found):
        raise BadArguments("The transcript holds no answered question.", "Ask one, then export.")
    return found


def replay(transcript: Sequence[Mapping[str, Any]], agent: Agent, films: Sequence[Film] = ()) -> Iterator[Replayed]:
    """Every answered turn again, in order. One that was stopped or limited is named and not compared.

    Args:
        transcript: lines as `read_transcript` gives them.
        agent: whose tools and models run where films are given; its planner is not asked.
        films: the session's films; without them the recorded evidence stands in for the tools.
    """
    turns = [line for line in transcript if line["kind"] == "turn"]
    planner = _Recorded(replies=[reply for turn in turns for reply in turn["replies"]])
    records = [Evidence.model_validate(record) for turn in turns for record in turn["records"]]
    tools = agent.tools if films else Registry(_stand_ins(records))
    session = Session(agent.with_parts(planner, tools))
    session.approver = lambda asked: True  # what was refused then is on record as a result
    for turn in turns:
        recorded = Answer.model_validate({**turn["answer"], "evidence": turn["records"]})
        if recorded.stopped:
            planner.skip(len(turn["replies"]))
            yield Replayed(turn["turn"], recorded.question, (f"not replayed: {recorded.stopped}",))
            continue
        again = session.ask(recorded.question, films)
        films = ()
        yield Replayed(turn["turn"], recorded.question, tuple(_differences(recorded, again)))


def _differences(recorded: Answer, again: Answer) -> Iterator[str]:
    for name in COMPARED:
        if getattr(recorded, name) != getattr(again, name):
            yield f"{name} differs"
    before = {record.id: record for record in recorded.evidence}
    after = {record.id: record for record in again.evidence}
    for number in sorted({*before, *after}, key=lambda item: int(item[1:])):
        if number not in before or number not in after:
            yield f"{number} is {'new' if number in after else 'missing'}"
            continue
        for name in COMPARED_EVIDENCE:
            if getattr(before[number], name) != getattr(after[number], name):
                told = f": {getattr(before[number], name)} was, {getattr(after[number], name)} is"
                yield f"{number} {name} differs{told if name in ('model', 'revision') else ''}"


class _Recorded(BaseChatModel):
    """Says again what was said, in order."""

    replies: list[dict[str, Any]]
    at: int = 0

    @property
    def _llm_type(self) -> str:
        return "recorded"

    def skip(self, count: int) -> None:
        """Leave out so many replies."""
        self.at += count

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Itself: what it calls is written down."""
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        if self.at >= len(self.replies):
            raise BadArguments("The transcript holds no further reply.", "It does not fit these tools or films.")
        [reply] = messages_from_dict([self.replies[self.at]])
        self.at += 1
        return ChatResult(generations=[ChatGeneration(message=reply)])


class _RecordedData(BaseModel):
    model_config = ConfigDict(extra="allow")


class _RecordedResult(Result):
    data: _RecordedData | None = Field(default=None)


def _stand_ins(records: Sequence[Evidence]) -> Iterator[Tool]:
    """A tool for each that ran: it gives what was recorded for the same arguments."""
    for name in dict.fromkeys(record.tool for record in records):
        own = {_key(record.args): record for record in records if record.tool == name}
        title = next(record.title for record in own.values()).partition(":")[0]
        fields: Any = {
            key: (Any, Field(default=None, description="as recorded")) for record in own.values() for key in record.args
        }
        arguments = create_model("RecordedArguments", __base__=ToolArguments, **fields)

        def run(context: ToolContext, given: ToolArguments, own: dict[str, Evidence] = own) -> Result:
            record = own.get(_key(given.model_dump(mode="json", exclude_none=True)))
            if record is None:
                raise BadArguments("The transcript holds no result for these arguments.", "")
            fields = {key: getattr(record, key) for key in ("image_ids", "summary", "findings", "overlays", "caveats")}
            facts = {key: getattr(record, key) for key in ("model", "revision", "card", "failure")}
            return _RecordedResult(**fields, **facts, data=_RecordedData(**record.data) if record.data else None)

        yield Tool(name, title, arguments, _RecordedData, (), "recorded", run, prompt="Recorded. As it was.")


def _key(args: Mapping[str, Any]) -> str:
    return json.dumps(args, sort_keys=True)


__all__ = ["Replayed", "read_transcript", "replay"]
