"""What words of a text name: the ontology's findings, structures and places, found longest phrase first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from rapidfuzz import fuzz, process

from tools.knowledge import Language, findings, places, structures
from tools.knowledge.ontology import normalise
from tools.reading.cues import cues
from tools.reading.words import spoken, stems_of

SNOWBALL = {"es": "spanish", "fr": "french", "de": "german", "da": "danish"}
"""Languages whose words are compared by their stems; English ones differ in their plural s alone."""

SPELLING_MIN_LETTERS = 6
"""Shorter words are too easily one another's misspelling."""
SPELLING_MIN_RATIO = 85.0
"""rapidfuzz ratio: one slip in a word of seven letters; "diffusion" stays apart from "effusion" (82)."""
COMPOUND_MIN_LETTERS = 6
"""A shorter head is too often the end of an unrelated word."""

NOT_MISSPELT = frozenset(
    {
        "atypical", "consideration", "considerations", "consolidating", "consolidative", "coronary", "inflation",
        "infiltrative", "should", "showing",
    }
)  # fmt: skip
"""English words near enough to a medical one to be taken for its misspelling."""


@dataclass(frozen=True)
class Named:
    """What words [start, end) name.

    Attributes:
        kind: "finding", "structure", "group" (a word for several structures, "lungs"), "place", or "other": words that
            hold a finding's name and are none ("cystic fibrosis").
        code: the ontology's code, or the words themselves.
    """

    kind: str
    code: str
    start: int
    end: int


class Lexicon:
    """The words of one language.

    Args:
        language: its code.
        asking: whether words that only name what is judged ("heart size") name the finding: in questions they do.
    """

    def __init__(self, language: Language, *, asking: bool) -> None:
        self.language = language
        self._table: dict[str, tuple[str, str]] = {}
        for phrase, kind, code in _entries(language, asking):
            self._table[" ".join(self._stems(spoken(phrase).split()))] = (kind, code)
        self._most = max(phrase.count(" ") + 1 for phrase in self._table)
        self._compounds = cues(language).compounds
        self._heads = sorted(
            (p for p in self._table if " " not in p and len(p) >= COMPOUND_MIN_LETTERS), key=len, reverse=True
        )
        self.names = tuple(sorted(p for p in self._table if " " not in p and len(p) >= SPELLING_MIN_LETTERS))
        self.words = frozenset(word for phrase in self._table for word in phrase.split())

    def find(self, words: Sequence[str]) -> list[Named]:
        """Everything named in folded words, in order, without overlaps."""
        stems = self._stems(words)
        found: list[Named] = []
        position = 0
        while position < len(words):
            match = self._at(stems, position)
            if match is None:
                position += 1
                continue
            found.append(match)
            position = match.end
        return found

    def _at(self, stems: Sequence[str], start: int) -> Named | None:
        for length in range(min(self._most, len(stems) - start), 0, -1):
            piece = stems[start : start + length]
            for phrase in (" ".join(piece), " ".join([*piece[:-1], piece[-1].removesuffix("s")])):
                if phrase in self._table:
                    return Named(*self._table[phrase], start, start + length)
        if self._compounds and len(stems[start]) > COMPOUND_MIN_LETTERS:
            head = next((head for head in self._heads if stems[start].endswith(head)), None)
            return Named(*self._table[head], start, start + 1) if head else None
        return None

    def _stems(self, words: Sequence[str]) -> list[str]:
        return stems_of(words, SNOWBALL[self.language]) if self.language in SNOWBALL else list(words)


@cache
def lexicon(language: Language, asking: bool = False) -> Lexicon:
    """The lexicon of a language, made once."""
    return Lexicon(language, asking=asking)


def _entries(language: Language, asking: bool) -> Iterator[tuple[str, str, str]]:
    """(phrase, kind, code); later ones win, so findings stand after structures and what is none of them last."""
    for code, place in places().items():
        yield from ((word, "place", code) for word in place.words(language))
    for code, structure in structures().items():
        if structure.group and language == "en":
            yield structure.group, "group", structure.group
            yield structure.group.removesuffix("s"), "group", structure.group
        yield from ((word, "structure", code) for word in structure.words(language))
    for code, finding in findings().items():
        yield from ((word, "finding", code) for word in finding.words(language))
        if asking and language == "en":
            yield from ((normalise(word), "finding", code) for word in finding.neutral)
    yield from ((phrase, "other", phrase) for phrase in cues(language).others)


def corrected(words: Sequence[str]) -> list[str]:
    """English words with slips in the names of findings and structures put right; other words stay as they are.

    A slip in the first letter is rare, and without that rule "fusion" would become "effusion".
    """
    return [_corrected(word) for word in words]


@cache
def _corrected(word: str) -> str:
    known = lexicon("en", True)
    if len(word) < SPELLING_MIN_LETTERS or not word.isalpha() or word in NOT_MISSPELT:
        return word
    if word in known.words or word.removesuffix("s") in known.words:
        return word
    alike = [name for name in known.names if name[0] == word[0]]
    near = process.extractOne(word, alike, scorer=fuzz.ratio, score_cutoff=SPELLING_MIN_RATIO)
    return near[0] if near else word
