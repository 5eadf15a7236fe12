"""What a turn freed goes back to the system, and not too often."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from agent import freed

HELD = """
import numpy as np
from agent.freed import give_back

def resident_mb():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) / 1000

arrays = [np.ones(64 << 10, np.uint8) for _ in range(1000)]  # small: from an arena, not from pages of their own
last = arrays[-1]  # stays, so that nothing at the arena's end is free
del arrays[:-1]
before = resident_mb()
assert give_back()
print(before - resident_mb())
"""

THREADS = """
import ctypes, threading
from agent.freed import share_arenas

print(share_arenas())
together = threading.Barrier(12)
def allocate():
    together.wait()
    kept = [bytes(1000) for _ in range(1000)]
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""

glibc = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc")


@glibc
def test_freed_memory_goes_back() -> None:
    """Expected: of the 65 MB that were freed most are gone; malloc alone keeps them, as `last` lies behind them."""
    told = subprocess.run([sys.executable, "-c", HELD], check=True, capture_output=True, text=True, timeout=120)
    assert float(told.stdout) > 50


@glibc
@pytest.mark.parametrize(("variables", "taken"), [({}, True), ({"MALLOC_ARENA_MAX": "3"}, False)])
def test_twelve_threads_share_the_arenas(variables: dict[str, str], taken: bool) -> None:
    """Expected: as many arenas as were asked for, by malloc_info's own count; what the environment says goes before."""
    environment = {key: value for key, value in os.environ.items() if key != "MALLOC_ARENA_MAX"} | variables
    command = [sys.executable, "-c", THREADS]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, env=environment).stdout
    assert told.startswith(f"{taken}\n")
    assert told.count("<heap nr=") == (freed.ARENAS if taken else 3)


@glibc
def test_it_is_not_given_back_after_every_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freed, "_last", float("-inf"))
    assert [freed.give_back(), freed.give_back()] == [True, False]


def test_a_system_without_glibc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freed, "_trim", lambda: None)
    assert not freed.give_back()
