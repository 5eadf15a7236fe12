"""Runs questions through inspect_ai: a session per question, a log that `inspect view` shows, and the journal beneath.

Resuming does not rest on inspect's log: its samples reach the disk ten at a time, and eval_retry needs the name of the
log that was cut off. Every answer is in the journal (fsync) before its sample is; the solver looks there first. So the
same command continues a killed run, and its last inspect log holds all questions, those answered earlier included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread
from inspect_ai import Task
from inspect_ai import eval as run_in_inspect
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from evals.asking import Asking
from evals.grading import grade
from evals.identity import RunIdentity
from evals.journal import Record
from evals.questions import Question, Questions
from imaging.failures import HilumFailure, writing

INSPECT_FOLDER = "inspect"
"""Folder of the inspect logs inside the run's folder."""
LOG_BUFFER = 200
"""Samples that inspect writes together: the journal, not its log, is what survives a kill."""


@dataclass(frozen=True)
class Ran:
    """A finished run: one record per question, by id, and where inspect's log lies (None for no questions)."""

    records: Mapping[str, Record]
    log: Path | None


def run(questions: Questions, asking: Asking, identity: RunIdentity, folder: Path, workers: int) -> Ran:
    """Settle every question. KeyboardInterrupt leaves all answers so far in the journal, and so does a full disk.

    Args:
        questions: what to ask, in order.
        asking: the agent and the journal.
        identity: goes into the log.
        folder: the run's folder.
        workers: questions in flight at once.
    """
    if not questions.items:
        return Ran({}, None)
    by_id = {question.id: question for question in questions.items}
    records: dict[str, Record] = {}
    failures: list[HilumFailure] = []
    task = Task(
        name=identity.task,
        dataset=MemoryDataset([_sample(question) for question in questions.items], name=identity.task),
        solver=_solver(by_id, asking, records, failures),
        scorer=_scorer(by_id, records),
        metadata=identity.model_dump(mode="json"),
    )
    with writing(folder):
        (log,) = run_in_inspect(
            task,
            model=None,
            log_dir=str(folder / INSPECT_FOLDER),
            display="none",
            max_samples=workers,
            log_realtime=False,
            log_buffer=LOG_BUFFER,
            score_display=False,
            ctl_server=False,
        )
    if failures:  # of the journal: inspect stops at it and would tell of it as a fault
        raise failures[0]
    _check(log, len(by_id), records)
    return Ran(records, Path(log.location))


def _sample(question: Question) -> Sample:
    return Sample(
        id=question.id,
        input=question.text,
        target=question.target,
        metadata={
            "case_id": question.case_id,
            "categories": list(question.categories),
            "films": [film.name for film in question.films],
        },
    )


def _solver(
    by_id: Mapping[str, Question], asking: Asking, records: dict[str, Record], failures: list[HilumFailure]
) -> Solver:
    @solver(name="agent")
    def agent() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            # Not abandoned on cancellation: an answer in flight at Ctrl-C still reaches the journal.
            try:
                record = await anyio.to_thread.run_sync(asking.settle, by_id[str(state.sample_id)])
            except HilumFailure as failure:
                failures.append(failure)
                raise
            records[record.id] = record
            state.output = ModelOutput.from_content(record.planner or "none", record.text)
            state.completed = True
            return state

        return solve

    return agent()


def _scorer(by_id: Mapping[str, Question], records: Mapping[str, Record]) -> Scorer:
    @scorer(metrics=[accuracy(), stderr(cluster="case_id")], name="letter")
    def letter() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            record = records[str(state.sample_id)]
            graded = grade(by_id[record.id], record)
            return Score(
                value=CORRECT if graded.right else INCORRECT,
                answer=graded.letter or "",
                explanation=graded.reason,
                metadata={"outcome": str(graded.outcome), **record.model_dump(mode="json", exclude={"id", "text"})},
            )

        return score

    return letter()


def _check(log: EvalLog, expected: int, records: Mapping[str, Record]) -> None:
    """Anything but a whole run is an interruption or our bug."""
    if log.status == "cancelled":
        raise KeyboardInterrupt
    if log.status != "success" or len(records) != expected:
        reason = log.error.traceback if log.error else f"{len(records)} of {expected} questions have a record"
        raise RuntimeError(f"the inspect run ended as {log.status!r}: {reason}")
