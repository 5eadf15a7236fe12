"""An Agent for the workbench's journeys: real sessions, planner and memory over stub tools that draw on the film.

A word in a question steers it: "unavailable" fails as planned for, "fault" as our own bug, "crash" as nobody named,
"hostile" answers with markup, "slow" makes every tool take its time. `ground` asks before it runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from agent_stubs import Said, StubPool, StubTools, Truth

from agent import Agent, Session
from agent.events import Answered, Event
from agent.faults import AgentFault
from agent.memory import Memory
from agent.settings import Settings
from imaging.failures import Unavailable
from imaging.overlays import Overlay
from tools.contract import Result

HOSTILE = (
    '<img src="http://192.0.2.1/x.png" onerror="document.title=1"> ![x](http://192.0.2.1/y.png) '
    "<script>document.title=2</script>"
)
"""Markup that must arrive on the screen as text; 192.0.2.0/24 is reserved for documentation (RFC 5737)."""
SLOW_S = 4.0


class DrawingTools(StubTools):
    """The stub tools; segment, measure and ground draw on a film of SIDE x SIDE."""

    SIDE = 256

    def _segment(self, image_id: str, asked: dict[str, Any], truth: Truth) -> Result:
        y, x = np.mgrid[: self.SIDE, : self.SIDE] / self.SIDE
        heart = ((y - 0.6) / 0.17) ** 2 + ((x - 0.55) / 0.17) ** 2 < 1
        drawn = [Overlay.mask(image_id, heart, "heart")]
        return Result(summary="Heart outlined.", data=Said(), overlays=drawn, model="stub-segmenter", revision="1")

    def _measure(self, image_id: str, asked: dict[str, Any], truth: Truth) -> Result:
        line = Overlay.line(image_id, (0.6 * self.SIDE, 90.0), (0.6 * self.SIDE, 180.0), "heart", text="148 mm")
        return super()._measure(image_id, asked, truth).model_copy(update={"overlays": [line]})

    def _ground(self, image_id: str, asked: dict[str, Any], truth: Truth) -> Result:
        heat = Overlay.heatmap(image_id, np.eye(16), (self.SIDE, self.SIDE), "attention")
        return super()._ground(image_id, asked, truth).model_copy(update={"overlays": [heat]})


class WorkbenchSession(Session):
    """A session that a word in the question steers."""

    def stream(self, question: str, films: Sequence[Any] = ()) -> Iterator[Event]:
        tools = self._agent.drawing  # type: ignore[attr-defined]
        if "unavailable" in question:
            raise Unavailable(
                "The planner openai:gpt-x did not answer in 60 s.", "Try again, or use --planner embedded."
            )
        if "fault" in question:
            raise AgentFault("secret detail of a fault")
        if "crash" in question:
            raise ZeroDivisionError("secret detail of a fault")
        tools.truth.delay_s = dict.fromkeys(("classify", "measure"), SLOW_S if "slow" in question else 0.0)
        for event in super().stream(question, films):
            if isinstance(event, Answered) and "hostile" in question:
                event = Answered(event.answer.model_copy(update={"text": f"{HOSTILE} {event.answer.text}"}))
            yield event


class WorkbenchAgent(Agent):
    """An Agent whose sessions are steered."""

    def __init__(self, memory: Path) -> None:
        truth = Truth(
            scores={"effusion": 0.83, "pneumothorax": 0.04, "edema": 0.5}, sides={"effusion": "left"}, ratio=0.58
        )
        self.drawing = DrawingTools(truth)
        pool: Any = StubPool()
        settings = Settings(device="cpu", planner="embedded", ask_before=("ground",))
        super().__init__(settings, tools=self.drawing.registry(), models=pool, memory=Memory(memory))

    def session(self, owner: str = "") -> Session:
        return WorkbenchSession(self, owner)

    def reopen(self, session_id: str, owner: str = "") -> Session:
        return WorkbenchSession(self, owner, reopen=session_id)
