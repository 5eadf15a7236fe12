"""How many planner replies and tool calls one turn may take; what is over is answered in the planner's place.

LangChain's own limits are nodes of the graph, each of which costs a step and a checkpoint per reply; these are none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse, ToolCallRequest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.types import Command

from agent.events import LimitReached
from agent.settings import Settings

Outcome = ToolMessage | Command[Any]


class Limits(AgentMiddleware[AgentState[Any], Any]):
    """Stands before planner and tools; tells the turn when a limit is reached."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._replies = settings.max_planner_calls
        self._calls = settings.max_tool_calls

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Ask the planner, or end the turn in its place."""
        if len(replies_of_turn(request.messages)) < self._replies:
            return handler(request)
        request.runtime.stream_writer(LimitReached("planner_calls"))
        return ModelResponse(result=[AIMessage(f"The limit of {self._replies} replies in one turn was reached.")])

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Outcome]) -> Outcome:
        """Run the call, or say that it was one too many."""
        return self._refusal(request) or handler(request)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Outcome]]
    ) -> Outcome:
        """As wrap_tool_call."""
        return self._refusal(request) or await handler(request)

    def _refusal(self, request: ToolCallRequest) -> ToolMessage | None:
        call = request.tool_call
        if not self.is_over(request.state["messages"], call["id"]):
            return None
        request.runtime.stream_writer(LimitReached("tool_calls"))
        told = f"The limit of {self._calls} tool calls in one turn was reached. Answer from what you have."
        return ToolMessage(content=told, name=call["name"], tool_call_id=call["id"], status="error")

    def is_over(self, messages: Sequence[AnyMessage], call_id: str | None) -> bool:
        """Whether a call of the running turn is one too many; in the order in which the planner asked."""
        calls = [call["id"] for reply in replies_of_turn(messages) for call in reply.tool_calls]
        return call_id in calls[self._calls :]


def replies_of_turn(messages: Sequence[AnyMessage]) -> list[AIMessage]:
    """The planner's replies since the last question."""
    asked = max((n for n, message in enumerate(messages) if isinstance(message, HumanMessage)), default=-1)
    return [message for message in messages[asked + 1 :] if isinstance(message, AIMessage)]


__all__ = ["Limits", "replies_of_turn"]
