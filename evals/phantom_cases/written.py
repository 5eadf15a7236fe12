"""C7: a report uses what goes with the film, says which of it was missing, and says the same of the same film."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from evals.phantom_cases.judging import claims_hold
from evals.phantom_cases.seen import words
from tools.knowledge import Language, findings
from tools.reading import Stated, read

SHOWN = ("effusion", "cardiomegaly", "mass", "pneumothorax")
REPEATED, STYLED, TRANSLATED, GIVEN, PRIORS = 6, 6, 8, 4, 4
LANGUAGES: dict[Language, str] = {"es": "Spanish", "fr": "French", "de": "German", "da": "Danish"}
STATED = {Stated.PRESENT: "present", Stated.ABSENT: "absent", Stated.UNCERTAIN: "uncertain"}


def cases(draw: Draw) -> Iterator[Case]:
    """Repeatability, both styles, the languages, an indication, a prior film."""
    for number in range(REPEATED):
        shown = [words(draw, code) for code in draw.random.sample(SHOWN, number % 3)]
        turns = ("Draft the report", "Is the film rotated?", "Draft the report")
        yield Case(f"written-again-{number}", "C7", (draw.film(*shown),), turns, _the_same)
    for number in range(STYLED):
        style = ("in prose", "as a structured template")[number % 2]
        shown = [words(draw, draw.one(SHOWN))]
        yield Case(
            f"written-style-{number}", "C7", (draw.film(*shown),), (f"Write the report {style}",),
            _reads_back("en", "prose" if number % 2 == 0 else "template"),
        )  # fmt: skip
    for number in range(TRANSLATED):
        language = list(LANGUAGES)[number % len(LANGUAGES)]
        turn = f"Draft the report in {LANGUAGES[language]}"
        shown = [words(draw, draw.one(SHOWN))]
        yield Case(f"written-{language}-{number}", "C7", (draw.film(*shown),), (turn,), _reads_back(language))
    for number in range(GIVEN):
        why = draw.one(("cough and fever for three days", "chest pain after a fall", "follow-up of an effusion"))
        turn = f"Draft the report. Indication: {why}. Technique: portable, sitting."
        yield Case(f"written-given-{number}", "C7", (draw.film(words(draw, "effusion")),), (turn,), _uses(why))
    for number in range(PRIORS):
        visits = ((), (f"effusion:{draw.side()}:{draw.random.randrange(700, 1100)}ml",))
        yield Case(f"written-prior-{number}", "C7", (draw.film(),), ("Draft the report",), _compares, visits=visits)


def _draft(outcome: Outcome, turn: int = -1) -> dict[str, Any] | None:
    """The report's data of one turn."""
    drafts = [each for each in outcome.answers[turn].evidence if each.tool == "report" and each.failure is None]
    return drafts[-1].data if drafts else None


def _the_same(outcome: Outcome) -> float:
    first, again = _draft(outcome, 0), _draft(outcome)
    return float(first is not None and again is not None and first["text"] == again["text"])


def _reads_back(language: Language, style: str = "template") -> Judge:
    """Half for the language, style and sections asked for; half for statements that read back as what they say."""

    def judge(outcome: Outcome) -> float:
        draft = _draft(outcome)
        if draft is None:
            return 0.0
        titles = {section["title"] for section in draft["sections"]}
        form = (draft["language"], draft["style"]) == (language, style) and {"Findings", "Impression"} <= titles
        about = [
            sentence for section in draft["sections"] if section["title"] == "Findings"
            for sentence in section["sentences"] if sentence["finding"] in findings() and sentence["score"] is not None
        ]  # fmt: skip
        held = [_says(sentence, language) for sentence in about]
        return 0.5 * form + 0.5 * (sum(held) / len(held) if held else 0.0)

    return judge


def _says(sentence: dict[str, Any], language: Language) -> bool:
    """Whether a sentence, read by the reader of reports, states of its finding what its status is."""
    said = {STATED.get(item.stated) for item in read(sentence["text"], language).statements
            if item.code == sentence["finding"]}  # fmt: skip
    return said == {sentence["status"]} or (sentence["key"] == "flagged" and said == {"uncertain"})


def _uses(indication: str) -> Judge:
    """Right where the draft quotes what was given, tells what was missing, and every statement cites evidence."""

    def judge(outcome: Outcome) -> float:
        draft = _draft(outcome)
        if draft is None:
            return 0.0
        told = indication in draft["text"] and "portable, sitting" in draft["text"]
        lacks = {"prior film", "lateral film"} <= {each.partition(":")[0] for each in draft["missing"]}
        return (told + lacks + claims_hold(outcome.last)) / 3

    return judge


def _compares(outcome: Outcome) -> float:
    """Half for naming the prior film it used, half for the effusion as new."""
    draft = _draft(outcome)
    if draft is None:
        return 0.0
    used = "prior film" in draft["used"]
    new = {
        sentence["change"]
        for section in draft["sections"]
        for sentence in section["sentences"]
        if sentence["finding"] == "effusion" and sentence["change"]
    }
    return 0.5 * used + 0.5 * (new == {"new"})


__all__ = ["cases"]
