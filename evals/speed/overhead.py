"""overhead: what the agent itself takes of a turn, and what four independent tools take together.

Baseline is the loop that MedRAX publishes (github.com/bowang-lab/MedRAX, medrax/agent/agent.py): a two-node graph whose
second node runs the calls of a reply one after the other. It is written anew here, in a few lines, over the same stub
planner and the same tools, which wait and do nothing else; the waits are ours, of the order of models on a GPU.

With instant tools what is left is Hilum's own: graph, ledger, check of the answer, memory. It is told in milliseconds
of wall and processor time, for sessions kept in the process and in SQLite.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import numpy as np
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langgraph.checkpoint.memory import MemorySaver
from langgraph.graph import END, MessagesState, StateGraph
from pydantic import BaseModel, Field

from agent import Agent, Settings
from agent.graph import as_langchain
from agent.memory import Memory
from agent.session import Session
from evals.speed.measured import Measured, Timing, Took, took
from imaging.radiograph import Radiograph, Source, View, canonical, film_id
from models.pool import ModelPool
from tools.contract import Registry, Result, Tool, ToolArguments, ToolContext

WAITS_S = {"classify_stub": 0.4, "segment_stub": 0.6, "ground_stub": 0.8, "report_stub": 1.2}
"""Tool -> how long it waits. Our choice."""
INSTANT = dict.fromkeys(WAITS_S, 0.0)
TURNS = 5
"""Turns with waits, on each side."""
SESSIONS, INSTANT_TURNS = 8, 5
"""Conversations with instant tools, and turns timed in each after one that is not."""
QUESTION = "What does the film show?"
ANSWER = "The tools have run [E1, E2, E3, E4]."


class OneFilm(ToolArguments):
    """Which film."""

    image_id: str = Field(description="film")
    turn: int = Field(description="makes each turn's request a new one, which no ledger knows")


class Nothing(BaseModel):
    """No data."""


class StubPlanner(BaseChatModel):
    """Calls every tool at once, then answers; takes no time."""

    film: str
    turn: int = 0

    @property
    def _llm_type(self) -> str:
        return "stub"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Itself."""
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        reply = AIMessage(content=ANSWER)
        if isinstance(messages[-1], HumanMessage):
            self.turn += 1
            arguments = {"image_id": self.film, "turn": self.turn}
            calls = [{"name": name, "args": arguments, "id": uuid4().hex, "type": "tool_call"} for name in WAITS_S]
            reply = AIMessage(content="", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=reply)])


def measure(films: int = TURNS) -> Measured:
    """Turns with waiting tools in both loops, then turns with instant tools.

    Args:
        films: how many turns with waits on each side.
    """
    film = _film()
    sequential = _sequential(film)
    one_by_one = tuple(took(sequential).wall_s for _ in range(films))
    session = _session(film, WAITS_S, Memory())
    together = tuple(took(session.ask, QUESTION).wall_s for _ in range(films))
    with tempfile.TemporaryDirectory() as folder:
        own = {
            "process": _own(film, Memory()),
            "sqlite": _own(film, Memory(Path(folder) / "sessions.db")),
        }
    return Measured(
        baseline=Timing("MedRAX's loop: the four tools one after the other", one_by_one),
        candidate=Timing("Hilum: the four tools at once", together),
        facts={
            "waits_s": WAITS_S,
            "times_slowest_tool": round(median(together) / max(WAITS_S.values()), 3),
            "own_ms": {name: round(median(t.wall_s for t in turns) * 1000, 1) for name, turns in own.items()},
            "own_cpu_ms": {name: round(median(t.cpu_s for t in turns) * 1000, 1) for name, turns in own.items()},
            "own_is": f"a turn of two planner replies and four instant tools; median of {SESSIONS * INSTANT_TURNS}",
        },
    )


def _own(film: Radiograph, memory: Memory) -> list[Took]:
    turns: list[Took] = []
    for _ in range(SESSIONS):
        session = _session(film, INSTANT, memory)
        turns += [took(session.ask, QUESTION) for _ in range(1 + INSTANT_TURNS)][1:]
    return turns


def _session(film: Radiograph, waits: dict[str, float], memory: Memory) -> Session:
    agent = Agent(
        Settings(planner="embedded", profile="embedded"),
        planner=StubPlanner(film=film.id),
        tools=Registry(_tools(waits)),
        models=ModelPool(device="cpu", profile="embedded"),
        memory=memory,
    )
    session = agent.session()
    session.add(film)
    return session


def _sequential(film: Radiograph) -> Any:
    """A turn of the published loop over the same planner and tools, with the library's memory of messages."""
    session = _session(film, WAITS_S, Memory())
    context = ToolContext(films=session.films, models=ModelPool(device="cpu", profile="embedded"))
    tools = {tool.name: as_langchain(tool, context) for tool in _tools(WAITS_S)}
    planner = StubPlanner(film=film.id)

    def process(state: MessagesState) -> dict[str, Any]:
        return {"messages": [planner.invoke(state["messages"])]}

    def execute(state: MessagesState) -> dict[str, Any]:
        results = []
        last = state["messages"][-1]
        assert isinstance(last, AIMessage)
        for call in last.tool_calls:
            said = tools[call["name"]].invoke(call["args"])
            results.append(ToolMessage(content=str(said), name=call["name"], tool_call_id=call["id"]))
        return {"messages": results}

    def calls_tools(state: MessagesState) -> str:
        last = state["messages"][-1]
        return "execute" if isinstance(last, AIMessage) and last.tool_calls else END

    graph = StateGraph(MessagesState)
    graph.add_node("process", process)
    graph.add_node("execute", execute)
    graph.set_entry_point("process")
    graph.add_conditional_edges("process", calls_tools)
    graph.add_edge("execute", "process")
    compiled = graph.compile(checkpointer=MemorySaver())
    thread: Any = {"configurable": {"thread_id": "1"}}
    return lambda: compiled.invoke({"messages": [HumanMessage(QUESTION)]}, thread)


def _tools(waits: dict[str, float]) -> list[Tool]:
    def waiting(name: str) -> Tool:
        def run(context: ToolContext, given: ToolArguments) -> Result:
            _wait(waits[name])
            return Result(summary=f"{name} has run.")

        return Tool(name, name, OneFilm, Nothing, (), "stub", run, prompt="A stub.")

    return [waiting(name) for name in waits]


def _wait(seconds: float) -> None:
    time.sleep(seconds)


def _film() -> Radiograph:
    pixels = canonical(np.random.default_rng(0).random((64, 64)))
    source = Source(format="made by the bench", rows=64, columns=64, bits_stored=8, photometric="MONOCHROME2")
    return Radiograph(id=film_id(pixels), pixels=pixels, source=source, view=View.PA, view_origin="header")
