"""The planners of a session in order: the first that replies has the turn's word; which one it was is written down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse, ModelRetryMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, SystemMessage

from agent.llm.condensed import condensed, limit_of
from agent.llm.drafting import FinalAnswer, spoken
from agent.llm.failures import passes, planner_failures
from agent.llm.named import EMBEDDED, GIVEN, Named
from agent.llm.providers import MAX_RETRIES, provider_of
from agent.llm.sight import Pictures
from agent.settings import Settings
from imaging.failures import Unavailable
from imaging.store import ImageStore
from prompts import prompt

PLANNED_BY = "hilum_planner"
"""Key of a reply's response_metadata: the name of the planner that wrote it."""
OURS_ALONE = ("scripted", "not_assessed")
"""What only the embedded planner may say of its own reply: that its text is written by us and needs no check."""

FIRST_WAIT_S = 0.5
"""Before a call is tried again; doubled each time."""

Handler = Callable[[ModelRequest[Any]], ModelResponse[Any]]
AsyncHandler = Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]


@dataclass(frozen=True)
class Planner:
    """One planner, made.

    Attributes:
        named: what it is and where.
        model: the chat model.
        sees: it takes pictures.
        reads_tokens: how much it can read at once; None: not known.
    """

    named: Named
    model: BaseChatModel
    sees: bool = False
    reads_tokens: int | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether it is ours."""
        return self.named.provider == EMBEDDED

    @property
    def is_given(self) -> bool:
        """Whether the caller made it: then it says itself who it is, as a replay does."""
        return self.named.provider == GIVEN


class PlannerChain(AgentMiddleware[AgentState[Any], Any]):
    """Asks the planners in order until one replies. One that fails for a moment is asked again before the next is."""

    def __init__(self, planners: Sequence[Planner], settings: Settings, films: ImageStore) -> None:
        """Nothing is asked yet.

        Args:
            planners: in order; at least one.
            settings: waits, limits, and whether films may be shown.
            films: the session's.
        """
        super().__init__()
        self._planners = planners
        self._settings = settings
        self._pictures = Pictures(films)
        self._again = ModelRetryMiddleware(
            max_retries=MAX_RETRIES, retry_on=passes, on_failure="error", initial_delay=FIRST_WAIT_S
        )

    def wrap_model_call(self, request: ModelRequest[Any], handler: Handler) -> ModelResponse[Any]:
        """The reply of the first planner that gives one.

        Raises:
            Unavailable: none does; what the last one said.
        """
        failed: Unavailable | None = None
        for planner, asked in self._requests(request):
            try:
                with planner_failures(planner.named, self._settings):
                    return _signed(spoken(self._asked(planner, asked, handler)), planner)
            except Unavailable as failure:
                failed = failure
        assert failed is not None, "there is at least one planner"
        raise failed

    async def awrap_model_call(self, request: ModelRequest[Any], handler: AsyncHandler) -> ModelResponse[Any]:
        """As wrap_model_call; sessions run their graph in a thread and never come here."""
        raise NotImplementedError("a session's graph runs in a thread of its own")

    def _requests(self, request: ModelRequest[Any]) -> Iterator[tuple[Planner, ModelRequest[Any]]]:
        for planner in self._planners:
            asked = request.override(model=planner.model)
            yield planner, asked if planner.is_embedded else self._told(planner, asked)

    def _told(self, planner: Planner, request: ModelRequest[Any]) -> ModelRequest[Any]:
        """What a language model is told of the conversation: as much as it reads, and the films if it may see them."""
        settings = self._settings
        messages = condensed(request.messages, limit_of(planner.reads_tokens, settings.max_context_tokens))
        format = ToolStrategy(FinalAnswer) if settings.structured_claims else None
        request = request.override(messages=messages, response_format=format)
        if not (planner.sees and settings.send_films):
            return request
        rules = f"{request.system_prompt or ''}\n\n{prompt('sight')}"
        return request.override(messages=self._pictures.shown(messages), system_message=SystemMessage(rules))

    def _asked(self, planner: Planner, request: ModelRequest[Any], handler: Handler) -> ModelResponse[Any]:
        if planner.is_embedded or provider_of(planner.named.provider).own_retries:
            return handler(request)
        reply: Any = self._again.wrap_model_call(request, handler)
        return reply  # an AIMessage in its place would mean on_failure="continue"


def _signed(response: ModelResponse[Any], planner: Planner) -> ModelResponse[Any]:
    name = {PLANNED_BY: planner.named.told}
    for message in response.result:
        if not isinstance(message, AIMessage):
            continue
        if planner.is_given:
            message.response_metadata = {**name, **message.response_metadata}
            continue
        message.response_metadata = {**message.response_metadata, **name}
        if not planner.is_embedded:
            for key in OURS_ALONE:
                message.additional_kwargs.pop(key, None)
    return response


__all__ = ["PLANNED_BY", "Planner", "PlannerChain"]
