"""Whether the work at hand was called off: set by who started it, looked at by the pool while it waits for a model."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_STOP: ContextVar[threading.Event | None] = ContextVar("hilum_stop", default=None)


@contextmanager
def stoppable(event: threading.Event | None) -> Iterator[None]:
    """What is asked of models inside, in this thread, is given up when the event is set."""
    token = _STOP.set(event)
    try:
        yield
    finally:
        _STOP.reset(token)


def called_off() -> threading.Event | None:
    """The event of the innermost `stoppable`, or None."""
    return _STOP.get()


__all__ = ["called_off", "stoppable"]
