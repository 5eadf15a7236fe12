"""What `hilum eval` runs beside the benchmarks of questions: phantom cases, and the audit of a classifier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from evals.progress import Terminal
from imaging.failures import BadArguments

if TYPE_CHECKING:
    from agent.settings import Settings


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
