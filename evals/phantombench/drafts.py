"""A question before it has letters: a stem, the true option and false ones; and how it becomes a lettered question."""

from __future__ import annotations

import random
from dataclasses import dataclass

LETTERS = "ABCDEF"
"""Options of a question, as ChestAgentBench has them."""


@dataclass(frozen=True)
class Draft:
    """One question without letters.

    Attributes:
        stem: what is asked.
        right: the one true option.
        wrong: false options, those to prefer first; at most five are taken.
        about: code of the finding it is about, for subgroups; "" where it is about none.
        regions: names of the boxes in the film's facts that hold what is asked about.
    """

    stem: str
    right: str
    wrong: tuple[str, ...]
    about: str = ""
    regions: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """What is offered: the true option and the false ones that are taken."""
        return (self.right, *self.wrong[: len(LETTERS) - 1])

    def __post_init__(self) -> None:
        if self.right in self.wrong or len(set(self.wrong)) != len(self.wrong) or not self.wrong:
            raise ValueError(f"no single true option: {self.right!r} among {self.wrong!r}")


def lettered(draft: Draft, rng: random.Random) -> tuple[str, str, str]:
    """(text with its options, their letters, the true letter); the order is drawn."""
    options = sorted(draft.options)
    rng.shuffle(options)
    letters = LETTERS[: len(options)]
    lines = [f"{letter}) {option}" for letter, option in zip(letters, options, strict=True)]
    return "\n".join([draft.stem, *lines]), letters, letters[options.index(draft.right)]


def matched(one: Draft, other: Draft) -> tuple[Draft, Draft] | None:
    """Both drafts with the same stem and options and different true ones; None where they are no such pair."""
    if one.stem != other.stem or one.right not in other.wrong or other.right not in one.wrong:
        return None
    common = [option for option in one.wrong if option in other.wrong][: len(LETTERS) - 2]
    return (
        Draft(one.stem, one.right, (other.right, *common), one.about, one.regions),
        Draft(other.stem, other.right, (one.right, *common), other.about, other.regions),
    )
