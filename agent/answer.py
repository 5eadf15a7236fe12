"""The Answer: the wire format of Hilum everywhere. `Answer.model_dump_json()` is what `hilum ask --json` prints."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from imaging.overlays import Overlay
from tools.contract import Finding, ToolFailure


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Verdict(StrEnum):
    """How a claim stands against the evidence it cites."""

    SUPPORTED = "supported"
    CONFLICTING = "conflicting"
    NOT_ASSESSED = "not_assessed"


class EvidenceStatus(StrEnum):
    """How the tool run behind an evidence record ended."""

    OK = "ok"
    FAILED = "failed"


class Evidence(_Wire):
    """One tool run, as the ledger keeps it: E1, E2 ... in the order the planner asked."""

    id: str
    tool: str
    title: str
    image_ids: list[str]
    args: dict[str, Any]
    status: EvidenceStatus
    summary: str
    findings: list[Finding] = Field(default_factory=list)
    data: dict[str, Any] = Field(default_factory=dict)
    overlays: list[Overlay] = Field(default_factory=list)
    caveats: list[str] = Field(default_factory=list)
    model: str = ""
    revision: str = ""
    card: dict[str, Any] = Field(default_factory=dict)
    elapsed_ms: float = 0.0
    failure: ToolFailure | None = None
    state: str = Field(default="", description="the user's corrections of outlines that it rests on, by number")


class Claim(_Wire):
    """One statement of the answer and the evidence ids it cites."""

    text: str
    evidence: list[str]
    verdict: Verdict


class Usage(_Wire):
    """Tokens as the planner's provider reports them; None where it does not."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


class Answer(_Wire):
    """One answered question.

    Attributes:
        text: what the user reads, with citations like [E1].
        claims: the text's statements with their evidence and verdict.
        findings: one row per finding code and film, with the evidence it rests on.
        evidence: every tool run of this turn and those of earlier turns that the text cites.
        images: facts of every film of the session (see Radiograph.facts), without pixels, with its `name` ("film 2")
            and its `role`: "current", "prior" or "older" by date among its patient's films, None where not known.
        notes: on the files given since the last question: duplicates, those that could not be opened and why, what
            to know of the films as a set. Names files as the user gave them, so an export leaves it out.
        alerts: urgent findings, each a sentence with its evidence; they also begin the text.
        withdrawn: statements of the planner that the evidence contradicts, with what it says; they are not in the text.
        not_assessed: what was asked and no tool could answer, with the reason.
        choice: the letter chosen for a multiple-choice question, or None.
        option_scores: how well the evidence supports each of its options, by letter, with a sum of 1; not calibrated.
            Empty where the planner tells none.
        planner: which planner answered, e.g. "embedded" or "openai:gpt-5".
        models: model id -> revision, of every model that ran.
        timings_ms: "total", "planner", "tools".
        stopped: why the turn ended early (a limit), or empty.
    """

    question: str
    text: str
    claims: list[Claim]
    findings: list[Finding]
    evidence: list[Evidence]
    images: list[dict[str, Any]]
    notes: list[str] = Field(default_factory=list)
    alerts: list[str] = Field(default_factory=list)
    withdrawn: list[str] = Field(default_factory=list)
    not_assessed: list[str] = Field(default_factory=list)
    choice: str | None = None
    option_scores: dict[str, float] = Field(default_factory=dict)
    planner: str
    models: dict[str, str] = Field(default_factory=dict)
    usage: Usage = Field(default_factory=Usage)
    timings_ms: dict[str, float] = Field(default_factory=dict)
    stopped: str = ""
    disclaimer: str = "Research software, not a medical device: a draft for a qualified reader."
