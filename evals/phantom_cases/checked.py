"""C16: faults of the picture are seen, and a picture that cannot be read stops the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evals.phantom_cases.case import Case, Draw, Judge, Outcome

FAULTS: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("turned-90", {"turned_deg": 90}, {"rotation": 90}),
    ("turned-180", {"turned_deg": 180}, {"rotation": 180}),
    ("turned-270", {"turned_deg": 270}, {"rotation": 270}),
    ("inverted", {"inverted": True}, {"inverted": True}),
    ("mirrored", {"mirrored": True}, {"mirrored": True}),
    ("clipped", {"clip": ("base", 0.3)}, {"clipped": True}),
    ("fine", {}, {"is_chest": True, "rotation": 0, "inverted": False, "mirrored": False, "clipped": False}),
)
"""What is done to the picture, and what the check must say of it."""
STOPS = {"turned-90", "turned-180", "turned-270", "inverted"}
"""Faults with which no other tool may run."""
CASES = 28
ASKED = ("Is the film quality good enough?", "Is there a pleural effusion?")


def cases(draw: Draw) -> Iterator[Case]:
    """Every fault in turn, asked about itself and under a question about something else."""
    for number in range(CASES):
        name, done, told = FAULTS[number % len(FAULTS)]
        film = draw.film(**done)
        asked = ASKED[number // len(FAULTS) % 2]
        yield Case(f"checked-{number}-{name}", "C16", (film,), (asked,), _verdicts(told, stops=name in STOPS))


def _verdicts(told: Mapping[str, Any], *, stops: bool) -> Judge:
    def judge(outcome: Outcome) -> float:
        verdicts = [record.data["quality"] for record in outcome.evidence("quality")]
        if not verdicts or (stops and any(record.tool != "quality" for record in outcome.last.evidence)):
            return 0.0
        return sum(verdicts[0].get(key) == value for key, value in told.items()) / len(told)

    return judge


__all__ = ["cases"]
