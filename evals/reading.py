"""How well reports are read: read_report's labels against those of the Open-i reports that people labelled.

python -m evals.reading [--data FILE] [--json]

Half of the reports, by the hash of their id, were looked at while the rules were written; the other half was only ever
scored. Both are printed. Nothing of the reports is shown or kept.
"""

import argparse
import csv
import gzip
import hashlib
import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from imaging.failures import BadArguments
from tools.reading import read
from tools.reading.labels import Value, labels_of

DATA = Path("../shared/data/reports.csv.gz")
LABELS = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax",
    "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia", "Normal",
)  # fmt: skip
"""Labels of the table, as read_report's nih14 set names them; the table's "normal" is in lower case."""
PARTS = ("looked at", "held out")
RESAMPLES = 1000
"""Of the bootstrap over reports."""


@dataclass(frozen=True)
class Counts:
    """Of one label: reports that we and they call positive, only we, only they."""

    both: int
    ours: int
    theirs: int

    @property
    def positives(self) -> int:
        """Reports that they call positive."""
        return self.both + self.theirs

    @property
    def precision(self) -> float | None:
        """Share of ours that are theirs; None where we call none."""
        return round(self.both / (self.both + self.ours), 4) if self.both + self.ours else None

    @property
    def recall(self) -> float | None:
        """Share of theirs that are ours; None where they call none."""
        return round(self.both / self.positives, 4) if self.positives else None

    @property
    def f1(self) -> float | None:
        """None where they call none: no positives is not a failure."""
        total = 2 * self.both + self.ours + self.theirs
        return round(2 * self.both / total, 4) if self.positives else None


def part_of(uid: str) -> str:
    """Which half a report is in."""
    return PARTS[int(hashlib.sha256(uid.encode()).hexdigest(), 16) % 2]


def reports(path: Path) -> Iterator[tuple[str, str, list[bool]]]:
    """(id, text of findings and impression, labels in the order of LABELS) of every labelled report with a text.

    Raises:
        BadArguments: there is no such file.
    """
    if not path.is_file():
        raise BadArguments(f"There is no file {path}.", "Name the table of labelled Open-i reports with --data.")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            told = [row["normal" if label == "Normal" else label] for label in LABELS]
            text = "\n".join(f"{name}: {row[name.lower()]}" for name in ("Findings", "Impression") if row[name.lower()])
            if text and all(told):
                yield row["uid"], text, [float(value) > 0 for value in told]


def ours(text: str) -> list[bool]:
    """Our labels of a report, in the order of LABELS."""
    values = labels_of(read(text, "en"), "nih14")
    return [values[label] is Value.PRESENT for label in LABELS]


def counted(pairs: Sequence[tuple[Sequence[bool], Sequence[bool]]]) -> dict[str, Counts]:
    """Label -> counts of (ours, theirs)."""
    return {
        label: Counts(
            both=sum(us[n] and them[n] for us, them in pairs),
            ours=sum(us[n] and not them[n] for us, them in pairs),
            theirs=sum(them[n] and not us[n] for us, them in pairs),
        )
        for n, label in enumerate(LABELS)
    }


def micro(counts: Iterable[Counts]) -> float:
    """F1 over all decisions of labels that have positives; NaN where none has."""
    used = [each for each in counts if each.positives]
    if not used:
        return math.nan
    both = sum(each.both for each in used)
    return 2 * both / (2 * both + sum(each.ours + each.theirs for each in used))


def macro(counts: Iterable[Counts]) -> float:
    """Mean F1 of the labels that have positives; NaN where none has."""
    told = [each.f1 for each in counts if each.f1 is not None]
    return float(np.mean(told)) if told else math.nan


def interval(pairs: Sequence[tuple[Sequence[bool], Sequence[bool]]]) -> dict[str, tuple[float, float]]:
    """95 % percentile bootstrap over reports of micro and macro F1."""
    generator = np.random.default_rng(0)
    drawn = [counted([pairs[n] for n in generator.integers(0, len(pairs), len(pairs))]) for _ in range(RESAMPLES)]
    found = {}
    for name, measure in (("micro_f1", micro), ("macro_f1", macro)):
        low, high = np.nanpercentile([measure(counts.values()) for counts in drawn], [2.5, 97.5])
        found[name] = (round(float(low), 4), round(float(high), 4))
    return found


def measure(path: Path) -> dict[str, dict[str, object]]:
    """Part -> its figures, JSON-ready."""
    pairs: dict[str, list[tuple[list[bool], list[bool]]]] = {part: [] for part in PARTS}
    for uid, text, theirs in reports(path):
        pairs[part_of(uid)].append((ours(text), theirs))
    figures: dict[str, dict[str, object]] = {}
    for part, told in pairs.items():
        counts = counted(told)
        figures[part] = {
            "reports": len(told),
            "micro_f1": round(micro(counts.values()), 4),
            "macro_f1": round(macro(counts.values()), 4),
            "intervals": interval(told),
            "labels": {
                label: {"f1": c.f1, "precision": c.precision, "recall": c.recall, "positives": c.positives}
                for label, c in counts.items()
            },
        }
    return figures


def main() -> None:
    """Print the figures of both halves; the last line of stdout is them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true", help="JSON on stdout and nothing else")
    given = parser.parse_args()
    figures = measure(given.data)
    if not given.json:
        shown(figures, Console(stderr=True))
    sys.stdout.write(json.dumps(figures) + "\n")


def shown(figures: dict[str, dict[str, object]], console: Console) -> None:
    """The figures as a table for each part."""
    for part, told in figures.items():
        table = Table("label", "positives", "precision", "recall", "F1", title=f"{part}: {told['reports']} reports")
        labels = told["labels"]
        for label, row in labels.items() if isinstance(labels, dict) else ():
            table.add_row(label, str(row["positives"]), *(_number(row[k]) for k in ("precision", "recall", "f1")))
        console.print(table)
        console.print(f"micro F1 {told['micro_f1']:.3f}, macro F1 {told['macro_f1']:.3f}; {told['intervals']}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
