"""`hilum sessions`: kept conversations listed, shown, renamed, written to a folder, deleted and replayed."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from agent import Agent, Session, Settings
from agent.memory import Memory, Remembered
from agent.replay import read_transcript, replay
from imaging.derived import to_png
from imaging.failures import BadArguments
from ui.terminal.answers import print_answer

SHORT_ID = 8
"""Hex digits by which a session is shown and may be named."""
LAST = "last"
"""What names the session that was used last."""


def kept_memory(settings: Settings) -> Memory:
    """Where chat, server and `hilum ask --session` keep sessions: the settings' memory, else a file in state_dir."""
    return Memory(settings.memory or settings.state_dir.expanduser() / "sessions.db")


def opened(named: str, settings: Settings) -> Session:
    """A session that is kept: a new one for "new", else the one whose id begins so; its short id goes to stderr."""
    memory = kept_memory(settings)
    agent = Agent(settings, memory=memory)
    session = agent.session() if named == "new" else agent.reopen(whole_id(memory, named, ""))
    typer.echo(f"session {session.id[:SHORT_ID]}", err=True)
    return session


def list_kept(owner: str, as_json: bool) -> None:
    """A table of the owner's sessions, or one JSON list."""
    kept = kept_memory(Settings()).remembered(owner)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(item) for item in kept]))
        return
    table = Table()
    for name in ("session", "title", "films", "turns", "last used", "planner", ""):
        table.add_column(name, overflow="fold")
    for item in kept:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(item.used_s))
        cut = "cut off in mid-answer" if item.interrupted else ""
        table.add_row(item.id[:SHORT_ID], item.title, str(item.films), str(item.turns), used, item.planner, cut)
    Console().print(table)


def whole_id(memory: Memory, beginning: str, owner: str) -> str:
    """The id that begins so, or of the session used last for "last". BadArguments if none or several do."""
    kept = memory.remembered(owner)
    fitting = kept[:1] if beginning == LAST else [item for item in kept if item.id.startswith(beginning)]
    if len(fitting) == 1:
        return fitting[0].id
    if not fitting:
        memory.require(beginning, owner)
    raise BadArguments(f"{len(fitting)} sessions begin with {beginning!r}: {_told(fitting)}.", "Give more of the id.")


def show_kept(beginning: str, owner: str) -> None:
    """Every question with its answer."""
    memory, console = kept_memory(Settings()), Console()
    for turn in memory.turns(whole_id(memory, beginning, owner)):
        console.rule(f"{turn.number}")
        console.print(f"[bold]{turn.question}[/bold]" if "[" not in turn.question else turn.question)
        if turn.answer is None:
            console.print("(cut off before it was answered)")
        else:
            print_answer(turn.answer, console)


def rename_kept(beginning: str, title: str, owner: str) -> None:
    """Give it another title."""
    memory = kept_memory(Settings())
    memory.rename(whole_id(memory, beginning, owner), owner, title)


def delete_kept(beginning: str, owner: str) -> None:
    """Delete it for good."""
    memory = kept_memory(Settings())
    memory.delete(whole_id(memory, beginning, owner), owner)
    typer.echo("Deleted.", err=True)


def export_kept(beginning: str, folder: Path, owner: str) -> None:
    """FOLDER/transcript.jsonl, FOLDER/answer-N.json, FOLDER/film-N-ID.png."""
    settings = Settings()
    memory = kept_memory(settings)
    session = Agent(settings, planner="embedded", memory=memory).reopen(whole_id(memory, beginning, owner), owner)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(line, ensure_ascii=False) for line in session.transcript()]
    (folder / "transcript.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for turn in session.turns:
        if turn.answer is not None:
            answer = turn.answer.model_copy(update={"notes": []})
            (folder / f"answer-{turn.number}.json").write_text(answer.model_dump_json(indent=1), encoding="utf-8")
    for number, film_id in enumerate(session.films.ids(), start=1):
        (folder / f"film-{number}-{film_id}.png").write_bytes(to_png(session.films.get(film_id)))
    typer.echo(f"Written: {folder}", err=True)


def replay_file(path: Path, films: Sequence[Path]) -> int:
    """Print a line per turn; exit code 0 when everything came out the same, 1 when something differs."""
    if not path.is_file():
        raise BadArguments(f"There is no file {str(path)!r}.", "Give the transcript.jsonl of `hilum sessions export`.")
    transcript = read_transcript(path.read_text(encoding="utf-8").splitlines())
    differs = False
    for turn in replay(transcript, Agent(planner="embedded"), films):
        differs = differs or bool(turn.differences)
        typer.echo(f"{turn.number}: {'; '.join(turn.differences) or 'the same'}: {turn.question}")
    return int(differs)


def _told(kept: Sequence[Remembered]) -> str:
    return ", ".join(item.id for item in kept)
