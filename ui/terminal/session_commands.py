"""`hilum sessions`: the commands, their options and what they print. Only parses; every import is lazy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer(help="Kept conversations.", no_args_is_help=True, rich_markup_mode=None)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="as `hilum sessions list` shows it, its start, or: last")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else")]
OwnerOption = Annotated[str, typer.Option(help="whose sessions; the login's name where the chat has logins")]


@commands.command("list")
def list_sessions(owner: OwnerOption = "", as_json: JsonOption = False) -> None:
    """Every kept session, the one used last first."""
    from ui.terminal.sessions import list_kept

    list_kept(owner, as_json)


@commands.command()
def show(session_id: IdArgument, owner: OwnerOption = "") -> None:
    """The questions and answers of one session."""
    from ui.terminal.sessions import show_kept

    show_kept(session_id, owner)


@commands.command()
def rename(session_id: IdArgument, title: str, owner: OwnerOption = "") -> None:
    """Give a session another title."""
    from ui.terminal.sessions import rename_kept

    rename_kept(session_id, title, owner)


@commands.command()
def export(
    session_id: IdArgument,
    out: Annotated[Path, typer.Option(help="folder to write: transcript.jsonl, answers, films as PNG")],
    owner: OwnerOption = "",
) -> None:
    """Write a session to a folder. File names and records hold ids, no patient's name."""
    from ui.terminal.sessions import export_kept

    export_kept(session_id, out, owner)


@commands.command()
def delete(
    session_id: IdArgument,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    owner: OwnerOption = "",
) -> None:
    """Delete a session for good: films, evidence, answers, transcript."""
    from ui.terminal.sessions import delete_kept

    if not yes:
        typer.confirm("Delete it with its films and answers, for good?", abort=True)
    delete_kept(session_id, owner)


@commands.command()
def replay(
    transcript: Annotated[Path, typer.Argument(help="transcript.jsonl of an export")],
    films: Annotated[list[Path] | None, typer.Argument(help="the films: run the tools anew and compare")] = None,
) -> None:
    """Go through a recorded session again and say what comes out differently. No LLM is asked."""
    from ui.terminal.sessions import replay_file

    raise typer.Exit(replay_file(transcript, films or []))
