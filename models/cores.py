"""How many threads a batch gets on a processor: batches side by side, one core each, before one batch on all cores.

The layers of these networks are short. Threads that share one wait for each other at its end, and on a busy machine
for a thread that is not even running: docs/performance.md has what that costs.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from imaging.cores import core_count

MOST_SLOTS = 8
"""Batches of one model side by side on a processor, on a machine of many cores: each holds a batch's activations."""


class Cores:
    """The processor's cores, shared by all batches of a pool that run on it.

    Args:
        count: cores to share; those of this process by default.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = count or core_count()
        self._most: int | None = None
        self._running = 0
        self._lock = threading.Lock()

    @property
    def slots(self) -> int:
        """Batches of one model that may run side by side."""
        return min(self.count, MOST_SLOTS)

    @contextmanager
    def share(self) -> Iterator[None]:
        """Run the block on this thread's part of the cores: all of them where nothing else runs, else a share.

        One thread only where others keep the machine busy (its load is above its cores), whatever is free here.
        A process that was told to use fewer threads before its first batch (OMP_NUM_THREADS, torch.set_num_threads)
        never uses more.
        """
        import torch

        with self._lock:
            if self._most is None:
                self._most = torch.get_num_threads()
            told = self._most
            self._running += 1
            part = self.count // self._running
        crowded = hasattr(os, "getloadavg") and os.getloadavg()[0] > self.count
        torch.set_num_threads(1 if crowded else max(1, min(told, part)))
        try:
            yield
        finally:
            torch.set_num_threads(told)
            with self._lock:
                self._running -= 1
