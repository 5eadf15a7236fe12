"""Drafts against the reports of a set, by the metrics of evals.metrics.reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals.formats import reports
from evals.tool_tasks.kind import DIGITS, Items, Kind
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


def _score(studies: Sequence[reports.ReportedStudy], runner: Runner) -> dict[str, Any]:
    from evals.metrics.text import bleu, cider, label_f1, meteor, rouge_l

    runner.begin(len(studies))
    drafts = [runner.run(study.name, study.films[0]) for study in studies]
    said = ["" if ran is None else _drafted(ran[1]) for ran in drafts]
    truth = [f"{study.findings} {study.impression}".strip() for study in studies]
    micro, by_label = label_f1(said, truth)
    figures = {"bleu_4": bleu(said, truth), "rouge_l": rouge_l(said, truth), "meteor": meteor(said, truth),
               "cider": cider(said, truth)}  # fmt: skip
    return {
        "n": len(studies),
        **{metric: round(value, DIGITS) for metric, value in figures.items()},
        "label_f1_by_hilums_reader": {
            "micro": None if micro is None else round(micro, DIGITS),
            **{label: round(value, DIGITS) for label, value in by_label.items()},
        },
    }


def _drafted(result: Result) -> str:
    """The sentences of a draft."""
    return " ".join(line.text for part in getattr(result.data, "sections", []) for line in part.sentences)


REPORTING = Kind("report drafts", "report", tuple(reports.LOADERS), _load, lambda study: str(study.name), _score)
