"""Asks an agent one question in a session of its own and keeps what came of it, before anything else happens."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from evals.grading import grade
from evals.journal import Fault, Journal, Record, Step
from evals.progress import Progress
from evals.questions import Question
from imaging.failures import HilumFailure
from imaging.geometry import mask_box
from imaging.overlays import Overlay

if TYPE_CHECKING:
    from agent.answer import Answer

FILM_MISSING = "film_missing"
"""Fault type of a question that cannot be asked."""
OVER_BUDGET = "over_budget"
"""Fault type of a question that was not asked because the run had spent what it may; a later run asks it."""


class SessionLike(Protocol):
    """The one method of agent.Session that a benchmark uses."""

    def ask(self, question: str, films: Sequence[Path] = ()) -> Answer:
        """The answer to one question about the films."""


class AgentLike(Protocol):
    """agent.Agent, or a scripted stand-in."""

    def session(self) -> SessionLike:
        """A new conversation."""


class Asking:
    """One run of questions through one agent; may be used from several threads.

    Attributes:
        asked, resumed: questions put to the agent now, and answered in an earlier run.
        spent_usd: what they cost, as far as the planner tells.
    """

    def __init__(self, agent: AgentLike, journal: Journal, progress: Progress, budget_usd: float | None = None) -> None:
        """Asks `agent` and keeps what it says.

        Args:
            agent: who answers.
            journal: where answers are kept.
            progress: told of each question.
            budget_usd: once this is spent, earlier answers of the run included, nothing more is asked.
        """
        self._agent = agent
        self._budget_usd = budget_usd
        self.spent_usd = sum(float(r.usage.get("cost_usd") or 0.0) for r in journal.records.values())
        self._journal = journal
        self._progress = progress
        self._lock = threading.Lock()
        self.asked = 0
        self.resumed = 0

    def kept(self, identity: str) -> bool:
        """True for a question that was answered before and is not asked again."""
        return self._journal.answered(identity) is not None

    def settle(self, question: Question) -> Record:
        """The question's record: kept from before, made now and on the disk, or a fault where it cannot be asked."""
        kept = self._journal.answered(question.id)
        if kept is not None:
            record = kept
        elif question.unusable:
            record = Record(id=question.id, fault=Fault(type=FILM_MISSING, message=question.unusable))
        elif self._budget_usd is not None and self.spent_usd >= self._budget_usd:
            told = f"${self.spent_usd:.2f} of ${self._budget_usd:.2f} are spent"
            record = Record(id=question.id, fault=Fault(type=OVER_BUDGET, message=told))
        else:
            record = ask(self._agent, question)
            self._journal.add(record)
        fresh = kept is None and not (record.fault and record.fault.type in {FILM_MISSING, OVER_BUDGET})
        with self._lock:
            self.spent_usd += float(record.usage.get("cost_usd") or 0.0) if fresh else 0.0
            self.resumed += kept is not None
            self.asked += fresh
            self._progress.step(grade(question, record).outcome)
        return record


def ask(agent: AgentLike, question: Question) -> Record:
    """Put one question in a fresh session. Whatever goes wrong becomes the question's fault, never the run's."""
    begun = time.perf_counter()
    try:
        answer = agent.session().ask(question.text, films=list(question.films))
    except HilumFailure as failure:
        fault = Fault(type=failure.kind, message=str(failure))
    except Exception as bug:  # noqa: BLE001 - one question's crash must not end 2,500; type and trace go to the logs
        fault = Fault(type=type(bug).__name__, message=str(bug), trace=traceback.format_exc())
    else:
        return Record(
            id=question.id,
            text=answer.text,
            choice=answer.choice,
            confidence=answer.option_scores.get(answer.choice or ""),
            planner=answer.planner,
            models=answer.models,
            tools=[evidence.tool for evidence in answer.evidence],
            steps=steps_of(answer),
            usage=answer.usage.model_dump(exclude_none=True),
            seconds=round(time.perf_counter() - begun, 4),
        )
    return Record(id=question.id, fault=fault, seconds=round(time.perf_counter() - begun, 4))


def steps_of(answer: Answer) -> list[Step]:
    """The tool runs of an answer, with the boxes of what each drew on the last film and whether the text cites it."""
    last = str(answer.images[-1]["id"]) if answer.images else ""
    cited = {number for claim in answer.claims for number in claim.evidence}
    return [
        Step(
            tool=item.tool,
            args=item.args,
            status=str(item.status),
            summary=item.summary if item.failure is None else item.failure.message,
            model=item.model,
            seconds=round(item.elapsed_ms / 1000, 4),
            cited=item.id in cited,
            boxes=[box for overlay in item.overlays if overlay.image_id == last and (box := _box(overlay))],
        )
        for item in answer.evidence
    ]


def _box(overlay: Overlay) -> tuple[float, float, float, float] | None:
    """The box of a box or mask overlay; None for what has none."""
    if overlay.kind == "box":
        place = overlay.as_box()
        return float(place[0]), float(place[1]), float(place[2]), float(place[3])
    if overlay.kind != "mask":
        return None
    return mask_box(overlay.as_mask())
