"""phantom: a 1024-pixel phantom film on all cores against the same film by one thread; and a batch.

Both sides make the same films in turns and must agree to the last bit. The batch runs on a CUDA device where there is
one (the march through the patient there, the rest on the cores), else on the cores alone. Making a film is what is
timed; its further truth, computed on first use, is not asked for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec

import numpy as np

from evals.speed.measured import Measured, Timing
from imaging.cores import core_count
from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.phantom.batch import make_phantoms

FILMS = 6
SIZE = 1024
FINDINGS = ((), ("effusion:left:400ml",), ("nodule:right", "cardiomegaly"))
"""Findings of the films, in turns."""

TARGET_S, TARGET_CORES = 3.0, 2
"""A film is to take no longer on that many cores."""


def measure(films: int = FILMS) -> Measured:
    """Make each film by one thread and on all cores, then all of them as a batch.

    Args:
        films: how many.
    """
    specs = [
        PhantomSpec(seed=seed, size=SIZE, findings=tuple(map(parse_finding, FINDINGS[seed % len(FINDINGS)])))
        for seed in range(films)
    ]
    make_phantom(specs[0])
    alone, together, busy, same = [], [], [], True
    for spec in specs:
        one, one_s, one_cpu = _timed(partial(make_phantom, spec, threads=1))
        all_, all_s, all_cpu = _timed(partial(make_phantom, spec))
        alone.append(one_s)
        together.append(all_s)
        busy.append((one_cpu, all_cpu))
        same &= np.array_equal(one.radiograph.pixels, all_.radiograph.pixels)
    device = _device()
    return Measured(
        baseline=Timing("per film, march, bones, vessels and bronchi by one thread", tuple(alone)),
        candidate=Timing("per film, the same films with a thread per core", tuple(together)),
        facts={
            "films": films,
            "film": f"PA, {SIZE} x {SIZE}, findings {[' + '.join(f) or 'none' for f in FINDINGS]} in turns",
            "threads": core_count(),
            "same_pixels": same,
            "processor_s": {
                "baseline": round(float(np.median([one for one, _ in busy])), 3),
                "candidate": round(float(np.median([all_ for _, all_ in busy])), 3),
            },
            "target": f"{TARGET_S:g} s a film on {TARGET_CORES} cores",
            "batch": _batch(specs, device),
        },
    )


def _timed(make: partial[PhantomFilm]) -> tuple[PhantomFilm, float, float]:
    """(film, seconds, seconds of processor time in all threads)"""
    begun, busy = time.perf_counter(), time.process_time()
    film = make()
    return film, time.perf_counter() - begun, time.process_time() - busy


def _device() -> str:
    """'cuda' where torch finds one, else 'cpu'."""
    if find_spec("torch") is None:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _batch(specs: Sequence[PhantomSpec], device: str) -> dict[str, object]:
    """Films per second of a batch; the first film on a GPU, which loads its libraries, is not counted."""
    if device != "cpu":
        list(make_phantoms(specs[:1], device))
    begun, busy = time.perf_counter(), time.process_time()
    count = sum(1 for _ in make_phantoms(specs, device))
    seconds = time.perf_counter() - begun
    return {
        "device": device,
        "films": count,
        "films_per_s": round(count / seconds, 3),
        "processor_s_per_film": round((time.process_time() - busy) / count, 3),
    }
