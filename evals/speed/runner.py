"""runner: what the benchmark runner takes of a question, and how it scales with workers.

Workers are threads that wait for planners. So baseline is a run with one worker whose planner waits, as one behind a
network does, and candidate the same with eight. `scaling` holds the questions per second of 1, 2, 4 and 8 workers,
`efficiency` how much of so many times the speed of one that is.

2,500 questions are then put to a planner that answers at once. What that run takes beyond a plain loop over the same
questions that asks and grades and keeps nothing, over the number of questions, is the runner's overhead: a journal on
the disk after each answer, progress, inspect_ai's sample and log. Starting (imports, the first log) is told by itself.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.answer import Answer
from agent.settings import Settings
from evals import benchmarks
from evals.asking import AgentLike, ask
from evals.baselines import Scripted
from evals.benchmarks import Benchmark
from evals.grading import grade
from evals.progress import Silent
from evals.questions import Question, Questions
from evals.speed.measured import Measured, Timing, Took, took
from evals.tasks import run_task

QUESTIONS = 2500
"""As many as ChestAgentBench has."""
WAITING = 160
"""Questions to the planner that waits, for each number of workers."""
WAIT_S = 0.05
"""How long it waits: a fast reply of a hosted model. Our choice; longer ones hide more of the overhead."""
WORKERS = (1, 2, 4, 8)
TASK = "bench"
OPTIONS = "ABCDEF"


@dataclass(frozen=True)
class Waiting:
    """A planner that answers after a while."""

    seconds: float
    planner_name: str = "waiting"

    def session(self) -> Waiting:
        """Itself: it keeps nothing."""
        return self

    def ask(self, question: str, films: Sequence[Path] = ()) -> Answer:
        """Always A."""
        time.sleep(self.seconds)
        return Scripted(self.planner_name, lambda text, films: "A").ask(question, films)


def measure(films: int = QUESTIONS) -> Measured:
    """Runs with a planner that waits, then a run and a loop with an instant one.

    Args:
        films: how many questions the instant planner is asked.
    """
    instant = Scripted("instant", lambda text, films: "A")
    start = _run(instant, 1, 1)
    waiting = {workers: _run(Waiting(WAIT_S), WAITING, workers).wall_s for workers in WORKERS}
    speed = {workers: WAITING / seconds for workers, seconds in waiting.items()}
    runs = {workers: _run(instant, films, workers) for workers in WORKERS}
    loop = took(_loop, instant, _questions(films))
    return Measured(
        baseline=Timing(f"one worker: {WAITING} questions to a planner that takes {WAIT_S} s", (waiting[1],)),
        candidate=Timing(f"{WORKERS[-1]} workers, the same", (waiting[WORKERS[-1]],)),
        facts={
            "scaling": {workers: round(value, 1) for workers, value in speed.items()},
            "efficiency": {workers: round(value / workers / speed[1], 2) for workers, value in speed.items()},
            "instant_questions": films,
            "overhead_ms": {n: round((run.wall_s - loop.wall_s) / films * 1000, 2) for n, run in runs.items()},
            "overhead_cpu_ms": {n: round((run.cpu_s - loop.cpu_s) / films * 1000, 2) for n, run in runs.items()},
            "loop_ms": round(loop.wall_s / films * 1000, 3),
            "start_s": round(start.wall_s, 2),
        },
    )


def _loop(agent: AgentLike, questions: Questions) -> None:
    for question in questions.items:
        grade(question, ask(agent, question))


def _run(agent: AgentLike, count: int, workers: int) -> Took:
    """A whole run in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder, _registered(count):
        options = {"workers": workers, "log_dir": Path(folder)}
        settings = Settings(planner="embedded", profile="embedded")
        return took(lambda: run_task(TASK, settings=settings, agent=agent, progress=Silent(), **options))


@contextmanager
def _registered(count: int) -> Iterator[None]:
    """The bench's questions under the name TASK while it lasts."""
    benchmarks.BENCHMARKS[TASK] = Benchmark(TASK, "questions of the runner's bench", lambda wanted: _questions(count))
    try:
        yield
    finally:
        del benchmarks.BENCHMARKS[TASK]


def _questions(count: int) -> Questions:
    """Six options each, two to a case, without films: what opens films is not the runner."""
    text = "\n".join(["Which?", *(f"{letter}) option {letter}" for letter in OPTIONS)])
    return Questions(
        tuple(
            Question(
                id=f"q{number}",
                case_id=f"c{number // 2}",
                text=f"{number}: {text}",
                letters=OPTIONS,
                target=OPTIONS[number % len(OPTIONS)],
                films=(),
                categories=("detection",),
            )
            for number in range(count)
        ),
        "made by the bench",
    )
