"""What every multiple-choice benchmark becomes before it runs: questions with their films, options and truth."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from imaging.failures import BadArguments

SHOWN_PROBLEMS = 8
"""How many faulty rows an error names; the rest are counted."""


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        id: unique in its benchmark; answers are kept under it.
        case_id: questions of one case are not independent; intervals are clustered by it.
        text: the question with its options, as the agent reads it.
        letters: option letters, e.g. "ABCDEF"; empty for an open question.
        target: the true letter, or the true answer to an open question.
        films: files to ask about, in order.
        categories: the categories that count it, as published; at least one.
        unusable: why it cannot be asked (a film is missing), or empty. It counts as errored, never left out.
        pair: the two questions of one pair share it; empty for questions without a twin.
        groups: subgroup by attribute, e.g. {"sex": "F"}; empty where the data set tells none.
        regions: boxes (row_min, col_min, row_max, col_max) on the last film that hold what is asked about.
    """

    id: str
    case_id: str
    text: str
    letters: str
    target: str
    films: tuple[Path, ...]
    categories: tuple[str, ...]
    unusable: str = ""
    pair: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)
    regions: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Questions:
    """A benchmark ready to run.

    Attributes:
        items: the questions in asking order.
        sha256: what they were read from, hashed: answers to other content are never reused.
        notes: what a reader must know before the run, e.g. how many films are missing.
    """

    items: tuple[Question, ...]
    sha256: str
    notes: tuple[str, ...] = ()

    def limited(self, limit: int | None, seed: int | None) -> Questions:
        """The first `limit` questions in file order, or with a seed in an order drawn from it."""
        if limit is not None and limit < 1:
            raise BadArguments(f"--limit is {limit}.", "Give at least 1, or leave it out for all questions.")
        items = list(self.items)
        if seed is not None:
            random.Random(seed).shuffle(items)
        return replace(self, items=tuple(items[:limit]))

    def repeated(self, epochs: int) -> Questions:
        """Every question `epochs` times, one round after the other; round k of a question has the id "ID~k"."""
        if epochs < 1:
            raise BadArguments(f"--epochs is {epochs}.", "Give at least 1.")
        later = [replace(item, id=f"{item.id}~{k}") for k in range(2, epochs + 1) for item in self.items]
        return replace(self, items=(*self.items, *later))


_OPTION_LINE = re.compile(r"^\(?(?P<letter>[A-H])[).:]\s+(?P<words>.+)$", re.MULTILINE)


def options_of(question: Question) -> dict[str, str]:
    """The words of each option that stands on a line of its own; none where the text has them otherwise."""
    return {match["letter"]: match["words"].strip() for match in _OPTION_LINE.finditer(question.text)}


def stem_of(question: Question) -> str:
    """The text without its options."""
    first = _OPTION_LINE.search(question.text)
    return question.text[: first.start()].strip() if first and question.letters else question.text


def wording_of(stem: str) -> str:
    """A stem without its numbers: dates differ from case to case and would hide that the words are the same."""
    return re.sub(r"\d+", "#", stem)


def refuse_rows(source: str, problems: Sequence[str], rows: int) -> None:
    """Raise BadArguments naming the first faulty rows, if there are any: no question is dropped silently."""
    if not problems:
        return
    shown = "; ".join(problems[:SHOWN_PROBLEMS])
    more = f"; and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
    raise BadArguments(
        f"{source}: {len(problems)} of {rows} rows are faulty, nothing was asked: {shown}{more}.",
        "Correct the rows or fetch the data set again; Hilum leaves no question out on its own.",
    )
