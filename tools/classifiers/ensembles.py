"""Which classifiers here can be asked together."""

from __future__ import annotations

from imaging.failures import BadArguments, Unavailable
from models.card import ModelCard
from models.catalog import ENSEMBLE, CatalogEntry
from models.outputs import ScoreKind, Task
from models.pool import ModelPool

MEMBERS_MAX = 3
"""Classifiers in a mean that the user did not name: the first of the catalog; more cost time and add little."""


def ensemble_here(models: ModelPool) -> str:
    """Catalog id of the mean of classifiers to ask: one the catalog names, else the first ones here that can be one.

    Raises:
        Unavailable: fewer than two classifiers whose scores mean the same are here.
    """
    entries = models.catalog.serving(Task.CLASSIFY)
    for entry in entries:
        if entry.members and _usable(models, entry):
            return entry.id
    together: dict[ScoreKind, list[str]] = {}
    for entry in entries:
        if not entry.members and (card := _usable(models, entry)):
            together.setdefault(card.score_kind, []).append(entry.id)
    for members in together.values():
        if len(members) > 1:
            return ENSEMBLE + "+".join(members[:MEMBERS_MAX])
    alone = ", ".join(model for members in together.values() for model in members) or "none"
    wanted = next((entry for entry in entries if entry.members), None)
    remedy = f"Run: hilum models pull {' '.join(wanted.members)}, and use --profile {wanted.profile}." if wanted else ""
    raise Unavailable(f"An ensemble needs two classifiers whose scores mean the same; those here are: {alone}.", remedy)


def _usable(models: ModelPool, entry: CatalogEntry) -> ModelCard | None:
    """A classifier's card; None where it is not here, not allowed, or its members have no mean."""
    try:
        models.resolve(Task.CLASSIFY, entry.id)
        return models.card(entry.id)
    except (Unavailable, BadArguments):
        return None
