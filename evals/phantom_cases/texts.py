"""C11: what a report says is read from its words, and a draft is scored against a reference, by the films' truth."""

from __future__ import annotations

from collections.abc import Iterator

from evals.phantom_cases.case import Case, Draw, Judge, Outcome, report_of
from evals.phantom_cases.seen import words
from tools.scoring.clinical import DifferenceKind

READ, SCORED = 16, 8
SHOWN = ("effusion", "cardiomegaly", "mass", "pneumothorax", "edema", "consolidation", "atelectasis", "emphysema")
SIDED = {"effusion", "mass", "pneumothorax", "consolidation"}
ASKED = ("Read this report:\n{report}", "What does this report say?\n{report}", "Label this report:\n{report}")
COMPARED = "Score this draft.\nDraft: {draft}\nReference: {reference}"

SIDE_WORTH = 0.25
"""Of a finding that was read, what its side is worth where it has one."""


def cases(draw: Draw) -> Iterator[Case]:
    """Reports of films with none to three findings, then pairs of reports of two films."""
    for number in range(READ):
        codes = draw.random.sample(SHOWN, number % 4)
        asked = draw.one(ASKED).format(report=report_of(1))
        film = draw.film(*(words(draw, code) for code in codes))
        yield Case(f"texts-read-{number}", "C11", (film,), (asked,), _read)
    for number in range(SCORED):
        drafts, finals = (draw.random.sample(SHOWN, draw.random.randint(0, 2)) for _ in range(2))
        films = tuple(draw.film(*(words(draw, code) for code in codes)) for codes in (drafts, finals))
        asked = COMPARED.format(draft=report_of(1), reference=report_of(2))
        yield Case(f"texts-scored-{number}", "C11", films, (asked,), _scored(frozenset(drafts), frozenset(finals)))


def _read(outcome: Outcome) -> float:
    """Of the findings that are on the film or that the reader states, how many are right."""
    records = outcome.evidence("read_report")
    if not records:
        return 0.0
    truth = {entry["code"]: entry["side"] for entry in outcome.film.findings if entry["code"] in SHOWN}
    rows = [row for row in records[-1].data["findings"] if row["code"] in SHOWN and row["status"] == "present"]
    told = {row["code"]: row["side"] for row in rows}
    if not truth and not told:
        return 1.0
    worth = [
        1.0 - SIDE_WORTH * (code in SIDED and truth[code] != told[code]) if code in truth and code in told else 0.0
        for code in {*truth, *told}
    ]
    return sum(worth) / len(worth)


def _scored(draft: frozenset[str], final: frozenset[str]) -> Judge:
    """Every finding that only one of the films has must be told as missed or added, and no other."""

    def judge(outcome: Outcome) -> float:
        records = outcome.evidence("score_report")
        if not records:
            return 0.0
        rows = {row["code"]: row["kind"] for row in records[-1].data["clinical"]["differences"]}
        differ = {DifferenceKind.MISSED, DifferenceKind.ADDED, DifferenceKind.CONTRADICTED}
        right = [(rows.get(code) in differ) == (code in draft ^ final) for code in SHOWN]
        return sum(right) / len(right)

    return judge


__all__ = ["cases"]
