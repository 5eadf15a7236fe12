"""Running a benchmark: load, check, ask (or resume), grade, sum up."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from evals.asking import AgentLike, Asking
from evals.benchmarks import Wanted, benchmark_named
from evals.grading import grade
from evals.identity import RUN_FILE, RunIdentity, identify, planner_of
from evals.journal import Journal, Record
from evals.progress import Progress, Terminal
from evals.questions import Questions
from evals.summary import Summary, by_category

if TYPE_CHECKING:
    from agent.settings import Settings

KEY_CHARACTERS = 12
"""How much of a run's key names its folder."""
REMOTE_WORKERS = 4
"""Questions in flight at once where the planner is a server; the embedded planner computes here and gets 1."""


def run_task(
    name: str,
    *,
    data: Path | None = None,
    limit: int | None = None,
    n: int | None = None,
    settings: Settings | None = None,
    log_dir: Path = Path("logs"),
    agent: AgentLike | None = None,
    progress: Progress | None = None,
    seed: int | None = None,
    workers: int | None = None,
) -> Summary:
    """Run a benchmark, or go on with it where an earlier run of the same was cut off.

    Everything about the data is checked first; nothing is asked of a faulty set. The same arguments on the same data,
    settings, tools, models and code name the same folder under `log_dir`, and what was answered there is not asked
    again. A question that errored was not answered: it is.

    Args:
        name: the benchmark.
        data: its folder.
        limit: ask only so many.
        n: questions to make, of a benchmark that makes them.
        settings: as read from hilum.toml and the environment when left out.
        log_dir: where runs are kept.
        agent: made from the settings when left out; any object whose session() can ask().
        progress: told of notes and steps; a bar on stderr when left out.
        seed: a published benchmark's order (and with `limit` the sample) is drawn from it, file order when left out; a
            benchmark that makes its questions draws patients and words from it.
        workers: questions in flight at once.
    """
    begun = time.perf_counter()
    with ExitStack() as stack:
        progress = progress or stack.enter_context(Terminal())
        benchmark = benchmark_named(name)
        wanted = Wanted(data=data, n=n, seed=seed, log_dir=log_dir, progress=progress)
        questions = benchmark.load(wanted).limited(limit, None if benchmark.makes else seed)
        for note in questions.notes:
            progress.note(note)
        settings = settings or _default_settings()
        agent = agent or _agent(settings)
        identity = identify(name, questions.sha256, settings, agent)
        folder = log_dir / f"{name}-{identity.key[:KEY_CHARACTERS]}"
        with Journal(folder) as journal:
            identity.write(folder)
            asking = Asking(agent, journal, progress)
            records = _settled(questions, asking, identity, folder, workers, progress)
    return _summed(questions, records, asking, planner_of(agent, settings), time.perf_counter() - begun, folder, name)


def _summed(
    questions: Questions,
    records: Mapping[str, Record],
    asking: Asking,
    planner: str,
    seconds: float,
    folder: Path,
    name: str,
) -> Summary:
    graded = [(question, grade(question, records[question.id])) for question in questions.items]
    overall, categories, counts = by_category(graded)
    return Summary(
        task=name,
        planner=planner,
        overall=overall,
        categories=categories,
        counts=counts,
        asked=asking.asked,
        resumed=asking.resumed,
        seconds=seconds,
        folder=folder,
        models=_revisions(records),
        notes=questions.notes,
    )


def _settled(
    questions: Questions, asking: Asking, identity: RunIdentity, folder: Path, workers: int | None, progress: Progress
) -> Mapping[str, Record]:
    """The record of every question; an interruption says how to go on."""
    # inspect_ai takes seconds to import; a faulty data set or a missing planner is told before that.
    from evals.runner import run

    kept = sum(asking.kept(question.id) for question in questions.items)
    if kept:
        progress.note(f"{kept} of {len(questions.items)} questions were answered before ({folder}); not asked again")
    elif other := _newest_other_run(folder):
        changed = ", ".join(identity.differs_from(other))
        progress.note(f"A new run: it differs from {other} in {changed}; answers of that one are not reused.")
    progress.start(len(questions.items))
    try:
        return run(questions, asking, identity, folder, workers or _workers(identity.planner)).records
    except KeyboardInterrupt:
        progress.note(
            f"Interrupted; {asking.asked} answered now are kept in {folder}. The same command goes on from there."
        )
        raise


def _newest_other_run(folder: Path) -> Path | None:
    task = folder.name.rpartition("-")[0]
    others = [path.parent for path in folder.parent.glob(f"{task}-*/{RUN_FILE}") if path.parent != folder]
    return max(others, key=lambda path: (path / RUN_FILE).stat().st_mtime, default=None)


def _workers(planner: str) -> int:
    return 1 if planner == "embedded" else REMOTE_WORKERS


def _default_settings() -> Settings:
    from agent.settings import Settings

    return Settings()


def _agent(settings: Settings) -> AgentLike:
    from agent import Agent

    return Agent(settings)


def _revisions(records: Mapping[str, Record]) -> dict[str, tuple[str, ...]]:
    """Every revision of every model that answered; more than one of a model: weights changed under the run."""
    found: dict[str, set[str]] = {}
    for record in records.values():
        for model, revision in record.models.items():
            found.setdefault(model, set()).add(revision)
    return {model: tuple(sorted(revisions)) for model, revisions in sorted(found.items())}
