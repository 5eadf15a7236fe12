"""Lists of people's names (those of the library faker, five languages) and of words that are none."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module, resources

from tools.reading.words import BLANKED, folded, tokens

LOCALES = {"en": "en_US", "es": "es_ES", "fr": "fr_FR", "de": "de_DE", "da": "da_DK"}
"""Language -> faker's locale."""


WORD_WITH_CAPITAL = re.compile(r"(?<![\w'’-])[^\W\d_a-z][^\s,]*")
"""The words of a name that count; particles such as "van" do not."""


@dataclass(frozen=True)
class KnownNames:
    """First and last names, eponyms of medicine, words that reports begin with, and names that are also words."""

    first: frozenset[str]
    last: frozenset[str]
    medical: frozenset[str]
    ordinary: frozenset[str]
    ambiguous: frozenset[str]


@cache
def known_names() -> KnownNames:
    """All lists, read once."""
    told = tomllib.loads((resources.files("tools.phi") / "ordinary.toml").read_text(encoding="utf-8"))
    medical, ordinary, ambiguous = (frozenset(told[key]) for key in ("medical", "ordinary", "ambiguous"))
    first: set[str] = set()
    last: set[str] = set()
    for locale in LOCALES.values():
        provider = import_module(f"faker.providers.person.{locale}").Provider
        first |= _parts(provider.first_names)
        last |= _parts(provider.last_names)
    words = medical | ordinary | ambiguous
    return KnownNames(frozenset(first - words), frozenset(last - words), medical, ordinary, ambiguous)


def is_name(text: str) -> bool:
    """Whether two or more capitalised words are a person's name.

    They are where a known first name stands before a word that is no ordinary one, and where no word of them belongs to
    the language of reports: then they name somebody or something that a report need not hold.
    """
    known = known_names()
    words = [word.rstrip(".").title() if word.isupper() else word for word in WORD_WITH_CAPITAL.findall(text)]
    no_name = known.medical | known.ordinary
    if len(words) < 2 or any(word in no_name or BLANKED.fullmatch(word) for word in words):
        return False
    if not any(folded(part) in report_words() for word in words for part in word.split("-")):
        return True
    if "," in text:
        words = [words[-1], *words[:-1]]
    family = words[-1]
    return words[0].split("-")[0] in known.first and (family in known.last or folded(family) not in report_words())


@cache
def report_words() -> frozenset[str]:
    """The folded words of the ontology, of the cues and of the reference passages, in every language."""
    knowledge, reading = resources.files("tools.knowledge"), resources.files("tools.reading")
    files = [*knowledge.iterdir(), *(knowledge / "languages").iterdir(), *(reading / "cues").iterdir()]
    passages = knowledge / "passages"
    files += list(passages.iterdir()) if passages.is_dir() else []
    texts = (each.read_text(encoding="utf-8") for each in files if each.name.endswith((".toml", ".md")))
    return frozenset(word for text in texts for word in tokens(text) if word.isalpha())


def _parts(names: Iterable[str]) -> set[str]:
    return {part for name in names for part in name.split() if len(part) > 1 and part[0].isupper()}
