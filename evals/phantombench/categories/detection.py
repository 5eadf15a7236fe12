"""Detection: what is there, what is not, and which device."""

from __future__ import annotations

import random
from collections.abc import Iterator

from evals.phantombench.categories.parts import DEVICES, SUBTLE, diseases, named, surely_absent
from evals.phantombench.drafts import Draft
from evals.phantombench.films import Shown
from evals.phantombench.patients import name_of

NONE = "none of these findings"
WITHOUT = 0.15
"""Share of films with findings that are asked without a true finding among the options."""


def drafts(shown: Shown, rng: random.Random) -> list[Draft]:
    """Which finding, which statement, which device."""
    return [*_finding(shown, rng), *_statement(shown, rng), *_device(shown)]


def _finding(shown: Shown, rng: random.Random) -> Iterator[Draft]:
    stem = "Which of these findings does the film show?"
    absent = surely_absent(shown, rng)
    there = [code for code in diseases(shown) if code not in SUBTLE]
    if not diseases(shown) or rng.random() < WITHOUT:
        yield Draft(stem, NONE, tuple(named(absent)))
    elif there:
        code = rng.choice(there)
        yield Draft(stem, name_of(code), (NONE, *named(absent)), code)


def _statement(shown: Shown, rng: random.Random) -> Iterator[Draft]:
    there = [code for code in diseases(shown) if code not in SUBTLE]
    absent = surely_absent(shown, rng)
    denied = [f"There is no {name_of(code)}." for code in there]
    claimed = [f"There is {_a(name_of(code))}." for code in absent]
    if denied and rng.random() < 0.5:
        code = rng.choice(there)
        yield Draft("Which statement is true?", f"There is {_a(name_of(code))}.", (*denied, *claimed), code)
    elif denied:
        right = f"There is no {name_of(absent[0])}."
        yield Draft("Which statement is true?", right, (*denied, *claimed[1:]), absent[0])


def _device(shown: Shown) -> Iterator[Draft]:
    seen = [entry["code"] for entry in shown.found if entry["code"] in DEVICES]
    if len(seen) == 1:
        others = [name_of(code) for code in (*DEVICES, "chest_drain") if code not in seen]
        yield Draft("Which device does the film show?", name_of(seen[0]), ("no device", *others), seen[0])


def _a(name: str) -> str:
    """The name with its article, where English gives it one."""
    countable = ("pleural effusion", "pneumothorax", "lung nodule", "lung mass", "lung cavity", "hiatal hernia")
    return f"a {name}" if name in (*countable, "rib fracture") else name
