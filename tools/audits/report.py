"""What an audit of a classifier found, as `hilum eval audit` keeps it and the tool `audit` tells it.

A report lies in Hilum's home directory, or beside the embedded weights for the models that ship with one."""

from __future__ import annotations

from datetime import date
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, Field

from models.card import Interval

FOLDER = "audits"
"""Below Hilum's home directory."""

SHIPPED = "models.embedded"
"""Package in which the audits of embedded models lie, as <model>.audit.json."""


class Figure(Interval):
    """A figure with its 95 % interval, and on how many films with and without the finding it rests."""

    positives: int
    negatives: int


class GroupFigure(BaseModel):
    """One group of films: the mean over findings of its AUROC, and each finding's own where the group has enough."""

    group: str
    films: int
    mean: Figure | None = None
    findings: dict[str, Figure] = Field(default_factory=dict)


class Attribute(BaseModel):
    """One way to part the films, e.g. by age.

    Attributes:
        name: of the attribute, or of two that intersect.
        compared: findings for which every group has enough films; the means are over these.
        groups: the groups.
        worst, best: by the mean; empty where fewer than two groups could be compared.
        gap: mean AUROC of the best group less that of the worst, on the same resamples. The two were chosen by the
            figures, so it is somewhat too large.
    """

    name: str
    compared: list[str]
    groups: list[GroupFigure]
    worst: str = ""
    best: str = ""
    gap: Figure | None = None


class Shortcut(BaseModel):
    """One finding's films with and without a device on them, each against all films without the finding."""

    finding: str
    device: str
    with_device: Figure | None
    without_device: Figure | None
    gap: Figure | None


class Masking(BaseModel):
    """One finding's AUROC on whole films, with the lungs masked, with everything between and around them masked, too,
    and with the lungs alone."""

    finding: str
    whole: Figure
    without_lungs: Figure
    without_chest: Figure
    lungs_alone: Figure


class Audit(BaseModel):
    """One audit.

    Attributes:
        model, revision, title: who was audited.
        made: day.
        data: what on, in words.
        scores: whether the model ran, or its scores were given, in words.
        films, patients: how many.
        overall: of all films.
        attributes: subgroups and intersections.
        shortcuts, masking: see their classes; empty where they could not be looked at, with the reason in `missing`.
        missing: what was not looked at and why.
    """

    model: str
    revision: str
    title: str
    made: date
    data: str
    scores: str
    films: int
    patients: int
    overall: GroupFigure
    attributes: list[Attribute] = Field(default_factory=list)
    shortcuts: list[Shortcut] = Field(default_factory=list)
    masking: list[Masking] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)

    def headline(self) -> dict[str, object]:
        """The audit in a few numbers, JSON-ready: who, on how many films, and of each attribute the worst group."""
        return {
            "model": self.model,
            "revision": self.revision,
            "films": self.films,
            "patients": self.patients,
            "mean_auroc": self.overall.mean.model_dump() if self.overall.mean else None,
            "worst": {
                each.name: {"group": each.worst, "gap": each.gap.model_dump()} for each in self.attributes if each.gap
            },
            "findings": {code: figure.model_dump() for code, figure in self.overall.findings.items()},
            "missing": self.missing,
        }

    def write(self, path: Path) -> None:
        """Keep it as a JSON file, over what is there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def kept_at(home: Path, model: str) -> Path:
    """Where the audit of a model lies under Hilum's home directory."""
    return home / FOLDER / f"{model}.json"


def audit_of(model: str, home: Path | None) -> Audit | None:
    """The audit of a model: the user's own, else the one that ships with it; None where there is neither."""
    own = kept_at(home, model) if home else None
    if own is not None and own.is_file():
        return Audit.model_validate_json(own.read_text(encoding="utf-8"))
    shipped = resources.files(SHIPPED) / f"{model}.audit.json"
    return Audit.model_validate_json(shipped.read_text(encoding="utf-8")) if shipped.is_file() else None
