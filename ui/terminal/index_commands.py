"""`hilum index`: the commands, their options and what they print. Only parses; every import is lazy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.terminal.options import JsonOption
from ui.terminal.pacs_commands import LoginOption, MoveOption, TitleOption

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
    folder: Annotated[
        list[Path] | None,
        typer.Argument(help="films: folders with all below them, files, zip archives", show_default=False),
    ] = None,
    reports: Annotated[
        Path | None,
        typer.Option(
            help="CSV: file (of a PACS: SOP Instance UID), and any of report, findings, impression, patient, date, "
            "age, sex, view, labels"
        ),
    ] = None,
    pacs: Annotated[
        str, typer.Option(help="films of a PACS instead: https://host/dicom-web, or dicom://TITLE@host:port")
    ] = "",
    patient: Annotated[str, typer.Option(help="of the PACS: only of this patient id")] = "",
    dates: Annotated[str, typer.Option(help="of the PACS: 20260131, 20260101-20260131, 20260101- or -20260131")] = "",
    login: LoginOption = "",
    title: TitleOption = "HILUM",
    move_to: MoveOption = "",
    zones: Annotated[bool, typer.Option("--zones", help="also compare lung zones; seven times the time")] = False,
    anew: Annotated[bool, typer.Option("--anew", help="forget what is indexed")] = False,
    profile: Annotated[str | None, typer.Option(help="embedded, standard or full")] = None,
    as_json: JsonOption = False,
) -> None:
    """Index past films for retrieve_cases; a broken-off run goes on, further films add to what is there."""
    from ui.terminal.indexing import Films, index_cases

    films = Films(tuple(folder or ()), pacs, (login, title, move_to), patient, dates)
    raise typer.Exit(index_cases(films, reports, zones, anew, profile, as_json))


@commands.command()
def knowledge(
    folder: Annotated[Path, typer.Argument(help="Markdown, text and PDF files: a folder with all below it, or a file")],
    anew: Annotated[bool, typer.Option("--anew", help="forget what is indexed")] = False,
    as_json: JsonOption = False,
) -> None:
    """Index your own texts for retrieve_knowledge; what did not change is not read again, a further folder adds."""
    from ui.terminal.indexing_texts import index_knowledge

    raise typer.Exit(index_knowledge(folder, anew, as_json))
