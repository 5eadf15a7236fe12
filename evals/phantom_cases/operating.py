"""C2, operating points: the user moves a threshold, and the status follows the score and the truth."""

from __future__ import annotations

from collections.abc import Iterator

from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from evals.phantom_cases.judging import status_of, worth_of
from evals.phantom_cases.seen import ASKED, words

CODES = ("effusion", "cardiomegaly", "pneumothorax", "mass", "consolidation")
LOW, HIGH = 0.02, 0.6
"""A threshold below which the embedded classifier seldom scores a plain finding, and one that a film without it seldom
reaches."""
MOVED = ("Use a threshold of {value}.", "Set the threshold to {value}.", "And with a cut-off of {value}?")
CASES = 10


def cases(draw: Draw) -> Iterator[Case]:
    """Each finding there, then asked again at a low threshold; and not there, then at a high one."""
    for number in range(CASES):
        code, there = CODES[number // 2 % len(CODES)], number % 2 == 0
        value = LOW if there else HIGH
        yield Case(
            id=f"operating-{number}-{code}",
            capability="C2",
            films=(draw.film(*([words(draw, code)] if there else [])),),
            turns=(draw.one(ASKED[code]), draw.one(MOVED).format(value=value)),
            judge=_judge(code, value, there),
        )


def _judge(code: str, value: float, there: bool) -> Judge:
    """Half for a status that follows the score at the threshold asked for, half for the truth."""

    def judge(outcome: Outcome) -> float:
        rows = [row for record in outcome.evidence("classify") for row in record.data["rows"] if row["code"] == code]
        if not rows or rows[-1]["threshold"] != value or "Thresholds are at" not in outcome.last.text:
            return 0.0
        follows = rows[-1]["status"] == ("present" if rows[-1]["score"] >= value else "absent")
        return 0.5 * follows + 0.5 * worth_of(status_of(outcome.last, code), present=there)

    return judge


__all__ = ["cases"]
