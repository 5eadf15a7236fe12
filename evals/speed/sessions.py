"""sessions: many conversations at once against the same ones, one after the other.

Each session brings a film of its own and asks a question that takes three tools; nothing is in any cache. Half of the
single ones come before the common run and half after it, so that a machine that slows down slows both.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evals.asking import AgentLike
from evals.speed.films import write_films
from evals.speed.measured import Measured, Timing, took

SESSIONS = 32
QUESTION = "Is there a pleural effusion, how wide is the heart, and where are the lungs?"
SIDE = 512


def measure(films: int = SESSIONS, side: int = SIDE, agent: AgentLike | None = None) -> Measured:
    """Ask in `films` sessions one after the other, then in as many at once, each with a film not seen before.

    Args:
        films: how many sessions, each with its film.
        side: rows and columns of each film.
        agent: an embedded agent with models of its own, when left out.
    """
    asked = agent or _embedded_agent()
    with tempfile.TemporaryDirectory() as name:
        paths = write_films(Path(name), 2 * films + 1, side)
        _ask(asked, paths[-1])
        alone: list[tuple[float, int]] = []
        together: list[tuple[float, int]] = []

        def one_by_one(part: Sequence[Path]) -> None:
            alone.extend(_ask(asked, path) for path in part)

        def at_once(part: Sequence[Path]) -> None:
            with ThreadPoolExecutor(films) as threads:
                together.extend(threads.map(lambda path: _ask(asked, path), part))

        before = took(one_by_one, paths[: films // 2])
        common = took(at_once, paths[films : 2 * films])
        after = took(one_by_one, paths[films // 2 : films])
    alone_s = before.wall_s + after.wall_s
    return Measured(
        baseline=Timing("per question, one session after the other", (alone_s / films,)),
        candidate=Timing("per question, all sessions at once", (common.wall_s / films,)),
        facts={
            "sessions": films,
            "question": QUESTION,
            "tool_runs": sorted({tools for _, tools in (*alone, *together)}),
            "p95_s_alone": _p95([seconds for seconds, _ in alone]),
            "p95_s_together": _p95([seconds for seconds, _ in together]),
            "questions_per_s_alone": round(films / alone_s, 3),
            "questions_per_s_together": round(films / common.wall_s, 3),
            "cpu_s_per_question_alone": round((before.cpu_s + after.cpu_s) / films, 3),
            "cpu_s_per_question_together": round(common.cpu_s / films, 3),
        },
    )


def _ask(agent: AgentLike, path: Path) -> tuple[float, int]:
    """Seconds to the answer, and how many tools ran for it."""
    begun = time.perf_counter()
    answer = agent.session().ask(QUESTION, films=[path])
    return time.perf_counter() - begun, len(answer.evidence)


def _p95(seconds: Sequence[float]) -> float:
    """The nearest-rank 95th percentile."""
    ordered = sorted(seconds)
    return round(ordered[max(0, -(-95 * len(ordered) // 100) - 1)], 3)


def _embedded_agent() -> AgentLike:
    from agent import Agent, Settings

    return Agent(Settings(planner="embedded", profile="embedded"))
