"""The mean of several classifiers: of each finding, over the members that know it, where their scores mean the same.

A mean of models is usually a little better than each of them, and where they disagree is worth knowing; whether a mean
was better on your films, nobody measured. The members are models of the catalog, loaded and cached as such.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imaging.failures import BadArguments
from models.card import FindingCard, ModelCard
from models.catalog import CatalogEntry
from models.outputs import ScoreKind, Scores, Task
from models.predictions import Prediction

LIMITS = (
    "No calibration was made for the mean, and neither its thresholds nor its figures were measured by Hilum.",
    "A finding that one member alone knows is that member's score.",
    "Each score comes with its spread, the largest less the smallest among the members: a wide one is a disagreement.",
)


def card_of(entry: CatalogEntry, cards: Sequence[ModelCard]) -> ModelCard:
    """The card of an ensemble from those of its members, in order.

    Raises:
        BadArguments: the members' scores do not mean the same, so their mean would mean nothing.
    """
    kinds = {card.score_kind for card in cards}
    if len(kinds) > 1:
        told = ", ".join(f"{card.id} gives {card.score_kind.value}" for card in cards)
        raise BadArguments(
            f"{entry.id} has no mean: {told}.", "Choose members whose scores are of one kind (hilum models show ID)."
        )
    [kind] = kinds
    known: dict[str, list[FindingCard]] = {}
    for card in cards:
        for finding in card.findings:
            known.setdefault(finding.code, []).append(finding)
    mean_of = ", ".join(f"{card.id}@{card.revision}" for card in cards)
    return ModelCard(
        id=entry.id,
        title=entry.title,
        task=Task.CLASSIFY,
        revision=f"mean of {mean_of}",
        licence=entry.licence,
        source=", ".join(card.source for card in cards),
        training_data="; ".join(dict.fromkeys(card.training_data for card in cards)),
        score_kind=ScoreKind.SIGMOID if kind is ScoreKind.CALIBRATED_PROBABILITY else kind,
        score_meaning=f"Mean over its members that know the finding. Of each member: {cards[0].score_meaning}",
        limits=[*LIMITS, *dict.fromkeys(limit for card in cards for limit in card.limits)],
        references=list(dict.fromkeys(reference for card in cards for reference in card.references)),
        findings=[_finding(code, members) for code, members in known.items()],
    )


def combined(entry: CatalogEntry, card: ModelCard, members: Sequence[Prediction]) -> Prediction:
    """What an ensemble says of one film from what its members, in order, say of it."""
    rows: dict[str, list[float]] = {}
    for member in members:
        if not isinstance(member.output, Scores):
            raise TypeError(f"{member.model_id} serves classify but returned {type(member.output).__name__}")
        for code, value in zip(member.output.codes, member.output.values.tolist(), strict=True):
            rows.setdefault(code, []).append(value)
    values = np.array([np.mean(row) for row in rows.values()], dtype=np.float32)
    spread = np.array([max(row) - min(row) for row in rows.values()], dtype=np.float32)
    cached = all(member.cached for member in members)
    elapsed_ms = sum(member.elapsed_ms for member in members)
    return Prediction(Scores(tuple(rows), values, spread), card, entry.id, card.revision, cached, elapsed_ms)


def _finding(code: str, members: Sequence[FindingCard]) -> FindingCard:
    """A finding's card: thresholds are the members' mean; usable where one member's is."""
    usable = [member for member in members if member.usable] or list(members)
    return FindingCard(
        code=code,
        label=members[0].label,
        usable=usable[0].usable,
        reason=usable[0].reason,
        threshold=float(np.mean([member.threshold for member in members])),
        uncertain_low=float(np.mean([member.uncertain_low for member in members])),
        uncertain_high=float(np.mean([member.uncertain_high for member in members])),
    )
