"""What `hilum models` does: lists, pulls with progress, verifies and removes models of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from agent.settings import Settings
from imaging.failures import BadArguments, HilumFailure, Unavailable
from models.catalog import ENSEMBLE, PROFILES, Catalog, CatalogEntry, SourceKind
from models.fetch import store as pulling
from models.numerics import QUANTISED, Numerics
from models.outputs import Task
from models.weights import locate, model_directory, pulled
from models.worker import environment


@dataclass(frozen=True)
class Shelf:
    """The catalog and the directory its models lie in.

    Attributes:
        chosen_dir: as the user set it; None reads torchxrayvision's directory too.
        numerics: how networks compute here.
    """

    catalog: Catalog
    chosen_dir: Path | None
    numerics: Numerics = field(default_factory=Numerics)

    @property
    def folder(self) -> Path:
        """Where models are pulled to."""
        return model_directory(self.chosen_dir)

    def serving(self, task: str | None) -> Iterable[CatalogEntry]:
        """The models of a task, best first, or all."""
        if task is None:
            return self.catalog
        if task not in list(Task):
            raise BadArguments(f"There is no task {task!r}.", f"Tasks: {', '.join(Task)}.")
        return self.catalog.serving(Task(task))


def store() -> Shelf:
    """The shelf that the settings name."""
    settings = Settings()
    return Shelf(Catalog.read(), settings.model_dir, settings.numerics)


def chosen(names: Sequence[str]) -> list[CatalogEntry]:
    """The models that ids and profile names stand for, each once, in the catalog's order.

    A profile stands for its own models and those of the smaller ones, without those that are used on request only.
    """
    catalog, ids = Catalog.read(), set[str]()
    for name in names:
        if name in PROFILES:
            ids |= {entry.id for entry in catalog if entry.allowed_in(name) and not entry.on_request}
        else:
            entry = catalog.get(name)
            ids |= set(entry.members) if name.startswith(ENSEMBLE) else {entry.id, *entry.members}
    return [entry for entry in catalog if entry.id in ids]


def facts_of(entry: CatalogEntry, shelf: Shelf) -> dict[str, Any]:
    """Everything the catalog says of a model, and whether it is here."""
    presence = locate(entry, shelf.chosen_dir)
    record = pulled(entry, presence.path) if presence.present and presence.path else {}
    lacking = environment.fault(entry, shelf.chosen_dir)
    place = environment.place_of(entry, shelf.chosen_dir) if entry.worker and not lacking else None
    return {
        **entry.model_dump(mode="json"),
        "environment": str(place) if place else None,
        "present": presence.present,
        "path": str(presence.path) if presence.path else None,
        "reason": presence.reason,
        "remedy": presence.remedy,
        "pulled_revision": record.get("revision"),
        "computes": shelf.numerics.facts(entry),
    }


def print_models(facts: Sequence[dict[str, Any]]) -> None:
    """A table of models."""
    table = Table(show_edge=False)
    table.add_column("model", no_wrap=True)
    table.add_column("tasks", overflow="fold")
    table.add_column("MB", justify="right")
    table.add_column("here")
    for item in facts:
        here = "yes" if item["present"] else "gated" if item["gated"] else "no"
        table.add_row(item["id"], ", ".join(item["tasks"]), f"{item['download_mb']:g}", here)
    Console().print(table)


def print_model(item: dict[str, Any]) -> None:
    """One model in full."""
    source = item["source"]
    where = source["url"] or (f"{source['repo']} at {source['revision']}" if source["repo"] else source["file"])
    memory = ", ".join(f"{size:g} MB as {dtype}" for dtype, size in item["memory_mb"].items())
    lines = [
        f"{item['id']}: {item['title']}",
        f"tasks: {', '.join(item['tasks'])} · profile: {item['profile']} · adapter: {item['adapter']}",
        f"here: {'yes, ' + item['path'] if item['present'] else 'no. ' + item['reason'] + '. ' + item['remedy']}",
        f"source: {where}{' · ' + source['note'] if source['note'] else ''}",
        f"licence: {item['licence']}{' · to be accepted on its page' if item['gated'] else ''}",
        f"download: {item['download_mb']:g} MB · memory: {memory} · input: {item['input_size']} pixels",
        *_numerics_lines(item),
        f"trained on: {item['training_data']}",
        f"reference: {item['reference']}",
        f"labels: {', '.join(item['labels'])}",
        *_environment_lines(item),
        *(f"limit: {limit}" for limit in item["limits"]),
    ]
    Console().print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def _numerics_lines(item: dict[str, Any]) -> list[str]:
    """How the model is kept and computes, as the settings cpu_dtype, gpu_dtype and compile have it."""
    places = {"cpu": "on the processor", "cuda": "on a GPU"}
    told = [
        f"{places[device]} {facts['weights']} ({facts['mb']:g} MB), products in {facts['products']}"
        for device, facts in item["computes"].items()
    ]
    compiled = "; compiled" if item["computes"]["cpu"]["compiled"] else ""
    offered = [name for name in item["memory_mb"] if name in QUANTISED]
    more = f"; gpu_dtype may also be {' or '.join(offered)}" if offered else ""
    return [f"weights: {'; '.join(told)}{compiled}{more}"]


def _environment_lines(item: dict[str, Any]) -> list[str]:
    """What is said of the environment of a model that has one of its own."""
    needs = item["worker"]
    if needs is None:
        return []
    code = "; runs code of its repository, only where trust_remote_code names it" if needs["remote_code"] else ""
    made = item["environment"] or "not made"
    return [f"own environment: {', '.join(needs['requirements'])} · {made}{code}"]


def pull_all(entries: Sequence[CatalogEntry], shelf: Shelf, dry_run: bool) -> int:
    """Say what it takes, then pull one model after the other; the exit code of the worst that happened."""
    console = Console(stderr=True)
    todo = pulling.plan(entries, shelf.folder, lambda entry: locate(entry, shelf.chosen_dir).present)
    for model_id, why in todo.left_out.items():
        console.print(f"{model_id}: {why}, nothing to download", markup=False)
    for model_id in todo.here:
        console.print(f"{model_id}: here already", markup=False)
    names = ", ".join(f"{entry.id} ({entry.download_mb:g} MB)" for entry in todo.wanted) or "nothing"
    needs = f"{todo.needed_mb:,.0f} MB of {todo.free_mb:,.0f} free"
    console.print(f"To download into {shelf.folder}: {names}; {needs}.", markup=False, highlight=False, soft_wrap=True)
    for entry in todo.wanted:
        gated = " It is gated: its licence must be accepted on its page first." if entry.gated else ""
        console.print(f"{entry.id}: licence {entry.licence}.{gated}", markup=False, soft_wrap=True)
    lacking = [entry for entry in entries if environment.fault(entry, shelf.chosen_dir)]
    for entry in lacking:
        packages = ", ".join(entry.worker.requirements) if entry.worker else ""
        console.print(f"{entry.id}: its own environment, with {packages}", markup=False, soft_wrap=True)
    if dry_run:
        return 0
    worst = 0
    with _bars(console) as bars:
        for entry in todo.wanted:
            worst = max(worst, _pull_one(entry, shelf, bars))
    for entry in lacking:
        if locate(entry, shelf.chosen_dir).present:
            worst = max(worst, _equip(entry, shelf, console))
    return worst


def _equip(entry: CatalogEntry, shelf: Shelf, console: Console) -> int:
    """Make a model's environment; 0, or the exit code of the failure that was told."""
    try:
        place = environment.make(entry, shelf.folder, lambda line: console.print(line, markup=False, soft_wrap=True))
    except HilumFailure as failure:
        typer.echo(f"hilum: {entry.id}: {failure}", err=True)
        return failure.exit_code
    typer.echo(f"{entry.id}: {place}")
    return 0


def _bars(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    )  # fmt: skip
    return Progress(*columns, console=console)


def _pull_one(entry: CatalogEntry, shelf: Shelf, bars: Progress) -> int:
    """0, or the exit code of the failure that was told."""
    expected = int(entry.download_mb * 1e6) or None
    bar = bars.add_task(entry.id, total=expected)
    try:
        path = pulling.pull(
            entry, shelf.folder, lambda name, done, total: bars.update(bar, completed=done, total=total or expected)
        )
    except HilumFailure as failure:
        bars.stop_task(bar)
        typer.echo(f"hilum: {entry.id}: {failure}", err=True)
        return failure.exit_code
    typer.echo(f"{entry.id}: {path}")
    return 0


def verify_all(entries: Sequence[CatalogEntry], shelf: Shelf) -> int:
    """Print a verdict per model; 0 where all are sound."""
    worst = 0
    for entry in entries:
        if entry.source.kind is SourceKind.EMBEDDED:
            presence = locate(entry)
            wrong = [] if presence.present else [presence.reason]
        else:
            try:
                wrong = pulling.verify(entry, shelf.folder)
            except Unavailable as failure:
                wrong = [str(failure)]
        typer.echo(f"{entry.id}: {'; '.join(wrong) or 'as it should be'}")
        worst = max(worst, Unavailable.exit_code if wrong else 0)
    return worst


def remove_all(entries: Sequence[CatalogEntry], shelf: Shelf) -> None:
    """Delete models and say what was freed; stops at the first that may not be deleted."""
    for entry in entries:
        freed = pulling.remove(entry, shelf.folder) + environment.remove(entry, shelf.folder)
        typer.echo(f"{entry.id}: removed, {freed / 1e6:,.1f} MB freed")
