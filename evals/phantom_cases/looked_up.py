"""C12: a question about a finding gets the passage that answers it with its sources; one that none answers, none."""

from __future__ import annotations

from collections.abc import Iterator

from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from evals.phantom_cases.judging import claims_hold, status_of
from evals.phantom_cases.seen import words
from tools.knowledge import findings

FINDINGS = (
    "pneumothorax", "effusion", "cardiomegaly", "atelectasis", "consolidation", "edema", "emphysema", "mass", "nodule",
    "fibrosis", "pleural_thickening", "tuberculosis", "sarcoidosis", "pulmonary_embolism", "heart_failure", "empyema",
)  # fmt: skip
ASKED = {
    "Definition": "What is {name}?",
    "Signs on a chest film": "What are the signs of {name}?",
    "Mimics": "What can be mistaken for {name}?",
    "Follow-up": "What do the guidelines say on follow up of {name}?",
}
OUTSIDE = (
    "Cite a source on how to fry an egg", "What do the guidelines say about the dose of metformin?",
    "Give me a reference on the grading of knee osteoarthritis", "Cite the literature on quantum computing",
    "Define inflation", "What is published on placenta praevia?",
)  # fmt: skip
IN_SCOPE, AFTER_A_FILM = 12, 4
SOURCES_WORTH = 0.25
"""That every passage names its sources and every sentence its evidence; the rest is the right passage."""


def cases(draw: Draw) -> Iterator[Case]:
    """Questions of every kind, questions out of scope, and a source asked for after a question about a film."""
    headings = list(ASKED)
    for number, code in enumerate(draw.random.sample(FINDINGS, IN_SCOPE)):
        heading = headings[number % len(headings)]
        question = ASKED[heading].format(name=findings()[code].name)
        yield Case(f"looked-up-{number}-{code}", "C12", (), (question,), _answered(code, heading))
    for number, question in enumerate(OUTSIDE):
        yield Case(f"looked-up-outside-{number}", "C12", (), (question,), _unanswered)
    for number in range(AFTER_A_FILM):
        code = ("effusion", "pneumothorax", "cardiomegaly", "mass")[number % 4]
        film = draw.film(words(draw, code))
        turns = (f"Is there {findings()[code].name}? Give a source.",)
        yield Case(f"looked-up-film-{number}", "C12", (film,), turns, _beside_the_film(code))


def _answered(code: str, heading: str) -> Judge:
    def judge(outcome: Outcome) -> float:
        records = outcome.evidence("retrieve_knowledge")
        if not records:
            return 0.0
        passages = records[-1].data["passages"]
        right = any(code in passage["findings"] and passage["heading"] == heading for passage in passages)
        sourced = all(passage["sources"] for passage in passages) * claims_hold(outcome.last)
        return right * (1 - SOURCES_WORTH + SOURCES_WORTH * sourced)

    return judge


def _unanswered(outcome: Outcome) -> float:
    """No passage; an answer without a look-up gives none either."""
    return float(not any(record.data["passages"] for record in outcome.evidence("retrieve_knowledge")))


def _beside_the_film(code: str) -> Judge:
    """The film's answer stands as the tools gave it, and a passage about the same finding beside it."""

    def judge(outcome: Outcome) -> float:
        records = outcome.evidence("retrieve_knowledge")
        passages = records[-1].data["passages"] if records else []
        return float(
            status_of(outcome.last, code) is not None and any(code in passage["findings"] for passage in passages)
        )

    return judge


__all__ = ["cases"]
