"""What an option weighs: the logarithm of how much likelier the evidence is if the option is true, with the reasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Weighed:
    """Weight of a statement and what speaks for it (above 0) or against it, in words.

    Attributes:
        weight: natural logarithm of a likelihood ratio, 0 where the evidence does not touch it.
        reasons: (its share of the weight, the words).
    """

    weight: float = 0.0
    reasons: tuple[tuple[float, str], ...] = ()

    def turned(self) -> Weighed:
        """The weight of the opposite."""
        return Weighed(-self.weight, tuple((-share, words) for share, words in self.reasons))


def one(weight: float, words: str) -> Weighed:
    """A weight with one reason."""
    return Weighed(weight, ((weight, words),) if words else ())


def together(parts: Iterable[Weighed]) -> Weighed:
    """What several independent statements weigh together."""
    known = tuple(parts)
    return Weighed(sum(part.weight for part in known), tuple(reason for part in known for reason in part.reasons))
