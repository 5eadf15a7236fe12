"""Runs of single tools as one page of tables: what was measured, on what, beside a baseline that sees no film."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.identity import ROOT, RUN_FILE
from imaging.failures import BadArguments

KEPT = ROOT / "docs" / "runs"
"""Records of the runs that docs/results-films.md is made of: a folder each, figures without films or reports."""
COMMIT_CHARACTERS = 12
NOTHING = "–"

Record = Mapping[str, Any]
Row = Sequence[str]


def is_tool_run(folder: Path) -> bool:
    """Whether a run's folder is of a single tool; a run of questions has no figures in its record."""
    return _record_in(folder) is not None


def read_tool_run(folder: Path) -> Record:
    """The record of a run.

    Raises:
        BadArguments: the folder holds none.
    """
    told = _record_in(folder)
    if told is None:
        raise BadArguments(f"{str(folder)!r} holds no run of a tool.", "Give a folder below --log-dir.")
    return told


def films_page(records: Sequence[Record]) -> str:
    """The page docs/results-films.md.

    Args:
        records: in any order.
    """
    parts = [
        "# Results on real films and reports",
        "<!-- made by `hilum eval report RUN... --out DIR`; change the runs, not this page -->",
        "One tool at a time, without a planner, as `hilum tool` runs it. Films that shaped the model that answers are "
        "left out where the notes say so. Where no such film is left, nothing is shown here, and the cross-validated "
        "figures of the model's card are in [models.md](models.md): so of the classifier on ChestX-ray14, as all five "
        "folds shaped its head. Intervals are 95 %: by bootstrap over patients where the set names them, else "
        "over films; of shares, Wilson's. A film that is refused or not drawn on counts as 0 or as a miss.",
    ]
    for kind, (columns, rows_of) in TABLES.items():
        rows = [
            row for record in _sorted(records) if record["result"]["kind"] == kind for row in rows_of(record["result"])
        ]
        if rows:
            parts += [f"## {kind.capitalize()}", _table(columns, rows)]
    return "\n\n".join([*parts, "## What was run", "\n".join(map(_run, _sorted(records)))]) + "\n"


def _record_in(folder: Path) -> Record | None:
    try:
        told: Record = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if "result" in told else None


def _sorted(records: Sequence[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (str(record["task"]), str(record["key"])))


def _run(record: Record) -> str:
    """ "- **jsrt**: notes. Models, commit, machine, time." """
    result = record["result"]
    needed = [f"{each['id']} {each['revision']}" for each in result["models"].values()]
    models = ", ".join(dict.fromkeys(result.get("answered_by") or needed)) or "no model"
    failed = f" {result['failed']} failed." if result["failed"] else ""
    dirty = " with changes" if record["dirty"] else ""
    notes = " ".join(note if note.endswith(".") else f"{note}." for note in result["notes"])
    return (
        f"- **{record['task']}** ({result['n']}):{f' {notes}' if notes else ''}{failed} {models}; run "
        f"{record['key'][:COMMIT_CHARACTERS]}, commit {record['commit'][:COMMIT_CHARACTERS]}{dirty}, "
        f"{record['ran_on']['device']}, {record['seconds']:.0f} s."
    )


def _table(columns: Row, rows: Sequence[Row]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None, digits: int = 3) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def _with(value: float | None, interval: Sequence[float | None] | None) -> str:
    """ "0.976 (0.971–0.979)"."""
    if value is None or not interval or interval[0] is None or interval[1] is None:
        return _number(value)
    return f"{value:.3f} ({interval[0]:.3f}–{interval[1]:.3f})"


def _figure(told: Record | None) -> str:
    return NOTHING if told is None else _with(told["value"], (told["low"], told["high"]))


def _classified(result: Record) -> Iterator[Row]:
    for label, row in result["labels"].items():
        figures = (row["auroc"], row.get("auprc"), row.get("f1"), row.get("sensitivity_at_90_specificity"))
        yield [result["task"], label, f"{row['positives']} of {row['n']}", *map(_figure, figures)]


def _outlined(result: Record) -> Iterator[Row]:
    for structure, row in result["structures"].items():
        yield [
            result["task"], structure.replace("_", " "), str(row["n"]), _with(row["dice"], row["dice_interval"]),
            _number(row["mean_shape_dice"]), _number(row["iou"]), _number(row["hd95"], 1), str(row["not_drawn"]),
        ]  # fmt: skip


def _pointed(result: Record) -> Iterator[Row]:
    for label, row in result["labels"].items():
        yield [
            result["task"], label, str(row["n"]), str(row["drawn"]), _with(row["pointing"], row["pointing_interval"]),
            _number(row["pointing_by_chance"]), _number(row["mean_iou"]), _number(row["ap50"]),
        ]  # fmt: skip


def _read(result: Record) -> Iterator[Row]:
    for name in ("micro_f1", "macro_f1"):
        told = _with(result[name], result["intervals"][name])
        yield [result["task"], name.replace("_", " "), str(result["n"]), told, _number(result[f"mention_{name}"])]
    for label, row in result["labels"].items():
        yield [result["task"], label, f"{row['positives']} positive", _number(row["f1"]), NOTHING]


def _scored(result: Record) -> Iterator[Row]:
    for name, row in result["metrics"].items():
        yield [result["task"], f"{name}: {row['title']}", str(result["n"]), _with(row["value"], row["interval"])]


def _changed(result: Record) -> Iterator[Row]:
    for label, row in result["labels"].items():
        yield [
            result["task"], label, str(row["n"]), _with(row["accuracy"], row["accuracy_interval"]),
            _number(row["most_frequent"]), _number(row["macro_f1"]), str(row["not_said"]),
        ]  # fmt: skip


def _alike(result: Record) -> Iterator[Row]:
    yield [
        result["task"], "all, as nDCG of the first five", str(result["n"]), _figure(result["ndcg_at_5"]),
        _number(result["ndcg_at_5_by_chance"]), NOTHING,
    ]  # fmt: skip
    for label, row in result["labels"].items():
        yield [
            result["task"], label, str(row["n"]), _figure(row["share_of_5"]), _number(row["by_chance"]),
            _number(row["recall_at_20"]),
        ]  # fmt: skip


TABLES: Mapping[str, tuple[Row, Callable[[Record], Iterator[Row]]]] = {
    "classification": (
        (
            "set",
            "finding",
            "with it",
            "AUROC",
            "AUPRC",
            "F1 of what is called present",
            "sensitivity at 90 % specificity",
        ),
        _classified,
    ),
    "segmentation": (
        (
            "set",
            "structure",
            "films",
            "Dice",
            "Dice of the shape most other films have",
            "IoU",
            "HD95, px",
            "not drawn",
        ),
        _outlined,
    ),
    "grounding": (
        ("set", "finding", "films with it", "drawn", "pointed at", "by a point at random", "IoU", "AP50"),
        _pointed,
    ),
    "reading of reports": (("set", "figure", "reports", "F1", "F1 of the label's name in the text"), _read),
    "change detection": (
        ("set", "finding", "pairs", "accuracy", "the change most frequent", "macro F1", "nothing said"),
        _changed,
    ),
    "retrieval of cases": (
        ("set", "finding", "films with it", "share of the five nearest with it", "by chance", "recall of the first 20"),
        _alike,
    ),
    "report drafts": (("set", "metric", "reports", "value"), _scored),
}
"""Kind of task -> heads and rows of its table."""
