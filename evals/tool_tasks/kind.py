"""What a kind of tool task is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.tool_tasks.runner import Runner

DIGITS = 4
"""Decimals of a figure."""


@dataclass(frozen=True)
class Items:
    """What a set holds, in its own order: films with labels, with masks, with boxes, or reports.

    Attributes:
        notes: what a reader must know of the set.
    """

    items: Sequence[Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """One kind of task.

    Attributes:
        name: of the kind, as pages head it.
        tool: that is run.
        sets: names of its benchmarks.
        load: (set, folder) -> what it holds.
        name_of: an item's film or report, as a published split lists it.
        score: (items, runner) -> figures, JSON-ready.
    """

    name: str
    tool: str
    sets: tuple[str, ...]
    load: Callable[[str, Path | None], Items]
    name_of: Callable[[Any], str]
    score: Callable[[Sequence[Any], Runner], dict[str, Any]] = field(repr=False)
