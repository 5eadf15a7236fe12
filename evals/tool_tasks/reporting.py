"""Drafts against the reports of a set, by the metrics of evals.report_metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals.formats import reports
from evals.report_metrics.metric import Pairs
from evals.tool_tasks.kind import Choice, Items, Kind
from evals.tool_tasks.pairs import TABLE, ready, scored
from evals.tool_tasks.runner import Runner
from imaging.failures import BadArguments
from tools.contract import Result


def _load(name: str, data: Path | None) -> Items:
    studies = [study for study in reports.load(name, data) if study.films and (study.findings or study.impression)]
    if not studies:
        raise BadArguments(
            f"No study of {name} has a film and a report here.", "Put the films below --data as published."
        )
    return Items(studies)


def _score(studies: Sequence[reports.ReportedStudy], runner: Runner, choice: Choice) -> dict[str, Any]:
    metrics = ready(runner, choice)
    runner.begin(len(studies))
    drafts = [runner.run(study.name, study.films[0]) for study in studies]
    pairs = Pairs(
        [study.name for study in studies],
        ["" if ran is None else _drafted(ran[1]) for ran in drafts],
        [f"{study.findings} {study.impression}".strip() for study in studies],
    )
    rows = zip(pairs.ids, pairs.candidates, pairs.references, strict=True)
    runner.tables[TABLE] = [{"id": n, "candidate": ours, "reference": theirs} for n, ours, theirs in rows]
    return scored(metrics, pairs)


def _drafted(result: Result) -> str:
    """The sentences of a draft."""
    return " ".join(line.text for part in getattr(result.data, "sections", []) for line in part.sentences)


REPORTING = Kind("report drafts", "report", tuple(reports.LOADERS), _load, lambda study: str(study.name), _score)
