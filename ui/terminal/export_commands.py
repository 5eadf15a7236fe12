"""`hilum export`: the command and its options. Only parses; every import is lazy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer()


@commands.command()
def export(
    session_id: Annotated[
        str, typer.Argument(metavar="SESSION", help="as `hilum sessions list` shows it, its beginning, or: last")
    ],
    formats: Annotated[str, typer.Option("--format", help="with commas: md, json, csv, pdf, fhir, sr, seg, ko, sc")],
    out: Annotated[Path, typer.Option(help="folder to write to")],
    films: Annotated[
        list[Path] | None, typer.Option(help="the films' DICOM files or a folder of them: for sr, seg, ko, sc")
    ] = None,
    turn: Annotated[int | None, typer.Option(min=1, help="number of the answer; else the latest with a report")] = None,
    owner: Annotated[str, typer.Option(help="whose session; the login's name where the chat has logins")] = "",
) -> None:
    """Write the report of a kept session as files for other people and systems; see docs/exports.md."""
    from ui.terminal.exporting import export_kept

    for path in export_kept(session_id, formats, out, films or [], turn, owner):
        typer.echo(path)
