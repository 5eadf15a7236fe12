"""The scores of the report reader: counted by hand on three reports."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from evals.reading import LABELS, PARTS, Counts, macro, measure, micro, ours, part_of
from imaging.failures import BadArguments


def test_f1_of_counts() -> None:
    """2 · 3 / (2 · 3 + 1 + 2) = 2/3; a label without positives counts in no mean."""
    counts = [Counts(both=3, ours=1, theirs=2), Counts(both=0, ours=5, theirs=0)]
    assert counts[0].f1 == pytest.approx(2 / 3, abs=1e-4) and counts[1].f1 is None
    assert micro(counts) == pytest.approx(2 / 3) and macro(counts) == pytest.approx(2 / 3, abs=1e-4)


def test_a_report_is_always_in_the_same_half_and_halves_are_even() -> None:
    halves = [part_of(f"CXR{n}") for n in range(2000)]
    assert halves == [part_of(f"CXR{n}") for n in range(2000)]
    assert 900 < halves.count(PARTS[0]) < 1100


def test_our_labels_of_a_report() -> None:
    given = dict(zip(LABELS, ours("Findings: Left effusion. No pneumothorax."), strict=True))
    assert [label for label, value in given.items() if value] == ["Effusion"]
    assert ours("Lungs are clear.")[-1]


def test_table_is_read_and_a_missing_one_is_told(tmp_path: Path) -> None:
    table = tmp_path / "reports.csv.gz"
    names = [label if label != "Normal" else "normal" for label in LABELS]
    rows = [
        f"CXR{n},Left effusion.,,{','.join('1' if name == 'Effusion' else '0' for name in names)}" for n in range(8)
    ]
    text = "\n".join([f"uid,findings,impression,{','.join(names)}", *rows, f"CXR9,Mass.,,{',' * (len(names) - 1)}"])
    with gzip.open(table, "wt", encoding="utf-8") as stream:
        stream.write(text)
    figures = measure(table)
    assert sum(told["reports"] for told in figures.values()) == 8  # type: ignore[misc]
    assert {told["micro_f1"] for told in figures.values()} == {1.0}
    with pytest.raises(BadArguments, match="no file"):
        measure(tmp_path / "none.csv.gz")
