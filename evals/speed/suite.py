"""`python -m evals.speed suite [NAME...] --out FILE`: the benches one after the other, each in its own process.

The file holds one record a bench with its date. A bench that is not run keeps the record it had; one that needs what is
not here (a GPU) is left out and said.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imaging.failures import BadArguments

SIZES: dict[str, tuple[str, ...]] = {
    "ask": (),
    "cold": (),
    "overhead": (),
    "runner": (),
    "phantom": (),
    "retrieval": (),
    "sessions": ("--films", "16"),
    "chats": (),
    "classify": ("--films", "200"),
    "memory": ("--films", "1000"),
    "gpu_memory": (),
}
"""Every bench of the suite with the size at which two cores run it in minutes."""
UNAVAILABLE = 4
log = logging.getLogger(__name__)


def run_suite(names: Sequence[str], out: Path, sizes: dict[str, tuple[str, ...]] = SIZES) -> list[str]:
    """Run the benches and write their records; the names of those that ran.

    Args:
        names: which; all when empty.
        out: JSON file of records, kept up to date after each bench.
        sizes: bench -> its further arguments.

    Raises:
        BadArguments: no bench of the suite has that name.
        RuntimeError: a bench failed; what it said is in the message.
    """
    if unknown := set(names) - set(sizes):
        raise BadArguments(f"The suite has no {', '.join(sorted(unknown))}.", f"It has: {', '.join(sizes)}.")
    records: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    ran = []
    for name in names or sizes:
        log.info("bench %s", name)
        if (line := _run(name, sizes[name])) is not None:
            records[name] = {"date": dt.date.today().isoformat(), "arguments": " ".join(sizes[name]), **line}
            out.write_text(json.dumps(records, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            ran.append(name)
    return ran


def _run(name: str, arguments: tuple[str, ...]) -> dict[str, Any] | None:
    """The bench's line, or None where what it needs is not here."""
    command = [sys.executable, "-m", "evals.speed", name, *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == UNAVAILABLE:
        log.info("%s left out: %s", name, done.stderr.strip())
        return None
    if done.returncode:
        raise RuntimeError(f"the bench {name} failed:\n{done.stderr}")
    line: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return line


__all__ = ["run_suite"]
