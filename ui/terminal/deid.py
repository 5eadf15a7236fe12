"""`hilum deid IN OUT`: films without their patients, and the list of what was removed."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from rich.console import Console

from imaging.deidentify import FileOutcome, deidentify_all
from imaging.failures import FilmRefused


def run_deid(source: Path, folder: Path, mask_text: bool, as_json: bool, console: Console) -> int:
    """De-identify a file, folder or zip archive into a folder and print one outcome per file; returns the exit code.

    Input names may hold a patient's name, so a file is called by its place in the input.
    """
    refused = False
    for number, outcome in enumerate(deidentify_all([source], folder, mask_text=mask_text), start=1):
        refused |= outcome.refused is not None and outcome.refused.kind != "duplicate"
        if as_json:
            typer.echo(json.dumps({"input": number, **_facts(outcome)}))
        else:
            console.print(_words(number, outcome), markup=False, highlight=False)
    return FilmRefused.exit_code if refused else 0


def _facts(outcome: FileOutcome) -> dict[str, object]:
    if outcome.refused is not None:
        return {"error": outcome.refused.to_json()}
    if outcome.result is None:
        raise RuntimeError("a file that was neither written nor refused")
    return {"written": str(outcome.target), **outcome.result.to_json()}


def _words(number: int, outcome: FileOutcome) -> str:
    if outcome.refused is not None:
        return f"{number}: not written: {outcome.refused}"
    if outcome.result is None:
        raise RuntimeError("a file that was neither written nor refused")
    removed = ", ".join(f"{keyword} ({action})" for keyword, action in outcome.result.removed) or "nothing"
    warnings = "".join(f"\n   warning: {warning}" for warning in outcome.result.warnings)
    return f"{number}: {outcome.target}\n   removed or replaced: {removed}{warnings}"
