"""A text as words with their places: what every reader of a text shares."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

WORD = re.compile(r"\d+(?:[.,]\d+)?|[^\W\d_]+(?:['’][^\W\d_]+)*|[,;:.?!()/]")
ELISION = re.compile(r"^(?:[ldnsmjtc]|qu)['’](?=..)", re.IGNORECASE)
"""French "l'épanchement": an article and a word."""
BLANKED = re.compile(r"x{3,}", re.IGNORECASE)
"""What de-identification puts in a word's place in the Open-i reports; it says nothing and is left out."""

SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\s*\n+\s*")
NO_END = re.compile(
    r"(?:^|\s)(?:\d{1,2}|dr|mr|mrs|prof|vs|approx|e\.g|i\.e|cf|fig|ca|bzw|z\.b|p\.ej|no)\.$", re.IGNORECASE
)
"""A full stop after these ends no sentence: list numbers and abbreviations."""

LETTERS = str.maketrans({"ß": "ss", "ø": "o", "Ø": "o", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe"})
"""Letters that have no accent to take off."""

STEMS_KEPT = 32_768
"""Words whose stems are kept: texts share most of theirs, and every text is tried in each language."""
WORDS_KEPT = 2048
"""Texts whose words are kept: a turn reads the same few hundred phrases and sentences again and again."""


@dataclass(frozen=True)
class Word:
    """One word, number or mark; `text` is folded, [start, end) its place in the text it was read from."""

    text: str
    start: int
    end: int


def folded(text: str) -> str:
    """Lower case, without accents and apostrophes: "Épanchement" and "epanchement" are the same word."""
    plain = unicodedata.normalize("NFKD", text.translate(LETTERS)).lower()
    return "".join(letter for letter in plain if not unicodedata.combining(letter) and letter not in "'’")


def words_of(text: str) -> list[Word]:
    """The words, numbers and marks of a text in order; hyphens part words, blanked words are left out."""
    return list(_words_of(text))


@lru_cache(maxsize=WORDS_KEPT)
def _words_of(text: str) -> tuple[Word, ...]:
    found = []
    for match in WORD.finditer(text):
        elided = ELISION.match(match[0])
        start = match.start() + (elided.end() if elided else 0)
        word = folded(text[start : match.end()])
        if not BLANKED.fullmatch(word):
            found.append(Word(word, start, match.end()))
    return tuple(found)


def tokens(text: str) -> list[str]:
    """The words, numbers and marks alone, as `words_of` folds them."""
    return [word.text for word in words_of(text)]


def spoken(phrase: str) -> str:
    """A phrase of an ontology or a cue as texts are read: folded words with single spaces."""
    return " ".join(tokens(phrase))


def sentences(text: str) -> list[tuple[int, int]]:
    """[start, end) of every sentence, in order; a new line also ends one."""
    ends = [match.span() for match in SENTENCE_END.finditer(text)]
    found: list[tuple[int, int]] = []
    begun = 0
    for end, following in [*ends, (len(text), len(text))]:
        piece = text[begun:end]
        if end < len(text) and "\n" not in text[end:following] and NO_END.search(piece):
            continue
        if piece.strip():
            found.append((begun + len(piece) - len(piece.lstrip()), begun + len(piece.rstrip())))
        begun = following
    return found


def has_any(words: Sequence[str], cues: Iterable[str]) -> bool:
    """Whether one of the cue phrases stands in the words."""
    line = f" {' '.join(words)} "
    return any(f" {cue} " in line for cue in cues)


def longest(words: Sequence[str], cues: Iterable[str]) -> int:
    """Length in words of the longest cue phrase that stands in the words; 0 if none does."""
    line = f" {' '.join(words)} "
    return max((cue.count(" ") + 1 for cue in cues if f" {cue} " in line), default=0)


@dataclass(frozen=True)
class Hit:
    """Where a phrase stands: words [start, end), and the phrase."""

    start: int
    end: int
    phrase: str


class Phrases:
    """A set of phrases that can be found in words, the longest at each place first."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = frozenset(phrases)
        self._most = max((phrase.count(" ") + 1 for phrase in self._phrases), default=0)

    def __contains__(self, phrase: object) -> bool:
        return phrase in self._phrases

    def hits(self, words: Sequence[str]) -> list[Hit]:
        """Every place where a phrase stands, without overlaps, from the left."""
        found, position = [], 0
        while position < len(words):
            length = self.length_at(words, position)
            if length:
                found.append(Hit(position, position + length, " ".join(words[position : position + length])))
            position += length or 1
        return found

    def length_at(self, words: Sequence[str], position: int) -> int:
        """Words of the longest phrase that begins at a position; 0 if none does."""
        for length in range(min(self._most, len(words) - position), 0, -1):
            if " ".join(words[position : position + length]) in self._phrases:
                return length
        return 0


def stems_of(words: Iterable[str], language: str) -> list[str]:
    """The Snowball stems of words. Safe between threads.

    Args:
        words: folded.
        language: by its English name, e.g. "spanish", or "porter".
    """
    return [_stem(word, language) for word in words]


@lru_cache(maxsize=STEMS_KEPT)
def _stem(word: str, language: str) -> str:
    stemming, lock = _stemmer(language)
    with lock:
        return str(stemming.stemWord(word))


@cache
def _stemmer(language: str) -> tuple[Any, threading.Lock]:
    """A stemmer, and the lock of it: it keeps the word that it works on in itself."""
    import snowballstemmer  # small, but English texts need none

    return snowballstemmer.stemmer(language), threading.Lock()
