"""What a draft is made of: sections of sentences, each with what it rests on."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from tools.comparison.verdicts import Verdict
from tools.contract import Status

Basis = Literal["classify", "measure", "ground", "detect_objects", "compare", "film", "user"]
"""What a sentence rests on: a tool, the film's own record, or what the user said."""

Title = Literal["Indication", "Technique", "Comparison", "Findings", "Impression", "Not assessed"]


class SentencePlace(BaseModel):
    """Where a sentence's finding lies: `box` is (row_min, col_min, row_max, col_max) in the film's pixels."""

    box: tuple[int, int, int, int]
    place: str


class Sentence(BaseModel):
    """One sentence, what it rests on, and the finding it is about (None where about none or several)."""

    text: str
    basis: list[Basis]
    finding: str | None = None
    status: Status | None = None
    change: Verdict | None = None
    score: float | None = Field(default=None, description="the classifier's, with its threshold")
    threshold: float | None = None
    places: list[SentencePlace] = Field(default_factory=list)
    group: str = Field(default="", description="of the findings: lungs, pleura, heart, rest")
    key: str = Field(default="", description="what it says, whatever the language")


class Section(BaseModel):
    """One heading of the draft; `heading` is its title in the draft's language."""

    title: Title
    heading: str
    sentences: list[Sentence]
