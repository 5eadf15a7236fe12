"""Of ranked lists (retrieval) and of changes between two films."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sklearn.metrics import confusion_matrix, f1_score


def recall_at(relevant: Sequence[bool], total: int, k: int) -> float | None:
    """Share of all relevant items that are among the first k; None where nothing is relevant.

    Args:
        relevant: of each item in ranked order.
        total: relevant items there are.
        k: how far to look.
    """
    return sum(relevant[:k]) / total if total else None


def ndcg_at(gains: Sequence[float], ideal: Sequence[float], k: int) -> float | None:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002) with gains as they are; None without gain.

    Args:
        gains: of each item in ranked order.
        ideal: gains of all items there are, in any order.
        k: how far to look.
    """
    best = _dcg(sorted(ideal, reverse=True)[:k])
    return _dcg(gains[:k]) / best if best else None


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


def change_figures(said: Sequence[str], true: Sequence[str]) -> tuple[float, float, dict[str, dict[str, int]]]:
    """(accuracy, macro F1 over the changes that occur, true -> said -> count) of what became of findings.

    Args:
        said: words for changes, or any other where nothing usable was said.
        true: words for changes.
    """
    names = sorted(set(true))
    table = confusion_matrix(true, said, labels=sorted({*said, *true}))
    accuracy = sum(a == b for a, b in zip(said, true, strict=True)) / len(true)
    counts = {
        row: {column: int(n) for column, n in zip(sorted({*said, *true}), line, strict=True) if n}
        for row, line in zip(sorted({*said, *true}), table, strict=True)
        if row in names
    }
    return accuracy, float(f1_score(true, said, labels=names, average="macro", zero_division=0)), counts
