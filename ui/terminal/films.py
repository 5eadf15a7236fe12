"""`hilum film` and `hilum tool`: one line of JSON, or a few of text, per film."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from agent import make_pool
from agent.settings import Settings
from imaging import open_film
from imaging.failures import BadArguments, FilmRefused
from imaging.store import ImageStore
from tools.contract import Result, ToolContext
from tools.contract.saving import save_masks
from tools.contract.tool import installed


def describe(path: Path, as_json: bool, console: Console) -> int:
    """Print what Hilum sees in one file, or why it is refused; returns the exit code."""
    try:
        facts: dict[str, Any] = {"file": path.name, **open_film(path).facts()}
    except FilmRefused as refusal:
        facts = {"file": path.name, "error": refusal.to_json()}
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        for name, value in facts.items():
            console.print(f"{name:>16}  {_plain(value)}", markup=False, highlight=False)
        console.print()
    return FilmRefused.exit_code if "error" in facts else 0


def _plain(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, dict):
        return ", ".join(
            f"{name} {part:.3f}" if isinstance(part, float) else f"{name} {part}" for name, part in value.items()
        )
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def run_tool(
    name: str, films: list[Path], arguments: str, as_json: bool, save: Path | None, settings: Settings, console: Console
) -> int:
    """Run one tool on each film in order, print each Result, save its masks; returns the first failure's exit code."""
    chosen, given = installed().get(name), _arguments(arguments)
    context = ToolContext(films=ImageStore(), models=make_pool(settings))
    exit_code = 0
    for path in films:
        try:
            film = context.films.add(path)
        except FilmRefused as refusal:
            result = Result.failed(refusal)
        else:
            result = chosen.run(context, {"image_id": film.id, **given})
        if as_json:
            typer.echo(result.model_dump_json())
        else:
            console.print(f"{path.name}: {result.summary}", markup=False, highlight=False)
            for caveat in result.caveats:
                console.print(f"  caveat: {caveat}", markup=False, highlight=False)
        if save is not None and result.ok:
            for written in save_masks(result, save, path.stem):
                typer.echo(f"mask: {written}", err=True)
        if result.failure is not None:
            exit_code = exit_code or result.failure.exit_code
    return exit_code


def _arguments(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadArguments(
            f"--args is not JSON: {error}.", 'Give an object, e.g. \'{"findings": ["effusion"]}\'.'
        ) from error
    if not isinstance(given, dict):
        raise BadArguments(f"--args is a JSON {type(given).__name__}.", 'Give an object: {"name": value}.')
    return given
