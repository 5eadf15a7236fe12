"""`hilum models`: the commands, their options and what they print. Only parses; every import is lazy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from models.catalog import CatalogEntry

commands = typer.Typer(help="List, download, check and remove models.", no_args_is_help=True, rich_markup_mode=None)

NamesArgument = Annotated[
    list[str], typer.Argument(metavar="ID|PROFILE...", help="catalog ids, or embedded, standard, full")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else")]


@commands.command("list")
def list_models(
    task: Annotated[str | None, typer.Option(help="only models of this task")] = None, as_json: JsonOption = False
) -> None:
    """Every model of the catalog: its tasks, size, licence, and whether it is here."""
    from ui.terminal.models import facts_of, print_models, store

    shelf = store()
    facts = [facts_of(entry, shelf) for entry in shelf.serving(task)]
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        print_models(facts)


@commands.command()
def show(model_id: Annotated[str, typer.Argument(metavar="ID")], as_json: JsonOption = False) -> None:
    """One model: what it does, where it comes from, its licence and limits."""
    from ui.terminal.models import facts_of, print_model, store

    shelf = store()
    facts = facts_of(shelf.catalog.get(model_id), shelf)
    if as_json:
        typer.echo(json.dumps(facts))
    else:
        print_model(facts)


@commands.command()
def pull(
    names: NamesArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what it would take, download nothing")] = False,
) -> None:
    """Download models into the model directory; one that was broken off goes on."""
    from ui.terminal.models import pull_all, store

    shelf = store()
    raise typer.Exit(pull_all(_chosen(names), shelf, dry_run))


@commands.command()
def verify(names: NamesArgument) -> None:
    """Compare pulled models with the checksums written down when they came."""
    from ui.terminal.models import store, verify_all

    raise typer.Exit(verify_all(_chosen(names), store()))


@commands.command()
def rm(names: NamesArgument) -> None:
    """Delete pulled models. What was put there by hand is left alone."""
    from ui.terminal.models import remove_all, store

    remove_all(_chosen(names), store())


def _chosen(names: list[str]) -> list[CatalogEntry]:
    from ui.terminal.models import chosen

    return chosen(names)
