"""Options that say whether the mediastinum is pushed away from something, drawn towards it, or in its place."""

from __future__ import annotations

from agent.mentions import has_any, tokens
from agent.planner.choosing.weights import Weighed, one
from agent.planner.facts import cite
from agent.planner.naming import vocabulary
from agent.planner.options import Option
from agent.planner.question import MEASURE, Question
from agent.planner.sentences import Teller

TRACHEA = "tracheal_deviation"
"""The measurement that tells a shift of the mediastinum, and to which side."""
STEP = 0.35
"""How far the ratio of that measurement lies from its middle between straight and wholly deviated, to weigh 1."""
MIDDLE = 0.6
"""Ratio of the trachea's offset to half its width from which a shift is likelier than none; at 1 it lies all aside."""


def shift_in(option: Option) -> str:
    """ "away", "towards", "none", "left", "right", or "" where the option says nothing of a shift."""
    words, told = tokens(option.text), vocabulary()["choice"]["shift"]
    found = next((way for way in ("none", "away", "towards") if has_any(words, told[way])), "")
    if found or not has_any(words, told["moved"]):
        return found
    return next((side for side in ("left", "right") if side in option.sides), "")


def about_shift(question: Question) -> bool:
    """Whether at least two options say how something is displaced."""
    return len({way for option in question.options if (way := shift_in(option))}) > 1


def by_shift(question: Question, teller: Teller) -> dict[str, Weighed]:
    """The weight of each option by the measured trachea; empty where they are about no shift or it was not measured."""
    film = question.films[-1]
    made = [
        (run, item)
        for run in teller.facts.of(MEASURE, film)
        for item in run.data.get("measurements", [])
        if item["code"] == TRACHEA and item["measured"]
    ]
    if not made or not about_shift(question):
        return {}
    run, item = made[-1]
    offset = next(q["value"] for q in item["quantities"] if q["code"] == "tracheal_offset_px")
    side = "left" if offset > 0 else "right"
    moved = max(-2.0, min(2.0, (float(item["index"]) - MIDDLE) / STEP))
    of = next((found for code in question.findings if (found := teller.facts.side(code, film)) is not None), None)
    words = f"{item['sentences'][0].rstrip('.')} {cite([run.id])}"
    weighed = {option.letter: _weigh(shift_in(option), moved, side, of, words) for option in question.options}
    return {letter: each for letter, each in weighed.items() if each is not None}


def _weigh(way: str, moved: float, side: str, of: str | None, words: str) -> Weighed | None:
    """A stated shift against the measured one; `of` is the side of what it is away from or towards."""
    if not way:
        return None
    if way == "none":
        return one(-moved, words)
    if way in ("left", "right"):
        fits = way == side
    elif of in ("left", "right"):
        fits = (side == of) is (way == "towards")
    else:
        return one(moved, words)
    return one(moved if fits else -abs(moved) - 1.0, words)


__all__ = ["TRACHEA", "about_shift", "by_shift", "shift_in"]
