"""From what the agent said to right, wrong, unparsed or errored. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evals.journal import Record
from evals.letters import Reason, parse_choice
from evals.open_answers import judge_open
from evals.questions import Question


class Outcome(StrEnum):
    """How a question ended. Only `answered` can be right; all three stay in the denominator."""

    ANSWERED = "answered"
    UNPARSED = "unparsed"
    ERRORED = "errored"


@dataclass(frozen=True)
class Grade:
    """One graded question: `letter` is None unless a letter was answered; `reason` says why it was read so."""

    outcome: Outcome
    letter: str | None
    right: bool
    reason: str


def grade(question: Question, record: Record) -> Grade:
    """The agent's own choice if it made one, else the letter its text clearly gives; an open answer by its words."""
    if record.fault is not None:
        return Grade(Outcome.ERRORED, None, False, f"{record.fault.type}: {record.fault.message}")
    if not question.letters:
        opened = judge_open(record.text, question.target)
        return Grade(Outcome.ANSWERED if opened.read else Outcome.UNPARSED, None, opened.right, str(opened.reason))
    if record.choice is not None:
        letter = record.choice.strip().upper()
        if len(letter) != 1 or letter not in question.letters:
            return Grade(Outcome.UNPARSED, None, False, f"choice {record.choice!r}: {Reason.OUT_OF_RANGE}")
        return Grade(Outcome.ANSWERED, letter, letter == question.target, "choice")
    parsed = parse_choice(record.text, question.letters)
    outcome = Outcome.UNPARSED if parsed.letter is None else Outcome.ANSWERED
    return Grade(outcome, parsed.letter, parsed.letter == question.target, str(parsed.reason))
