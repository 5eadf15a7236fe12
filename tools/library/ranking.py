"""How well a passage answers a question: what they share, weighed as labelled questions taught it.

The weights and the cut-off are in calibration.toml, fitted by `python -m evals.knowledge --fit` on half of a set of
labelled questions; the other half says how well they do (docs/evals.md).
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict

from tools.knowledge import is_kind_of
from tools.library.passages import MEASUREMENT, SECTIONS, Passage
from tools.library.query import Query

FEATURES = (
    "coverage",
    "unknown",
    "literal",
    "outside",
    "concept",
    "other_concept",
    "section",
    "other_section",
    "similarity",
)
"""What is weighed, in order; `similarity` only where a model embeds texts."""
LIMITS = SECTIONS[3]
"""A question for limits is answered by a passage about a measurement, too."""


class Calibration(BaseModel):
    """Weights of one way of searching.

    Attributes:
        weights: feature -> weight.
        bias: added to them; the logistic function of the sum is the score.
        cutoff: least score of a passage that is given.
        margin: a further passage is given if its score is at least this share of the best one's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: dict[str, float]
    bias: float
    cutoff: float
    margin: float


@dataclass(frozen=True)
class Statistics:
    """How many passages hold each stem, of how many."""

    passages: int
    holding: dict[str, int]

    def rarity(self, term: str) -> float:
        """Inverse document frequency; of a word that no passage holds, that of one in a single passage."""
        return math.log(1 + self.passages / max(1, self.holding.get(term, 1)))


def features(
    query: Query, passage: Passage, held: frozenset[str], statistics: Statistics, similarity: float | None
) -> dict[str, float]:
    """What a question and a passage share, each in [0, 1] (a similarity in [-1, 1]).

    Args:
        query: as read.
        passage: a candidate.
        held: the stems of its title, heading and text.
        statistics: of all passages.
        similarity: of their embeddings; None where there are none.
    """
    matched = _concept(query, passage)
    weight = {term: statistics.rarity(term) for term in (*query.terms, *query.named)}
    whole = sum(weight.values()) or 1.0
    covered = {term for term in weight if term in held}
    covered |= set(query.named) if matched == 1.0 else set()
    unknown = [term for term in query.terms if term not in statistics.holding]
    asked = bool(query.sections)
    right = passage.heading in query.sections or (passage.heading == MEASUREMENT and LIMITS in query.sections)
    return {
        "coverage": sum(weight[term] for term in covered) / whole if weight else matched,
        "literal": sum(weight[term] for term in weight if term in held) / whole,
        "unknown": sum(weight[term] for term in unknown) / whole,
        "outside": float(any(term not in held for term in query.outside)),
        "concept": matched,
        "other_concept": float(bool(query.codes) and matched == 0.0),
        "section": float(asked and right),
        "other_section": float(asked and not right and bool(query.codes)),
        "similarity": similarity if similarity is not None else 0.0,
    }


def score(found: dict[str, float], calibration: Calibration) -> float:
    """In [0, 1]: the share of such pairs, among the labelled ones, in which the passage answered the question."""
    total = calibration.bias + sum(calibration.weights.get(name, 0.0) * value for name, value in found.items())
    return 1.0 / (1.0 + math.exp(-total))


@cache
def calibrations() -> dict[str, Calibration]:
    """ "words" and "words_and_vectors" of calibration.toml."""
    read = tomllib.loads((resources.files("tools.library") / "calibration.toml").read_text(encoding="utf-8"))
    return {name: Calibration(**entry) for name, entry in read.items()}


def _concept(query: Query, passage: Passage) -> float:
    """1 where the passage is about a finding that the question names, a half where it is about a broader one."""
    if any(code in passage.findings for code in query.codes):
        return 1.0
    related = any(is_kind_of(code, about) for code in query.codes for about in passage.findings)
    return 0.5 if related else 0.0
