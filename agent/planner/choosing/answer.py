"""The options weighed against the evidence, and the letter of the best supported one."""

from __future__ import annotations

import math

from agent.mentions import has_any, tokens
from agent.planner.choosing.changes import by_change
from agent.planner.choosing.numbers import by_number
from agent.planner.choosing.shifts import by_shift
from agent.planner.choosing.statements import NORMAL_BAR, by_statement
from agent.planner.choosing.weights import Weighed
from agent.planner.naming import vocabulary
from agent.planner.question import Question
from agent.planner.sentences import Teller
from agent.planner.wording import say
from tools.contract.wording import listed

CLEAR_MARGIN = 1e-6
"""Weights that differ by less are equal."""
TOUCHED = 0.3
"""Weights that all lie within this say nothing of the options."""


def compose_choice(question: Question, teller: Teller) -> list[str]:
    """A line on each option that evidence touches, then "ANSWER: X", or that no option can be supported."""
    weighed = _weighed(question, teller)
    lines = [f"- {say('choice.option', letter=letter, judgement=_judgement(each))}" for letter, each in weighed.items()]
    lead = [say("choice.lead"), *lines]
    ranked = sorted(weighed, key=lambda letter: -weighed[letter].weight)
    best, last = weighed[ranked[0]].weight, weighed[ranked[-1]].weight
    tied = [letter for letter in ranked if best - weighed[letter].weight < CLEAR_MARGIN]
    if len(tied) > 1 and best - last < TOUCHED:
        teller.miss(say("choice.abstain"))
        return [*lead, *(line for film in question.films for line in teller.failures(film)), say("choice.abstain")]
    letter = min(tied)
    teller.option_scores = _scores(weighed)
    guess = []
    if len(tied) > 1:
        guess = [say("choice.tied", letters=listed(sorted(tied)), letter=letter)]
    elif best <= 0:
        guess = [say("choice.guess", letter=letter)]
    return [*lead, *guess, f"ANSWER: {letter}"]


def _scores(weighed: dict[str, Weighed]) -> dict[str, float]:
    """The options' likelihoods over their sum: were their weights right and one option true, its probability."""
    likelihoods = {letter: math.exp(each.weight) for letter, each in weighed.items()}
    total = sum(likelihoods.values())
    return {letter: round(likelihood / total, 4) for letter, likelihood in likelihoods.items()}


def _weighed(question: Question, teller: Teller) -> dict[str, Weighed]:
    """Every option by its letter: by what was measured or compared, else by what it states.

    Where the stem asks for the exception ("which is NOT seen"), the least supported option is the right one. "None of
    the above" is as likely as the likeliest of the others is not.
    """
    words = vocabulary()["choice"]
    found = {option.letter: by_statement(option, question, teller) for option in question.options}
    if measured := by_number(question, teller):
        found |= measured
    elif told := by_change(question, teller) or by_shift(question, teller):
        found |= told
    elif has_any(tokens(question.text), words["exception"]):
        found = {letter: weighed.turned() for letter, weighed in found.items()}
    for option in question.options:
        if has_any(tokens(option.text), words["none"]):
            best = max(weighed.weight for letter, weighed in found.items() if letter != option.letter)
            found[option.letter] = Weighed(NORMAL_BAR - best)
    return found


def _judgement(weighed: Weighed) -> str:
    parts = []
    for key, wanted in (("for", True), ("against", False)):
        told = list(dict.fromkeys(text for share, text in weighed.reasons if text and (share > 0) is wanted))
        if told:
            parts.append(say(f"choice.{key}", reasons=listed(told)))
    return "; ".join(parts) + "." if parts else f"{say('choice.open')}."
