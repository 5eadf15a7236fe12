"""What became of findings between two films, by `compare`, against what readers said: accuracy and macro F1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.formats import changes
from evals.metrics.lists import change_figures
from evals.stats import accuracy
from evals.tool_tasks.kind import DIGITS, Choice, Items, Kind
from evals.tool_tasks.labels import code_of
from evals.tool_tasks.runner import Runner
from tools.comparison.verdicts import Verdict
from tools.contract import Result

SETS = ("mscxrt",)
DAYS = [0, 1]
"""The set tells which film is the later, not by how much."""
SAID = {
    Verdict.NEW: "worsened",
    Verdict.WORSENED: "worsened",
    Verdict.UNCHANGED: "unchanged",
    Verdict.IMPROVED: "improved",
    Verdict.RESOLVED: "improved",
}
NOT_SAID = "not said"
"""Where the tool refused or failed, or could not compare: wrong, and counted so."""


@dataclass(frozen=True)
class Judged:
    """One finding of one pair."""

    said: str
    true: str
    patient: str


def _load(name: str, data: Path | None) -> Items:
    return Items(changes.load(name, data))


def _score(pairs: Sequence[changes.LabelledPair], runner: Runner, choice: Choice) -> dict[str, Any]:
    del choice
    runner.begin(len(pairs))
    by_label: dict[str, list[Judged]] = {}
    unknown = set()
    for pair in pairs:
        codes = {label: code for label in pair.changes if (code := code_of(label)) is not None}
        unknown |= pair.changes.keys() - codes.keys()
        if not codes:
            runner.skip("label unknown")
            continue
        films = [pair.prior, pair.current]
        result = runner.run_together(
            pair.name, films, findings=sorted(set(codes.values())), days=DAYS, same_patient=True
        )
        for label, code in codes.items():
            by_label.setdefault(label, []).append(Judged(_said(result, code), pair.changes[label], pair.patient))
    return {
        "n": sum(map(len, by_label.values())),
        "pairs": len(pairs),
        "labels": {label: _figures(rows) for label, rows in sorted(by_label.items())},
        "unknown_labels": sorted(unknown),
    }


def _said(result: Result | None, code: str) -> str:
    """What the tool says became of a finding; seen on neither film, it is unchanged."""
    if result is None:
        return NOT_SAID
    told = getattr(result.data, "course", {}).get(code)
    return SAID.get(told[0], NOT_SAID) if told else "unchanged"


def _figures(rows: Sequence[Judged]) -> dict[str, Any]:
    said, true = [row.said for row in rows], [row.true for row in rows]
    right = accuracy([a == b for a, b in zip(said, true, strict=True)], [row.patient for row in rows])
    _, macro, counts = change_figures(said, true)
    return {
        "n": len(rows),
        "accuracy": round(right.value or 0.0, DIGITS),
        "accuracy_interval": [round(end or 0.0, DIGITS) for end in (right.low, right.high)],
        "most_frequent": round(max(Counter(true).values()) / len(true), DIGITS),
        "macro_f1": round(macro, DIGITS),
        "not_said": said.count(NOT_SAID),
        "counts": counts,
    }


CHANGES = Kind("change detection", "compare", SETS, _load, lambda pair: str(pair.name), _score)
