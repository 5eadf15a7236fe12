"""C6: a drafted report says what the film shows, in its sections, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from evals.phantom_cases.judging import claims_hold
from evals.phantom_cases.seen import words
from tools.contract import Status

CASES = 20
SHOWN = ("effusion", "cardiomegaly", "mass", "pneumothorax", "edema")
ASKED = ("Draft the report", "Write a report please", "findings and impression")
SECTIONS = ("Findings", "Impression")

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
            _report(frozenset(codes)),
        )


def _report(truth: frozenset[str]) -> Judge:
    def judge(outcome: Outcome) -> float:
        answer = outcome.last
        form = all(f"{section}:" in answer.text for section in SECTIONS) * claims_hold(answer)
        told = {row.code for row in answer.findings if row.status is Status.PRESENT and row.code in SHOWN}
        return FORM_WORTH * form + (1 - FORM_WORTH) * _f1(told, truth)

    return judge


def _f1(told: set[str], truth: frozenset[str]) -> float:
    if not told and not truth:
        return 1.0
    return 2 * len(told & truth) / (len(told) + len(truth))


__all__ = ["cases"]
