"""What a score is worth: scripted stand-ins that do not look, and the real agent with something taken from it."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agent.answer import Answer
from evals.asking import AgentLike
from evals.questions import Question, Questions, options_of, stem_of, wording_of
from imaging.failures import BadArguments

CHANCE, MAJORITY, TEXT_ONLY, SHUFFLED = "chance", "majority", "text-only", "shuffled-image"
NO_TOOLS, SINGLE_TOOL = "no-tools", "single-tool"
BASELINES = {
    CHANCE: "a letter drawn for each question",
    MAJORITY: "the option that is most often right under the same words in other cases; an answer prior, no film",
    TEXT_ONLY: "the agent without the films",
    SHUFFLED: "the agent with another case's films",
    NO_TOOLS: "the agent without tools",
    SINGLE_TOOL: "the agent with the classifier alone",
}
SINGLE = "classify"


@dataclass(frozen=True)
class Scripted:
    """An agent that says, of each question, what a function says; each session is the same."""

    planner_name: str
    choose: Callable[[str, tuple[Path, ...]], str]

    def session(self) -> Scripted:
        """Itself: it keeps nothing."""
        return self

    def ask(self, question: str, films: Sequence[Path] = ()) -> Answer:
        """An answer that is nothing but its letter, or its words where the question is open."""
        said = self.choose(question, tuple(films))
        return Answer(
            question=question,
            text=f"ANSWER: {said}" if len(said) == 1 else said,
            claims=[],
            findings=[],
            evidence=[],
            images=[],
            planner=self.planner_name,
        )


def check(name: str) -> None:
    """BadArguments for a baseline that does not exist."""
    if name not in BASELINES:
        told = "; ".join(f"{known}: {what}" for known, what in BASELINES.items())
        raise BadArguments(f"There is no baseline {name!r}.", f"There are: {told}.")


def tools_of(name: str, tools: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The tools that a baseline leaves the agent, of those chosen (None: all)."""
    return {NO_TOOLS: (), SINGLE_TOOL: (SINGLE,)}.get(name, tools)


def scripted(name: str, questions: Questions, seed: int) -> AgentLike | None:
    """The stand-in of a baseline that needs no agent; None for the others.

    Args:
        name: the baseline.
        questions: what will be asked.
        seed: of the letters that chance draws.
    """
    known = {(question.text, question.films): question for question in questions.items}
    if name == CHANCE:
        return Scripted(CHANCE, lambda text, films: _drawn(known[text, films], seed))
    if name == MAJORITY:
        prior = _Prior(questions.items)
        return Scripted(MAJORITY, lambda text, films: prior.choice(known[text, films]))
    return None


def altered(name: str, questions: Questions, seed: int) -> Questions:
    """The questions as a baseline asks them: without films, or with another case's.

    Args:
        name: the baseline.
        questions: as loaded.
        seed: of the exchange of films.
    """
    if name == TEXT_ONLY:
        items = tuple(replace(question, films=(), unusable="") for question in questions.items)
        return replace(questions, items=items)
    if name == SHUFFLED:
        return replace(questions, items=_exchanged(questions.items, seed))
    return questions


def _drawn(question: Question, seed: int) -> str:
    digest = hashlib.sha256(f"{seed}/{question.id}".encode()).digest()
    options = question.letters or ("yes", "no")
    return options[digest[0] % len(options)]


class _Prior:
    """How often each option was right under the same stem, numbers in it aside, case by case."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._right: dict[tuple[str, str], Counter[str]] = {}
        self._letters = Counter(question.target for question in questions)
        for question in questions:
            words = options_of(question).get(question.target, question.target)
            self._right.setdefault((wording_of(stem_of(question)), question.case_id), Counter())[words] += 1
        self._stems: dict[str, Counter[str]] = {}
        self._cases: dict[str, Counter[str]] = {}
        for (stem, case), counts in self._right.items():
            self._stems.setdefault(stem, Counter()).update(counts)
            self._cases.setdefault(case, Counter()).update(counts)
        self._all = sum(self._stems.values(), Counter[str]())

    def choice(self, question: Question) -> str:
        """The option most often right in other cases, under any stem where none was right under this one; among equals
        the first; the commonest letter where none was right at all."""
        stem = wording_of(stem_of(question))
        others = self._stems[stem] - self._right[stem, question.case_id]
        if not question.letters:
            return others.most_common(1)[0][0] if others else "yes"
        options = options_of(question)
        for counts in (others, self._all - self._cases[question.case_id]):
            best = max(question.letters, key=lambda letter: counts[str(options.get(letter, letter))])
            if counts[str(options.get(best, best))]:
                return best
        return max(question.letters, key=lambda letter: self._letters[letter])


def _exchanged(questions: tuple[Question, ...], seed: int) -> tuple[Question, ...]:
    """Each case's films given to the next case, in drawn order, that has as many."""
    by_count: dict[int, list[Question]] = {}
    for question in questions:
        by_count.setdefault(len(question.films), []).append(question)
    given: dict[tuple[str, int], tuple[Path, ...]] = {}
    for count, items in by_count.items():
        films = {question.case_id: question.films for question in items}
        cases = sorted(films)
        random.Random(seed).shuffle(cases)
        for case, other in zip(cases, [*cases[1:], *cases[:1]], strict=True):
            given[case, count] = films[other]
    return tuple(replace(question, films=given[question.case_id, len(question.films)]) for question in questions)
