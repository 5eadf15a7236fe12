"""Running a benchmark: load, check, ask (or resume), grade, sum up."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals import baselines, perturbing
from evals.asking import AgentLike, Asking
from evals.benchmarks import Wanted, benchmark_named
from evals.grading import grade
from evals.identity import RUN_FILE, RunIdentity, identify
from evals.journal import FILE, Journal, Record
from evals.progress import Progress, Terminal
from evals.questions import Questions
from evals.ray_asking import default_workers, on_ray
from evals.records import write_record
from evals.scores import Graded, score
from evals.summary import Summary

if TYPE_CHECKING:
    from agent.settings import Settings

KEY_CHARACTERS = 12
"""How much of a run's key names its folder."""
REMOTE_WORKERS = 4
"""Questions in flight at once where the planner is a server; the embedded planner computes here and gets 1."""


@dataclass(frozen=True)
class RunOptions:
    """What may be chosen of a run.

    Attributes:
        data: the benchmark's folder, of one that is read.
        n: questions to make, of one that makes them.
        limit: ask only so many.
        seed: a published benchmark's order (and with `limit` the sample) is drawn from it, file order when left out; a
            benchmark that makes its questions draws patients and words from it; so do the baselines.
        epochs: how often each question is asked.
        workers: questions in flight at once; on Ray as many processes.
        baseline: a stand-in of evals.baselines.BASELINES, or empty.
        perturb: what is changed of the questions, of evals.perturbing.TITLES, or empty.
        tools: names of the tools the agent gets; all when left out.
        budget_usd: nothing more is asked once the run has cost this.
        log_dir: where runs are kept.
    """

    data: Path | None = None
    n: int | None = None
    limit: int | None = None
    seed: int | None = None
    epochs: int = 1
    workers: int | None = None
    baseline: str = ""
    perturb: str = ""
    tools: tuple[str, ...] | None = None
    budget_usd: float | None = None
    log_dir: Path = Path("logs")


@dataclass(frozen=True)
class Prepared:
    """A run before its first question."""

    name: str
    options: RunOptions
    questions: Questions
    agent: AgentLike
    settings: Settings
    identity: RunIdentity
    folder: Path


def run_task(
    name: str,
    *,
    settings: Settings | None = None,
    agent: AgentLike | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Summary:
    """Run a benchmark, or go on with it where an earlier run of the same was cut off.

    Everything about the data is checked first; nothing is asked of a faulty set. The same options on the same data,
    settings, tools, models and code name the same folder under `log_dir`, and what was answered there is not asked
    again. A question that errored was not answered: it is.

    Args:
        name: the benchmark.
        settings: as read from hilum.toml and the environment when left out.
        agent: made from the settings when left out; any object whose session() can ask().
        progress: told of notes and steps; a bar on stderr when left out.
        options: fields of RunOptions.
    """
    begun = time.perf_counter()
    with ExitStack() as stack:
        progress = progress or stack.enter_context(Terminal())
        ready = prepare(name, RunOptions(**options), settings, agent, progress)
        with Journal(ready.folder) as journal:
            write_record(ready.folder, ready.identity, ready.options, ready.questions)
            asker = stack.enter_context(_asker(ready, agent))
            asking = Asking(asker, journal, progress, ready.options.budget_usd)
            records = _settled(ready, asking, progress)
    graded = [Graded(question, r := records[question.id], grade(question, r)) for question in ready.questions.items]
    return Summary(
        task=name,
        planner=ready.identity.planner,
        baseline=ready.options.baseline,
        scores=score(graded),
        asked=asking.asked,
        resumed=asking.resumed,
        seconds=time.perf_counter() - begun,
        folder=ready.folder,
        models=_revisions(records),
        usage=_usage(records),
        notes=ready.questions.notes,
    )


def prepare(
    name: str, options: RunOptions, settings: Settings | None, agent: AgentLike | None, progress: Progress
) -> Prepared:
    """Load and check the data, make the agent, and say which folder the run is kept in; asks nothing.

    Args:
        name: the benchmark.
        options: what was chosen.
        settings: None for those in force.
        agent: None for one made from the settings.
        progress: told of the data's notes.
    """
    if options.baseline:
        baselines.check(options.baseline)
    benchmark, seed = benchmark_named(name), options.seed or 0
    wanted = Wanted(data=options.data, n=options.n, seed=options.seed, log_dir=options.log_dir, progress=progress)
    perturbing.check(options.perturb)
    settings = settings or _default_settings()
    questions = benchmark.load(wanted).limited(options.limit, None if benchmark.makes else options.seed)
    questions = perturbing.perturbed(options.perturb, questions, seed, options.log_dir, settings)
    for note in questions.notes:
        progress.note(note)
    questions = baselines.altered(options.baseline, questions, seed).repeated(options.epochs)
    agent = agent or baselines.scripted(options.baseline, questions, seed) or _agent(settings, options)
    identity = identify(
        name, questions.sha256, settings, agent, f"{options.baseline} {seed}" if options.baseline else ""
    )
    folder = options.log_dir / f"{name}-{identity.key[:KEY_CHARACTERS]}"
    return Prepared(name, options, questions, agent, settings, identity, folder)


def estimate(name: str, settings: Settings, options: RunOptions, progress: Progress) -> dict[str, Any]:
    """What a run would ask, and what it would take by the answers of earlier runs of the same benchmark and planner.

    Nothing is asked. Without an earlier run the estimates are None: not known.

    Args:
        name: the benchmark.
        settings: those in force.
        options: what was chosen.
        progress: told of the data's notes.
    """
    ready = prepare(name, options, settings, None, progress)
    kept, earlier = set(), []
    for path in options.log_dir.glob(f"{name}-*/{FILE}"):
        records = [Record.model_validate_json(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")]
        answered = [record for record in records if record.fault is None]
        earlier += [record for record in answered if record.planner == ready.identity.planner]
        kept |= {record.id for record in answered} if path.parent == ready.folder else set()
    left = [question for question in ready.questions.items if question.id not in kept and not question.unusable]
    workers = _workers(ready)
    seconds = statistics.fmean(record.seconds for record in earlier) if earlier else None
    usd = statistics.fmean(float(r.usage.get("cost_usd") or 0.0) for r in earlier) if earlier else None
    return {
        "task": name,
        "dry_run": True,
        "n": len(ready.questions.items),
        "to_ask": len(left),
        "films": len({film for question in ready.questions.items for film in question.films}),
        "planner": ready.identity.planner,
        "workers": workers,
        "estimated_seconds": None if seconds is None else round(seconds * len(left) / workers, 1),
        "estimated_usd": None if usd is None else round(usd * len(left), 4),
        "estimated_from": len(earlier),
        "log_dir": str(ready.folder),
    }


def _settled(ready: Prepared, asking: Asking, progress: Progress) -> Mapping[str, Record]:
    """The record of every question; an interruption says how to go on."""
    # inspect_ai takes seconds to import; a faulty data set or a missing planner is told before that.
    from evals.runner import run

    questions, folder = ready.questions, ready.folder
    kept = sum(asking.kept(question.id) for question in questions.items)
    if kept:
        progress.note(f"{kept} of {len(questions.items)} questions were answered before ({folder}); not asked again")
    elif other := _newest_other_run(folder):
        changed = ", ".join(ready.identity.differs_from(other))
        progress.note(f"A new run: it differs from {other} in {changed}; answers of that one are not reused.")
    progress.start(len(questions.items))
    try:
        return run(questions, asking, ready.identity, folder, _workers(ready)).records
    except KeyboardInterrupt:
        progress.note(
            f"Interrupted; {asking.asked} answered now are kept in {folder}. The same command goes on from there."
        )
        raise


def _newest_other_run(folder: Path) -> Path | None:
    task = folder.name.rpartition("-")[0]
    others = [path.parent for path in folder.parent.glob(f"{task}-*/{RUN_FILE}") if path.parent != folder]
    return max(others, key=lambda path: (path / RUN_FILE).stat().st_mtime, default=None)


def _workers(ready: Prepared) -> int:
    if ready.options.workers:
        return ready.options.workers
    if _spread(ready):
        return default_workers(ready.settings)
    return 1 if ready.identity.planner == "embedded" else REMOTE_WORKERS


def _spread(ready: Prepared) -> bool:
    """Whether the agent is one that processes of a cluster can make: not a scripted stand-in."""
    return ready.settings.runtime == "ray" and not isinstance(ready.agent, baselines.Scripted)


@contextmanager
def _asker(ready: Prepared, given: AgentLike | None) -> Iterator[AgentLike]:
    """Who is asked: the agent at hand, or as many as there are workers in processes of Ray."""
    if given is not None or not _spread(ready):
        yield ready.agent
        return
    tools = baselines.tools_of(ready.options.baseline, ready.options.tools)
    with on_ray(ready.settings, tools, _workers(ready)) as many:
        yield many


def _default_settings() -> Settings:
    from agent.settings import Settings

    return Settings()


def _agent(settings: Settings, options: RunOptions) -> AgentLike:
    from agent import Agent

    return Agent(settings, tools=baselines.tools_of(options.baseline, options.tools))


def _revisions(records: Mapping[str, Record]) -> dict[str, tuple[str, ...]]:
    """Every revision of every model that answered; more than one of a model: weights changed under the run."""
    found: dict[str, set[str]] = {}
    for record in records.values():
        for model, revision in record.models.items():
            found.setdefault(model, set()).add(revision)
    return {model: tuple(sorted(revisions)) for model, revisions in sorted(found.items())}


def _usage(records: Mapping[str, Record]) -> dict[str, float]:
    """Tokens and cost over all questions, as far as the planner tells, and the mean seconds of a question."""
    names = {name for record in records.values() for name in record.usage}
    total = {name: round(sum(float(r.usage.get(name) or 0) for r in records.values()), 6) for name in sorted(names)}
    answered = [record.seconds for record in records.values() if record.seconds]
    return total | ({"seconds_per_question": round(statistics.fmean(answered), 4)} if answered else {})


__all__ = ["Prepared", "RunOptions", "estimate", "prepare", "run_task"]
