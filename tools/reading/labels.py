"""A reading as labels: the 14 of CheXpert, the 14 of ChestX-ray14, the ontology's, or the user's own words."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cache
from importlib import resources

from tools.knowledge import finding, findings
from tools.reading.lexicon import lexicon
from tools.reading.scope import Hedge, Stated
from tools.reading.sections import SEEN
from tools.reading.statements import Reading, Statement
from tools.reading.words import tokens

LABEL_SETS = ("chexpert14", "nih14")
NO_FINDING, NORMAL, DEVICES = "No Finding", "Normal", "Support Devices"


class Value(StrEnum):
    """What a report says of a label."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"
    NOT_MENTIONED = "not_mentioned"


@cache
def label_sets() -> dict[str, dict[str, list[str]]]:
    """labels.toml."""
    return tomllib.loads((resources.files("tools.reading") / "labels.toml").read_text(encoding="utf-8"))


def seen(reading: Reading) -> list[Statement]:
    """The statements of the sections that say what was seen; not the indication's or the comparison's."""
    return [statement for statement in reading.statements if statement.section in SEEN]


def value_of(statements: Iterable[Statement], *, alternatives: bool = False) -> Value:
    """What statements of one label come to: one that states it counts before one that doubts or denies it.

    Args:
        statements: of the findings that make the label.
        alternatives: count "A versus B" as stating both.
    """
    said = {
        Stated.PRESENT if alternatives and s.hedge is Hedge.ALTERNATIVE else s.stated for s in statements
    }  # fmt: skip
    for stated, value in ((Stated.PRESENT, Value.PRESENT), (Stated.UNCERTAIN, Value.UNCERTAIN)):
        if stated in said:
            return value
    return Value.ABSENT if Stated.ABSENT in said else Value.NOT_MENTIONED


def labels_of(reading: Reading, label_set: str) -> dict[str, Value]:
    """Every label of a set of labels.toml, in its order; KeyError for another name."""
    told = seen(reading)
    values = {
        label: value_of((s for s in told if s.code in codes), alternatives=label_set == "nih14")
        for label, codes in label_sets()[label_set].items()
    }
    doubted = {Value.PRESENT, Value.UNCERTAIN}
    if NO_FINDING in values:
        others = [value for label, value in values.items() if label not in {NO_FINDING, DEVICES}]
        values[NO_FINDING] = Value.ABSENT if doubted & set(others) else Value.PRESENT
    if NORMAL in values:
        abnormal = any(s.stated in {Stated.PRESENT, Stated.UNCERTAIN} for s in told)
        values[NORMAL] = Value.ABSENT if abnormal else Value.PRESENT
    return values


def ontology_labels(reading: Reading) -> dict[str, Value]:
    """Every finding of the ontology that the report speaks of, by code, in the ontology's order."""
    told = seen(reading)
    spoken_of = {statement.code for statement in told}
    return {code: value_of(s for s in told if s.code == code) for code in findings() if code in spoken_of}


def own_labels(reading: Reading, labels: Sequence[str]) -> dict[str, Value]:
    """The user's own labels: a finding's code or name in any of its words, or any phrase given to `read` as own."""
    told = seen(reading)
    return {label: value_of(s for s in told if s.code in {label, code_of(label)}) for label in labels}


def code_of(label: str) -> str:
    """The ontology's finding that a label names, or the label itself."""
    if label in findings():
        return finding(label).code
    words = tokens(label)
    named = [item for item in lexicon("en", True).find(words) if item.kind == "finding"]
    return named[0].code if len(named) == 1 and named[0].end - named[0].start == len(words) else label
