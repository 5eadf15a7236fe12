"""What a user's words tell of a patient: age, sex, history, symptoms, signs, laboratory values, ECG and drugs.

Read by rules, with the denials and doubts of tools.reading. The words are data: they name facts and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from tools.reading import Stated, read
from tools.reading.words import spoken
from tools.weighing.weights import Band, Kind, Measure, Moves, weights

Told = Literal["present", "absent", "uncertain"]

AGE = re.compile(
    r"\b(\d{1,3})[\s-]*(?:years?|yrs?|yo|y/o|y\.o\.|y)\b(?:[\s-]*old)?|\baged?\s*:?\s*(\d{1,3})\b"
    r"|\b(?:patient|pt|he|she)(?:\s+is|'s|’s)\s+(\d{1,3})(?=\s*(?:[,;!?]|\.(?!\d)|and\b|with\b|$))",
    re.I,
)
SEXES = {
    "F": re.compile(r"\b(?:woman|female|lady|mujer|femme|frau|kvinde|\d{2}\s?f)\b", re.I),
    "M": re.compile(r"\b(?:man|male|gentleman|hombre|homme|mann|mand|\d{2}\s?m)\b", re.I),
}
OLDEST_YEARS = 120
NUMBER = r"(?:[:=<>≤≥~]|\bof\b|\bis\b|\bwas\b|\bat\b|\s|level|count)*(\d{1,3}(?:[ ,]\d{3})+(?![\d])|\d+(?:[.,]\d+)?)"
"""A value after its name: "CRP 180", "CRP: 180", "WBC of 14,500"."""
UNIT = r"\s*([°µx]?\s?[a-z°µ10^⁹]*(?:/[a-zµ0-9]+)?)"
LOW_WORDS = r"normal|negative|not raised|not elevated|unremarkable|low"
RAISED_WORDS = r"raised|elevated|high|positive|increased"
NEAR = r"(?:\s+(?:is|was|are|level|levels|count))*\s+"


@dataclass(frozen=True)
class Fact:
    """One thing that is known of the patient.

    Attributes:
        key: of differential.toml; "film.CODE" for a finding of the film.
        kind: history, symptom, sign, laboratory, ecg, drug, film or patient.
        name: what it is called, with its value: "CRP 180 mg/l", "no fever".
        told: whether it is there; what is doubted moves nothing.
        quote: the words that say it; empty for the film's.
        moves: what it does to which diagnosis.
    """

    key: str
    kind: Kind
    name: str
    told: Told
    quote: str
    moves: Moves


def facts_in(text: str) -> list[Fact]:
    """Every fact that a text tells, each once; a denial of what is stated elsewhere in it is left out.

    Args:
        text: the user's words, in any order and form.
    """
    found = [*_patient(text), *_worded(text), *_measured(text)]
    stated = {fact.key for fact in found if fact.told == "present"}
    kept: dict[str, Fact] = {}
    for fact in found:
        if fact.told == "present" or fact.key not in stated:
            kept.setdefault(fact.key, fact)
    return list(kept.values())


def age_fact(years: float, quote: str = "") -> Fact:
    """An age as a fact."""
    return Fact("age", "patient", f"age {years:g}", "present", quote, _band(weights().age.bands, years).moves)


def sex_fact(sex: str, quote: str = "") -> Fact:
    """A sex, "F" or "M", as a fact."""
    return Fact("sex", "patient", {"F": "female", "M": "male"}[sex], "present", quote, weights().sex[sex])


def film_fact(code: str, name: str, present: bool, only_flagged: bool = False) -> Fact | None:
    """A finding that a film shows or does not; None where that moves nothing. What is only flagged counts half."""
    known = weights().film.get(code)
    moves = (known.moves if present else known.absent) if known else ()
    said = f"{name} on the film" if present else f"no {name} on the film"
    if only_flagged:
        moves = tuple(move.model_copy(update={"halved": True}) for move in moves)
        said = f"{name} flagged on the film"
    return Fact(f"film.{code}", "film", said, "present" if present else "absent", "", moves) if moves else None


def _years(match: re.Match[str]) -> int:
    return next(int(number) for number in match.groups() if number is not None)


def _patient(text: str) -> Iterator[Fact]:
    age = next((match for match in AGE.finditer(text) if 0 < _years(match) <= OLDEST_YEARS), None)
    if age is not None:
        yield age_fact(float(_years(age)), age[0].strip())
    for sex, pattern in SEXES.items():
        match = pattern.search(text)
        if match is not None:
            yield sex_fact(sex, match[0])
            return


def _worded(text: str) -> Iterator[Fact]:
    """Facts told in words. A question's mark does not make what it asks about unsaid: it ends the whole message."""
    plain = re.sub(r"[?]", ".", text)
    for statement in read(plain, "en", _phrases()).statements:
        key = _by_phrase().get(spoken(statement.code))
        if key is None or statement.stated is Stated.UNSTATED:
            continue
        known = weights().facts[key]
        told: Told = {Stated.PRESENT: "present", Stated.ABSENT: "absent"}.get(statement.stated, "uncertain")  # type: ignore[assignment]
        moves = {"present": known.moves, "absent": known.absent}.get(told, ())
        name = {"present": known.name, "absent": f"no {known.name}"}.get(told, f"possible {known.name}")
        yield Fact(key, known.kind, name, told, plain[statement.start : statement.end], moves)


def _measured(text: str) -> Iterator[Fact]:
    for key, measure in weights().measures.items():
        value = next(_values(text, measure), None)
        if value is not None:
            quote, number = value
            name = f"{measure.name} {number:g} {measure.unit}"
            yield Fact(key, measure.kind, name, "present", quote, _band(measure.bands, number).moves)
            continue
        worded = _by_word(text, measure)
        if worded is not None:
            quote, place, said = worded
            yield Fact(key, measure.kind, f"{said} {measure.name}", "present", quote, measure.bands[place].moves)


def _values(text: str, measure: Measure) -> Iterator[tuple[str, float]]:
    """Every plausible value in the measure's own unit, with the words that give it."""
    low, high = measure.plausible
    patterns = [(rf"(?<![\w-])(?:{_either(measure.words)}){NUMBER}{UNIT}", False)] if measure.words else []
    patterns += [(rf"(\d+(?:[.,]\d+)?)[\s-]*(?:{_either(measure.after)})\b", True)] if measure.after else []
    for pattern, bare in patterns:
        for match in re.finditer(pattern, text, re.I):
            number = _number(match[1])
            factor = 1.0 if bare else measure.units.get(re.sub(r"\s", "", match[2].lower()), 1.0)
            in_unit = number * factor
            if not low <= in_unit <= high and measure.units.get("/ul") and number > high:
                in_unit = number * measure.units["/ul"]
            if low <= in_unit <= high:
                yield match[0].strip(), round(in_unit, 3)


def _by_word(text: str, measure: Measure) -> tuple[str, int, str] | None:
    """(words, band, "raised" or "normal") where a value is told by a word: "raised CRP", "D-dimer negative"."""
    if not measure.words:
        return None
    name = rf"(?<![\w-])(?:{_either(measure.words)})(?![\w-])"
    for said, words, place in (("normal", LOW_WORDS, measure.low), ("raised", RAISED_WORDS, measure.raised)):
        match = re.search(rf"\b(?:{words})\s+{name}|{name}{NEAR}(?:{words})\b", text, re.I)
        if match is not None:
            return match[0].strip(), place, said
    return None


def _number(written: str) -> float:
    """ "14,500" is fourteen thousand, "37,9" is a decimal."""
    if re.fullmatch(r"\d{1,3}(?:[ ,]\d{3})+", written):
        return float(re.sub(r"[ ,]", "", written))
    return float(written.replace(",", "."))


def _either(words: Sequence[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _band(bands: Sequence[Band], value: float) -> Band:
    return next(band for band in bands if value < band.below)


@cache
def _phrases() -> tuple[str, ...]:
    return tuple(phrase for known in weights().facts.values() for phrase in known.phrases)


@cache
def _by_phrase() -> dict[str, str]:
    return {spoken(phrase): key for key, known in weights().facts.items() for phrase in known.phrases}
