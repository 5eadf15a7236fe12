"""What a tool returns."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny

from imaging.failures import BadArguments, FilmRefused, HilumFailure, NotApplicable, Unavailable
from imaging.overlays import Overlay
from models.outputs import ScoreKind

SUMMARY_MAX_CHARACTERS = 1000
"""What the planner reads of a result; more would crowd an LLM's context with one tool's words."""


class Status(StrEnum):
    """Where a finding stands. UNCERTAIN is the card's band around the threshold."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"
    NOT_ASSESSED = "not_assessed"


EVEN_ODDS = 0.5
"""Below it a calibrated probability says 'more likely not', even where it is above the model's threshold."""


class Finding(BaseModel):
    """One finding on one film, as one tool sees it.

    `laterality` is the patient's side. `evidence` is filled by the agent's ledger.
    """

    model_config = ConfigDict(extra="forbid")

    code: str
    image_id: str
    status: Status
    score: float | None = None
    score_kind: ScoreKind | None = None
    threshold: float | None = None
    laterality: Literal["left", "right", "bilateral"] | None = None
    region: str | None = None
    reason: str = ""
    """Why it was not assessed, or what the status rests on."""
    evidence: list[str] = Field(default_factory=list)

    @property
    def only_flagged(self) -> bool:
        """Called present at a calibrated probability under one half: more films flagged so lack it than have it."""
        calibrated = self.score_kind is ScoreKind.CALIBRATED_PROBABILITY
        return self.status is Status.PRESENT and calibrated and (self.score or 0.0) < EVEN_ODDS


class ToolFailure(BaseModel):
    """An error as a result: never a stack trace."""

    kind: str
    message: str
    hint: str = ""

    @property
    def exit_code(self) -> int:
        """The command line's exit code for this failure; a refused film carries a kind of its own."""
        routes = {route.kind: route.exit_code for route in (BadArguments, NotApplicable, Unavailable)}
        return routes.get(self.kind, FilmRefused.exit_code)


class Result(BaseModel):
    """One run of one tool: what the planner reads, what the screen shows, what the ledger keeps.

    Attributes:
        summary: at most 1,000 characters for the planner.
        findings: typed findings.
        data: the tool's own typed result model.
        overlays: pictures on films, in original pixels.
        caveats: sentences a careful reader must see.
        model, revision: who answered; empty for a tool that runs no model.
        card: the facts of the model's card that matter for reading this result.
        elapsed_ms: wall time of the run.
        failure: set when the tool could not answer; then the rest is empty.
    """

    model_config = ConfigDict(extra="forbid")

    tool: str = ""
    image_ids: list[str] = Field(default_factory=list)
    summary: str = Field(default="", max_length=SUMMARY_MAX_CHARACTERS)
    findings: list[Finding] = Field(default_factory=list)
    data: SerializeAsAny[BaseModel] | None = None
    overlays: list[Overlay] = Field(default_factory=list)
    caveats: list[str] = Field(default_factory=list)
    model: str = ""
    revision: str = ""
    card: dict[str, Any] = Field(default_factory=dict)
    elapsed_ms: float = 0.0
    failure: ToolFailure | None = None

    @property
    def ok(self) -> bool:
        """True unless the tool failed."""
        return self.failure is None

    @classmethod
    def failed(cls, failure: HilumFailure) -> Result:
        """A result that says why there is none."""
        return cls(
            summary=f"FAILED ({failure.kind}): {failure}"[:SUMMARY_MAX_CHARACTERS],
            failure=ToolFailure(kind=failure.kind, message=failure.message, hint=failure.hint),
        )
