"""What a speed bench reports: two timings, their ratio, what was compared, and on what machine."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

RATIO_MEANS = "baseline seconds / candidate seconds, medians; above 1 the candidate is faster"
RATIO_OF_MEMORY_MEANS = "baseline MB / candidate MB; 1 is the same"


@dataclass(frozen=True)
class Took:
    """What something took: seconds on the clock, and of all this process's threads on the processor.

    On a machine that others use too, the second says more: it does not count what they took.
    """

    wall_s: float
    cpu_s: float

    def per(self, count: int) -> Took:
        """The same for one of `count` equal pieces."""
        return Took(self.wall_s / count, self.cpu_s / count)


def took(run: Callable[..., object], *arguments: object) -> Took:
    """Call it and say what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    run(*arguments)
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


@dataclass(frozen=True)
class Timing:
    """One side of a comparison, in the order it was taken: seconds, or megabytes where the unit is "MB"."""

    what: str
    seconds: tuple[float, ...]
    unit: str = "s"

    @property
    def median_s(self) -> float:
        """The middle of the timings."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Measured:
    """One bench's result.

    Attributes:
        baseline, candidate: what is compared; the ratio is that of their medians.
        facts: what a reader needs to judge it (planner, models, film size ...).
    """

    baseline: Timing
    candidate: Timing
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """How many times faster the candidate is than the baseline."""
        return self.baseline.median_s / self.candidate.median_s

    def to_json(self, bench: str) -> dict[str, Any]:
        """The JSON line of `python -m evals.speed`.

        Args:
            bench: the bench's name.
        """
        return {
            "bench": bench,
            "ratio": round(self.ratio, 3),
            "ratio_means": RATIO_MEANS if self.baseline.unit == "s" else RATIO_OF_MEMORY_MEANS,
            "baseline": _timing(self.baseline),
            "candidate": _timing(self.candidate),
            **self.facts,
            "machine": machine(),
        }


def machine() -> dict[str, Any]:
    """The computer, and how busy it was: timings on a loaded machine are upper bounds."""
    facts: dict[str, Any] = {
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }
    torch = sys.modules.get("torch") if find_spec("torch") else None
    if torch is not None:
        facts["torch"] = torch.__version__
        facts["gpu"] = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return facts


def _timing(timing: Timing) -> dict[str, Any]:
    shown: Sequence[float] = [round(value, 4) for value in timing.seconds]
    names = ("median_s", "seconds") if timing.unit == "s" else ("median_mb", "mb")
    return {"what": timing.what, names[0]: round(timing.median_s, 4), "count": len(shown), names[1]: shown}


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
