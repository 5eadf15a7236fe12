"""A multiple-choice question as it is asked: over which films, of which findings, and which numbers it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agent.mentions import codes_of, mentions
from agent.planner.choosing.changes import about_change
from agent.planner.choosing.shifts import TRACHEA, about_shift
from agent.planner.measuring import HEART
from agent.planner.naming import Films, comparable, words_of
from agent.planner.options import Option
from agent.planner.question import Kind, Question
from tools.knowledge import measurements
from tools.knowledge.measured import asked_of


def as_choice(question: Question, stem: str, options: Sequence[Option], films: Films) -> Question:
    """The question with its options, what they name, and the films it compares where it is about a change.

    Args:
        question: as the stem alone reads.
        stem: the words before the options.
        options: in order.
        films: facts of all films of the session.
    """
    named = (*mentions(stem), *(mention for option in options for mention in option.mentions))
    findings = codes_of(named, "finding")
    tasks = [*question.tasks, *(code for option in options for code in asked_of(" ".join(words_of(option.text))))]
    tasks += [HEART] if question.kind is Kind.HEART_SIZE else []
    tasks += [code for code, concept in measurements().items() if concept.finding and concept.finding in findings]
    chosen = replace(
        question, kind=Kind.CHOICE, options=tuple(options), findings=findings, tasks=tuple(dict.fromkeys(tasks))
    )
    if about_shift(chosen):
        chosen = replace(chosen, tasks=tuple(dict.fromkeys([*chosen.tasks, TRACHEA])))
    if len(chosen.films) < 2 and about_change(chosen) and len(pair := comparable(films, words_of(stem))) > 1:
        return replace(chosen, films=pair)
    return chosen
