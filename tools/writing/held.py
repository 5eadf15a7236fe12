"""A written text against the classifier's findings: which statements agree, which contradict, which nobody assessed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field

from tools.classify import display_name
from tools.contract import Finding, Status
from tools.reading import Stated, read
from tools.reading.words import words_of

QUOTED_MAX = 700
"""Characters of a model's text that are quoted in a summary; the whole text is in the result's data."""

STATUS_OF = {Stated.PRESENT: Status.PRESENT, Stated.ABSENT: Status.ABSENT, Stated.UNCERTAIN: Status.UNCERTAIN}
"""What a text states of a finding, as a status; a text that states nothing of it is not in the list."""

YES_NO = {"yes": Status.PRESENT, "no": Status.ABSENT}

Verdict = Literal["agrees", "contradicts", "undecided", "not assessed"]


class Written(BaseModel):
    """One statement of the text on one finding, and what the classifier says of that finding."""

    finding: str
    name: str
    stated: Status
    side: str | None = Field(description="the patient's, as the text says")
    words: str = Field(description="the words that name the finding in the text")
    classifier: Status
    verdict: Verdict


def held_against(text: str, findings: Sequence[Finding]) -> list[Written]:
    """Every finding that a text states, once each, beside the classifier's status.

    Args:
        text: as a model wrote it.
        findings: the classifier's on the same film.
    """
    seen = {item.code: item.status for item in findings}
    statements: dict[tuple[str, Status], Written] = {}
    for item in read(text).statements:
        stated = STATUS_OF.get(item.stated)
        if stated is None:
            continue
        status = seen.get(item.code, Status.NOT_ASSESSED)
        statements.setdefault(
            (item.code, stated),
            Written(
                finding=item.code, name=display_name(item.code), stated=stated, side=item.side,
                words=text[item.start : item.end], classifier=status, verdict=verdict(stated, status),
            ),
        )  # fmt: skip
    return list(statements.values())


def answered(question: str, said: str) -> Written | None:
    """The finding of a question that was answered by yes or no; None for another answer, or no single finding.

    Args:
        question: as it was asked, e.g. "Is there a pleural effusion?".
        said: the answer, e.g. "No.".
    """
    first = words_of(said)[:1]
    asked = dict.fromkeys(item.code for item in read(question).statements)
    denied = any(item.stated is Stated.ABSENT for item in read(question).statements)
    if len(asked) != 1 or denied or not first or first[0].text not in YES_NO:
        return None
    [code] = asked
    stated = YES_NO[first[0].text]
    return Written(
        finding=code, name=display_name(code), stated=stated, side=None, words=said[: first[0].end],
        classifier=Status.NOT_ASSESSED, verdict="not assessed",
    )  # fmt: skip


def verdict(stated: Status, classifier: Status) -> Verdict:
    """How a written status stands beside the classifier's."""
    if classifier is Status.NOT_ASSESSED:
        return "not assessed"
    if Status.UNCERTAIN in (stated, classifier):
        return "undecided"
    return "agrees" if stated is classifier else "contradicts"


def quoted(text: str, longest: int = QUOTED_MAX) -> str:
    """A model's text as it may stand in a sentence of ours: one line, no marks that cite or end a quotation."""
    plain = " ".join(text.split()).replace("[", "(").replace("]", ")").replace('"', "'")
    return plain if len(plain) <= longest else f"{plain[:longest].rsplit(' ', 1)[0]} …"


__all__ = ["Written", "answered", "held_against", "quoted", "verdict"]
