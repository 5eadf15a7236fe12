"""Tools that run only when the user says so (Settings.ask_before): asked before each call, refused where nobody can."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ToolCallRequest
from langchain_core.messages import ToolMessage
from langgraph.types import Command

from agent.events import ApprovalAsked
from agent.ledger import run_title
from imaging.failures import NotApplicable
from tools.contract import Registry, Result

Outcome = ToolMessage | Command[Any]
Approver = Callable[[ApprovalAsked], bool]
"""Says whether a call may run. Called in the turn's own thread, one call at a time; it may take as long as a person."""

EVERY_TOOL = "*"
"""In Settings.ask_before: all of them."""


ANSWER_WITHIN_S = 600.0
"""How long a question waits for a person."""


class Waiting:
    """An approver whose answer comes from another thread, as `session.approver = waiting.wait`.

    What is not answered in time is refused.
    """

    def __init__(self, seconds: float = ANSWER_WITHIN_S) -> None:
        self._seconds = seconds
        self._answered = threading.Event()
        self._asked: ApprovalAsked | None = None
        self._allowed = False

    def wait(self, asked: ApprovalAsked) -> bool:
        """Whether the user allows it."""
        self._answered.clear()
        self._allowed, self._asked = False, asked
        self._answered.wait(self._seconds)
        self._asked = None
        return self._allowed

    def answer(self, allow: bool, evidence_id: str = "") -> bool:
        """Say yes or no.

        Args:
            allow: whether the call that waits may run.
            evidence_id: which call is meant, where the answer may come late; any that waits when left out.

        Returns:
            False: no such call waits.
        """
        asked = self._asked
        if asked is None or evidence_id not in ("", asked.evidence_id):
            return False
        self._allowed = allow
        self._answered.set()
        return True


def is_asked_before(tool: str, names: Collection[str]) -> bool:
    """Whether a tool needs approval under Settings.ask_before (`names`)."""
    return tool in names or EVERY_TOOL in names


class Approval(AgentMiddleware[AgentState[Any], Any]):
    """Stands before the tools that the settings name.

    What is asked about are the arguments that will run, not what the planner says of them.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        tools: Registry,
        ids: Callable[[str], str | None],
        approver: Callable[[], Approver | None],
    ) -> None:
        """Nothing is asked for yet.

        Args:
            names: of the tools, or EVERY_TOOL.
            tools: all of them.
            ids: evidence number of a call's id.
            approver: who is asked, or None: nobody can be.
        """
        super().__init__()
        self._names = names
        self._registry = tools
        self._ids = ids
        self._approver = approver
        self._one_at_a_time = threading.Lock()

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Outcome]) -> Outcome:
        """Run the call if it is allowed."""
        return self._refusal(request) or handler(request)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Outcome]]
    ) -> Outcome:
        """As wrap_tool_call."""
        return self._refusal(request) or await handler(request)

    def _refusal(self, request: ToolCallRequest) -> ToolMessage | None:
        name, args = request.tool_call["name"], request.tool_call["args"]
        if not is_asked_before(name, self._names) or name not in self._registry:
            return None
        title = run_title(self._registry.get(name), args)
        asked = ApprovalAsked(self._ids(request.tool_call["id"] or "") or "", name, title, args)
        allowed, reason = self._answer(asked, request.runtime.stream_writer)
        if allowed:
            return None
        result = Result.failed(NotApplicable(f"{title} did not run: {reason}", "Do not ask for it again in this turn."))
        return ToolMessage(
            content=result.summary, name=name, tool_call_id=request.tool_call["id"], artifact=result, status="error"
        )

    def _answer(self, asked: ApprovalAsked, tell: Callable[[Any], None]) -> tuple[bool, str]:
        """(whether it may run, why not)."""
        approver = self._approver()
        if approver is None:
            return False, "it needs a person's approval, and nobody can be asked here (ask_before)."
        with self._one_at_a_time:
            tell(asked)
            return approver(asked), "the user did not allow it."


__all__ = ["EVERY_TOOL", "Approval", "Approver", "Waiting", "is_asked_before"]
