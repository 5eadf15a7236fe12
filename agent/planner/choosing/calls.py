"""The tools that tell a question's options apart, in two rounds."""

from __future__ import annotations

from agent.planner.calls import Call
from agent.planner.choosing.beliefs import OBJECTS, OUTLINING
from agent.planner.choosing.changes import COMPARE, about_change
from agent.planner.facts import Facts
from agent.planner.measuring import MEASURE, heart_arguments
from agent.planner.offers import Offers
from agent.planner.question import Question
from tools.knowledge import with_signs
from tools.knowledge.ontology import is_kind_of

LOCATED_MAX = 6
"""Findings of the options that are localised, which is a second opinion on each: as many as questions have options."""
SEEN_AS_OBJECTS = ("support_devices", "retained_object")
"""What the tool for tubes, lines and objects finds."""


def choice_calls(question: Question, facts: Facts, tools: Offers, point: dict[str, object]) -> list[Call]:
    """Everything the options need: a comparison where they are about a change, else each film's findings and numbers.

    Args:
        question: with its options and films, which can be read.
        facts: what is known so far.
        tools: those that may be called.
        point: the classifier's operating point, where the question gives one.
    """
    if about_change(question) and len(question.films) > 1 and COMPARE in tools:
        call = Call(COMPARE, {"image_ids": list(question.films)} | _told(question))
        if not any(record.failure for record in facts.of(COMPARE)):
            return [call]
    first = [call for film in question.films for call in _look(question, film, tools, point)]
    second = [
        Call(OUTLINING, {"image_id": film, "finding": code})
        for film in question.films
        for code in _to_locate(question, facts, film)
    ]
    return [call for call in [*first, *second] if call.tool in tools]


def _told(question: Question) -> dict[str, object]:
    """What the question tells of films whose files do not, and the findings it names."""
    given = {"findings": list(question.findings), "days": list(question.days), "same_patient": question.same_patient}
    return {name: value for name, value in given.items() if value}


def _look(question: Question, film: str, tools: Offers, point: dict[str, object]) -> list[Call]:
    measured = heart_arguments(tools)
    if measured:
        measured = {"tasks": list(dict.fromkeys([*measured["tasks"], *question.tasks]))}
    calls = [Call("classify", {"image_id": film, **point}), Call(MEASURE, {"image_id": film} | measured)]
    if any(is_kind_of(code, kind) for code in question.findings for kind in SEEN_AS_OBJECTS):
        calls.append(Call(OBJECTS, {"image_id": film}))
    return calls


def _to_locate(question: Question, facts: Facts, film: str) -> list[str]:
    """The findings named and their signs, once the classifier was heard; the heart's size has no place to tell."""
    if not facts.of("classify", film):
        return []
    objects = [code for code in question.findings if any(is_kind_of(code, kind) for kind in SEEN_AS_OBJECTS)]
    codes = [code for code in with_signs(question.findings) if code not in {*objects, "cardiomegaly"}]
    return [code for code in codes if facts.about(code, film) or code in question.findings][:LOCATED_MAX]
