"""Questions on Ray: processes of the cluster ask, each with an agent of its own; this process keeps the journal.

Only words and paths travel out and only answers travel back, so a run differs from a local one in nothing but where the
agent is: the same threads take the same questions, the same journal is written before the next one, and what was
answered is not asked again. A process that dies is started anew and its question, which has no answer, asked again.
"""

from __future__ import annotations

import queue
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.answer import Answer
from imaging.failures import HilumFailure
from models.cluster.config import ClusterConfig
from models.cluster.serving import as_raised, as_told, connect

if TYPE_CHECKING:
    from agent.settings import Settings

ATTEMPTS = 3
"""Processes that one question may see die: beyond that the question itself is the likely reason."""

Reply = dict[str, Any]
"""{"answer": JSON of an Answer}, {"failed": fields of a failure} or {"fault": trace of a bug}."""


class Asker:
    """What one process of the cluster does: makes the agent once, and puts each question in a session of its own."""

    def __init__(self, settings: Settings, tools: tuple[str, ...] | None) -> None:
        from agent import Agent

        self._agent = Agent(settings, tools=tools)

    def ask(self, question: str, films: Sequence[Path]) -> Reply:
        """The reply to one question about films, which lie at the same paths here."""
        try:
            answer = self._agent.session().ask(question, films=list(films))
        except HilumFailure as failure:
            return {"failed": as_told(failure)}
        except Exception:  # noqa: BLE001 - a bug's trace goes to the asking process, whose log has it
            return {"fault": traceback.format_exc()}
        return {"answer": answer.model_dump_json()}


@dataclass(frozen=True)
class RayAgent:
    """An agent that asks in whichever process is free; may be used from as many threads as there are processes."""

    free: queue.Queue[Any]

    def session(self) -> RayAgent:
        """Itself: every question has a session of its own, there."""
        return self

    def ask(self, question: str, films: Sequence[Path] = ()) -> Answer:
        """The answer to one question.

        Raises:
            HilumFailure: as it was raised there.
            RuntimeError: a bug of ours there, with its trace.
        """
        import ray

        asker = self.free.get()
        try:
            reply: Reply = ray.get(asker.ask.remote(question, [path.absolute() for path in films]))
        finally:
            self.free.put(asker)
        if "failed" in reply:
            raise as_raised(reply["failed"])
        if "fault" in reply:
            raise RuntimeError(f"a question failed on Ray:\n{reply['fault']}")
        return Answer.model_validate_json(reply["answer"])


def default_workers(settings: Settings) -> int:
    """Processes where the user names no number: as many as the ray runtime's file gives films."""
    return ClusterConfig.read(settings.ray_config).films.actors


@contextmanager
def on_ray(settings: Settings, tools: tuple[str, ...] | None, workers: int) -> Iterator[RayAgent]:
    """An agent of so many processes, on a Ray that is joined, or started and taken down again.

    Args:
        settings: those in force; the processes have the same.
        tools: names of the tools that the agents get; all when left out.
        workers: how many processes.

    Raises:
        Unavailable: Ray is not installed, or the cluster does not answer.
    """
    config = ClusterConfig.read(settings.ray_config)
    started = connect(config)
    import ray

    process = ray.remote(num_cpus=config.films.num_cpus, max_restarts=-1, max_task_retries=ATTEMPTS - 1)(Asker)
    askers: list[Any] = [process.remote(settings, tools) for _ in range(workers)]
    free: queue.Queue[Any] = queue.Queue()
    for asker in askers:
        free.put(asker)
    try:
        yield RayAgent(free)
    finally:
        for asker in askers:
            ray.kill(asker)
        if started:
            ray.shutdown()
