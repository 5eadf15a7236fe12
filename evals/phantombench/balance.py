"""Keeps the true options of PhantomBench balanced, so that a guess from the words alone gains nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from evals.phantombench.drafts import Draft
from evals.questions import wording_of

EXCESS = 5 / 4
"""How many times as often as a guess an option may be right: at 1, one option that is hardly ever true would hold up
all others of its stem."""
START = 1.0
"""How many more questions than fair an option may be right in: an option's first question needs this."""
LOOSER = 0.5
"""What the bound grows by where a category finds nothing to ask; some truths are rare, and films are dear."""
WAIT = 6
"""Patients in a row without a question of a category until its bound grows."""


class Balance:
    """How often each option was offered and right under a stem, and in its category, in a benchmark so far.

    An option is fairly right in EXCESS/k of the questions that offer it among k options. A question whose true option
    is ahead of that by more than a bound is not asked: whoever knows only the words, and how often each option was
    right before, is then right hardly more often than one who guesses. Each category counts on its own and patient by
    patient, so the choice does not depend on how many questions are wanted.
    """

    def __init__(self) -> None:
        self._ahead: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._bound: dict[str, float] = {}
        self._waited: Counter[str] = Counter()

    def choose(self, category: str, drafts: Iterable[Draft], most: int) -> list[Draft]:
        """The questions to ask of one patient: those whose true options lag most, one per stem.

        Args:
            category: theirs.
            drafts: every question the patient's truth allows, in drawn order.
            most: how many at most.
        """
        chosen: dict[str, Draft] = {}
        for draft in sorted(drafts, key=lambda each: self.lead(category, each)):
            if len(chosen) < most and draft.stem not in chosen and self.fits(category, draft):
                self.take(category, draft)
                chosen[draft.stem] = draft
        self.seen(category, bool(chosen))
        return list(chosen.values())

    def lead(self, category: str, draft: Draft) -> float:
        """How far its true option would be ahead of fair once it is asked, under its stem or in its category."""
        ahead = max(self._ahead[key, draft.right] for key in (wording_of(draft.stem), category))
        return ahead + 1 - _fair(draft)

    def fits(self, category: str, *drafts: Draft) -> bool:
        """Whether these may be asked."""
        return all(self.lead(category, draft) <= self._bound.get(category, START) for draft in drafts)

    def take(self, category: str, draft: Draft) -> None:
        """Count it as asked."""
        for key in (wording_of(draft.stem), category):
            for option in draft.options:
                self._ahead[key, option] -= _fair(draft)
            self._ahead[key, draft.right] += 1

    def seen(self, category: str, asked: bool) -> None:
        """A patient is done with; `asked` tells whether a question of the category came of it."""
        self._waited[category] = 0 if asked else self._waited[category] + 1
        if self._waited[category] == WAIT:
            self._waited[category] = 0
            self._bound[category] = self._bound.get(category, START) + LOOSER


def _fair(draft: Draft) -> float:
    return EXCESS / len(draft.options)
