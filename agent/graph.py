"""The graph of one session: langchain's create_agent with our tools, limits, and the ledger between them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    AgentState,
    ModelRequest,
    ModelResponse,
    ToolCallRequest,
    dynamic_prompt,
)
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.messages.tool import ToolCall
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolRuntime
from langgraph.runtime import Runtime
from langgraph.types import Command
from pydantic import ValidationError

from agent.answer import Evidence
from agent.approval import Approval, Approver
from agent.events import Planned, ToolFinished, ToolStarted
from agent.faults import AgentFault
from agent.guard import SyntheticGuard
from agent.ledger import EvidenceLedger, films_in, run_title
from agent.limits import Limits
from agent.llm.chain import Planner, PlannerChain
from agent.llm.drafting import FinalAnswer
from agent.planner.offers import ASKED_BY
from agent.settings import Settings
from models.stopping import stoppable
from tools.contract import Registry, Result, Tool, ToolContext
from tools.contract.corrections import Corrections

Stream = Runtime[Any] | ToolRuntime[Any, Any]
"""What tells a listener of events, in a node of the graph and in a tool call."""
CAVEATS_TOLD = 3
"""Caveats of one result that the planner reads; the screen shows all."""
CAVEAT_MAX_CHARACTERS = 300
"""Longest piece of one caveat that the planner reads."""


def build_graph(
    planners: Sequence[Planner],
    tools: Registry,
    context: ToolContext,
    ledger: EvidenceLedger,
    system_prompt: Callable[[], str],
    settings: Settings,
    approver: Callable[[], Approver | None],
    checkpointer: BaseCheckpointSaver[Any],
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The compiled graph of one session, with its own memory; nothing in it is shared with another session."""

    @dynamic_prompt
    def told(request: ModelRequest[Any]) -> str:
        return system_prompt()

    limits = Limits(settings)
    middleware: list[AgentMiddleware[Any, Any, Any]] = [
        told,
        EvidenceMiddleware(tools, ledger, context.corrections, limits),
        limits,
        SyntheticGuard(context.films),
        Approval(settings.ask_before, tools, ledger.id_of_call, approver),
        PlannerChain(planners, settings, context.films),
    ]
    return create_agent(
        planners[0].model,
        [as_langchain(item, context) for item in tools],
        middleware=middleware,
        checkpointer=checkpointer,
        response_format=ToolStrategy(FinalAnswer) if settings.structured_claims else None,
    )


def as_langchain(item: Tool, context: ToolContext) -> BaseTool:
    """One of our tools as LangChain calls it: the content is the summary, the artifact our Result."""

    def run(**arguments: Any) -> tuple[str, Result]:
        try:
            with stoppable(context.stopped):
                result = item.run(context, arguments)
        except Exception as error:
            raise AgentFault(
                f"The tool {item.name!r} failed in a way it does not declare ({type(error).__name__}). "
                "This is a bug of Hilum or of the tool's package; the traceback says where."
            ) from error
        return result.summary, result

    return StructuredTool.from_function(
        func=run,
        name=item.name,
        description=item.description,
        args_schema=item.arguments,
        response_format="content_and_artifact",
        metadata={ASKED_BY: list(item.asked_by)},
    )


def told_of(evidence: Evidence) -> str:
    """What the planner reads of one evidence record."""
    caveats = [f"Caveat: {caveat[:CAVEAT_MAX_CHARACTERS]}" for caveat in evidence.caveats[:CAVEATS_TOLD]]
    return "\n".join([f"[{evidence.id}] {evidence.summary}", *caveats])


class EvidenceMiddleware(AgentMiddleware[AgentState[Any], Any]):
    """Numbers calls in the order they were planned, records what came of them, and tells the listener."""

    def __init__(self, tools: Registry, ledger: EvidenceLedger, corrections: Corrections, limits: Limits) -> None:
        super().__init__()
        self._registry = tools
        self._ledger = ledger
        self._corrections = corrections
        self._limits = limits

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """The planner's reply, with a number reserved for each of its calls that can run.

        Calls that the ledger knows are answered beside it: no step of the graph is taken for them.
        """
        response = handler(request)
        reply = next((message for message in response.result if isinstance(message, AIMessage)), None)
        if reply is None or not reply.tool_calls:
            return response
        self._reserve(reply, [*request.messages, reply], request.runtime)
        return replace(response, result=[*response.result, *self._known(reply, request.runtime)])

    def _reserve(self, reply: AIMessage, messages: list[AnyMessage], runtime: Runtime[Any]) -> None:
        planned = []
        for call in reply.tool_calls:
            args = self._checked_arguments(call["name"], call["args"])
            if args is not None and call["id"] is not None and not self._limits.is_over(messages, call["id"]):
                planned.append((call["id"], call["name"], args, self._corrections.state(films_in(args))))
        if not planned:
            return
        numbers = self._ledger.reserve_all(planned)
        titles = [run_title(self._registry.get(name), args) for _, name, args, _ in planned]
        told = zip(numbers, titles, (args for _, _, args, _ in planned), strict=True)
        runtime.stream_writer(Planned(tuple(told)))

    def _known(self, reply: AIMessage, runtime: Runtime[Any]) -> Iterator[ToolMessage]:
        for call in reply.tool_calls:
            known = self._ledger.get(self._ledger.id_of_call(call["id"] or "") or "")
            if known is not None and self._start(call, runtime) is not None:
                yield _told(call, runtime, known)

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """Run one call between its two events, or answer it from the ledger: one reply may ask the same twice."""
        started = self._start(request.tool_call, request.runtime)
        if started is None:
            return handler(request)
        known = self._ledger.get(started.evidence_id)
        return self._finish(request, started, known or handler(request))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
    ) -> ToolMessage | Command[Any]:
        """As wrap_tool_call."""
        started = self._start(request.tool_call, request.runtime)
        if started is None:
            return await handler(request)
        known = self._ledger.get(started.evidence_id)
        return self._finish(request, started, known or await handler(request))

    def _checked_arguments(self, name: str, args: dict[str, Any]) -> dict[str, Any] | None:
        if name not in self._registry:
            return None
        try:
            checked = self._registry.get(name).arguments.model_validate(args)
        except ValidationError:
            return None
        return checked.model_dump(mode="json", exclude_none=True)

    def _start(self, call: ToolCall, runtime: Stream) -> ToolStarted | None:
        args = self._checked_arguments(call["name"], call["args"])
        evidence_id = self._ledger.id_of_call(call["id"] or "")
        if args is None or evidence_id is None:
            return None
        title = run_title(self._registry.get(call["name"]), args)
        started = ToolStarted(evidence_id, call["name"], title, args)
        runtime.stream_writer(started)
        return started

    def _finish(
        self, request: ToolCallRequest, started: ToolStarted, outcome: Evidence | ToolMessage | Command[Any]
    ) -> ToolMessage | Command[Any]:
        if isinstance(outcome, ToolMessage) and isinstance(outcome.artifact, Result):
            tool = self._registry.get(started.tool)
            outcome = self._ledger.record(started.evidence_id, tool, started.args, outcome.artifact)
        return _told(request.tool_call, request.runtime, outcome) if isinstance(outcome, Evidence) else outcome


def _told(call: ToolCall, runtime: Stream, evidence: Evidence) -> ToolMessage:
    """The record of a call as its planner is told it; the listener hears of it first."""
    runtime.stream_writer(ToolFinished(evidence))
    return ToolMessage(
        content=told_of(evidence),
        name=call["name"],
        tool_call_id=call["id"],
        artifact=evidence.model_dump(mode="json", exclude={"overlays"}),
        status="success" if evidence.failure is None else "error",
    )
