"""Facts → a ranked differential: points add up, each with the fact that gives it; and what is still worth asking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tools.weighing.facts import Fact
from tools.weighing.weights import Move, weights

WORTH_ASKING_POINTS = 3.0
"""Least difference that an answer could make between two of the diagnoses in question: a likelihood ratio of 2."""


@dataclass(frozen=True)
class Weighed:
    """One fact's move of one diagnosis; `counted` is False where another fact of its group says the same and more."""

    fact: Fact
    move: Move
    counted: bool


@dataclass(frozen=True)
class Ranked:
    """One diagnosis.

    Attributes:
        code: of the ontology.
        moved: points that the facts give it, those of the film and those told.
        start: points that it has before any fact (differential.toml).
        by: what gave them, the strongest first.
    """

    code: str
    moved: float
    start: float
    by: tuple[Weighed, ...]

    @property
    def points(self) -> float:
        """What it is ranked by."""
        return round(self.moved + self.start, 1)

    @property
    def supported(self) -> bool:
        """Whether something of the case speaks for it and more than against it; age and sex alone do not."""
        return self.moved > 0 and any(item.move.ratio > 1 and item.fact.kind != "patient" for item in self.by)


def ranked(facts: Iterable[Fact]) -> list[Ranked]:
    """Every diagnosis that some fact moves, the most points first; equals in the order of differential.toml."""
    given = list(facts)
    rows = [_of(code, start, given) for code, start in weights().start.items()]
    return sorted((row for row in rows if row.by), key=lambda row: -row.points)


def _of(code: str, start: float, facts: Sequence[Fact]) -> Ranked:
    moves = [(fact, move) for fact in facts for move in fact.moves if move.diagnosis == code]
    moves.sort(key=lambda item: -abs(item[1].points))
    seen: set[tuple[str, bool]] = set()
    by = []
    for fact, move in moves:
        group = (weights().group_of(fact.key), move.ratio > 1)
        by.append(Weighed(fact, move, group not in seen))
        seen.add(group)
    return Ranked(code, round(sum(item.move.points for item in by if item.counted), 1), start, tuple(by))


def missing(facts: Sequence[Fact], among: Sequence[str], most: int) -> list[str]:
    """What is not told and would part the diagnoses in question most, in words that ask for it.

    Args:
        facts: those known.
        among: codes of the leading diagnoses.
        most: so many at most.
    """
    known = {weights().group_of(fact.key) for fact in facts}
    wanted: dict[str, float] = {}
    for key, fact in weights().facts.items():
        if weights().group_of(key) not in known:
            asked = fact.ask or fact.name
            wanted[asked] = max(_spread([fact.moves, fact.absent], among), wanted.get(asked, 0.0))
    for key, measure in weights().measures.items():
        if weights().group_of(key) not in known:
            spread = _spread([band.moves for band in measure.bands], among)
            wanted[measure.ask] = max(spread, wanted.get(measure.ask, 0.0))
    parting = sorted((name for name in wanted if wanted[name] >= WORTH_ASKING_POINTS), key=lambda name: -wanted[name])
    plain = [name for name in ("age", "sex") if name not in {fact.key for fact in facts}]
    return [*plain, *parting][:most]


def _spread(answers: Sequence[Iterable[Move]], among: Sequence[str]) -> float:
    """The most points that one of the answers moves one of these diagnoses by, a quarter more where both ways do."""
    moved = [move.points for moves in answers for move in moves if move.diagnosis in among]
    if not moved:
        return 0.0
    both = min(moved) < 0 < max(moved)
    return max(map(abs, moved)) * (1.25 if both else 1.0)


__all__ = ["Ranked", "Weighed", "missing", "ranked"]
