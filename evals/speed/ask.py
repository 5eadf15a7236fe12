"""ask: the same question asked again, against the first ask of a process, which also loads the models.

Asked again in the session, the film is decoded and the question read, but tools answer from the session's evidence.
Asked in new sessions, which are timed too, every tool runs again and only the models' outputs are at hand: what
is left is measuring, planning and writing. The same Agent serves all of them. The first ask of a process can be taken
only once: it is one timing, not a median. Importing and making the Agent are counted apart.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from evals.asking import AgentLike, SessionLike
from evals.speed.measured import Measured, Timing, Took, took
from imaging.phantom import PhantomSpec, parse_finding, write_phantom

if TYPE_CHECKING:
    from agent.answer import Answer

QUESTION = "Is there a pleural effusion, and is the heart enlarged?"
FINDING = "effusion:left:400ml"
LATER_ASKS = 5
LATER = "later ask: same question and film, same session; evidence and model results are at hand"


def measure(agent: AgentLike | None = None) -> Measured:
    """Ask once, then LATER_ASKS times again, about one phantom film.

    Args:
        agent: an Agent from the settings, embedded planner, when left out.
    """
    begun = time.perf_counter()
    asked = agent or _embedded_agent()
    made = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "phantom.png"
        write_phantom(PhantomSpec(seed=1, findings=(parse_finding(FINDING),)), film)
        size = film.stat().st_size
        session = asked.session()
        first_took, first = _timed(session, [film])
        later = [_timed(session, [film]) for _ in range(LATER_ASKS)]
        anew = [_timed(asked.session(), [film]) for _ in range(LATER_ASKS)]
    return Measured(
        baseline=Timing("first ask", (first_took.wall_s,)),
        candidate=Timing(LATER, tuple(each.wall_s for each, _ in later)),
        facts={
            "question": QUESTION,
            "film": f"phantom PNG, {FINDING}, {size} bytes",
            "agent_made_s": round(made, 4),
            "first_cpu_s": round(first_took.cpu_s, 4),
            "later_cpu_s": round(median(each.cpu_s for each, _ in later), 4),
            "new_session_s": round(median(each.wall_s for each, _ in anew), 4),
            "new_session_cpu_s": round(median(each.cpu_s for each, _ in anew), 4),
            "planner": first.planner,
            "models": first.models,
            "tool_runs": len(first.evidence),
            "same_text": all(answer.text == first.text for _, answer in [*later, *anew]),
        },
    )


def _timed(session: SessionLike, films: Sequence[Path]) -> tuple[Took, Answer]:
    answers: list[Answer] = []
    spent = took(lambda: answers.append(session.ask(QUESTION, films=films)))
    return spent, answers[0]


def _embedded_agent() -> AgentLike:
    from agent import Agent, Settings

    return Agent(Settings(planner="embedded"))
