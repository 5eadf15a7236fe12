"""Drafts of any origin against their reference reports: a table of pairs, by the metrics of evals.report_metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.formats.rows import find, read_table
from evals.questions import refuse_rows
from evals.report_metrics.metric import Pairs, Score, Supplied
from evals.report_metrics.registry import figures, prepared
from evals.tool_tasks.kind import Choice, Items, Kind
from evals.tool_tasks.runner import Runner

SETS = ("report-pairs",)
TABLE = "pairs.jsonl"
COLUMNS = ("id", "candidate", "reference")


def ready(runner: Runner, choice: Choice) -> dict[str, Score]:
    """The metrics that were chosen, before anything is run.

    Raises:
        BadArguments: there is no such metric.
        Unavailable: what one of them needs is not here.
    """
    return prepared(choice.metrics, Supplied(choice.supply, runner.settings))


def scored(metrics: Mapping[str, Score], pairs: Pairs) -> dict[str, Any]:
    """The figures of all metrics, JSON-ready."""
    return {"n": len(pairs.ids), "metrics": figures(metrics, pairs)}


def _load(name: str, data: Path | None) -> Items:
    del name
    path = find(data, (TABLE, "pairs.json", "pairs.csv", "pairs.csv.gz"), "Pairs of reports")
    rows = read_table(path)
    seen: set[str] = set()
    problems = []
    for number, row in enumerate(rows, 1):
        absent = [column for column in COLUMNS if not isinstance(row.get(column), str)]
        problems += [f"row {number} has no {', '.join(absent)}"] if absent else []
        problems += [f"row {number} repeats the id {row['id']!r}"] if row.get("id") in seen else []
        seen.add(str(row.get("id")))
    refuse_rows(path.name, problems, len(rows))
    return Items(rows)


def _score(rows: Sequence[Mapping[str, str]], runner: Runner, choice: Choice) -> dict[str, Any]:
    metrics = ready(runner, choice)
    ids, candidates, references = ([row[column] for row in rows] for column in COLUMNS)
    return scored(metrics, Pairs(ids, candidates, references))


PAIRS = Kind("report drafts", "", SETS, _load, lambda row: str(row["id"]), _score)
