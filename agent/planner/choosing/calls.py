"""The tools that tell a question's options apart, in two rounds."""

from __future__ import annotations

from agent.planner.calls import Call, sideless
from agent.planner.choosing.beliefs import OUTLINING
from agent.planner.choosing.changes import COMPARE, about_change
from agent.planner.facts import Facts
from agent.planner.measuring import MEASURE, heart_arguments
from agent.planner.offers import Offers
from agent.planner.question import OBJECTS, Question
from tools.contract import Status
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
    if any(map(_object, question.findings)):
        calls.append(Call(OBJECTS, {"image_id": film}))
    return calls


def _to_locate(question: Question, facts: Facts, film: str) -> list[str]:
    """The findings named, the likeliest first, once the classifier was heard; the signs of those it does not assess.

    The heart's size has no place to tell, and devices have a tool of their own.
    """
    if not facts.of("classify", film):
        return []
    codes: list[str] = []
    for code in question.findings:
        signs = [sign for sign in with_signs([code])[1:] if facts.assessed(sign, film)]
        codes += signs if signs and not facts.assessed(code, film) else [code]
    codes = [code for code in dict.fromkeys(codes) if code not in sideless() and not _object(code)]
    order = {Status.PRESENT: 0, Status.UNCERTAIN: 1, Status.NOT_ASSESSED: 2, None: 2, Status.ABSENT: 3}
    return sorted(codes, key=lambda code: order[_classified(code, film, facts)])[:LOCATED_MAX]


def _classified(code: str, film: str, facts: Facts) -> Status | None:
    """What the classifier says: the order must not change once the first place is told."""
    return next((f.status for r in facts.of("classify", film) for f in r.findings if f.code == code), None)


def _object(code: str) -> bool:
    return any(is_kind_of(code, kind) for kind in SEEN_AS_OBJECTS)
