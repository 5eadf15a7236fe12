"""Which concepts are looked for: a finding's own checklist, what the user adds, leaves out or puts in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from imaging.failures import BadArguments
from tools.knowledge import finding
from tools.knowledge.concepts import checklists
from tools.reading.lexicon import lexicon
from tools.reading.words import tokens

SAME_WORDS = 75.0
"""rapidfuzz token_set_ratio from which two phrases are one concept: "cavity" and "a cavity in the lung"."""

DENIALS = ("no", "not", "without", "absence", "negative")
"""Words with which a phrase would say that something is not there."""

SMALL_WORDS = frozenset({"a", "an", "the", "of", "in", "on", "at", "with", "and", "or", "any", "there", "is", "are"})
"""Words that say nothing of a finding."""

PHRASE_MAX = 200
"""Characters of a phrase: zero-shot models read 64 tokens or so."""

ITEMS_MAX = 12
"""Concepts of one checklist."""


@dataclass(frozen=True)
class Item:
    """One concept: what a model is asked for, the finding that may stand for it ("" for none), whether it counts."""

    words: str
    sign: str
    enabled: bool = True


def listed_items(
    code: str | None, phrase: str, given: Sequence[str] | None, also: Sequence[str], without: Sequence[str]
) -> list[Item]:
    """The concepts in order; those left out stay in the list, not enabled.

    Args:
        code: the finding asked about, if the ontology knows it.
        phrase: what is looked for, in words.
        given: the user's own checklist in place of the finding's.
        also: concepts put to it.
        without: concepts left out, in words near enough to theirs.

    Raises:
        BadArguments: a phrase is empty, too long or a denial; nothing is left; or `without` names none of the concepts.
    """
    own = [Item(sign.words, sign.sign) for sign in checklists().get(code or "", ())] if given is None else []
    items = own + [Item(words, named(words)) for words in [*(given or ()), *also]]
    if not items:
        items = [Item(phrase, code or named(phrase))]
    for item in items:
        _check(item.words)
    if len(items) > ITEMS_MAX:
        raise BadArguments(f"{len(items)} concepts are too many.", f"Give at most {ITEMS_MAX}.")
    left_out = {_nearest(words, items) for words in without}
    items = [Item(item.words, item.sign, number not in left_out) for number, item in enumerate(items)]
    if not any(item.enabled for item in items):
        raise BadArguments("No concept is left to look for.", "Leave out fewer.")
    return items


def named(words: str) -> str:
    """The one finding of the ontology that a phrase names; "" where it names none or several."""
    codes = {item.code for item in lexicon("en", True).find(tokens(words)) if item.kind == "finding"}
    return codes.pop() if len(codes) == 1 else ""


def beyond(phrase: str) -> str:
    """The words of a phrase besides the one finding that it names, articles and the like left out; often its place."""
    words = tokens(phrase)
    spans = [(item.start, item.end) for item in lexicon("en", True).find(words) if item.kind == "finding"]
    rest = [word for place, word in enumerate(words) if not any(start <= place < end for start, end in spans)]
    return " ".join(word for word in rest if word not in SMALL_WORDS)


def _check(words: str) -> None:
    if not words.strip() or len(words) > PHRASE_MAX:
        raise BadArguments("A phrase to look for is empty or too long.", f"Give 1 to {PHRASE_MAX} characters.")
    if set(tokens(words)) & set(DENIALS):
        raise BadArguments(
            f"{words!r} says what is not there.", "Name what to look for; each phrase is compared with its own denial."
        )


def _nearest(words: str, items: Sequence[Item]) -> int:
    """Number of the concept that some words mean: by its words, or the finding that stands for it."""
    code = named(words)
    same = [number for number, item in enumerate(items) if code and item.sign == code]
    if same:
        return same[0]
    near = [fuzz.token_set_ratio(words.lower(), item.words.lower()) for item in items]
    best = max(range(len(items)), key=lambda number: near[number])
    if near[best] < SAME_WORDS:
        there = ", ".join(item.words for item in items)
        raise BadArguments(f"No concept here is {words!r}. There are: {there}.", "Name one of these.")
    return best


def title_of(code: str | None, phrase: str) -> str:
    """What is looked for, in words."""
    return finding(code).name if code else phrase
