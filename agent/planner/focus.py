"""Which film an answer is about when the question named none, and what was left unread."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from agent.films import derived_words
from agent.planner.naming import Films, acquired, with_role
from agent.planner.question import Kind, Question
from agent.planner.wording import say
from imaging.radiograph import DerivedKind, View
from tools.contract.wording import listed, sentence_case

NO_FILM_READ = {
    Kind.HELP,
    Kind.UNSAFE,
    Kind.ADVICE,
    Kind.OTHER_BODY,
    Kind.CHIT_CHAT,
    Kind.UNKNOWN_FINDING,
    Kind.UNCLEAR,
}
"""Kinds whose answer is about no film."""


def focus(questions: list[Question], films: Films) -> list[str]:
    """Sentences that say which film was read and which were not; none when there is no other film or one was named."""
    asked = [question for question in questions if question.by_default and question.kind not in NO_FILM_READ]
    read = {film for question in asked for film in question.films}
    if not read or len(films) < 2:
        return []
    about = [film for film in films if film["id"] in read]
    patients = {film["patient"] for film in about} - {None}
    rest = [film for film in acquired(films) if film["id"] not in read]
    current = {film["patient"] for film in about if film["role"] == "current"}
    earlier = [film for film in rest if film["role"] in {"prior", "older"} and film["patient"] in current]
    others = [film for film in rest if film not in earlier]
    return [
        *([say("focus.patients", count=len(patients))] if len(patients) > 1 else []),
        *([say("focus.about", films=film_list(about))] if rest else []),
        *([say("focus.earlier", films=film_list(earlier))] if earlier else []),
        *([say("focus.others", films=film_list(others))] if others else []),
    ]


def subject(question: Question, at_hand: tuple[str, ...], films: Films) -> tuple[str, ...]:
    """The films that a question is about when it names none: those at hand; a report is of current films only.

    Args:
        question: that is asked.
        at_hand: ids of the films that came with the message, or that the question before was about.
        films: all of the session.
    """
    if question.kind is not Kind.REPORT:
        return at_hand
    patients = {film["patient"] for film in films if film["id"] in at_hand}
    current = [
        film["id"] for film in films if film["id"] in with_role("current", films) and film["patient"] in patients
    ]
    return tuple(film for film in at_hand if film in current) or tuple(current[-1:]) or at_hand


def beside_originals(read: Collection[str], films: Films) -> list[str]:
    """What to know of the answer where pictures that nobody acquired are among the films that were read."""
    about = [film for film in films if film["id"] in read and film["derived"]]
    synthetic = [film for film in about if film["derived"]["kind"] == DerivedKind.SYNTHETIC]
    processed = [film for film in about if film not in synthetic]
    return [
        *([say("derived.beside", films=_numbers(processed))] if processed else []),
        *([say("derived.nobody", films=_numbers(synthetic))] if synthetic else []),
    ]


def _numbers(films: Films) -> str:
    """ "film 2 and film 3"."""
    told = sentence_case(listed(f"film {film['number']}" for film in films))
    return f"{told} {'is' if len(films) == 1 else 'are'}"


def film_list(films: Films) -> str:
    """ "film 1 (PA, prior) and film 2 (PA, current)"."""
    return listed(say("focus.film", film=f"film {film['number']}", what=_what(film)) for film in films)


def _what(film: dict[str, Any]) -> str:
    """ "PA, current"."""
    view = film["view"] if film["view"] != View.UNKNOWN else "view not stated"
    view = "lateral" if view == View.LATERAL else view
    derived = [derived_words(film["derived"])] if film["derived"] else []
    return ", ".join([view, *([film["role"]] if film["role"] else []), *derived])
