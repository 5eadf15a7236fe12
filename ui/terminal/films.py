"""`hilum film` and `hilum tool`: one line of JSON, or a few of text, per film."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from agent import make_pool
from agent.settings import Settings
from imaging.failures import BadArguments, FilmRefused, Unavailable, writing
from imaging.sources import Content, contents
from imaging.store import ImageStore
from models.outputs import Task
from models.pool import ModelPool
from tools.contract import Result, Tool, ToolContext
from tools.contract.quality import quality_facts
from tools.contract.saving import save_films, save_masks
from tools.contract.tool import installed

SHOWN_VERDICTS = ("view", "rotation", "mirrored", "inverted", "clipped", "inspiration", "exposure")
"""Of `quality`, what the text output shows; --json has all."""


def describe(paths: list[Path], as_json: bool, settings: Settings, console: Console) -> int:
    """Print what Hilum sees in each file, folders and archives gone through, or why one is refused, in order.

    Returns:
        The exit code.
    """
    models = make_pool(settings)
    refused = False
    for name, content in _files(paths):
        facts: dict[str, Any] = {"file": name}
        try:
            facts |= film_facts(content, models)
        except FilmRefused as refusal:
            facts["error"], refused = refusal.to_json(), True
        if as_json:
            typer.echo(json.dumps(facts, ensure_ascii=False))
            continue
        for name, value in facts.items():
            _print_fact(name, value, console)
        console.print()
    return FilmRefused.exit_code if refused else 0


def _files(paths: list[Path]) -> Iterator[tuple[str, Content]]:
    """Each file under the paths and its name without the folders above what was given."""
    for path in paths:
        for content in contents([path]):
            yield content.name.removeprefix(f"{path.parent}{os.sep}"), content


def film_facts(content: Content, models: ModelPool) -> dict[str, Any]:
    """The film's own facts, and under `quality` what the quality model sees in the picture; without it, why not.

    Raises:
        FilmRefused: the file cannot be used.
    """
    film = content.film()
    facts = film.facts()
    try:
        [prediction] = models.predict(Task.QUALITY, [film])
    except Unavailable as failure:
        return {**facts, "quality": None, "quality_failure": str(failure)}
    return {**facts, "quality": quality_facts(film, prediction)}


def _print_fact(name: str, value: Any, console: Console) -> None:
    """One fact as a line; of the quality, the verdicts and then each warning on a line of its own."""
    if name != "quality" or value is None:
        console.print(f"{name:>16}  {_plain(value)}", markup=False, highlight=False)
        return
    verdicts = {key: value[key] for key in SHOWN_VERDICTS}
    words = ", ".join(f"{key} {_plain(item)}" for key, item in verdicts.items() if item is not None)
    console.print(
        f"{name:>16}  chest film: {_plain(value['is_chest'])} (score {value['score']:.2f}); {words}",
        markup=False,
        highlight=False,
    )
    for warning in value["warnings"]:
        console.print(f"{'warning':>16}  {warning}", markup=False, highlight=False)


def _plain(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(
            f"{name} {part:.3f}" if isinstance(part, float) else f"{name} {part}" for name, part in value.items()
        )
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def run_tool(
    name: str, films: list[Path], arguments: str, as_json: bool, save: Path | None, settings: Settings, console: Console
) -> int:
    """Run one tool on each film in order, or once where it takes none or all; print each Result, save its files.

    Returns the first failure's exit code.
    """
    chosen, given = installed().get(name), _arguments(arguments)
    home = settings.state_dir.expanduser()
    context = ToolContext(films=ImageStore(), models=make_pool(settings), home=home)
    exit_code = 0
    for path, result in _results(chosen, films, given, context):
        if as_json:
            typer.echo(result.model_dump_json())
        else:
            console.print(f"{path.name}: {result.summary}", markup=False, highlight=False)
            for caveat in result.caveats:
                console.print(f"  caveat: {caveat}", markup=False, highlight=False)
        if save is not None and result.ok:
            with writing(save):
                masks = save_masks(result, save, path.stem)
                films_made = save_films(result, context.films, save, path.stem)
            for kind, paths in (("mask", masks), ("film", films_made)):
                for written in paths:
                    typer.echo(f"{kind}: {written}", err=True)
        if result.failure is not None:
            exit_code = exit_code or result.failure.exit_code
    return exit_code


def _results(
    tool: Tool, films: list[Path], given: dict[str, Any], context: ToolContext
) -> Iterator[tuple[Path, Result]]:
    """Each run of a tool with the file it was of; a run of no film in particular goes by the tool's name."""
    takes = tool.arguments.model_fields
    film_field = takes.get("image_id")
    if film_field is not None and (films or film_field.is_required()):
        if not films:
            raise BadArguments(f"{tool.name} reads a film, and none was given.", f"Use: hilum tool {tool.name} FILM...")
        for path in films:
            try:
                film = context.films.add(path)
            except FilmRefused as refusal:
                yield path, Result.failed(refusal)
            else:
                yield path, tool.run(context, {"image_id": film.id, **given})
        return
    ids = [context.films.add(path).id for path in films]
    yield Path(tool.name), tool.run(context, {"image_ids": ids, **given} if "image_ids" in takes else given)


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
