"""No planner has a synthetic film read that the user did not name: such a call is answered with the reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ToolCallRequest
from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.types import Command

from agent.planner.naming import names_synthetic
from agent.planner.pasted import pasted
from imaging.failures import BadArguments, NotApplicable
from imaging.radiograph import DerivedKind, Radiograph
from imaging.store import ImageStore
from tools.contract import Result

Outcome = ToolMessage | Command[Any]


class SyntheticGuard(AgentMiddleware[AgentState[Any], Any]):
    """Stands between a planner, whichever it is, and the tools; see the module."""

    def __init__(self, films: ImageStore) -> None:
        super().__init__()
        self._films = films

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Outcome]) -> Outcome:
        """Run the call, or refuse it."""
        return self._refusal(request) or handler(request)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Outcome]]
    ) -> Outcome:
        """As wrap_tool_call."""
        return self._refusal(request) or await handler(request)

    def _refusal(self, request: ToolCallRequest) -> ToolMessage | None:
        films = self._synthetic(request.tool_call["args"])
        said = [_own_words(m.text) for m in request.state["messages"] if films and isinstance(m, HumanMessage)]
        for film_id in films:
            number = int(self._films.name(film_id).removeprefix("film "))
            if any(names_synthetic(text, number, film_id) for text in said):
                continue
            result = Result.failed(
                NotApplicable(
                    f"Film {number} is synthetic: it shows no patient and is not read unasked.",
                    f"It is read when the user names it, e.g. 'film {number}'.",
                )
            )
            return ToolMessage(
                content=result.summary,
                name=request.tool_call["name"],
                tool_call_id=request.tool_call["id"],
                artifact=result,
                status="error",
            )
        return None

    def _synthetic(self, args: dict[str, Any]) -> list[str]:
        """Ids of the synthetic films among a call's arguments."""
        named = [value for each in args.values() for value in (each if isinstance(each, list) else [each])]
        films = [self._film(value) for value in named if isinstance(value, str)]
        return [f.id for f in films if f is not None and f.derived and f.derived.kind is DerivedKind.SYNTHETIC]

    def _film(self, named: str) -> Radiograph | None:
        try:
            return self._films.get(named)
        except BadArguments:
            return None


def _own_words(message: str) -> str:
    """What the user said, without a text that they pasted: its author may be anybody."""
    found = pasted(message)
    return message if found is None else found.request
