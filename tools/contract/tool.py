"""The Tool contract, what a tool is given when it runs, and the registry."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from imaging.failures import BadArguments, HilumFailure, nearest
from imaging.store import ImageStore
from models.outputs import Task
from models.pool import ModelPool
from prompts import tool_prompt
from tools.contract.corrections import Corrections
from tools.contract.results import Result

PHRASE = re.compile(r"[a-z0-9]+( [a-z0-9]+)*")
"""A phrase as questions are read: hyphens part words, apostrophes vanish."""

ENTRY_POINT_GROUP = "hilum.tools"
"""Entry-point group through which another package adds its tools."""


class ToolArguments(BaseModel):
    """Base of every argument model: unknown arguments are refused, every field is described for the planner.

    Films are named by the ids of the session's store; no argument names a path or an address.
    """

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class ToolContext:
    """What a tool may use: the session's films by id, the models by task, and what Hilum keeps between sessions.

    Attributes:
        stopped: where there is one, says that nobody waits for the result any more; the pool looks at it by itself.
        corrections: the outlines that the user put right in this session.
        home: Hilum's home directory (Settings.state_dir), where indexes and reports lie; None where there is none.
    """

    films: ImageStore
    models: ModelPool
    stopped: threading.Event | None = None
    corrections: Corrections = field(default_factory=Corrections)
    home: Path | None = None


RunFunction = Callable[[ToolContext, ToolArguments], Result]


@dataclass(frozen=True)
class Tool:
    """One declared tool. The prompt text is prompts/tools/NAME.md.

    Attributes:
        name: a verb, lower case; what the planner calls.
        title: what the screen shows.
        arguments: pydantic model of the arguments.
        needs: tasks for which the pool must have a model present.
        answers: one line on what it answers and for which views, for docs.
        run_function: (context, arguments) -> Result.
        prompt: what the planner reads, for a tool of another package; ours is prompts/tools/NAME.md.
        asked_by: lower-case phrases without punctuation by which people ask for it, e.g. "similar cases". The embedded
            planner calls the tool when one stands in the question, and fills the arguments it knows by name:
            image_id, image_ids, finding, without_finding (one that is denied), findings, structures, side, question and
            prompt (both that part of the message), text (what was pasted into the message, else the whole of it),
            candidate and reference (two pasted reports), view, sex, age_from, age_to, acquired_from, acquired_to,
            anatomy (a zone of the lung), method (of an explanation), k (how many). A tool it plans in a way of its own,
            such as classify, needs none.
    """

    name: str
    title: str
    arguments: type[ToolArguments]
    result: type[BaseModel]
    needs: tuple[Task, ...]
    answers: str
    run_function: RunFunction = field(repr=False)
    prompt: str = ""
    asked_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or self.name != self.name.lower():
            raise ValueError(f"tool name {self.name!r}: use a lower-case identifier")
        undescribed = [key for key, info in self.arguments.model_fields.items() if not info.description]
        if undescribed:
            raise ValueError(f"tool {self.name}: describe the argument(s) {', '.join(undescribed)}")
        authority = [key for key in self.arguments.model_fields if "path" in key or "url" in key]
        if authority:
            raise ValueError(f"tool {self.name}: {authority} — tools take film ids, never paths or addresses")
        misspelt = [phrase for phrase in self.asked_by if not PHRASE.fullmatch(phrase)]
        if misspelt:
            raise ValueError(f"tool {self.name}: asked_by {misspelt}: lower-case words and numbers, single spaces")

    @property
    def description(self) -> str:
        """The text an LLM planner reads."""
        return self.prompt or tool_prompt(self.name)

    def run(self, context: ToolContext, arguments: ToolArguments | dict[str, object]) -> Result:
        """Validate, run and time. A named failure becomes a failed Result; anything else propagates as our bug."""
        started = time.perf_counter()
        try:
            checked = self._check(arguments)
            result = self.run_function(context, checked)
        except HilumFailure as failure:
            result = Result.failed(failure)
        return result.model_copy(
            update={"tool": self.name, "elapsed_ms": round((time.perf_counter() - started) * 1000, 1)}
        )

    def _check(self, arguments: ToolArguments | dict[str, object]) -> ToolArguments:
        if isinstance(arguments, ToolArguments):
            return arguments
        try:
            return self.arguments.model_validate(arguments)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors())
            raise BadArguments(
                f"{self.name}: {wrong}.", f"It takes: {', '.join(self.arguments.model_fields) or 'no arguments'}."
            ) from error


class Registry:
    """Tools by name. Duplicate and unknown names raise."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for item in tools:
            self.add(item)

    def add(self, item: Tool) -> Tool:
        """Add one tool; a second of the same name is refused, never renamed or overwritten."""
        if item.name in self._tools:
            raise ValueError(f"a tool named {item.name!r} is registered already; choose another name")
        self._tools[item.name] = item
        return item

    def get(self, name: str) -> Tool:
        """The tool of that name; BadArguments with the nearest names otherwise."""
        if name not in self._tools:
            hint = nearest(name, self._tools)
            raise BadArguments(f"No tool is named {name!r}.", f"{hint}Tools: {', '.join(self._tools)}.")
        return self._tools[name]

    def select(self, names: Iterable[str]) -> Registry:
        """A registry of just these tools."""
        return Registry(self.get(name) for name in names)

    def ready(self, models: ModelPool) -> Registry:
        """The tools whose every need some present model serves: what a planner may be told of."""
        return Registry(item for item in self if not self.missing(item, models))

    @staticmethod
    def missing(item: Tool, models: ModelPool) -> list[Task]:
        """The tasks this tool needs and no present model serves."""
        return [task for task in item.needs if not models.serves(task)]

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools


def tool(
    *,
    name: str,
    title: str,
    arguments: type[ToolArguments],
    result: type[BaseModel],
    answers: str,
    needs: tuple[Task, ...] = (),
    prompt: str = "",
    asked_by: tuple[str, ...] = (),
) -> Callable[[Callable[..., Result]], Tool]:
    """Declare the decorated run(context, arguments) as a Tool."""

    def declare(run: Callable[..., Result]) -> Tool:
        return Tool(name, title, arguments, result, needs, answers, run, prompt, asked_by)

    return declare


def installed() -> Registry:
    """Every tool of the entry-point group, ours and other packages', in the order of their names' registration."""
    registry = Registry()
    for point in entry_points(group=ENTRY_POINT_GROUP):
        registry.add(point.load())
    return registry


__all__ = ["ENTRY_POINT_GROUP", "Registry", "Tool", "ToolArguments", "ToolContext", "installed", "tool"]
