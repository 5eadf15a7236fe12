"""The report reader's labels against those that people gave: the half of the Open-i reports that nobody looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals import reading
from evals.formats.rows import find
from evals.tool_tasks.kind import DIGITS, Choice, Items, Kind
from evals.tool_tasks.runner import Runner

SETS = ("openi-labels",)
HELD_OUT = reading.PARTS[1]

Labelled = tuple[str, str, list[bool]]
"""Id, text and labels of a report."""


def _load(name: str, data: Path | None) -> Items:
    del name
    told = list(reading.reports(find(data, ("reports.csv.gz",), "Open-i's labelled reports")))
    items = [item for item in told if reading.part_of(item[0]) == HELD_OUT]
    return Items(items, (f"{len(told) - len(items)} reports that the rules were written by are left out",))


def _score(items: Sequence[Labelled], runner: Runner, choice: Choice) -> dict[str, Any]:
    del choice
    runner.begin(len(items))
    ours: list[tuple[Sequence[bool], Sequence[bool]]] = []
    mentioned: list[tuple[Sequence[bool], Sequence[bool]]] = []
    for _, text, theirs in items:
        ours.append((reading.ours(text), theirs))
        mentioned.append((_mentioned(text), theirs))
        runner.skip("read")
    counts = reading.counted(ours)
    blind = reading.counted(mentioned)
    return {
        "n": len(items),
        "micro_f1": round(reading.micro(counts.values()), DIGITS),
        "macro_f1": round(reading.macro(counts.values()), DIGITS),
        "intervals": reading.interval(ours),
        "mention_micro_f1": round(reading.micro(blind.values()), DIGITS),
        "mention_macro_f1": round(reading.macro(blind.values()), DIGITS),
        "labels": {name: {"positives": each.positives, "f1": each.f1} for name, each in counts.items()},
    }


def _mentioned(text: str) -> list[bool]:
    """The baseline: a label is there where its name stands in the report, said or denied."""
    told = text.lower()
    return [label.lower().replace("_", " ") in told for label in reading.LABELS]


READING = Kind("reading of reports", "read_report", SETS, _load, lambda item: str(item[0]), _score)
