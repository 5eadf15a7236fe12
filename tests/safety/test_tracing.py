"""LangChain can send every run to a tracing service by an environment variable alone; Hilum's turns never are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langsmith import utils


class Noting(BaseChatModel):
    """Notes whether the run it is part of would be sent."""

    seen: list[bool]

    @property
    def _llm_type(self) -> str:
        return "noting"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Itself."""
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.seen.append(bool(utils.tracing_is_enabled()))
        return ChatResult(generations=[ChatGeneration(message=AIMessage("Hello."))])


@pytest.fixture
def tracing_is_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGSMITH_API_KEY", "x")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://127.0.0.1:9")
    utils.get_env_var.cache_clear()
    yield
    monkeypatch.undo()
    utils.get_env_var.cache_clear()


def test_turn_is_not_traced_whatever_the_environment_says(tracing_is_on: None) -> None:
    planner = Noting(seen=[])
    assert utils.tracing_is_enabled()
    session = stub_agent(StubTools(Truth(scores={"effusion": 0.8})), planner).session()
    session.add(film(1))
    assert session.ask("Hello?").text == "Hello."
    assert planner.seen == [False]
