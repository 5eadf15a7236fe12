"""The benchmarks by name, and how the questions of each are read or made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evals import chestagentbench, phantombench
from evals.formats import vqa
from evals.progress import Progress
from evals.questions import Questions
from imaging.failures import LIKE_ENOUGH, BadArguments, nearest


@dataclass(frozen=True)
class Wanted:
    """What a benchmark is loaded from.

    Attributes:
        data: its folder.
        n: how many questions to make, of a benchmark that makes them.
        seed: the same; a published benchmark's order is drawn from it.
        log_dir: where runs, and films that are made, are kept.
        progress: told of what takes long.
    """

    data: Path | None
    n: int | None
    seed: int | None
    log_dir: Path
    progress: Progress


@dataclass(frozen=True)
class Benchmark:
    """One benchmark: its name on the command line, what it is, and how its questions are read or made.

    Attributes:
        makes: whether it makes its questions (--n, --seed) rather than read them (--data).
    """

    name: str
    title: str
    load: Callable[[Wanted], Questions]
    makes: bool = False


def _phantombench(track: str) -> Benchmark:
    name = "phantombench" if track == phantombench.TRACKS[0] else f"phantombench-{track}"

    def load(wanted: Wanted) -> Questions:
        return phantombench.load(track, wanted.n, wanted.seed, wanted.log_dir, wanted.progress)

    return Benchmark(name, f"PhantomBench, {track} track: synthetic films with exact truth", load, makes=True)


def _published(name: str) -> Benchmark:
    return Benchmark(name, vqa.LAYOUTS[name].title, lambda wanted: vqa.load(name, wanted.data))


BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            "chestagentbench",
            "ChestAgentBench: 2,500 six-choice questions on Eurorad cases, 7 categories",
            lambda wanted: chestagentbench.load(wanted.data),
        ),
        *(_phantombench(track) for track in phantombench.TRACKS),
        *(_published(name) for name in vqa.LAYOUTS),
    )
}


def benchmark_named(name: str) -> Benchmark:
    """The benchmark of that name; BadArguments with the nearest one if there is none."""
    if name in BENCHMARKS:
        return BENCHMARKS[name]
    guess = nearest(name.lower(), BENCHMARKS, LIKE_ENOUGH)
    raise BadArguments(f"There is no benchmark {name!r}.", f"{guess}There are: {', '.join(sorted(BENCHMARKS))}.")
