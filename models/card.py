"""The card that travels with every model's results: what it is, what its scores mean, what was measured on what."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from models.outputs import ScoreKind, Task


class _Card(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class Interval(_Card):
    """A measured figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f})"


class FindingCard(_Card):
    """What one model is worth on one finding."""

    code: str
    label: str
    usable: bool = True
    reason: str = ""
    """Why it is not usable, in words for the user; empty where usable."""
    positives: int | None = None
    negatives: int | None = None
    auroc: Interval | None = None
    auprc: Interval | None = None
    reference_auroc: float | None = None
    """A published model's AUROC on the films for which its predictions exist."""
    auroc_on_reference_films: float | None = None
    phantom_positives: int | None = None
    """Synthetic films with it on which `phantom_sensitivity` was measured."""
    phantom_sensitivity: float | None = None
    ece_before: float | None = None
    ece_after: float | None = None
    threshold: float = 0.5
    uncertain_low: float = 0.5
    uncertain_high: float = 0.5
    sensitivity: float | None = None
    specificity: float | None = None
    roc: tuple[tuple[float, float, float], ...] = ()
    """(threshold, sensitivity, specificity) where it was measured, thresholds rising; empty where it was not."""
    platt: dict[str, float] | None = None


class DiceFigure(_Card):
    """Dice of one structure on one labelled set."""

    dataset: str
    films: int
    value: float
    low: float
    high: float


class StructureCard(_Card):
    """What one model is worth on one structure."""

    code: str
    threshold: float = 0.5
    dice: list[DiceFigure] = Field(default_factory=list)


class ModelCard(_Card):
    """One model at one revision. Embedded models ship theirs as TOML beside the weights."""

    id: str
    title: str
    task: Task
    revision: str
    licence: str
    source: str
    training_data: str
    intended_use: str = "Research and teaching on frontal chest radiographs of adults; not a medical device."
    score_kind: ScoreKind
    score_meaning: str
    limits: list[str] = Field(default_factory=list)
    references: list[str] = Field(default_factory=list)
    measured_on: str = "not measured by Hilum"
    reproduce: str = ""
    findings: list[FindingCard] = Field(default_factory=list)
    structures: list[StructureCard] = Field(default_factory=list)

    @property
    def edition(self) -> str:
        """Revision of the weights, and where masks are cut: other thresholds make other masks of the same weights."""
        return " ".join([self.revision, *(f"{item.code}:{item.threshold:g}" for item in self.structures)])

    def finding(self, code: str) -> FindingCard | None:
        """The figures for one finding code, or None where this model does not know it."""
        return next((item for item in self.findings if item.code == code), None)
