"""From scored concepts to one verdict; leaving one out can change it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tools.contract import Status
from tools.zero.scoring import Scored

Leaning = Literal["supported", "not supported", "undecided"]

MARGIN = 0.05
"""Half-width of the band around the middle in which nothing is decided. A choice of ours; no film set it."""

WORTH = {Status.PRESENT: 1.0, Status.UNCERTAIN: 0.5, Status.ABSENT: 0.0}
"""What a concept counts where a classifier's finding stands for it."""

LEAST = 1e-6


@dataclass(frozen=True)
class Verdict:
    """What the concepts say together.

    Attributes:
        leaning: whether they speak for what is looked for.
        score: their mean, in [0, 1]; None where too few were assessed.
        assessed, enabled: how many were, and how many count.
    """

    leaning: Leaning
    score: float | None
    assessed: int
    enabled: int


def verdict_of(scored: Sequence[Scored], *, by_words: bool) -> Verdict:
    """The verdict over enabled concepts; undecided unless half of them were assessed.

    Args:
        scored: the concepts.
        by_words: scores are shares against a denial; their geometric mean counts, as in Xplainer (Pellegrini et al.,
            MICCAI 2023). Otherwise the statuses of the findings in their place count, present 1 and uncertain half.
    """
    enabled = [one for one in scored if one.item.enabled]
    known = [one for one in enabled if one.status is not Status.NOT_ASSESSED]
    if 2 * len(known) < len(enabled) or not known:
        return Verdict("undecided", None, len(known), len(enabled))
    if by_words:
        score = math.exp(sum(math.log(max(one.score or 0.0, LEAST)) for one in known) / len(known))
    else:
        score = sum(WORTH[one.status] for one in known) / len(known)
    leaning: Leaning = "undecided"
    if abs(score - 0.5) > MARGIN:
        leaning = "supported" if score > 0.5 else "not supported"
    return Verdict(leaning, round(score, 4), len(known), len(enabled))
