"""`hilum eval compare A B`: two runs on the questions that both were asked, overall and per category."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from evals.paired import Compared, compare_paired
from evals.records import Run
from evals.scores import Graded
from evals.stats import accuracy
from imaging.failures import BadArguments

DIGITS = 4


def compare_runs(a: Run, b: Run) -> dict[str, Any]:
    """B against A, JSON-ready; runs are matched by question id, so tracks of one benchmark can be compared, too.

    Raises:
        BadArguments: no question is in both.
    """
    ours = {item.question.id: item for item in a.graded}
    both = [(ours[item.question.id], item) for item in b.graded if item.question.id in ours]
    if not both:
        raise BadArguments(
            f"{a.folder.name} and {b.folder.name} share no question.", "Compare runs of one benchmark and seed."
        )
    names = sorted({name for one, _ in both for name in one.question.categories})
    return {
        "task": "compare",
        "a": {"run": str(a.folder), "title": a.title, "n": len(a.graded)},
        "b": {"run": str(b.folder), "title": b.title, "n": len(b.graded)},
        "same_targets": all(one.question.target == other.question.target for one, other in both),
        "overall": _told(both),
        "categories": {name: _told([p for p in both if name in p[0].question.categories]) for name in names},
        "differs_in": [key for key in ("planner", "baseline", "tools", "models", "settings", "hashes", "dataset_sha256")
                       if a.record.get(key) != b.record.get(key)],
    }  # fmt: skip


def show_comparison(compared: dict[str, Any], console: Console) -> None:
    """A table for people.

    Args:
        compared: of compare_runs.
        console: where to write.
    """
    table = Table(title=f"B {compared['b']['title']} against A {compared['a']['title']}", title_justify="left")
    heads = ("", "questions", "B - A", "95% interval", "only A right", "only B right", "p by case", "p McNemar", "same")
    for name in heads:
        table.add_column(name, justify="right" if name else "left")
    for name, row in {"all questions": compared["overall"], **compared["categories"]}.items():
        ends = "no data" if row["low"] is None else f"{row['low']:+.1%} to {row['high']:+.1%}"
        table.add_row(
            name, str(row["n"]), f"{row['difference']:+.1%}", ends, str(row["only_a"]), str(row["only_b"]),
            f"{row['permutation_p']:.3g}", f"{row['mcnemar_p']:.3g}", f"{row['same_answer']:.1%}",
        )  # fmt: skip
    console.print(table)
    console.print(f"The runs differ in: {', '.join(compared['differs_in']) or 'nothing recorded'}.", markup=False)


def _told(pairs: list[tuple[Graded, Graded]]) -> dict[str, Any]:
    compared: Compared = compare_paired(
        [one.grade.right for one, _ in pairs],
        [other.grade.right for _, other in pairs],
        [one.question.case_id for one, _ in pairs],
    )
    same = accuracy(
        [(one.grade.letter or one.record.text) == (other.grade.letter or other.record.text) for one, other in pairs],
        [one.question.case_id for one, _ in pairs],
    )
    told = {**asdict(compared), "same_answer": same.value, "same_low": same.low, "same_high": same.high}
    return {name: round(value, DIGITS) if isinstance(value, float) else value for name, value in told.items()}
