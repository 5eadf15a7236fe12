"""`hilum index`: the commands, their options and what they print. Only parses; every import is lazy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(
    help="Index what the tools search: past films to compare with, texts to look things up in.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@commands.callback()
def index() -> None:
    """Index what the tools search: past films to compare with, texts to look things up in."""


@commands.command()
def cases(
    folder: Annotated[list[Path], typer.Argument(help="films: folders with all below them, files, zip archives")],
    reports: Annotated[
        Path | None,
        typer.Option(help="CSV: file, and any of report, findings, impression, patient, date, age, sex, view, labels"),
    ] = None,
    zones: Annotated[bool, typer.Option("--zones", help="also compare lung zones; seven times the time")] = False,
    anew: Annotated[bool, typer.Option("--anew", help="forget what is indexed")] = False,
    profile: Annotated[str | None, typer.Option(help="embedded, standard or full")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else")] = False,
) -> None:
    """Index past films for retrieve_cases; a broken-off run goes on, a further folder adds to what is there."""
    from ui.terminal.indexing import index_cases

    raise typer.Exit(index_cases(folder, reports, zones, anew, profile, as_json))


@commands.command()
def knowledge(
    folder: Annotated[Path, typer.Argument(help="Markdown, text and PDF files: a folder with all below it, or a file")],
    anew: Annotated[bool, typer.Option("--anew", help="forget what is indexed")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else")] = False,
) -> None:
    """Index your own texts for retrieve_knowledge; what did not change is not read again, a further folder adds."""
    from ui.terminal.indexing_texts import index_knowledge

    raise typer.Exit(index_knowledge(folder, anew, as_json))
