"""Stand-ins for what identifies: made-up names, shifted dates, numbers of the same form.

The same original gets the same stand-in throughout a text, and dates of one text move by the same number of days, so
that intervals stay. What is drawn depends on the text and on the installation's key (imaging.identity): without the key
nobody can turn it back by trying originals.
"""

from __future__ import annotations

import hashlib
import hmac
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faker import Faker

from tools.phi.dates import moved
from tools.phi.names import LOCALES
from tools.phi.spans import Span, spans
from tools.reading import language_of

SHIFT_DAYS = (30, 364)
"""Dates move back by so many days."""
DAY_FIRST = frozenset({"es", "fr", "de", "da"})
"""Languages that write the day before the month."""
OLDEST = "90+"
PLACEHOLDER = "Anonymous"
"""Stands for a name where every drawn one holds an original."""
DRAWS = 100
"""A text that names everybody a locale knows must not keep us drawing."""
SHORTEST = 3
"""Letters of a name that no stand-in may hold: shorter ones ("de", an initial) are in every text."""


@dataclass(frozen=True)
class Removed:
    """One stand-in.

    Attributes:
        kind: what was removed: "name", "date", "record_number" ...
        start, end: where it stood in the text as given.
        surrogate: what stands there now.
    """

    kind: str
    start: int
    end: int
    surrogate: str


@dataclass(frozen=True)
class CleanText:
    """A text without its person, and what was removed, in order."""

    text: str
    removed: tuple[Removed, ...]

    def counts(self) -> dict[str, int]:
        """Kind -> how many were removed."""
        return dict(Counter(each.kind for each in self.removed))


def deidentified(text: str, key: bytes) -> CleanText:
    """Replace everything that identifies a person.

    Args:
        text: a report or note.
        key: secret from which the stand-ins are drawn.
    """
    found = spans(text)
    maker = _Maker(text, found, key)
    pieces, removed, done = [], [], 0
    for span in found:
        surrogate = maker.surrogate(span, text[span.start : span.end])
        pieces += [text[done : span.start], surrogate]
        removed.append(Removed(span.kind, span.start, span.end, surrogate))
        done = span.end
    return CleanText("".join([*pieces, text[done:]]), tuple(removed))


class _Maker:
    """Stand-ins of one text."""

    def __init__(self, text: str, found: Sequence[Span], key: bytes) -> None:
        seed = int.from_bytes(hmac.new(key, text.encode(), hashlib.sha256).digest()[:8], "big")
        self._language = language_of(text)
        self._fake = Faker(LOCALES[self._language])
        self._fake.seed_instance(seed)
        self._random = random.Random(seed)
        self._shift_days = self._random.randint(*SHIFT_DAYS)
        self._known: dict[tuple[str, str], str] = {}
        self._parts: dict[str, str] = {}
        named = " ".join(text[span.start : span.end] for span in found if span.kind in ("name", "institution"))
        self._originals = {word for word in re.findall(r"\w+", named.lower()) if len(word) >= SHORTEST}

    def surrogate(self, span: Span, original: str) -> str:
        """The stand-in of one original."""
        entry = (span.kind, original.lower())
        if entry not in self._known:
            self._known[entry] = self._made(span.kind, original)
        return self._known[entry]

    def _made(self, kind: str, original: str) -> str:
        if kind == "name":
            return self._name(original)
        if kind == "date":
            return moved(original, self._shift_days, day_first=self._language in DAY_FIRST)
        if kind == "age_over_89":
            return OLDEST
        if kind == "address":
            return self._drawn(self._fake.street_address).replace("\n", ", ")
        if kind == "institution":
            return f"{self._drawn(self._fake.last_name)} Hospital"
        if kind == "email":
            return f"{self._drawn(self._fake.user_name)}@example.org"
        if kind == "url":
            return "https://example.org"
        return self._same_form(original)

    def _name(self, original: str) -> str:
        """Part by part, so that "Smith" alone is still the surname that stands for "John Smith"."""
        parts = re.findall(r"[\w'’-]+\.?", original)
        for n, part in enumerate(parts):
            last = n == len(parts) - 1 if "," not in original else n == 0
            if part.lower() not in self._parts:
                drawn = self._drawn(self._fake.last_name if last else self._fake.first_name).split()[0]
                initial = len(part.rstrip(".")) == 1
                self._parts[part.lower()] = f"{drawn[0]}." if initial else drawn.upper() if part.isupper() else drawn
        return re.sub(r"[\w'’-]+\.?", lambda match: self._parts[match[0].lower()], original)

    def _drawn(self, draw: Callable[[], str]) -> str:
        """A stand-in that holds no original: chance must not give a common name back to its bearer."""
        for _ in range(DRAWS):
            made = str(draw())
            if not any(word in made.lower() for word in self._originals):
                return made
        return PLACEHOLDER

    def _same_form(self, original: str) -> str:
        """Each digit and letter for another of its kind."""
        digits, letters = "0123456789", "ABCDEFGHJKLMNPQRSTUVWXYZ"
        return "".join(
            self._random.choice(digits) if c.isdigit()
            else self._random.choice(letters) if c.isupper()
            else self._random.choice(letters.lower()) if c.islower()
            else c
            for c in original
        )  # fmt: skip
