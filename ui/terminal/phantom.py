"""`hilum phantom`: one synthetic film as a file, its truth on stdout and, where asked, in a folder."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from imaging.failures import BadArguments
from imaging.phantom import PhantomFilm, PhantomSpec, parse_clip, parse_finding, write_phantom
from imaging.radiograph import View


def write_phantom_film(
    out: Path, told: dict[str, Any], file: dict[str, Any], truth: Path | None, as_json: bool, console: Console
) -> None:
    """Write one phantom film (.png or .dcm) and print its truth.

    Args:
        out: file to write.
        told: fields of PhantomSpec as typed on the command line; None leaves a field to the seed.
        file: bits, monochrome and modality, see imaging.phantom.files.write_phantom.
        truth: folder for facts.json, report.txt and masks; None writes none.
        as_json: whether all facts go to stdout as one JSON object.
        console: what people read.
    """
    film = write_phantom(specification(told), out, truth=truth, **file)
    if as_json:
        typer.echo(json.dumps({"file": str(out), **film.facts()}, ensure_ascii=False, allow_nan=False))
        return
    console.print(film.report(), markup=False, highlight=False)
    for name, value in {"file": out, "id": film.radiograph.id, "measures": _measures(film), "truth": truth}.items():
        if value is not None:
            console.print(f"{name:>16}  {value}", markup=False, highlight=False)


def specification(told: dict[str, Any]) -> PhantomSpec:
    """PhantomSpec from the words of the command line.

    Raises:
        BadArguments: a word is not understood; says what is allowed.
    """
    given = {name: value for name, value in told.items() if value is not None}
    try:
        given["view"] = View(given["view"].upper())
    except ValueError as error:
        raise BadArguments(f"--view {given['view']!r} is not known.", "Use PA, AP or LATERAL.") from error
    if "date" in given:
        try:
            given["date"] = dt.date.fromisoformat(given["date"])
        except ValueError as error:
            raise BadArguments(f"--date {given['date']!r} is no date.", "Give YYYY-MM-DD.") from error
    if "clip" in given:
        given["clip"] = parse_clip(given["clip"])
    given["findings"] = tuple(parse_finding(text) for text in given.get("findings", ()))
    given["texts"] = tuple(given.get("texts", ()))
    return PhantomSpec(**given)


def _measures(film: PhantomFilm) -> str:
    """The film's measures in one line; what cannot be measured is left out."""
    return ", ".join(f"{name} {value:.3f}" for name, value in film.measures.items() if not math.isnan(value))
