"""Running a tool task: load, choose, run, score, and keep the record from which it can be repeated."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from agent.settings import Settings
from evals.formats.rows import fingerprint
from evals.identity import RUN_FILE, RunIdentity, code_digest
from evals.progress import Progress
from evals.records import provenance
from evals.tool_tasks.cases import CASES
from evals.tool_tasks.changes import CHANGES
from evals.tool_tasks.classification import CLASSIFICATION
from evals.tool_tasks.grounding import GROUNDING
from evals.tool_tasks.kind import Choice, Kind
from evals.tool_tasks.pairs import PAIRS
from evals.tool_tasks.reading import READING
from evals.tool_tasks.reporting import REPORTING
from evals.tool_tasks.runner import Runner
from evals.tool_tasks.segmentation import SEGMENTATION
from imaging.failures import BadArguments, writing

KINDS = (CLASSIFICATION, SEGMENTATION, GROUNDING, REPORTING, READING, PAIRS, CHANGES, CASES)
KIND_OF = {name: kind for kind in KINDS for name in kind.sets}
"""Benchmark -> its kind."""
KEY_CHARACTERS = 12
"""How much of a run's key names its folder."""


def names() -> list[str]:
    """Every benchmark of a tool."""
    return list(KIND_OF)


def run_tool_task(
    name: str, choice: Choice, settings: Settings, progress: Progress, log_dir: Path | None = None
) -> dict[str, Any]:
    """The figures of one tool on one set, JSON-ready.

    Args:
        name: one of names().
        choice: which items of the set.
        settings: those in force.
        progress: told of every item.
        log_dir: below it the record of the run is kept; none is written where None.

    Raises:
        BadArguments: the set is not there or is another one, or nothing of it is chosen.
    """
    begun = time.perf_counter()
    kind = KIND_OF[name]
    loaded = kind.load(name, choice.data)
    items = chosen(loaded.items, kind, choice)
    for note in loaded.notes:
        progress.note(note)
    runner = Runner(kind.tool, settings, progress)
    identity = _identity(name, kind, items, runner, choice)
    figures = {**kind.score(items, runner, choice), **runner.failures()}
    notes = [*loaded.notes, *_chosen_notes(choice, len(loaded.items), len(items))]
    found = {
        "task": name,
        "kind": kind.name,
        "models": runner.models,
        "answered_by": sorted(runner.answered_by),
        **figures,
        "notes": notes,
    }
    if log_dir is None:
        return found
    seconds = round(time.perf_counter() - begun, 1)
    folder = log_dir / f"{name}-{identity.key[:KEY_CHARACTERS]}"
    record = {"key": identity.key, **identity.model_dump(mode="json"), "seconds": seconds, "result": found}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for table, rows in runner.tables.items():
            (folder / table).write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        (folder / RUN_FILE).write_text(json.dumps({**record, **provenance()}, indent=1) + "\n", encoding="utf-8")
    return {**found, "log_dir": str(folder)}


def chosen(items: Sequence[Any], kind: Kind, choice: Choice) -> list[Any]:
    """The items of a set that a choice names, in the set's order or, with a seed, in drawn order.

    Raises:
        BadArguments: the list cannot be read, or names nothing of the set.
    """
    order = list(items)
    if choice.only is not None:
        try:
            told = choice.only.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise BadArguments(f"{choice.only.name} cannot be read: {error}.", "Give a text file of names.") from error
        wanted = {PurePath(line).stem for line in told}
        order = [item for item in order if PurePath(kind.name_of(item)).stem in wanted]
    if not order:
        raise BadArguments(
            "Nothing of the set is chosen.", "Give --only a file of its names, one a line, or leave it out."
        )
    if choice.seed is not None:
        random.Random(choice.seed).shuffle(order)
    return order[: choice.limit]


def _identity(name: str, kind: Kind, items: Sequence[Any], runner: Runner, choice: Choice) -> RunIdentity:
    return RunIdentity(
        task=name,
        dataset_sha256=fingerprint(name, *choice.metrics, *(kind.name_of(item) for item in items)),
        planner="none",
        agent=f"tool {kind.tool}" if kind.tool else "none",
        settings=runner.settings.told(),
        tools=[kind.tool] if kind.tool else [],
        models={task: told["id"] for task, told in runner.models.items()},
        code_sha256=code_digest(),
    )


def _chosen_notes(choice: Choice, there: int, used: int) -> list[str]:
    listed = f", those of {choice.only.name}" if choice.only else ""
    drawn = f", drawn with seed {choice.seed}" if choice.seed is not None and used < there else ""
    told = [f"{used} of {there} in the set{listed}{drawn}"] if used < there else []
    return [*told, *([choice.said] if choice.said else [])]
