"""The transcript of a session: what happened and by what, line by line; the audit log, and what a replay needs."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from agent.answer import Answer
from agent.memory import Memory
from prompts import prompt_hashes
from tools.contract import Tool

if TYPE_CHECKING:
    from agent.core import Agent
    from agent.turn import Turn

PACKAGES = ("hilum", "langchain", "langgraph", "torch", "transformers", "torchxrayvision", "pydicom")
"""Packages whose versions are noted: those that can change an answer."""


def log_opening(memory: Memory, session_id: str, agent: Agent) -> None:
    """What the session was opened with: settings as resolved, versions, prompts and tools by their hashes."""
    memory.log(
        session_id,
        "opened",
        {
            "planner": agent.planner_name,
            "settings": agent.settings.told(),
            "versions": _versions(),
            "prompts": prompt_hashes(),
            "tools": {tool.name: _tool_digest(tool) for tool in agent.tools},
        },
    )


def log_turn(memory: Memory, session_id: str, number: int, turn: Turn, answer: Answer) -> None:
    """One finished turn: the planner's replies as they came, the evidence by id, and the answer."""
    memory.log(
        session_id,
        "turn",
        {
            "turn": number,
            "question": answer.question,
            "replies": turn.replies,
            "evidence": [record.id for record in answer.evidence],
            "answer": answer.model_dump(mode="json", exclude={"evidence", "notes"}),  # notes name files
        },
    )


@cache
def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


@cache
def _tool_digest(tool: Tool) -> str:
    told = repr((tool.description, tool.arguments.model_json_schema()))
    return hashlib.sha256(told.encode()).hexdigest()[:16]


__all__ = ["log_opening", "log_turn"]
