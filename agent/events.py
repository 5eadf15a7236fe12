"""What a turn tells its listener while it runs; `Session.stream()` yields these in order and ends with Answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent.answer import Answer, Evidence
from imaging.studies import StudyInput


@dataclass(frozen=True)
class FilmsTaken:
    """What came of the films given with the question; sent first, and only when some were given.

    Attributes:
        found: the films as studies, duplicates and refusals. Names files as the user gave them: for the user alone.
        names: film id -> name in this session ("film 2"), of the films of `found`.
    """

    found: StudyInput
    names: dict[str, str]


@dataclass(frozen=True)
class Planned:
    """The planner decided on tool calls: one (evidence id, tool title, arguments) each."""

    calls: tuple[tuple[str, str, dict[str, Any]], ...]


@dataclass(frozen=True)
class ToolStarted:
    """A tool began to run."""

    evidence_id: str
    tool: str
    title: str
    args: dict[str, Any]


@dataclass(frozen=True)
class ToolFinished:
    """A tool ended, well or not; `evidence.status` says which."""

    evidence: Evidence


@dataclass(frozen=True)
class ApprovalAsked:
    """The user is asked whether a call may run (Settings.ask_before); the turn waits. `tool` and `args` will run so."""

    evidence_id: str
    tool: str
    title: str
    args: dict[str, Any]


@dataclass(frozen=True)
class LimitReached:
    """The turn came to "planner_calls" or "tool_calls" of the settings. For the turn itself alone."""

    limit: str


@dataclass(frozen=True)
class TextDelta:
    """A piece of the answer's text as the planner writes it."""

    text: str


@dataclass(frozen=True)
class Answered:
    """The turn is over."""

    answer: Answer


Event = FilmsTaken | Planned | ApprovalAsked | ToolStarted | ToolFinished | TextDelta | Answered


def answer_of(events: Iterator[Event]) -> Answer:
    """The answer that a turn's events end with."""
    for event in events:
        if isinstance(event, Answered):
            return event.answer
    raise RuntimeError("the stream of a turn ended without an answer")
