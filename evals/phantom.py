"""`hilum eval phantom`: phantom cases put to the agent, and per capability how far its answers are right.

A case's films are written as DICOM files and opened as a user's would be. Each case has a session of its own. A case
that the agent cannot answer, or that ends in a fault, scores 0 and is counted; nothing is left out.
"""

from __future__ import annotations

import json
import math
import statistics
import tempfile
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agent import Agent
from evals.phantom_cases.archives import Archives
from evals.phantom_cases.case import Case, Outcome, as_said
from evals.phantom_cases.drawn import drawn
from evals.progress import Progress
from imaging.failures import HilumFailure

NAME = "phantom"
DIGITS = 3


@dataclass(frozen=True)
class Scored:
    """One case after it ran: its score from 0 to 1, and what went wrong where something did."""

    id: str
    capability: str
    score: float
    seconds: float
    fault: str = ""


@dataclass(frozen=True)
class PhantomSummary:
    """The scores of a run.

    Attributes:
        seed: from which the cases were drawn.
        planner: who planned.
        scored: every case, in the order run.
        seconds: wall time.
    """

    seed: int
    planner: str
    scored: Sequence[Scored]
    seconds: float

    def by_capability(self) -> dict[str, list[Scored]]:
        """Cases of each capability, C1 first."""
        found: dict[str, list[Scored]] = {}
        for item in sorted(self.scored, key=lambda item: int(item.capability[1:])):
            found.setdefault(item.capability, []).append(item)
        return found

    def to_json_line(self) -> str:
        """One line, the last one on stdout."""
        groups = self.by_capability()
        faults = {item.id: item.fault for item in self.scored if item.fault}
        line: dict[str, Any] = {
            "task": NAME,
            "scores": {name: round(_mean(items), DIGITS) for name, items in groups.items()},
            "n": len(self.scored),
            "counts": {name: len(items) for name, items in groups.items()},
            "standard_errors": {name: _standard_error(items) for name, items in groups.items()},
            "errored": len(faults),
            "faults": faults,
            "seed": self.seed,
            "planner": self.planner,
            "seconds": round(self.seconds, 1),
        }
        return json.dumps(line, allow_nan=False)

    def show(self, console: Console) -> None:
        """A table for people.

        Args:
            console: where to write.
        """
        table = Table(title=f"phantom cases · seed {self.seed} · planner {self.planner}", title_justify="left")
        for name in ("capability", "cases", "score", "worst cases"):
            table.add_column(name)
        for name, items in self.by_capability().items():
            worst = [item.id for item in sorted(items, key=lambda item: item.score)[:3] if item.score < 1]
            table.add_row(name, str(len(items)), f"{_mean(items):.2f}", ", ".join(worst))
        console.print(table)
        for item in self.scored:
            if item.fault:
                console.print(f"{item.id}: {item.fault}", markup=False, highlight=False)


def run_phantom(agent: Agent, seed: int, limit: int | None, progress: Progress) -> PhantomSummary:
    """Draw the cases, ask, and judge.

    Args:
        agent: who answers.
        seed: from which cases are drawn.
        limit: so many cases only, taken from every capability in turn.
        progress: told of every case.
    """
    begun = time.perf_counter()
    cases = drawn(seed, limit)
    progress.start(len(cases))
    with tempfile.TemporaryDirectory(prefix="hilum-phantom-") as folder:
        archives = Archives(agent, Path(folder))
        scored = [_run(case, archives, Path(folder), progress) for case in cases]
    return PhantomSummary(seed, agent.planner_name, scored, time.perf_counter() - begun)


def _run(case: Case, archives: Archives, folder: Path, progress: Progress) -> Scored:
    begun = time.perf_counter()
    fault, score = "", 0.0
    try:
        score = case.judge(_ask(case, archives.agent_of(case), folder))
    except HilumFailure as failure:
        fault = f"{failure.kind}: {failure.message}"
    except Exception:  # noqa: BLE001 - one case's crash must not end the others; it is counted and shown
        fault = traceback.format_exc(limit=-3)
    progress.step("errored" if fault else "right" if score >= 1 else "partly" if score > 0 else "wrong")
    return Scored(case.id, case.capability, score, round(time.perf_counter() - begun, 3), fault)


def _ask(case: Case, agent: Agent, folder: Path) -> Outcome:
    films = case.make()
    files = [folder / f"{case.id}-{number}.dcm" for number in range(len(films))]
    for film, file in zip(films, files, strict=True):
        film.write_dicom(file)
    session = agent.session()
    answers = [session.ask(as_said(turn, films), films=files if first else ()) for first, turn in _firsts(case.turns)]
    for file in files:
        file.unlink()
    return Outcome(answers, films, session)


def _firsts(turns: Iterable[str]) -> list[tuple[bool, str]]:
    return [(number == 0, turn) for number, turn in enumerate(turns)]


def _mean(items: Sequence[Scored]) -> float:
    return statistics.fmean(item.score for item in items)


def _standard_error(items: Sequence[Scored]) -> float | None:
    """Of the mean over cases, which are independent patients; None for a single case."""
    if len(items) < 2:
        return None
    return round(statistics.stdev(item.score for item in items) / math.sqrt(len(items)), DIGITS)


__all__ = ["NAME", "PhantomSummary", "Scored", "run_phantom"]
