"""`hilum index knowledge`: the user's own texts into the passages that are looked up; every refused file is named."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from rich.console import Console

from agent.settings import Settings
from imaging.failures import FilmRefused
from tools.library import Indexed, index_folder


def index_knowledge(folder: Path, anew: bool, as_json: bool) -> int:
    """Index a folder and say what became of each file; the exit code, that of a refused film where nothing is indexed.

    Raises:
        BadArguments: the folder is not there.
    """
    counts = Indexed()
    with Console(stderr=True).status("reading") as status:
        for name, so_far in index_folder(folder, Settings().state_dir.expanduser(), anew=anew):
            status.update(f"reading {name}")
            counts = so_far
    for name, reason in counts.refused:
        typer.echo(f"refused: {name}: {reason}", err=True)
    told = {
        "passages": counts.passages, "added": counts.added, "unchanged": counts.unchanged,
        "refused": len(counts.refused),
    }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(told))
    else:
        files = ", ".join(f"{name} {count}" for name, count in told.items() if name != "passages")
        typer.echo(f"{counts.passages} passages of your own (files: {files})")
    return 0 if counts.passages else FilmRefused.exit_code
