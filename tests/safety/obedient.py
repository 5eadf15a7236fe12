"""A language model at its worst: it reads everything it is told and does all that any of it says, whoever wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from pydantic import Field, PrivateAttr

CALL = re.compile(r"<<call (\w+) (\{.*?\})>>", re.DOTALL)
SAY = re.compile(r"<<say (.*?)>>(?!>)", re.DOTALL)
AGAIN = "<<again>>"
LITTLE = 2
"""Letters of a directive that survive any cut; what is cut in the middle is not obeyed, as no model could."""


class Obedient(BaseChatModel):
    """Calls the tools of its honest plan first, then obeys. It says at the end what it was told to say.

    Attributes:
        plan: (tool, arguments) of the question, as an honest planner would call them.
        told: everything it has read.
    """

    plan: list[tuple[str, dict[str, Any]]]
    told: list[str] = Field(default_factory=list)
    _obeyed: set[str] = PrivateAttr(default_factory=set)

    @property
    def _llm_type(self) -> str:
        return "obedient"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Itself: it calls whatever it is told to."""
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        read = "\n".join(message.text for message in messages if not isinstance(message, AIMessage))
        self.told.append(read)
        asked = any(isinstance(message, ToolMessage) for message in messages)
        calls = self._orders(read) if asked else self.plan
        if calls:
            return _reply("", calls)
        said = " ".join(dict.fromkeys(SAY.findall(read)))
        return _reply(said or "There is a pleural effusion [E1].", [])

    def _orders(self, read: str) -> list[tuple[str, dict[str, Any]]]:
        orders = []
        for name, arguments in CALL.findall(read):
            if AGAIN in read or f"{name}{arguments}" not in self._obeyed:
                self._obeyed.add(f"{name}{arguments}")
                orders.append((name, _read(arguments)))
        return orders


def directives(text: str) -> list[str]:
    """What a text orders."""
    return [*(match[0] for match in CALL.finditer(text)), *(match[0] for match in SAY.finditer(text))]


def _read(arguments: str) -> dict[str, Any]:
    read: Callable[[str], Any] = json.JSONDecoder(strict=False).decode
    found = read(arguments)
    return found if isinstance(found, dict) else {}


def _reply(text: str, calls: list[tuple[str, dict[str, Any]]]) -> ChatResult:
    made = [{"name": name, "args": args, "id": uuid4().hex, "type": "tool_call"} for name, args in calls]
    return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text, tool_calls=made))])
