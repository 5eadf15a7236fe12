"""What is outside the embedded planner's reach: it says so, and what it can do."""

from __future__ import annotations

from collections.abc import Collection

from agent.mentions import has_any, name_of
from agent.planner.measuring import asks_a_measurement
from agent.planner.naming import vocabulary, words_of
from agent.planner.question import MEASURE, Kind, Question
from agent.planner.sentences import Teller
from agent.planner.wording import say
from tools.contract.wording import listed
from tools.knowledge import findings, measurements

BY_VISION_MODEL = "vqa"
"""The tool that asks a vision-language model."""

ASSESSED_NAMED = 14
"""Findings named when saying what can be asked."""


def compose_out_of_scope(question: Question, teller: Teller) -> list[str]:
    """Why it is not answered, and what can be asked instead."""
    if question.kind is Kind.NO_SUCH_FILM and not question.topic.isdigit():
        return [say("scope.no_such_role", role=question.topic)]
    if question.kind is Kind.NO_SUCH_FILM:
        return [say("scope.no_such_film", number=question.topic, count=len(teller.films))]
    if question.kind in {Kind.THANKS, Kind.ABOUT}:
        return [say(f"scope.{question.kind}")]
    if question.kind is Kind.UNCLEAR and MEASURE in teller.tools and asks_a_measurement(question):
        teller.miss(say("scope.no_measure"))
        return [
            say("scope.no_measure"),
            say("scope.measures", names=listed(m.title.lower() for m in measurements().values())),
        ]
    lead = {
        Kind.HELP: say("scope.hello"),
        Kind.UNSAFE: say("scope.unsafe"),
        Kind.ADVICE: say("scope.advice"),
        Kind.FORECAST: say("scope.forecast"),
        Kind.OTHER_BODY: say("scope.other_body", topic=question.topic or "that"),
        Kind.CHIT_CHAT: say("scope.chit_chat"),
        Kind.UNKNOWN_FINDING: say("scope.unknown_finding", topic=question.topic),
    }.get(question.kind, say("scope.unclear"))
    if question.kind not in {Kind.HELP, Kind.CHIT_CHAT}:
        teller.miss(lead)
    return [lead, what_can_be_asked(teller.tools)]


def not_by_a_vision_model(question: Question, teller: Teller) -> list[str]:
    """That no vision-language model is here, where a question is put to one: no other tool answers in its name."""
    if BY_VISION_MODEL in teller.tools or not has_any(words_of(question.text), vocabulary()["vision_model"]):
        return []
    teller.miss(say("scope.no_vision_model"))
    return [say("scope.no_vision_model")]


def what_can_be_asked(tools: Collection[str]) -> str:
    """One sentence or two on what the tools here answer."""
    abilities = [say(f"scope.ability_{tool}") for tool in ("measure", "ground", "segment", "report") if tool in tools]
    known = listed(name_of(code) for code in list(findings())[:ASSESSED_NAMED])
    told = say("scope.can_find", findings=known) if "classify" in tools else ""
    can = say("scope.can_also", abilities=listed(abilities)) if abilities else ""
    return " ".join(part for part in (told, can) if part)
