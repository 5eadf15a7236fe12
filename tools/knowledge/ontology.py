"""The ontology: every finding, structure and place Hilum knows by name, typed and read once.

The words are in findings.toml, structures.toml, places.toml and, beyond English, in languages/. Whether a finding can
be *assessed* is no fact of the ontology: a model's card says so at run time.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field
from rapidfuzz import process

from imaging.failures import BadArguments, nearest

Side = Literal["left", "right"]
"""The patient's side; the patient's left is at the right of a frontal film."""

Language = Literal["en", "es", "fr", "de", "da"]
"""English, Spanish, French, German, Danish (ISO 639-1)."""

LANGUAGES: tuple[Language, ...] = get_args(Language)


class Region(StrEnum):
    """Where on a frontal film a finding can lie; tools/anatomy turns each into pixels."""

    LUNG = "lung"
    PLEURA = "pleura"
    PLEURA_BASE = "pleura_base"
    HEART = "heart"
    MEDIASTINUM = "mediastinum"
    WHOLE = "whole"


class _Concept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    name: str
    synonyms: tuple[str, ...] = ()
    translations: dict[Language, tuple[str, ...]] = Field(default_factory=dict)
    """Language other than English -> its words, the name first."""

    def words(self, language: Language = "en") -> tuple[str, ...]:
        """Every phrase of a language for this concept as `normalise` writes it, the name first, no repeats."""
        if language != "en":
            return tuple(dict.fromkeys(map(normalise, self.translations.get(language, ()))))
        said = (self.name, self.code.replace("_", " "), *self.synonyms)
        return tuple(dict.fromkeys(map(normalise, said)))

    def name_in(self, language: Language) -> str:
        """What it is called in a language; its English name where the ontology has no other."""
        return self.translations.get(language, (self.name,))[0]


class FindingConcept(_Concept):
    """One finding.

    Attributes:
        code: stable identifier in snake_case, the key of every Finding.
        name: what the screen and a report say, in lower case unless a proper name.
        synonyms: other words for it.
        neutral: words that name what is judged and do not judge it ("heart size"): a question that uses them asks about
            the finding, a report that uses them does not assert it.
        parent: code of the broader finding, or None.
        shown_by: codes of what a film may show of it, looked at where nothing assesses the finding itself.
        radlex, snomed: ids of the same concept in RadLex 4.3 and SNOMED CT, or None where there is none we are sure of.
        labels: data set or model family -> its words for this finding.
        definition: one plain sentence.
        location: where it is usually seen.
        region: where on the film a grounding of it is plausible.
        urgent: cannot wait: told before everything else.
    """

    neutral: tuple[str, ...] = ()
    parent: str | None = None
    shown_by: tuple[str, ...] = ()
    radlex: str | None = Field(default=None, pattern=r"^RID\d+$")
    snomed: str | None = Field(default=None, pattern=r"^\d{6,18}$")
    labels: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    definition: str
    location: str
    region: Region
    urgent: bool = False


class StructureConcept(_Concept):
    """One anatomical structure; `group` is the word that names several at once ("lungs").

    `snomed` is the body structure without its side.
    """

    side: Side | None = None
    group: str = ""
    snomed: str = Field(pattern=r"^\d{6,18}$")


class PlaceConcept(_Concept):
    """One place in the chest that a text may name, too small or too loose to be outlined ("left lower lobe")."""


def normalise(phrase: str) -> str:
    """Lower case, hyphens and underscores as spaces, apostrophes dropped, single spaces."""
    return re.sub(r"[\s_\-]+", " ", phrase.lower().replace("'", "")).strip()


@cache
def findings() -> Mapping[str, FindingConcept]:
    """Every finding by code, in the order of findings.toml."""
    entries = _read("findings.toml")
    return MappingProxyType(
        {code: FindingConcept(code=code, translations=_said("findings", code), **e) for code, e in entries.items()}
    )


@cache
def structures() -> Mapping[str, StructureConcept]:
    """Every structure by code, in the order of structures.toml."""
    entries = _read("structures.toml")
    return MappingProxyType(
        {code: StructureConcept(code=code, translations=_said("structures", code), **e) for code, e in entries.items()}
    )


@cache
def places() -> Mapping[str, PlaceConcept]:
    """Every place by code, in the order of places.toml."""
    return MappingProxyType(
        {
            code: PlaceConcept(
                code=code,
                name=said["en"][0],
                synonyms=tuple(said["en"][1:]),
                translations={language: tuple(said[language]) for language in LANGUAGES if language != "en"},
            )
            for code, said in _read("places.toml").items()
        }
    )


@cache
def phrases() -> Mapping[str, str]:
    """Every normalised English phrase that names or asks for a finding -> its one code (tests hold that)."""
    return MappingProxyType(
        {
            word: code
            for code, concept in findings().items()
            for word in (*concept.words(), *map(normalise, concept.neutral))
        }
    )


def finding(code: str) -> FindingConcept:
    """The finding of that code. BadArguments, with the nearest code, otherwise."""
    if code not in findings():
        raise BadArguments(f"No finding has the code {code!r}.", _nearest_finding(code))
    return findings()[code]


def structure(code: str) -> StructureConcept:
    """The structure of that code. BadArguments, with the nearest code, otherwise."""
    if code not in structures():
        hint = nearest(code, structures())
        raise BadArguments(f"No structure has the code {code!r}.", f"{hint}Codes: {', '.join(structures())}.")
    return structures()[code]


def with_signs(codes: Iterable[str]) -> list[str]:
    """The codes and, after them, those of what a film may show of them; each once."""
    asked = list(codes)
    return list(
        dict.fromkeys([*asked, *(sign for code in asked if code in findings() for sign in findings()[code].shown_by)])
    )


def is_kind_of(code: str, broader: str) -> bool:
    """Whether a finding is the broader one or lies below it; unknown codes are only themselves."""
    while code != broader:
        concept = findings().get(code)
        if concept is None or concept.parent is None:
            return False
        code = concept.parent
    return True


def region_of(code: str) -> Region:
    """Where a finding lies; an unknown code concerns the whole film."""
    return findings()[code].region if code in findings() else Region.WHOLE


def _nearest_finding(code: str) -> str:
    near = process.extractOne(normalise(code), list(phrases()))
    hint = f"Did you mean {phrases()[near[0]]!r}? " if near else ""
    return f"{hint}Codes: {', '.join(findings())}."


def _said(kind: str, code: str) -> dict[Language, tuple[str, ...]]:
    """What the files of languages/ call one concept."""
    return {
        language: tuple(words)
        for language in LANGUAGES
        if language != "en" and (words := _read(f"languages/{language}.toml")[kind].get(code))
    }


@cache
def _read(name: str) -> dict[str, dict[str, Any]]:
    return tomllib.loads((resources.files("tools.knowledge") / name).read_text(encoding="utf-8"))
