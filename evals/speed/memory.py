"""memory: resident memory after a tenth of the films against after all of them: a ratio near 1 is flat.

Films go through classify and segment of the embedded tier in chunks, each film once, so that caches fill to their
bounds and drop what is old. Numbers are megabytes, not seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from evals.speed.measured import Measured, Timing
from imaging.radiograph import Radiograph

FILMS = 5000
CHUNK = 8
SIDE = 512
CACHE_BYTES = 32 << 20
"""A small cache, so that it is full after few films and its growth is not taken for a leak."""

STATUS = Path("/proc/self/status")


def measure(films: int = FILMS, side: int = SIDE) -> Measured:
    """Predict on `films` different films and watch the process's resident memory.

    Args:
        films: how many, at least 20.
        side: rows and columns of each.
    """
    from models.outputs import Task
    from models.pool import ModelPool

    pool = ModelPool(profile="embedded", cache_bytes=CACHE_BYTES)
    readings = []
    for done, chunk in _chunks(films, side):
        pool.predict(Task.CLASSIFY, chunk)
        pool.predict(Task.SEGMENT, chunk)
        readings.append((done, _resident_mb()))
    early = next(value for done, value in readings if done >= films / 10)
    return Measured(
        baseline=Timing("MB resident after a tenth of the films", (early,), "MB"),
        candidate=Timing("MB resident after all films", (readings[-1][1],), "MB"),
        facts={
            "films": films,
            "film": f"{side} x {side}, already decoded",
            "highest_mb": max(value for _, value in readings),
            "cache_mb": CACHE_BYTES / 1e6,
            "readings_mb": [round(value) for _, value in readings[:: max(1, len(readings) // 10)]],
        },
    )


def _chunks(films: int, side: int) -> Iterator[tuple[int, list[Radiograph]]]:
    """(films so far, the next films): one phantom with new noise each time."""
    from dataclasses import replace

    from imaging.phantom import PhantomSpec, make_phantom
    from imaging.radiograph import film_id

    base = make_phantom(PhantomSpec(seed=1, size=side)).radiograph
    rng = np.random.default_rng(0)
    for start in range(0, films, CHUNK):
        chunk = []
        for _ in range(min(CHUNK, films - start)):
            noisy = (base.pixels + rng.normal(0, 0.01, base.pixels.shape)).clip(0, 1).astype(np.float32)
            noisy.setflags(write=False)
            chunk.append(replace(base, pixels=noisy, id=film_id(noisy)))
        yield start + len(chunk), chunk


def _resident_mb() -> float:
    """Resident memory of this process in megabytes (proc(5), VmRSS)."""
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"{STATUS} tells no VmRSS")
