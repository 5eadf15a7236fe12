"""The classifier's scores against the labels of a set: AUROC, AUPRC, F1, sensitivity at 90 % specificity."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evals.formats import labels
from evals.metrics.ranking import ranked
from evals.tool_tasks.kind import DIGITS, Choice, Items, Kind
from evals.tool_tasks.labels import code_of
from evals.tool_tasks.runner import Runner
from tools.contract import Status

LEAST_POSITIVES = 5
"""Films with a finding, and without it, below which no figure is given for it."""


def _load(name: str, data: Path | None) -> Items:
    return Items(*labels.load(name, data))


def _score(films: Sequence[labels.LabelledFilm], runner: Runner, choice: Choice) -> dict[str, Any]:
    del choice
    runner.begin(len(films))
    told: dict[str, list[tuple[bool, float, bool, str]]] = {}
    for film in films:
        ran = runner.run(film.name, film.film)
        if ran is None:
            continue
        rows = {row.code: row for row in ran[1].findings if row.score is not None}
        for label, present in film.labels.items():
            row = rows.get(code_of(label) or "")
            if row is not None and present is not None:
                called = row.status is Status.PRESENT
                told.setdefault(label, []).append((present, float(row.score or 0.0), called, film.patient))
    figures = {label: _ranked(rows) for label, rows in told.items()}
    areas = [f["auroc"]["value"] for f in figures.values() if f["auroc"]["value"] is not None]
    return {
        "n": len(films),
        "mean_auroc": round(statistics.fmean(areas), DIGITS) if areas else None,
        "labels_in_mean": len(areas),
        "labels": figures,
        "not_scored": sorted({label for film in films for label in film.labels} - set(figures)),
    }


def _ranked(rows: list[tuple[bool, float, bool, str]]) -> dict[str, Any]:
    truth, scores, called, patients = (list(column) for column in zip(*rows, strict=True))
    if min(sum(truth), len(truth) - sum(truth)) < LEAST_POSITIVES:
        empty = {"value": None, "low": None, "high": None}
        return {"n": len(rows), "positives": sum(truth), "auroc": empty}
    return asdict(ranked(truth, scores, patients, called))


CLASSIFICATION = Kind("classification", "classify", tuple(labels.LAYOUTS), _load, lambda film: str(film.name), _score)
