"""What a kind of tool task is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
class Choice:
    """What is chosen of a set, and of the metrics.

    Attributes:
        data: its folder.
        only: file of names, one a line, as sets publish their splits; all where None.
        limit: so many only, the first ones or, with a seed, drawn.
        seed: of the draw.
        said: what a reader must know of the choice, e.g. why these were held out.
        metrics: of reports, by name; those that need nothing where empty.
        supply: what other metrics need, by evals.report_metrics.metric.SUPPLIES.
    """

    data: Path | None
    only: Path | None = None
    limit: int | None = None
    seed: int | None = None
    said: str = ""
    metrics: tuple[str, ...] = ()
    supply: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """One kind of task.

    Attributes:
        name: of the kind, as pages head it.
        tool: that is run; empty where none is.
        sets: names of its benchmarks.
        load: (set, folder) -> what it holds.
        name_of: an item's film or report, as a published split lists it.
        score: (items, runner, choice) -> figures, JSON-ready.
    """

    name: str
    tool: str
    sets: tuple[str, ...]
    load: Callable[[str, Path | None], Items]
    name_of: Callable[[Any], str]
    score: Callable[[Sequence[Any], Runner, Choice], dict[str, Any]] = field(repr=False)
