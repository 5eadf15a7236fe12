"""What a metric of reports is given, what it gives, and what the user may supply for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.stats import bootstrap_interval
from imaging.failures import BadArguments

if TYPE_CHECKING:
    from agent.settings import Settings

DIGITS = 4
SUPPLIES = {
    "bert": "folder of a transformers encoder, for BERTScore; FOLDER@N takes its layer N",
    "chexbert": "folder of CheXbert's encoder in transformers' format, for the cosine of RadCliQ",
    "judge": "language model as --planner names it, for GREEN and RadFact; provider:model or transformers:FOLDER",
    "candidate-graphs": "RadGraph's JSON of the drafts, by their ids",
    "reference-graphs": "RadGraph's JSON of the reference reports, by their ids",
}
"""What --supply may name."""


@dataclass(frozen=True)
class Pairs:
    """Drafts and the reports they are held against, in one order."""

    ids: Sequence[str]
    candidates: Sequence[str]
    references: Sequence[str]


@dataclass(frozen=True)
class Scored:
    """What a metric found.

    Attributes:
        value: of the whole set; None where it is not defined.
        by_pair: of each pair, where the metric has such; its mean is the value.
        more: other figures, JSON-ready.
    """

    value: float | None
    by_pair: Sequence[float] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    def figures(self) -> dict[str, Any]:
        """JSON-ready, with the 95 % interval by bootstrap over pairs where each has a figure."""
        interval = bootstrap_interval(self.by_pair, list(map(str, range(len(self.by_pair))))) if self.by_pair else None
        value = None if self.value is None else round(float(self.value), DIGITS)
        return {"value": value, "interval": interval and [round(end, DIGITS) for end in interval], **self.more}


def mean_of(by_pair: Sequence[float], **more: Any) -> Scored:
    """The mean over pairs."""
    return Scored(sum(by_pair) / len(by_pair) if by_pair else None, by_pair, more)


def f1_of(precision: float, recall: float) -> float:
    """Their harmonic mean; 0 where both are."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@dataclass(frozen=True)
class Supplied:
    """What the user supplies: SUPPLIES name -> value, and the settings in force (device, providers' waits).

    Raises:
        BadArguments: a name is none of SUPPLIES.
    """

    values: Mapping[str, str]
    settings: Settings

    def __post_init__(self) -> None:
        unknown = sorted(set(self.values) - set(SUPPLIES))
        if unknown:
            told = "; ".join(f"{name}: {what}" for name, what in SUPPLIES.items())
            raise BadArguments(f"--supply {', '.join(unknown)}: not known.", f"There are: {told}.")

    def path(self, name: str) -> Path | None:
        """The file or folder given under a name."""
        return Path(self.values[name]).expanduser() if name in self.values else None


Score = Callable[[Pairs], Scored]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        title: with its source, and what sets it apart from the published one.
        ready: (what is supplied) -> the scoring; Unavailable with the remedy where something is absent.
        supplies: names of SUPPLIES that it needs.
    """

    name: str
    title: str
    ready: Callable[[Supplied], Score] = field(repr=False)
    supplies: tuple[str, ...] = ()
