"""The card of a catalog model, made without loading it: the TOML beside its weights, or the catalog's own words."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from imaging.failures import Unavailable
from models.card import FindingCard, ModelCard
from models.catalog import CatalogEntry
from models.outputs import ScoreKind, Task
from models.weights import Presence, card_path, pulled, sha256_of

OPERATING_POINT = 0.5
"""torchxrayvision's op_norm puts each finding's operating point here (torchxrayvision.models.op_norm)."""

OPERATING_BAND = 0.05
"""Half-width of the uncertain band around the operating point. A choice of ours, not a measured one."""

REVISION_DIGITS = 12
"""Hex digits of the weights' sha256 that a revision carries where nothing was pinned."""

OPERATING_MEANING = (
    "Scaled so that 0.5 is the operating point torchxrayvision chose for this finding; not a probability. Scores of "
    "two findings cannot be compared."
)

OPERATING_LIMITS = (
    "Not measured by Hilum; the operating points are torchxrayvision's.",
    "The uncertain band of 0.45 to 0.55 is Hilum's choice, not a measured one.",
    "Sees the middle square of the film only: the ends of the long side are cut off.",
    "The weight file was not compared with a known sha256: upstream publishes none.",
)


SHARE_MEANING = "The model's softmax share of each choice; not calibrated, not a probability."
NUMBER_MEANING = "The model's estimate in {unit}, without an interval."

TEXT_MEANING = "It writes text and gives no score; how sure it sounds says nothing about how sure it may be."

TEXT_LIMITS = (
    "Not measured by Hilum.",
    "It can state what is not on the film: every sentence needs a reader.",
)

TRAIT_LIMITS = (
    "Not measured by Hilum.",
    "Sees the middle square of the film only: the ends of the long side are cut off.",
    "The weight file was not compared with a known sha256: upstream publishes none.",
)


def describe(entry: CatalogEntry, presence: Presence) -> ModelCard:
    """The card of a model.

    Raises:
        Unavailable: its card should lie beside the weights and does not, or is not a usable card.
    """
    beside = card_path(presence.path) if presence.path else None
    if beside is not None:
        return _read(beside)
    if entry.adapter == "txrv_attributes":
        return _of_trait(entry, presence)
    if entry.worker is not None:
        return _of_worker(entry, presence)
    if entry.adapter != "torchxrayvision":
        raise Unavailable(
            f"{entry.id} has no card: {presence.reason or 'none lies beside its weights'}.", presence.remedy
        )
    return _from_catalog(entry, presence)


def _of_worker(entry: CatalogEntry, presence: Presence) -> ModelCard:
    commit = pulled(entry, presence.path).get("revision") if presence.path else None
    return ModelCard(
        id=entry.id,
        title=entry.title,
        task=entry.tasks[0],
        revision=commit or entry.source.revision or "unknown",
        licence=entry.licence,
        source=entry.source.repo or entry.source.file or "supplied by you",
        training_data=entry.training_data,
        score_kind=ScoreKind.SIGMOID,
        score_meaning=TEXT_MEANING,
        limits=[*entry.limits, *TEXT_LIMITS],
        references=[entry.reference],
    )


def _read(path: Path) -> ModelCard:
    try:
        return ModelCard.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise Unavailable(f"{path} is not a usable card: {error}", "Make it again with its recipe.") from error


def _revision(entry: CatalogEntry, presence: Presence) -> str:
    revision = entry.source.revision or "unknown"
    if presence.present and presence.path:
        return f"{revision}+sha256.{sha256_of(presence.path)[:REVISION_DIGITS]}"
    return revision


def _of_trait(entry: CatalogEntry, presence: Presence) -> ModelCard:
    number = len(entry.labels) == 1
    return ModelCard(
        id=entry.id,
        title=entry.title,
        task=Task.ATTRIBUTES,
        revision=_revision(entry, presence),
        licence=entry.licence,
        source=entry.source.url or entry.source.file,
        training_data=entry.training_data,
        score_kind=ScoreKind.MEASUREMENT if number else ScoreKind.SIGMOID,
        score_meaning=NUMBER_MEANING.format(unit=entry.labels[0]) if number else SHARE_MEANING,
        limits=[*entry.limits, *TRAIT_LIMITS],
        references=[entry.reference],
    )


def _from_catalog(entry: CatalogEntry, presence: Presence) -> ModelCard:
    source = entry.source
    revision = _revision(entry, presence)
    findings = [
        FindingCard(
            code=code,
            label=label.replace("_", " "),
            threshold=OPERATING_POINT,
            uncertain_low=OPERATING_POINT - OPERATING_BAND,
            uncertain_high=OPERATING_POINT + OPERATING_BAND,
        )
        for code, label in zip(entry.finding_codes(), entry.labels, strict=True)
    ]
    return ModelCard(
        id=entry.id,
        title=entry.title,
        task=Task.CLASSIFY,
        revision=revision,
        licence=entry.licence,
        source=source.url or source.repo or source.file,
        training_data=entry.training_data,
        score_kind=ScoreKind.OPERATING_POINT,
        score_meaning=OPERATING_MEANING,
        limits=[*entry.limits, *OPERATING_LIMITS],
        references=[entry.reference],
        findings=findings,
    )
