"""Detection: what is there, what is not, and which device."""

from __future__ import annotations

import random
from collections.abc import Iterator

from evals.phantombench.categories.parts import DEVICES, SUBTLE, diseases, named, surely_absent
from evals.phantombench.drafts import Draft
from evals.phantombench.films import Shown
from evals.phantombench.patients import name_of

NONE = "none of these findings"
DENIED = 0.2
"""Share of true statements that deny a finding, of patients who have several: as often as one of five options is true
by chance. Others are offered no denial, since one beside a single finding would give the answer away."""


def drafts(shown: Shown, rng: random.Random) -> list[Draft]:
    """Which finding, which statement, which device."""
    return [*_finding(shown, rng), *_statement(shown, rng), *_device(shown)]


def _finding(shown: Shown, rng: random.Random) -> Iterator[Draft]:
    stem = "Which of these findings does the film show?"
    absent = surely_absent(shown, rng)
    yield Draft(stem, NONE, tuple(named(absent)))
    for code in diseases(shown):
        if code not in SUBTLE:
            yield Draft(stem, name_of(code), (NONE, *named(absent)), code)


def _statement(shown: Shown, rng: random.Random) -> Iterator[Draft]:
    there = [code for code in diseases(shown) if code not in SUBTLE]
    absent = surely_absent(shown, rng)
    claimed = [f"There is {_a(name_of(code))}." for code in absent]
    if len(there) > 1 and rng.random() < DENIED:
        right = f"There is no {name_of(absent[0])}."
        yield Draft("Which statement is true?", right, tuple(claimed[1:5]), absent[0])
        return
    for code in there:
        others = [f"There is no {name_of(other)}." for other in there if other != code]
        wrong = (*others[:1], *claimed[: 5 - len(there[:2])])
        yield Draft("Which statement is true?", f"There is {_a(name_of(code))}.", wrong, code)


def _device(shown: Shown) -> Iterator[Draft]:
    seen = [entry["code"] for entry in shown.found if entry["code"] in DEVICES]
    if len(seen) <= 1:
        names = ["no device", *(name_of(code) for code in DEVICES)]
        right = name_of(seen[0]) if seen else names[0]
        wrong = tuple(name for name in names if name != right)
        yield Draft("Which device does the film show?", right, wrong, *seen)


def _a(name: str) -> str:
    """The name with its article, where English gives it one."""
    countable = ("pleural effusion", "pneumothorax", "lung nodule", "lung mass", "lung cavity", "hiatal hernia")
    return f"a {name}" if name in (*countable, "rib fracture") else name
