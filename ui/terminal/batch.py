"""`hilum batch`: tools over a folder of films, with progress; the table is written when every film is done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agent import make_pool
from agent.settings import Runtime, Settings
from imaging.failures import BadArguments, Unavailable
from models.pool import ModelPool
from tools.batches.cohort import Journal, Outcome, check_target, run_cohort, write_table
from tools.contract import Tool
from tools.contract.tool import installed

FILMS_AT_ONCE = 8
"""Workers per processor core would only queue: the pool batches them, and reading needs few."""


def run_batch(folder: Path, tasks: str, out: Path, workers: int | None, settings: Settings) -> int:
    """Run the tools on every film under a folder and write the table; the exit code, 0: errors are rows.

    Raises:
        BadArguments: an unknown tool, one that needs more than a film, or a target that is taken.
        Unavailable: no model serves one of the tools.
    """
    check_target(out)
    if not folder.exists():
        raise BadArguments(f"{folder} is not there.", "Give a folder, a zip archive or a film.")
    models = make_pool(settings)
    tools = chosen_tools(tasks, models)
    journal = Journal(out.with_name(f".{out.name}.partial.sqlite"), _question(tools, models))
    try:
        outcomes = _outcomes(folder, tools, models, journal, workers or FILMS_AT_ONCE, settings)
        outcome = _with_progress(folder, outcomes)
        rows = write_table(journal, out)
    finally:
        journal.close(delete=out.exists())
    before = f", {outcome.done_before} of them before" if outcome.done_before else ""
    typer.echo(f"{out}: {rows} films{before}; {outcome.with_errors} with an error in this run")
    return 0


def chosen_tools(tasks: str, models: ModelPool) -> list[Tool]:
    """The tools of a comma-separated list, each of which needs nothing but a film and has its models."""
    registry = installed()
    chosen = [registry.get(name.strip()) for name in tasks.split(",") if name.strip()]
    if not chosen:
        raise BadArguments("--tasks names no tool.", "e.g. --tasks classify,segment,measure")
    for tool in chosen:
        required = [name for name, field in tool.arguments.model_fields.items() if field.is_required()]
        if required != ["image_id"]:
            raise BadArguments(
                f"{tool.name} needs more than a film: {', '.join(required)}.", "Leave it out of --tasks."
            )
        if missing := registry.missing(tool, models):
            raise Unavailable(f"No model for {tool.name}: {', '.join(missing)}.", "See hilum doctor.")
    return chosen


def _question(tools: list[Tool], models: ModelPool) -> dict[str, Any]:
    """What makes two runs the same: the tools in order, who answers them, and the code's version."""
    answering = {task: models.resolve(task).id for tool in tools for task in tool.needs}
    revisions = {model_id: models.card(model_id).revision for model_id in answering.values()}
    return {"tools": [tool.name for tool in tools], "models": revisions, "hilum": version("hilum")}


def _outcomes(
    folder: Path, tools: list[Tool], models: ModelPool, journal: Journal, workers: int, settings: Settings
) -> Iterator[Outcome]:
    """The run, in this process or on Ray; there the replicas start first, so that processes find them."""
    if settings.runtime is Runtime.LOCAL:
        return run_cohort([folder], tools, models, journal, workers)
    from models.cluster.config import ClusterConfig
    from models.cluster.serving import connect
    from tools.batches.on_ray import run_cohort_on_ray

    config = ClusterConfig.read(settings.ray_config)
    connect(config)
    for task in dict.fromkeys(task for tool in tools for task in tool.needs):
        models.prefetch(task).result()
    make_models = partial(make_pool, settings)
    return run_cohort_on_ray([folder], tools, make_models, journal, workers, config.films)


def count_files(folder: Path) -> int:
    """Files in and below a folder; 1 for a file."""
    return sum(len(names) for _, _, names in os.walk(folder)) if folder.is_dir() else 1


def _with_progress(folder: Path, outcomes: Iterator[Outcome]) -> Outcome:
    """Show a run behind a progress bar on stderr; how it ended."""
    total = count_files(folder) if folder.is_dir() else None
    columns = (TextColumn("films"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    last = Outcome(0, 0, 0)
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task("films", total=total)
        for outcome in outcomes:
            bars.update(bar, completed=outcome.films)
            last = outcome
    return last
