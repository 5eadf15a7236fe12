"""Memory that a turn freed goes back to the system.

glibc keeps what threads free in arenas of its own, one per thread up to eight per core, and returns only their ends. A
turn allocates films, activations and maps of some hundred megabytes in threads that come and go: with ten sessions at
once three quarters of what malloc held was free (docs/reliability.md).
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable
from functools import cache

EVERY_S = 10.0
"""Between two returns: one takes some tens of milliseconds of processor time."""

ARENAS = 2
"""Of a server: a thread finds there what another has freed."""
M_ARENA_MAX = -8
"""mallopt(3), malloc.h of glibc."""

_lock = threading.Lock()
_last = float("-inf")


def give_back() -> bool:
    """Give freed memory back to the system, at most every EVERY_S seconds; whether it was tried.

    Without glibc (macOS, Windows, musl) nothing is done: their allocators return memory by themselves.
    """
    global _last
    trim = _trim()
    if trim is None or not _lock.acquire(blocking=False):
        return False
    try:
        if time.monotonic() < _last + EVERY_S:
            return False
        trim(0)
        _last = time.monotonic()
    finally:
        _lock.release()
    return True


def share_arenas() -> bool:
    """Let all threads allocate from ARENAS arenas, if called before there are more; whether glibc took it.

    For processes that answer many at once. MALLOC_ARENA_MAX in the environment goes before.
    """
    if "MALLOC_ARENA_MAX" in os.environ or _trim() is None:
        return False
    return bool(ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS))


@cache
def _trim() -> Callable[[int], int] | None:
    """malloc_trim(3) of the C library in use, called without the interpreter's lock; None where it has none."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None


__all__ = ["ARENAS", "EVERY_S", "give_back", "share_arenas"]
