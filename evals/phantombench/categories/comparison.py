"""Comparison: what became of a finding between two films of a patient."""

from __future__ import annotations

import random
from collections.abc import Iterator

from evals.phantombench.categories.parts import surely_absent
from evals.phantombench.drafts import Draft
from evals.phantombench.films import Shown
from evals.phantombench.patients import GROWING, alike, name_of
from imaging.phantom.facts import own_code

STATES = {
    "new": "new on film 2",
    "larger": "larger on film 2",
    "smaller": "smaller on film 2",
    "unchanged": "unchanged",
    "resolved": "gone on film 2",
    "absent": "absent on both films",
}
NOTHING = "none of these"


def drafts(shown: Shown, rng: random.Random) -> list[Draft]:
    """What became of the finding that changed, of those that did not and of those on neither film; what is new, what is
    gone."""
    if len(shown.facts) < 2 or shown.patient.change is None:
        return []
    code, how = shown.patient.change
    before = {own_code(entry) for entry in shown.facts[0]["findings"] if entry["visible"]}
    after = {entry["code"] for entry in shown.found}
    if not _visible_as_told(how, code in before, code in after):
        return []
    near = set().union(*map(alike, before))
    nowhere = [other for other in surely_absent(shown, rng) if other in GROWING and other not in near]
    found = [_state(shown, code, how), *_appeared(shown, code, how, nowhere), *_vanished(shown, code, how, nowhere)]
    kept = [other for other in GROWING if other != code and other in before & after]
    return [
        *found,
        *(_state(shown, other, "unchanged") for other in kept),
        *(_state(shown, other, "absent") for other in nowhere),
    ]


def _visible_as_told(how: str, before: bool, after: bool) -> bool:
    """Whether the films show what the patient has: a small finding may leave no pixel."""
    return (before, after) == {"new": (False, True), "resolved": (True, False)}.get(how, (True, True))


def _dated(shown: Shown) -> str:
    first, second = (facts["date"] for facts in shown.facts)
    return f"Film 1 was taken on {first}, film 2 of the same patient on {second}."


def _state(shown: Shown, code: str, how: str) -> Draft:
    wrong = tuple(words for state, words in STATES.items() if state != how)
    stem = f"{_dated(shown)} Compared with film 1, how is the {name_of(code)}?"
    return Draft(stem, STATES[how], wrong, code, tuple(entry["mask"] for entry in shown.of(code)))


def _appeared(shown: Shown, code: str, how: str, nowhere: list[str]) -> Iterator[Draft]:
    right = name_of(code) if how == "new" else NOTHING
    wrong = [words for words in (NOTHING, name_of(code), *map(name_of, nowhere)) if words != right]
    yield Draft(f"{_dated(shown)} Which of these is new on film 2?", right, tuple(wrong), code)


def _vanished(shown: Shown, code: str, how: str, nowhere: list[str]) -> Iterator[Draft]:
    right = name_of(code) if how == "resolved" else NOTHING
    wrong = [words for words in (NOTHING, name_of(code), *map(name_of, nowhere)) if words != right]
    yield Draft(f"{_dated(shown)} Which of these was on film 1 and is gone on film 2?", right, tuple(wrong), code)
