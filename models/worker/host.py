"""A worker: a child process that is loaded when first asked and started anew when it dies."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from imaging.failures import Unavailable
from models.wire import Arrays
from models.worker.process import ChildDied, FrameError, Launch, Process

LOAD_TIMEOUT_S = 1800.0
"""Longest wait for a model to load: 14 GB from a slow disk. Our choice."""

ANSWER_TIMEOUT_S = 1800.0
"""Longest wait for one request: a report of a model of 7 billion weights on two processor cores. Our choice."""

LIVES = 2
"""A request that ends this many processes is given up."""


class Worker:
    """A model in a process of its own; one request at a time, from any thread.

    Args:
        launch: what to start.
        load_timeout_s, answer_timeout_s: longest waits.
    """

    def __init__(
        self, launch: Launch, *, load_timeout_s: float = LOAD_TIMEOUT_S, answer_timeout_s: float = ANSWER_TIMEOUT_S
    ) -> None:
        self._launch = launch
        self._load_timeout_s, self._answer_timeout_s = load_timeout_s, answer_timeout_s
        self._process: Process | None = None
        self._lock = threading.Lock()
        self.about: dict[str, Any] = {}

    @property
    def pid(self) -> int | None:
        """The child's number; None where none runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the child and load its model, unless one runs.

        Raises:
            Unavailable: it does not start or load, in time; with its last words.
            MemoryError: it holds more than it may.
        """
        with self._lock:
            self._attempt(None)

    def ask(self, task: str, requests: Sequence[Mapping[str, Any]], arrays: Arrays) -> tuple[list[Any], Arrays]:
        """The outputs of some requests, each a header of models.wire, and their arrays under "NUMBER.FIELD".

        A child that dies is started anew and asked again; a request that ends LIVES of them is given up.

        Args:
            task: what is wanted.
            requests: each JSON-able, its films named in `arrays`.
            arrays: uint8 [H, W] by name.

        Raises:
            Unavailable: it died, failed, took too long or sent something that is no answer.
            MemoryError: it held more than it may, or says that its device's memory is too small.
        """
        with self._lock:
            reply, given = self._attempt({"do": "answer", "task": task, "requests": list(requests)}, arrays)
        outputs = reply.get("outputs")
        if not isinstance(outputs, list) or not all(isinstance(item, dict) for item in outputs):
            raise Unavailable(f"{self._launch.name} sent no outputs.", self._remedy())
        return outputs, given

    def close(self) -> None:
        """End the child. The next question starts another."""
        with self._lock:
            self._drop(at_once=False)

    def _attempt(self, header: Mapping[str, Any] | None, arrays: Arrays | None = None) -> tuple[dict[str, Any], Arrays]:
        """Called with the lock: one exchange with a loaded child, of which LIVES may die on it."""
        for life in range(1, LIVES + 1):
            try:
                if self._process is None:
                    self._process = Process(self._launch)
                    self.about, _ = self._exchange(self._loading(), {}, self._load_timeout_s)
                return ({}, {}) if header is None else self._exchange(header, arrays or {}, self._answer_timeout_s)
            except ChildDied as death:
                words = self._drop()
                if life == LIVES:
                    said = f" Its last words: {words}" if words else ""
                    raise Unavailable(
                        f"The worker of {self._launch.name} died {LIVES} times on the same request ({death}).{said}",
                        self._remedy(),
                    ) from death
        raise AssertionError("unreachable")

    def _exchange(self, header: Mapping[str, Any], arrays: Arrays, timeout_s: float) -> tuple[dict[str, Any], Arrays]:
        """One question and its answer; a child that is not to be trusted any more is ended."""
        assert self._process is not None
        name = self._launch.name
        try:
            reply, given = self._process.exchange(header, arrays, timeout_s)
        except TimeoutError:
            words = self._drop()
            said = f" Its last words: {words}" if words else ""
            raise Unavailable(
                f"The worker of {name} gave no answer in {timeout_s:g} s.{said}", self._remedy()
            ) from None
        except FrameError as error:
            self._drop()
            raise Unavailable(
                f"The worker of {name} sent something that is no answer: {error}.", self._remedy()
            ) from error
        except MemoryError:
            self._drop()
            raise
        if reply.get("is") == "error":
            told = f"{reply.get('type')}: {reply.get('text')}".rstrip(".")
            if reply.get("memory") is True:
                raise MemoryError(f"the worker of {name} says {told}")
            if header["do"] == "load":
                self._drop()
            raise Unavailable(f"{name} failed in its worker: {told}.", self._remedy())
        return reply, given

    def _loading(self) -> dict[str, Any]:
        launch = self._launch
        return {
            "do": "load",
            "folder": str(launch.folder),
            "device": launch.device,
            "dtype": launch.dtype,
            "trust_remote_code": launch.trust_remote_code,
        }

    def _drop(self, *, at_once: bool = True) -> str:
        """End the child, if there is one; returns its last words."""
        process, self._process = self._process, None
        if process is None:
            return ""
        process.close(at_once=at_once)
        return process.last_words()

    def _remedy(self) -> str:
        return f"Choose another model, or make its environment anew: hilum models rm, then pull {self._launch.name}."
