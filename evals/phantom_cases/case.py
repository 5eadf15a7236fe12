"""A case: films with known truth, what the user says about them, and what the answers are worth."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from imaging.phantom import FindingSpec, PhantomFilm, PhantomSpec, make_phantom, parse_finding, progression
from imaging.radiograph import View

if TYPE_CHECKING:
    from agent.answer import Answer, Evidence
    from agent.session import Session

FILM_PIXELS = 512
"""Rows and columns of a case's films: what the embedded models see, and half a second to make."""

FIRST_VISIT = dt.date(2025, 3, 3)
WEEKS = 5
"""Between two visits of a patient."""


@dataclass(frozen=True)
class Outcome:
    """What came of one case.

    Attributes:
        answers: one per turn, in order.
        films: the films with their truth, in the order given.
        session: the conversation, for what a judge looks up in it.
    """

    answers: Sequence[Answer]
    films: Sequence[PhantomFilm]
    session: Session

    @property
    def last(self) -> Answer:
        """The answer to the last question."""
        return self.answers[-1]

    @property
    def film(self) -> PhantomFilm:
        """The first film."""
        return self.films[0]

    def evidence(self, tool: str) -> list[Evidence]:
        """What a tool gave in the last turn, failed runs left out."""
        return [record for record in self.last.evidence if record.tool == tool and record.failure is None]


Judge = Callable[[Outcome], float]
"""What the answers are worth, from 0 (wrong or missing) to 1 (right)."""


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        id: unique among the cases of a seed.
        capability: "C1" to "C20", as the project's list of capabilities numbers them.
        films: what to show, in order; none for a question about text alone.
        turns: what the user says; the films come with the first of them.
        judge: compares the answers with the truth.
        visits: where there are any, the one film is a patient who is filmed so often, WEEKS apart, each visit with the
            findings it names (imaging.phantom.progression).
        archive: films that are in the agent's index of past cases before it is asked.
    """

    id: str
    capability: str
    films: tuple[PhantomSpec, ...]
    turns: tuple[str, ...]
    judge: Judge = field(repr=False)
    visits: tuple[tuple[str, ...], ...] = ()
    archive: tuple[PhantomSpec, ...] = ()

    def make(self) -> list[PhantomFilm]:
        """The films with their truth, in order."""
        if not self.visits:
            return [make_phantom(spec) for spec in self.films]
        dates = [FIRST_VISIT + dt.timedelta(weeks=WEEKS * number) for number in range(len(self.visits))]
        return list(progression(self.films[0], dates, self.visits))


def report_of(number: int) -> str:
    """What stands in a turn for the report of a case's film, counted from 1: it is written when the film is made."""
    return f"<report of film {number}>"


def as_said(turn: str, films: Sequence[PhantomFilm]) -> str:
    """A turn with the reports of its films in it."""
    for number, film in enumerate(films, start=1):
        if report_of(number) in turn:
            turn = turn.replace(report_of(number), film.report())
    return turn


class Draw:
    """Random patients and words for one seed and theme; the same seed gives the same cases.

    Attributes:
        random: where all that is not said comes from.
    """

    def __init__(self, seed: int, theme: str) -> None:
        self.random = random.Random(f"{seed}/{theme}")

    def film(self, *findings: str | FindingSpec, **more: object) -> PhantomSpec:
        """A patient with these findings, everything else drawn; `more` are fields of PhantomSpec."""
        given = tuple(parse_finding(finding) if isinstance(finding, str) else finding for finding in findings)
        spec = PhantomSpec(
            seed=self.random.randrange(2**31),
            size=FILM_PIXELS,
            view=View.PA if self.random.random() < 0.7 else View.AP,
            findings=given,
        )
        return replace(spec, **more)  # type: ignore[arg-type]

    def side(self) -> str:
        """ "left" or "right"."""
        return self.random.choice(("left", "right"))

    def one(self, items: Sequence[str]) -> str:
        """One of the items."""
        return self.random.choice(items)


__all__ = ["FILM_PIXELS", "Case", "Draw", "Judge", "Outcome", "as_said", "report_of"]
