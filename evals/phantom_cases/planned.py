"""C1: a compound question calls every tool it needs, and each statement of the answer cites what it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from evals.phantom_cases.judging import claims_hold
from evals.phantom_cases.seen import words

CASES = 16
ASKED = (
    ("Is the heart enlarged and where is the effusion?", {"classify", "measure", "ground"}),
    ("Outline the lungs. Is there a pneumothorax?", {"segment", "classify"}),
    ("How big is the heart, and is there a mass?", {"measure", "classify"}),
    ("Is the film well exposed? Draft the report.", {"quality", "classify", "measure", "report"}),
)


def cases(draw: Draw) -> Iterator[Case]:
    """Compound questions about films with an effusion."""
    for number in range(CASES):
        asked, tools = ASKED[number % len(ASKED)]
        yield Case(f"planned-{number}", "C1", (draw.film(words(draw, "effusion")),), (asked,), _plan(frozenset(tools)))


def _plan(tools: frozenset[str]) -> Judge:
    """Half for the share of the needed tools that ran, half for the share of statements with their evidence."""

    def judge(outcome: Outcome) -> float:
        ran = {record.tool for record in outcome.last.evidence}
        return 0.5 * len(tools & ran) / len(tools) + 0.5 * claims_hold(outcome.last)

    return judge


__all__ = ["cases"]
