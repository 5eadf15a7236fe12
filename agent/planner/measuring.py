"""Measurements in a plan: which numbers a question is about, and which of several runs of the tool answers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.answer import Evidence
from agent.mentions import has_any
from agent.planner.facts import Facts
from agent.planner.naming import vocabulary, words_of
from agent.planner.offers import Offers
from agent.planner.question import MEASURE, Kind, Question

HEART = "cardiothoracic_ratio"
"""What is measured where the heart's size is asked for, or a first look at the film."""


def takes_tasks(tools: Offers) -> bool:
    """Whether the measuring tool is offered and can be asked for one measurement."""
    return MEASURE in tools and "tasks" in tools[MEASURE].arguments


def heart_arguments(tools: Offers) -> dict[str, Any]:
    """Arguments that ask for the heart's size alone; none for a tool that measures nothing else."""
    return {"tasks": [HEART]} if takes_tasks(tools) else {}


def heart_record(facts: Facts, film: str) -> Evidence | None:
    """The run that was asked for the heart's size: the last good one, else the last that failed."""
    runs = [run for run in facts.of(MEASURE, film) if HEART in (run.args.get("tasks") or [HEART])]
    good = [run for run in runs if run.failure is None]
    return next(reversed(good or runs), None)


def runs_asked(question: Question, runs: Sequence[Evidence]) -> list[Evidence]:
    """The runs that answer this question: where it names measurements, those that were asked for them."""
    if question.tool != MEASURE or not question.tasks:
        return list(runs)
    return [run for run in runs if set(run.args.get("tasks") or question.tasks) == set(question.tasks)]


def of_a_number(question: Question, tools: Offers) -> bool:
    """Whether a question asks why or how of a number that can be measured, and not of a finding."""
    return question.kind is Kind.WHY and bool(question.tasks) and MEASURE in tools


def asks_a_measurement(question: Question) -> bool:
    """Whether words ask for a number, whatever of."""
    return has_any(words_of(question.text), vocabulary()["asks_a_number"])


def seen_beside(question: Question) -> tuple[str, ...]:
    """Findings that a question about a measurement names: the classifier is asked of them, too."""
    return question.findings if question.tool == MEASURE else ()
