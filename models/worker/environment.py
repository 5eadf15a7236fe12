"""The environment of an isolated model: a virtual environment with the packages the catalog pins for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from imaging.failures import BadArguments, Unavailable
from models.catalog import CatalogEntry, WorkerNeeds
from models.weights import model_directory

FOLDER = "envs"
"""Subfolder of the model directory that holds environments, one per catalog id."""

RECORD = "hilum.json"
"""What stands in an environment: the catalog's needs it was made for, and every package's version."""

INSTALL_TIMEOUT_S = 3600.0
"""Longest installation: some gigabytes over a slow line. Our choice."""

CHECK_TIMEOUT_S = 600.0
"""Longest first import of everything; torch alone takes half a minute on a cold disk."""

LAST_WORDS = 1500
"""Characters of an installer's output that a failure tells."""

SECRETS = ("TOKEN", "SECRET", "PASSWORD", "API_KEY")
"""An environment variable whose name contains one of these is not handed to an installer."""

CHECK = """
import importlib, importlib.metadata, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps({d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}))
"""


def place_of(entry: CatalogEntry, model_dir: Path | None) -> Path:
    """Where the environment of a model lies, whether it is there or not."""
    return model_directory(model_dir) / FOLDER / entry.id


def python_of(place: Path) -> Path:
    """The interpreter of an environment."""
    return place / "bin" / "python"


def fault(entry: CatalogEntry, model_dir: Path | None) -> str:
    """What is wrong with a model's environment, in words; empty where nothing is or it needs none. Runs nothing."""
    if entry.worker is None:
        return ""
    place = place_of(entry, model_dir)
    try:
        record = json.loads((place / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"its environment {place} is not there"
    if not python_of(place).exists():
        return f"its environment {place} has lost its interpreter"
    return "" if record.get("needs") == _needs(entry.worker) else f"its environment {place} was made for other packages"


def make(entry: CatalogEntry, model_dir: Path, say: Callable[[str], None] = lambda line: None) -> Path:
    """Make the environment of a model, or keep the one that is sound; returns its folder.

    It is made beside, checked by importing what the model needs, and only then given its name.

    Args:
        entry: a model with `worker`.
        model_dir: the directory models are pulled to.
        say: told each step in a line.

    Raises:
        BadArguments: the model needs no environment.
        Unavailable: it could not be made, with the installer's last words; nothing is left behind.
    """
    if entry.worker is None:
        raise BadArguments(f"{entry.id} runs in Hilum's own environment; there is nothing to make.")
    place = place_of(entry, model_dir)
    if not fault(entry, model_dir):
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{entry.id}.", dir=place.parent))
    try:
        _install(entry, entry.worker, beside, say)
        say(f"{entry.id}: checking that {', '.join(entry.worker.imports)} can be imported")
        checked = _run(entry, [str(python_of(beside)), "-I", "-c", CHECK, *entry.worker.imports], CHECK_TIMEOUT_S)
        record = {"needs": _needs(entry.worker), "packages": json.loads(checked.strip().splitlines()[-1])}
        (beside / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
        if place.exists():
            shutil.rmtree(place)
        beside.rename(place)  # only bin/python is used, which finds its packages wherever it lies
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return place


def remove(entry: CatalogEntry, model_dir: Path) -> int:
    """Delete the environment of a model, if there is one; returns the bytes of its files."""
    place = place_of(entry, model_dir)
    if entry.worker is None or not place.is_dir():
        return 0
    freed = sum(path.lstat().st_size for path in place.rglob("*") if path.is_file() and not path.is_symlink())
    shutil.rmtree(place)
    return freed


def _install(entry: CatalogEntry, needs: WorkerNeeds, beside: Path, say: Callable[[str], None]) -> None:
    """With uv where it is, else with this interpreter's venv and pip."""
    uv = shutil.which("uv")
    say(f"{entry.id}: making its environment with {'uv' if uv else 'venv and pip'}: {', '.join(needs.requirements)}")
    python = str(python_of(beside))
    if uv:
        _run(entry, [uv, "venv", "--quiet", "--clear", "--python", needs.python or sys.executable, str(beside)])
        _run(entry, [uv, "pip", "install", "--quiet", "--python", python, *needs.requirements])
        return
    if needs.python and needs.python != f"{sys.version_info.major}.{sys.version_info.minor}":
        raise Unavailable(f"{entry.id} needs Python {needs.python}, which only uv can get here.", "Install uv.")
    _run(entry, [sys.executable, "-m", "venv", "--clear", str(beside)])
    _run(entry, [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *needs.requirements])


def _run(entry: CatalogEntry, command: list[str], timeout_s: float = INSTALL_TIMEOUT_S) -> str:
    """What a command prints; Unavailable with its last words where it fails."""
    environment = {
        name: value for name, value in os.environ.items()
        if not any(word in name.upper() for word in SECRETS) and not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }  # fmt: skip
    remedy = f"Mend what it says and call again: hilum models pull {entry.id}"
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"The environment of {entry.id} was not made: {error}.", remedy) from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-LAST_WORDS:]
        raise Unavailable(f"The environment of {entry.id} was not made: {Path(command[0]).name} says: {said}", remedy)
    return done.stdout


def _needs(needs: WorkerNeeds) -> dict[str, object]:
    return {"requirements": sorted(needs.requirements), "python": needs.python}
