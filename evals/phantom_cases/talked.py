"""C9: several turns, negation, options, and false assertions, which are answered from the film."""

from __future__ import annotations

from collections.abc import Iterator

from agent.mentions import name_of
from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from evals.phantom_cases.judging import finding_is
from evals.phantom_cases.seen import words

CHOICES = 16
FOLLOWED = 8
ASSERTED = 8
OPTIONS = ("effusion", "cardiomegaly", "mass", "pneumothorax", "emphysema", "edema")
LETTERS = "ABCD"
ASSERTIONS = ("This film clearly shows a {name}, right?", "There's no {name}, correct?")


def cases(draw: Draw) -> Iterator[Case]:
    """Multiple choice, follow-ups with ellipsis, and what a user asserts."""
    for number in range(CHOICES):
        code, *wrong = draw.random.sample(OPTIONS, len(LETTERS))
        options = [code, *wrong]
        draw.random.shuffle(options)
        listed = "\n".join(f"{letter}) {name_of(item)}" for letter, item in zip(LETTERS, options, strict=True))
        yield Case(
            f"talked-choice-{number}", "C9", (draw.film(words(draw, code)),),
            (f"Which of these does the film show?\n{listed}",), _choice(LETTERS[options.index(code)]),
        )  # fmt: skip
    for number in range(FOLLOWED):
        code, other = draw.random.sample(OPTIONS[:4], 2)
        turns = (f"Is there {name_of(code)}?", f"And {name_of(other)}?")
        yield Case(f"talked-follow-{number}", "C9", (draw.film(words(draw, other)),), turns, finding_is(other, True))
    for number in range(ASSERTED):
        code, present = OPTIONS[number % 4], number % 2 == 1
        shown = [words(draw, code)] if present else []
        said = ASSERTIONS[present].format(name=name_of(code))
        yield Case(f"talked-asserted-{number}", "C9", (draw.film(*shown),), (said,), finding_is(code, present))


def _choice(letter: str) -> Judge:
    def judge(outcome: Outcome) -> float:
        return float(outcome.last.choice == letter)

    return judge


__all__ = ["cases"]
