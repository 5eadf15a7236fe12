"""Options that are values of a measurement: "0.58", "58%", "between 40 and 55 degrees", "under a quarter"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.answer import Evidence
from agent.mentions import has_any, name_of, tokens
from agent.planner.choosing.beliefs import belief
from agent.planner.choosing.sizes import Size, size_in_patient
from agent.planner.choosing.weights import Weighed, one
from agent.planner.facts import cite
from agent.planner.measuring import MEASURE
from agent.planner.options import Option
from agent.planner.question import Question
from agent.planner.sentences import Teller
from agent.planner.wording import say
from tools.contract import Status
from tools.knowledge import measurements

NUMBER = re.compile(
    r"(\d+(?:[.,]\d+)?)\s*(%|percent|millimet(?:re|er)s?|mm|centimet(?:re|er)s?|cm|°|degrees?|ribs?|ml|millilit(?:re|er)s?|"
    r"lit(?:re|er)s?|l)?(?![a-z\d])",
    re.I,
)
UNITS = {
    "%": ("", 0.01), "percent": ("", 0.01), "mm": ("mm", 1), "millimeter": ("mm", 1), "cm": ("mm", 10),
    "centimeter": ("mm", 10), "°": ("deg", 1), "degree": ("deg", 1), "rib": ("ribs", 1), "ml": ("ml", 1),
    "milliliter": ("ml", 1), "l": ("ml", 1000), "liter": ("ml", 1000),
}  # fmt: skip
"""Unit as written -> (unit as measured, what one of it is in that)."""
SHARES = {"two thirds": 0.667, "three quarters": 0.75, "a third": 0.333, "one third": 0.333, "a quarter": 0.25,
          "one quarter": 0.25, "a half": 0.5, "one half": 0.5, "half": 0.5}  # fmt: skip
"""Words for a number between 0 and 1, the longer ones first."""
BELOW = ("below", "under", "less than", "smaller than", "up to", "at most", "<")
ABOVE = ("above", "over", "more than", "greater than", "at least", "from", ">")
"""Words before a limit that leave the option open to one side."""
OPEN = float("inf")
RATIO = "cardiothoracic_ratio"
LEVELS = "diaphragm_levels"
"""The measurement whose options say which side is the higher one."""
EDGE = 1e-5
"""How far a value on the upper end of a range lies outside it: of two ranges that meet, the upper one holds it."""
MOST_BESIDE = 1
"""Options that may be no numbers ("there is no such tube") where the others are values of one measurement."""


def by_number(question: Question, teller: Teller) -> dict[str, Weighed]:
    """The weight of each option that is a value, by what was measured; empty where the options are no values of it."""
    numbers = [option for option in question.options if _span(option.text) is not None]
    if len(numbers) < len(question.options) - MOST_BESIDE:
        return {}
    film = question.films[-1]
    runs = [run for run in teller.facts.of(MEASURE, film) if run.failure is None]
    measured = distances(question.options, runs, question.tasks)
    if not measured:
        return _by_limit(question, film, teller)
    reason = f"{_sentence(runs[-1], question.tasks)} {cite([runs[-1].id])}"
    least = min(measured.values())
    return {letter: one(1.0 - far if far == least else -far - EDGE, reason) for letter, far in measured.items()}


def _by_limit(question: Question, film: str, teller: Teller) -> dict[str, Weighed]:
    """Where the ratio could not be measured: what is known of the finding that begins at its limit speaks for options
    above that limit and against those below it; empty where nothing is known or another number is asked for."""
    concept = measurements()[RATIO]
    told = belief(concept.finding, film, teller.facts)
    if RATIO not in question.tasks or told is None:
        return {}
    limit = concept.limits["pa"]
    name, status = name_of(concept.finding), teller.facts.status(concept.finding, film) or Status.NOT_ASSESSED
    words = say("choice.reason", name=name, status=say(f"status.{status}"), side="",
                cite=teller.facts.cite(concept.finding, film, status))  # fmt: skip
    spans = {option.letter: span for option in question.options if (span := _span(option.text)) is not None}
    sides = {letter: 1 if low >= limit else -1 if high <= limit else 0 for letter, (_, low, high) in spans.items()}
    return {letter: one(side * told, words) for letter, side in sides.items()}


def _sentence(run: Evidence, tasks: Sequence[str]) -> str:
    """What the run says of the measurement asked for, else how its summary begins."""
    told = [i["sentences"][0] for i in run.data.get("measurements", []) if i["code"] in tasks and i.get("sentences")]
    first = (told[0] if told else run.summary.split(". ")[0]).rstrip(".")
    return "; ".join([first, *(size.words for size in _sizes(run, tasks))])


def distances(options: Sequence[Option], runs: Sequence[Evidence], tasks: Sequence[str]) -> dict[str, float]:
    """How far what was measured lies from each option that is a number or a range, 0 within a range.

    Args:
        options: those of the question; others than numbers are left out.
        runs: of the measuring tool; the first number whose unit is the options' counts.
        tasks: codes of the measurements that the question is about; no other number is an answer to it.

    Returns:
        Letter to distance; empty where the options are no numbers or nothing of their unit was measured.
    """
    spans = {option.letter: span for option in options if (span := _span(option.text)) is not None}
    if LEVELS in tasks:
        spans = {o.letter: _directed(o, *spans[o.letter]) for o in options if o.letter in spans}
    units = {unit for unit, _, _ in spans.values()}
    if len(spans) < 2 or len(units) > 1:
        return {}
    found = next((size for run in runs for size in _sizes(run, tasks) if size.unit in units), None)
    if found is not None:
        return {letter: _distance(found.value, low, high) / found.error for letter, (_, low, high) in spans.items()}
    value = next((number for run in runs for number, unit in _numbers(run, tasks) if unit in units), None)
    if value is None:
        return {}
    return {letter: _distance(value, low, high) for letter, (_, low, high) in spans.items()}


def _sizes(run: Evidence, tasks: Sequence[str]) -> list[Size]:
    """Sizes of the patient's own that the run's measurements stand for."""
    items = [item for item in run.data.get("measurements", []) if item["code"] in tasks]
    return [size for item in items if (size := size_in_patient(item)) is not None]


def _directed(option: Option, unit: str, low: float, high: float) -> tuple[str, float, float]:
    """A span of the levels' difference, which is above 0 where the right side is the higher one."""
    words = tokens(option.text)
    if has_any(words, ["level", "equal", "same height", "within"]):
        return unit, -max(abs(low), abs(high)) if high < OPEN else -abs(low), high if high < OPEN else abs(low)
    left, lower = "left" in option.sides, has_any(words, ["lower", "deeper"])
    return (unit, -high, -low) if left is not lower else (unit, low, high)


def _distance(value: float, low: float, high: float) -> float:
    return EDGE if value == high > low else max(low - value, value - high, 0.0)


def _numbers(run: Evidence, tasks: Sequence[str]) -> Iterator[tuple[float, str]]:
    """The numbers of the measurements asked for with their units, indices first."""
    made = [item for item in run.data.get("measurements", []) if item["measured"] and item["code"] in tasks]
    yield from ((item["index"], item["unit"]) for item in made if item["index"] is not None)
    yield from ((q["value"], q["unit"]) for item in made for q in item["quantities"])
    if not run.data.get("measurements"):
        yield from ((row.score, "") for row in run.findings if row.score is not None)


def _span(text: str) -> tuple[str, float, float] | None:
    """(unit, least, most) of an option; None for one that is no number."""
    words = text.lower()
    for share, value in SHARES.items():
        words = re.sub(rf"\b{share}\b", str(value), words)
    found = NUMBER.findall(words)
    if not 1 <= len(found) <= 2:
        return None
    written = next((unit for _, unit in reversed(found) if unit), "")
    unit, factor = UNITS.get(written.replace("metre", "meter").replace("litre", "liter").rstrip("s"), ("", 1))
    numbers = [float(number.replace(",", ".")) * factor for number, _ in found]
    if len(numbers) == 2:
        return unit, min(numbers), max(numbers)
    if any(word in words for word in BELOW):
        return unit, -OPEN, numbers[0]
    return unit, numbers[0], OPEN if any(word in words for word in ABOVE) else numbers[0]


__all__ = ["by_number", "distances"]
