"""An organ named alone ("are the ribs ok?"): what can be measured of it, else which findings it may have."""

from __future__ import annotations

from dataclasses import replace

from agent.mentions import has_any
from agent.planner.measuring import asks_a_measurement, takes_tasks
from agent.planner.naming import vocabulary
from agent.planner.offers import Offers
from agent.planner.question import MEASURE, Kind, Question

ASKED_AS = {Kind.NORMAL, Kind.OVERVIEW, Kind.UNCLEAR}
"""Kinds of question that are about an organ where they name one and no finding."""


def about_an_organ(question: Question, words: list[str], tools: Offers) -> Question:
    """The question as one about the organ it names ([organ] of the vocabulary), or as it is."""
    if question.kind not in ASKED_AS or question.findings or asks_a_measurement(question):
        return question
    organ = next((told for told in vocabulary()["organ"].values() if has_any(words, told["words"])), None)
    if organ is None:
        return question
    if organ.get("tasks") and takes_tasks(tools):
        return replace(question, kind=Kind.TOOL, tool=MEASURE, tasks=tuple(organ["tasks"]))
    return replace(question, kind=Kind.PRESENCE, findings=tuple(organ["findings"]))


__all__ = ["about_an_organ"]
