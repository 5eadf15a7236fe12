"""The result of a run: accuracy over all questions with its interval, per category, and what was not answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from evals.calibration import Calibration
from evals.grading import Outcome
from evals.scores import Scores
from evals.stats import INTERVAL, Proportion

NO_DATA = "no data"
COVERAGES = (0.25, 0.5, 0.75, 1.0)
"""Shares of all questions, the surest first, whose accuracy is told."""
DIGITS = 4
"""Decimals of a share in the JSON line; 2,500 questions resolve 0.0004."""


@dataclass(frozen=True)
class Summary:
    """One run in numbers.

    Attributes:
        baseline: the stand-in that answered, or empty.
        scores: right answers over ALL questions, and in parts.
        asked, resumed: questions put to the agent now, and taken from an interrupted run.
        seconds: wall time of this invocation.
        folder: journal, run.json and inspect log.
        models: id -> revisions of the models that answered.
        usage: tokens and cost of all questions, and mean seconds of one.
        notes: what the loader had to say.
    """

    task: str
    planner: str
    scores: Scores
    asked: int
    resumed: int
    seconds: float
    folder: Path
    baseline: str = ""
    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    usage: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def overall(self) -> Proportion:
        """Right answers over all questions."""
        return self.scores.overall

    def to_json(self) -> dict[str, Any]:
        """The fields of the JSON line; a share of no questions is null."""
        return {
            "task": self.task,
            **scores_json(self.scores),
            "planner": self.planner,
            "baseline": self.baseline,
            "seconds": round(self.seconds, 2),
            "usage": dict(self.usage),
            "asked": self.asked,
            "resumed": self.resumed,
            "interval_method": INTERVAL,
            "models": {name: list(revisions) for name, revisions in self.models.items()},
            "notes": list(self.notes),
            "log_dir": str(self.folder),
        }

    def to_json_line(self) -> str:
        """One line, the last one on stdout."""
        return json.dumps(self.to_json(), allow_nan=False)


def scores_json(scores: Scores) -> dict[str, Any]:
    """The scores as JSON: shares with n, accuracy and interval."""
    pairs, worst = scores.pairs, scores.worst
    return {
        **_shares(scores.overall),
        "standard_error": _rounded(scores.standard_error),
        "bootstrap_interval": [_rounded(end) for end in scores.bootstrap] if scores.bootstrap else None,
        "chance": _rounded(scores.chance),
        "categories": {name: _shares(share) for name, share in scores.categories.items()},
        **{str(outcome): scores.counts.get(outcome, 0) for outcome in Outcome},
        "groups": {name: {v: _shares(share) for v, share in values.items()} for name, values in scores.groups.items()},
        "worst_group": {"attribute": worst[0], "value": worst[1], **_shares(scores.groups[worst[0]][worst[1]])}
        if worst
        else None,
        "pairs": {**_shares(pairs.both), "confused": _rounded(pairs.confused)} if pairs else None,
        "evidence_in_region": _shares(scores.regions) if scores.regions else None,
        "calibration": _calibration(scores.calibration),
        "stable": _rounded(scores.stable),
    }


def _calibration(found: Calibration | None) -> dict[str, Any] | None:
    """Errors and the accuracy of the surest COVERAGES; null where no answer has a confidence."""
    if found is None:
        return None
    return {
        "n": found.n,
        "error": _rounded(found.error),
        "adaptive_error": _rounded(found.adaptive),
        "risk_coverage_area": _rounded(found.risk),
        "accuracy_at_coverage": {f"{share:g}": _rounded(found.accuracy_at(share)) for share in COVERAGES},
    }


def calibration_words(found: Calibration | None) -> str:
    """The same in a sentence."""
    if found is None:
        return "No answer has a confidence: the planner tells none, so calibration is not known."
    surest = ", ".join(
        f"{accuracy:.1%} of {'all questions' if share == 1 else f'the surest {share:.0%}'}"
        for share in COVERAGES
        if (accuracy := found.accuracy_at(share)) is not None
    )
    return (
        f"Confidences of {found.n} answers (the planner's own, not calibrated): expected calibration error "
        f"{found.error:.3f}, adaptive {found.adaptive:.3f}; right in {surest}."
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def print_summary(summary: Summary, console: Console) -> None:
    """A table for people; give it a console on stderr.

    Args:
        summary: the run.
        console: where to write.
    """
    who = f"baseline {summary.baseline}" if summary.baseline else f"planner {summary.planner}"
    table = Table(title=f"{summary.task} · {who}", title_justify="left")
    for name, justify in (("", "left"), ("questions", "right"), ("accuracy", "right"), ("95% interval", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_row("all questions", *_cells(summary.overall), style="bold", end_section=True)
    for name, share in summary.scores.categories.items():
        table.add_row(name, *_cells(share))
    console.print(table)
    counts = ", ".join(f"{outcome} {summary.scores.counts.get(outcome, 0)}" for outcome in Outcome)
    scores = summary.scores
    told = []
    if scores.chance is not None:
        told.append(f"guessing a letter would be right {scores.chance:.1%} of the time")
    if scores.pairs is not None:
        both = scores.pairs.both
        told.append(f"both of a pair right in {both.value:.1%} of {both.n} pairs")
    if scores.worst is not None:
        share = scores.groups[scores.worst[0]][scores.worst[1]]
        told.append(f"worst subgroup {scores.worst[0]} {scores.worst[1]}: {share.value:.1%} of {share.n}")
    lines = [
        *([f"{'; '.join(told)}."] if told else []),
        calibration_words(summary.scores.calibration),
        f"{counts}; {summary.asked} asked now, {summary.resumed} from an earlier run; {summary.seconds:.1f} s",
        f"Accuracy is over all questions: unparsed and errored ones count as not right. Interval: {INTERVAL}.",
        f"Answers and logs: {summary.folder}",
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _shares(share: Proportion) -> dict[str, Any]:
    if share.value is None or share.low is None or share.high is None:
        return {"n": share.n, "accuracy": None, "interval": None}
    interval = [round(share.low, DIGITS), round(share.high, DIGITS)]
    return {"n": share.n, "accuracy": round(share.value, DIGITS), "interval": interval}


def _cells(share: Proportion) -> tuple[str, str, str]:
    if share.value is None:
        return str(share.n), NO_DATA, NO_DATA
    return str(share.n), f"{share.value:.1%}", f"{share.low:.1%} to {share.high:.1%}"
