"""C6: a drafted report says what the film shows, in its sections, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from evals.phantom_cases.judging import claims_hold
from evals.phantom_cases.seen import words
from imaging.phantom import PhantomFilm
from imaging.radiograph import View
from tools.contract import Status
from tools.knowledge import measurement

CASES = 20
SHOWN = ("effusion", "cardiomegaly", "mass", "pneumothorax", "edema")
ASKED = ("Draft the report", "Write a report please", "findings and impression")
SECTIONS = ("Findings", "Impression")

HEART, RATIO = "cardiomegaly", "cardiothoracic_ratio"
AT_THE_LIMIT = 0.04
"""From the limit of its view to this far above it a true ratio may be called enlarged or not: a measured one within
0.02 of the truth is right (measured.RATIO_WITHIN), and one within 0.02 of the limit decides nothing."""

FORM_WORTH = 0.3
"""Sections and citations; the rest is whether the positive findings are those of the film."""


def cases(draw: Draw) -> Iterator[Case]:
    """Films with none, one or two findings."""
    for number in range(CASES):
        codes = draw.random.sample(SHOWN, number % 3)
        yield Case(
            f"reported-{number}",
            "C6",
            (draw.film(*(words(draw, code) for code in codes)),),
            (draw.one(ASKED),),
            _report(frozenset(codes) - {HEART}),
        )


def _report(shown: frozenset[str]) -> Judge:
    """The findings shown, and the heart by its own ratio: a phantom without cardiomegaly may have a large one."""

    def judge(outcome: Outcome) -> float:
        answer, large = outcome.last, _large_heart(outcome.film)
        truth = shown | {HEART} if large else shown
        form = all(f"{section}:" in answer.text for section in SECTIONS) * claims_hold(answer)
        told = {row.code for row in answer.findings if row.status is Status.PRESENT and row.code in SHOWN}
        told -= {HEART} if large is None else set()
        return FORM_WORTH * form + (1 - FORM_WORTH) * _f1(told, truth)

    return judge


def _large_heart(film: PhantomFilm) -> bool | None:
    """Whether the true cardiothoracic ratio is above the limit of the view; None where either may be told."""
    limits = measurement(RATIO).limits
    above = round(film.measures[RATIO] - limits["pa" if film.radiograph.view is View.PA else "ap"], 3)
    return None if 0 < above <= AT_THE_LIMIT else above > 0


def _f1(told: set[str], truth: frozenset[str]) -> float:
    if not told and not truth:
        return 1.0
    return 2 * len(told & truth) / (len(told) + len(truth))


__all__ = ["cases"]
