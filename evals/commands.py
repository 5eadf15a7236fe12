"""What `hilum eval` runs: benchmarks of questions, phantom cases, planning, audits of a classifier, pages of runs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from evals.progress import Terminal
from imaging.failures import BadArguments, writing

if TYPE_CHECKING:
    from agent.settings import Settings
    from evals.tasks import RunOptions


@dataclass(frozen=True)
class OfTools:
    """What a benchmark of a single tool is told besides: see evals.tool_tasks.kind.Choice."""

    only: Path | None = None
    said: str = ""
    metrics: tuple[str, ...] = ()
    supply: tuple[str, ...] = ()

    def supplied(self) -> dict[str, str]:
        """--supply NAME=VALUE as a mapping.

        Raises:
            BadArguments: one has no "=".
        """
        for told in self.supply:
            if "=" not in told:
                raise BadArguments(f"--supply {told!r} has no '='.", "Write --supply NAME=VALUE, e.g. bert=FOLDER.")
        return {name: value for name, _, value in (told.partition("=") for told in self.supply)}


def evaluate_benchmark(
    task: str, settings: Settings, options: RunOptions, more: OfTools, dry_run: bool, as_json: bool
) -> int:
    """A benchmark of questions, or with `dry_run` what it would take; or of a single tool on labelled films."""
    from evals.summary import print_summary
    from evals.tasks import estimate, run_task
    from evals.tool_tasks.kind import Choice
    from evals.tool_tasks.running import names, run_tool_task

    if task in names():
        choice = Choice(options.data, more.only, options.limit, options.seed, more.said, more.metrics, more.supplied())
        with Terminal() as progress:
            found = run_tool_task(task, choice, settings, progress, options.log_dir)
        typer.echo(json.dumps(found, allow_nan=False))
        return 0
    if dry_run:
        with Terminal() as progress:
            typer.echo(json.dumps(estimate(task, settings, options, progress)))
        return 0
    summary = run_task(task, settings=settings, **asdict(options))
    if not as_json:
        print_summary(summary, Console(stderr=True))
    typer.echo(summary.to_json_line())
    return 0


def report(folders: list[Path], out: Path) -> int:
    """A page on runs of questions, with their tables in Markdown and LaTeX; one in Markdown on runs of single tools.

    Raises:
        BadArguments: no run was given, or a folder holds none.
    """
    from evals.pages import write_pages
    from evals.records import read_run
    from evals.tool_tasks.pages import films_page, is_tool_run, read_tool_run

    if not folders:
        raise BadArguments("There is no run to report.", "Give the folders of runs: hilum eval report RUN...")
    of_tools = [folder for folder in folders if is_tool_run(folder)]
    of_questions = [read_run(folder) for folder in folders if folder not in of_tools]
    written = write_pages(of_questions, out) if of_questions else {}
    if of_tools:
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
            written["films"] = out / "results-films.md"
            written["films"].write_text(films_page([read_tool_run(folder) for folder in of_tools]), encoding="utf-8")
    typer.echo(json.dumps({"task": "report", **{name: str(path) for name, path in written.items()}}))
    return 0


def compare(folders: list[Path], as_json: bool) -> int:
    """Run B against run A on the questions that both were asked.

    Raises:
        BadArguments: not two runs, or none of their questions are the same.
    """
    from evals.comparing import compare_runs, show_comparison
    from evals.records import read_run

    if len(folders) != 2:
        raise BadArguments(f"{len(folders)} runs were given.", "Give two: hilum eval compare A B.")
    compared = compare_runs(read_run(folders[0]), read_run(folders[1]))
    if not as_json:
        show_comparison(compared, Console(stderr=True))
    typer.echo(json.dumps(compared))
    return 0


def evaluate_phantom(settings: Settings, seed: int, limit: int | None, as_json: bool) -> int:
    """Phantom cases make their own films and score open answers, so they need neither --data nor a letter."""
    from agent import Agent
    from evals.phantom import run_phantom

    with Terminal() as progress:
        summary = run_phantom(Agent(settings), seed, limit, progress)
    if not as_json:
        summary.show(Console(stderr=True))
    typer.echo(summary.to_json_line())
    return 0


def evaluate_planning(settings: Settings, part: str, limit: int | None, as_json: bool) -> int:
    """The labelled questions, put to the planner over scripted patients; no film and no model is needed."""
    from evals.planning.scoring import run_planning

    with Terminal() as progress:
        summary = run_planning(settings, part, limit, progress)
    if not as_json:
        summary.show(Console(stderr=True))
    typer.echo(summary.to_json_line())
    return 0


def audit(
    settings: Settings,
    data: Path | None,
    labels: Path | None,
    model: str | None,
    scores: Path | None,
    log_dir: Path,
    as_json: bool,
) -> int:
    """Subgroups, devices and masked lungs of a classifier on a labelled folder; the report is kept for the tool.

    Raises:
        BadArguments: there is no table of labels, or it cannot be used.
    """
    from agent import make_pool
    from evals.audit.running import Asked, run_audit
    from evals.audit.showing import show_audit
    from tools.audits import kept_at

    if labels is None:
        raise BadArguments("An audit needs labels.", "Give --labels CSV: file, age, sex, view, patient, findings.")
    with Terminal() as progress:
        found = run_audit(Asked(data, labels, model, scores, log_dir=log_dir), make_pool(settings), progress)
    path = kept_at(settings.state_dir.expanduser(), found.model)
    found.write(path)
    if not as_json:
        show_audit(found, Console(stderr=True))
    typer.echo(json.dumps({"task": "audit", "report": str(path), **found.headline()}))
    return 0
