"""What changes on the screen after something was done, in the order the page wires its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from agent.settings import Settings
from imaging.pacs import Pacs
from models.device import choose
from ui.chat import panels, report, viewer, worklist
from ui.chat.facts import SystemState, leaves_machine, state_line
from ui.chat.visits import Visit, Visits

Outputs = tuple[Any, ...]


@dataclass
class Screen:
    """Values for the page's parts, in order; what is left out stays as it is."""

    messages: Any = field(default_factory=gr.skip)
    scene: Any = field(default_factory=gr.skip)
    films: Any = field(default_factory=gr.skip)
    history: Any = field(default_factory=gr.skip)
    findings: Any = field(default_factory=gr.skip)
    report: Any = field(default_factory=gr.skip)
    worklist: Any = field(default_factory=gr.skip)
    studies: Any = field(default_factory=gr.skip)
    state: Any = field(default_factory=gr.skip)
    question: Any = field(default_factory=gr.skip)

    def outputs(self) -> Outputs:
        """In the order the page wires them."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)


class Screens:
    """Builds screens of visits; knows what never changes while the server runs.

    Attributes:
        queue: folder of the queue of `hilum watch`, or None where none ran.
    """

    def __init__(self, visits: Visits, settings: Settings, pacs: Sequence[Pacs] = (), logs_out: bool = False) -> None:
        self._visits = visits
        self._pacs = pacs
        self._logs_out = logs_out
        self._planner = visits.agent.planner_name
        self._leaves = leaves_machine(settings)
        self._device = choose(settings.device)
        self.queue = worklist.watched(settings.state_dir)

    def whole(self, visit: Visit) -> Screen:
        """Everything anew."""
        shown = visit.conversation
        kept = {each.id for each in self._visits.kept(visit)} if self.queue else set()
        state = SystemState(
            self._planner, self._device, shown.models, self._leaves, visit.owner, bool(self._pacs), self._logs_out
        )
        return Screen(
            messages=list(shown.messages),
            scene=viewer.scene(shown, visit.token),
            films=panels.films(shown),
            history=self.history(visit),
            findings=panels.findings(shown),
            report=report.panel(shown, self._pacs),
            worklist=worklist.panel(self.queue, kept) if self.queue else gr.skip(),
            state=state_line(state),
            question=asking(shown.busy.locked()),
        )

    def history(self, visit: Visit) -> str:
        """The user's conversations."""
        return panels.conversations(self._visits.kept(visit), visit.conversation.id)


def asking(running: bool, **more: Any) -> Any:
    """The question box: with a button to stop while a question is being answered, else with one to ask.

    Args:
        running: whether one is.
        more: further properties of the box.
    """
    return gr.Textbox(submit_btn=False if running else "Ask", stop_btn="Stop" if running else False, **more)
