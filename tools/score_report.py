"""score_report: how does a draft report compare with a reference? By its words, and by what it says.

Lexical numbers (BLEU, ROUGE-L) say how alike the wording is, clinical ones how alike the statements are; the latter are
read by Hilum's own rules, so they are not CheXbert's, RadGraph's or GREEN's numbers. It sees no film: which of the two
reports is right it cannot tell.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from tools.contract import Result, ToolArguments, ToolContext, tool
from tools.contract.wording import listed, summarise
from tools.read_report import checked_text
from tools.reading import read
from tools.scoring import F1, Agreement, DifferenceKind, Lexical, clinical, lexical

KIND_WORDS = {
    DifferenceKind.CONTRADICTED: "contradicted",
    DifferenceKind.MISSED: "missed",
    DifferenceKind.ADDED: "added",
    DifferenceKind.OTHER_SIDE: "on another side",
    DifferenceKind.OTHER_SEVERITY: "of another severity",
    DifferenceKind.OTHER_CERTAINTY: "of another certainty",
    DifferenceKind.OTHER_DETAIL: "named more broadly or narrowly",
    DifferenceKind.AGREED: "agreed",
}
"""Differences in the order in which they matter."""


class ScoreReportArguments(ToolArguments):
    """The two reports."""

    candidate: str = Field(description="The draft's text, exactly as given.", min_length=1)
    reference: str = Field(description="The text of the report it is held against, exactly as given.", min_length=1)
    language: Literal["auto", "en", "es", "fr", "de", "da"] = Field(
        default="auto", description="Language of both; 'auto' tells each from its words."
    )


class ScoreReportData(BaseModel):
    """Likeness of the words and of what is said; `read_by` names who read the reports."""

    lexical: Lexical
    clinical: Agreement
    read_by: str = "Hilum's report reader (rules; tools/reading)"


def _sentences(data: ScoreReportData) -> list[str]:
    said = []
    rows = data.clinical.differences
    counts = [
        f"{sum(row.kind is kind for row in rows)} {word}"
        for kind, word in KIND_WORDS.items()
        if any(row.kind is kind for row in rows)
    ]
    of = f"{len(rows)} finding{'' if len(rows) == 1 else 's'}"
    said.append(f"Of {of}: {listed(counts)}." if rows else "Neither report states a finding.")
    for kind, word in KIND_WORDS.items():
        if kind is DifferenceKind.AGREED:
            continue
        for row in (row for row in rows if row.kind is kind):
            said.append(
                f"{word.capitalize()}: the draft says {row.candidate or 'nothing of it'}, "
                f"the reference says {row.reference or 'nothing of it'}."
            )
    scores = data.clinical
    said.append(
        f"By Hilum's reader: CheXpert-14 label F1 {_score(scores.label_f1)}, entity F1 {_score(scores.entity_f1)}, "
        f"relation F1 {_score(scores.relation_f1)}."
    )
    words = data.lexical
    said.append(
        f"By the words: BLEU-1 {words.bleu['bleu_1']:.2f}, BLEU-4 {words.bleu['bleu_4']:.2f}, "
        f"ROUGE-L {words.rouge_l:.2f}."
    )
    return [*said[:1], *said[-2:], *said[1:-2]]


def _score(value: F1) -> str:
    return "not defined" if value.f1 is None else f"{value.f1:.2f}"


@tool(
    name="score_report",
    title="Score a draft report",
    arguments=ScoreReportArguments,
    result=ScoreReportData,
    answers="How a draft report compares with a reference: BLEU, ROUGE-L, label, entity and relation F1 by Hilum's "
    "reader, and each finding missed, added, contradicted or on another side. Reads no film.",
    asked_by=(
        "score this report",
        "score the report",
        "score this draft",
        "score the draft",
        "score my draft",
        "score my report",
        "grade this draft",
        "grade the draft",
        "grade this report",
        "evaluate this draft",
        "evaluate the draft",
        "evaluate my draft",
        "evaluate this report",
        "compare this draft",
        "compare the draft",
        "compare my draft",
        "compare this report",
        "compare these reports",
        "compare these two reports",
        "compare the two reports",
        "compare the reports",
        "compare both reports",
        "compare two reports",
        "compare the following reports",
        "draft against",
        "report against",
        "against the reference",
        "against this reference",
        "with the reference",
        "with this reference",
        "how good is this draft",
        "how good is the draft",
        "how good is my draft",
        "differences between these reports",
        "difference between these reports",
        "differences between the two reports",
        "difference between the two reports",
        "report metrics",
        "bleu",
        "rouge",
        "rouge l",
        "radgraph",
        "chexbert",
    ),
)
def score_report(context: ToolContext, arguments: ScoreReportArguments) -> Result:
    """Likeness of a draft and its reference; see the module."""
    candidate = checked_text(arguments.candidate, "draft")
    reference = checked_text(arguments.reference, "reference")
    language = None if arguments.language == "auto" else arguments.language
    data = ScoreReportData(
        lexical=lexical(candidate, reference), clinical=clinical(read(candidate, language), read(reference, language))
    )
    caveats = [
        "Clinical numbers are by Hilum's own reader, in the manner of F1-CheXbert and RadGraph F1; they are not those.",
        "Which of the two reports is right the texts cannot tell.",
    ]
    return Result(summary=summarise(_sentences(data)), data=data, caveats=caveats)
