"""The graph's stream in a thread of its own, so that a stop or a limit ends the turn at once, whatever runs."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from langsmith import tracing_context

from agent.freed import give_back

LOOK_S = 0.05
"""How often a waiting turn looks whether it was stopped; nothing a person could notice."""
ALIVE_S = 5.0
"""How often a running turn says that it lives."""


class Running:
    """One run of the graph; `stop` ends it at once.

    Attributes:
        stopped: set by `stop`; tools and the model pool look at it and give up what waits.
        why: what ended it early: "stopped", "seconds", or "" where it ran to its end.
    """

    def __init__(self, stopped: threading.Event, seconds: float | None, alive: Callable[[], object]) -> None:
        """Nothing runs before the first piece is asked for.

        Args:
            stopped: cleared here and set by `stop`; whoever works for the turn looks at it.
            seconds: longest time for all of it, None without a limit.
            alive: called every ALIVE_S seconds while it runs.
        """
        stopped.clear()
        self.stopped = stopped
        self.why = ""
        self._seconds = seconds
        self._alive = alive
        self._pieces: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._ended = True
        self._afterwards: Callable[[], None] | None = None

    def stop(self, why: str = "stopped") -> None:
        """End the run: nothing more comes of it, and what waits for a model is given up."""
        self.why = self.why or why
        self.stopped.set()

    def when_ended(self, do: Callable[[], None]) -> None:
        """Call once the graph has really ended: now, or later in its thread, which may outlast a stopped turn."""
        with self._lock:
            if not self._ended:
                self._afterwards = do
                return
        do()

    def pieces(self, stream: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        """What the graph streams, until it ends, is stopped or its time is up. What it raises is raised here.

        Args:
            stream: starts the graph.
        """
        context = contextvars.copy_context()
        thread = threading.Thread(target=lambda: context.run(self._run, stream), name="hilum-turn", daemon=True)
        began = told = time.monotonic()
        self._ended = False
        thread.start()
        while not self.stopped.is_set():
            now = time.monotonic()
            if self._seconds is not None and now > began + self._seconds:
                self.stop("seconds")
            if now > told + ALIVE_S:
                told = now
                self._alive()
            try:
                kind, value = self._pieces.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            if kind == "failed":
                raise value
            if kind == "ended":
                return
            yield value

    def _put_pieces(self, stream: Iterator[Any]) -> None:
        for piece in stream:
            if self.stopped.is_set():
                break
            self._pieces.put(("piece", piece))

    def _run(self, stream: Callable[[], Iterator[Any]]) -> None:
        try:
            with tracing_context(enabled=False):  # else an environment variable sends every run to LangSmith
                self._put_pieces(stream())
            self._pieces.put(("ended", None))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for the turn, which raises it
            self._pieces.put(("failed", error))
        finally:
            with self._lock:
                self._ended = True
                afterwards = self._afterwards
            if afterwards is not None:
                afterwards()
            give_back()


def closed(events: Iterator[Any], within_s: float) -> None:
    """End a stream that another thread may still be waiting in; it was stopped, so that thread soon returns."""
    for _ in range(round(within_s / LOOK_S)):
        try:
            events.close()  # type: ignore[attr-defined]
        except ValueError:  # "generator already executing"
            time.sleep(LOOK_S)
        else:
            return


__all__ = ["ALIVE_S", "LOOK_S", "Running", "closed"]
