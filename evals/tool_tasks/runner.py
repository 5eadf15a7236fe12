"""Runs one tool on films, and counts what failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agent.core import make_pool
from agent.settings import Settings
from evals.progress import Progress
from imaging import open_film
from imaging.failures import HilumFailure
from imaging.radiograph import Radiograph
from imaging.store import ImageStore
from tools.contract import Result, ToolContext
from tools.contract.tool import installed

FIRST_FAILED = 3
"""Failures that a record names; all are counted."""


class Runner:
    """Runs one tool on films, each in a store of its own, and counts what failed.

    Attributes:
        settings: those in force.
        failed: film -> why it has no result.
        answered_by: "model revision" of each result.
        pool: the models that the settings choose.
        tables: name of a file -> rows that the run leaves beside its record.
    """

    def __init__(self, tool: str, settings: Settings, progress: Progress) -> None:
        """The installed tool of that name, on the models that the settings choose.

        Args:
            tool: its name; empty where none is run.
            settings: those in force.
            progress: told of every film.
        """
        self._tool = installed().get(tool) if tool else None
        self.pool = make_pool(settings)
        self.settings = settings
        self._home = settings.state_dir.expanduser()
        self._progress = progress
        self.failed: dict[str, str] = {}
        self.answered_by: set[str] = set()
        self.tables: dict[str, list[dict[str, Any]]] = {}

    @property
    def models(self) -> dict[str, dict[str, str]]:
        """Task -> id and revision of the model that answers the tool's needs."""
        told = {}
        for task in self._tool.needs if self._tool else ():
            card = self.pool.card(self.pool.resolve(task).id)
            told[str(task)] = {"id": card.id, "revision": card.revision}
        return told

    def begin(self, total: int) -> None:
        """So many runs will follow."""
        self._progress.start(total)

    def failures(self) -> dict[str, Any]:
        """How many runs gave nothing, and the first of them with the reason."""
        return {"failed": len(self.failed), "failed_first": dict(list(self.failed.items())[:FIRST_FAILED])}

    def skip(self, why: str) -> None:
        """One item that no run is made of."""
        self._progress.step(why)

    def note(self, text: str) -> None:
        """Something whoever waits must know."""
        self._progress.note(text)

    def run(self, name: str, path: Path | None, **arguments: Any) -> tuple[Radiograph, Result] | None:
        """The film and the tool's result; None where there is none, which is counted.

        Args:
            name: of the film, for the count.
            path: of the film.
            arguments: the tool's others.
        """
        found = self._run(name, [path], lambda ids: {"image_id": ids[0], **arguments})
        return None if found is None else (found[0][0], found[1])

    def run_together(self, name: str, paths: Sequence[Path | None], **arguments: Any) -> Result | None:
        """The tool's result on several films at once; None where there is none, which is counted.

        Args:
            name: of them together, for the count.
            paths: of the films, in the order of the tool's `image_ids`.
            arguments: the tool's others.
        """
        found = self._run(name, paths, lambda ids: {"image_ids": ids, **arguments})
        return None if found is None else found[1]

    def _run(
        self, name: str, paths: Sequence[Path | None], arguments: Callable[[list[str]], dict[str, Any]]
    ) -> tuple[list[Radiograph], Result] | None:
        found = self._tried(name, paths, arguments)
        self._progress.step("failed" if found is None else "done")
        return found

    def _tried(
        self, name: str, paths: Sequence[Path | None], arguments: Callable[[list[str]], dict[str, Any]]
    ) -> tuple[list[Radiograph], Result] | None:
        if self._tool is None:
            raise TypeError("this kind of task runs no tool")
        store, films = ImageStore(), []
        for path in paths:
            if path is None:
                self.failed[name] = "the film is not there"
                return None
            try:
                films.append(store.add(open_film(path)))
            except HilumFailure as failure:
                self.failed[name] = str(failure)
                return None
        context = ToolContext(films=store, models=self.pool, home=self._home)
        result = self._tool.run(context, arguments([film.id for film in films]))
        if result.failure is not None:
            self.failed[name] = result.failure.message
            return None
        if result.model:
            self.answered_by.add(f"{result.model} {result.revision or ''}".strip())
        return films, result
