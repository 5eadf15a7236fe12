"""Options of a multiple choice that are values of a measurement: "0.58", "58%", "between 40 and 55 degrees"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.answer import Evidence
from agent.planner.options import Option

NUMBER = re.compile(
    r"(\d+(?:[.,]\d+)?)\s*(%|percent|millimet(?:re|er)s?|mm|centimet(?:re|er)s?|cm|°|degrees?|ribs?)?", re.I
)
UNITS = {"%": ("", 0.01), "pe": ("", 0.01), "mm": ("mm", 1), "mi": ("mm", 1), "cm": ("mm", 10), "ce": ("mm", 10),
         "°": ("deg", 1), "de": ("deg", 1), "ri": ("ribs", 1)}  # fmt: skip
"""First two letters of a unit as written -> (unit as measured, what one of it is in that)."""
BELOW = ("below", "under", "less than", "smaller than", "up to", "at most", "<")
ABOVE = ("above", "over", "more than", "greater than", "at least", "from", ">")
"""Words before a limit that leave the option open to one side."""
OPEN = float("inf")
EDGE = 1e-5
"""How far a value on the upper end of a range lies outside it: of two ranges that meet, the upper one holds it."""


def distances(options: Sequence[Option], runs: Sequence[Evidence]) -> dict[str, float]:
    """How far what was measured lies from each option that is a number or a range, 0 within a range.

    Args:
        options: those of the question; others than numbers are left out.
        runs: of the measuring tool; the first number of theirs whose unit is the options' counts.

    Returns:
        Letter to distance; empty where the options are no numbers or nothing of their unit was measured.
    """
    spans = {option.letter: span for option in options if (span := _span(option.text)) is not None}
    units = {unit for unit, _, _ in spans.values()}
    if len(spans) < 2 or len(units) > 1:
        return {}
    value = next((number for run in runs for number, unit in _numbers(run) if unit in units), None)
    if value is None:
        return {}
    return {letter: _distance(value, low, high) for letter, (_, low, high) in spans.items()}


def _distance(value: float, low: float, high: float) -> float:
    return EDGE if value == high > low else max(low - value, value - high, 0.0)


def _numbers(run: Evidence) -> Iterator[tuple[float, str]]:
    """The measured numbers of a run with their units, indices first."""
    made = [item for item in run.data.get("measurements", []) if item["measured"] and item["index"] is not None]
    yield from ((item["index"], item["unit"]) for item in made)
    yield from ((q["value"], q["unit"]) for item in made for q in item["quantities"])
    yield from ((row.score, "") for row in run.findings if row.score is not None)


def _span(text: str) -> tuple[str, float, float] | None:
    """(unit, least, most) of an option; None for one that is no number."""
    found = NUMBER.findall(text)
    if not 1 <= len(found) <= 2:
        return None
    written = next((unit for _, unit in reversed(found) if unit), "")
    unit, factor = UNITS.get(written.lower()[:2], ("", 1))
    numbers = [float(number.replace(",", ".")) * factor for number, _ in found]
    if len(numbers) == 2:
        return unit, min(numbers), max(numbers)
    words = text.lower()
    if any(word in words for word in BELOW):
        return unit, -OPEN, numbers[0]
    return unit, numbers[0], OPEN if any(word in words for word in ABOVE) else numbers[0]


__all__ = ["distances"]
