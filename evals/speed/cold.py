"""cold: from starting a process to its first answer, models loaded when needed against all of them loaded first.

MedRAX makes every tool with its model before it takes a question; Hilum loads a model when a tool first asks it. Each
side is a fresh process with the embedded tier, the two in turn. Memory is each process's peak resident set.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from evals.speed.measured import Measured, Timing
from imaging.failures import Unavailable
from imaging.phantom import PhantomSpec, write_phantom

ROUNDS = 3
QUESTION = "Is the heart enlarged?"
CHILD = """
import json, resource, sys
from agent import Agent, Settings
agent = Agent(Settings(planner="embedded", profile="embedded"))
if sys.argv[2] == "all":
    from models.outputs import Task
    for task in Task:
        if agent.models.serves(task):
            agent.models.prefetch(task).result()
answer = agent.session().ask(sys.argv[3], films=[sys.argv[1]])
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"models": sorted(answer.models), "text": answer.text,
                  "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss * 1024 / 1e6}))
"""


def measure(films: int = ROUNDS) -> Measured:
    """Start `films` processes of each kind.

    Args:
        films: how many processes of each kind, each asked about one film.
    """
    with tempfile.TemporaryDirectory() as name:
        film = Path(name) / "phantom.png"
        write_phantom(PhantomSpec(seed=1, size=512), film)
        spent: dict[str, list[tuple[float, dict[str, object]]]] = {"all": [], "needed": []}
        for _ in range(films):
            for kind, runs in spent.items():
                runs.append(_asked(film, kind))
    told = {
        kind: {
            "cpu_s": round(statistics.median(float(str(answer["cpu_s"])) for _, answer in runs), 2),
            "peak_mb": round(statistics.median(float(str(answer["peak_mb"])) for _, answer in runs)),
        }
        for kind, runs in spent.items()
    }
    return Measured(
        baseline=Timing("cold process to first answer, every model loaded first", _seconds(spent["all"])),
        candidate=Timing("cold process to first answer, models loaded when needed", _seconds(spent["needed"])),
        facts={
            "processes": 2 * films,
            "question": QUESTION,
            "models": spent["needed"][0][1]["models"],
            "same_text": spent["needed"][0][1]["text"] == spent["all"][0][1]["text"],
            **{f"{name}_{kind}": value for kind, values in told.items() for name, value in values.items()},
        },
    )


def _seconds(runs: list[tuple[float, dict[str, object]]]) -> tuple[float, ...]:
    return tuple(seconds for seconds, _ in runs)


def _asked(film: Path, kind: str) -> tuple[float, dict[str, object]]:
    """Seconds from starting a process to its end, and what it printed."""
    command = [sys.executable, "-c", CHILD, str(film), kind, QUESTION]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise Unavailable(f"A process of the bench failed: {done.stderr[-800:]}", "Run hilum doctor.")
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return seconds, answer
