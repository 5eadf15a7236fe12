"""How far a classifier is to be trusted for one finding, in words: what its card measured, where that is little."""

from __future__ import annotations

from collections.abc import Iterable

from models.card import FindingCard, ModelCard
from tools.contract import Finding, Status
from tools.contract.wording import listed, sentence_case
from tools.knowledge import findings

WEAK_AUROC = 0.7
"""Below it discrimination is not called acceptable (Hosmer and Lemeshow, Applied Logistic Regression, 2nd ed. 2000)."""

FEW_FOUND = 0.5
"""Share of synthetic films with a finding, below which most of them are missed."""

LEAST_SYNTHETIC = 5
"""Fewer synthetic films with a finding say nothing."""


def worth_warnings(card: ModelCard, judged: Iterable[Finding], asked: Iterable[str] | None) -> list[str]:
    """A sentence with the figures of each weak finding that was asked for by name; of all, one on those that are seen.

    Args:
        card: the classifier's.
        judged: what it says.
        asked: codes that were asked for by name; None where all were taken.
    """
    weak = [item for item in judged if item.status is not Status.NOT_ASSESSED and is_weak(card.finding(item.code))]
    if asked is not None:
        return [f"{sentence_case(_name(item.code))} is told weakly: {_figures(card, item.code)}." for item in weak]
    seen = [_name(item.code) for item in weak if item.status is Status.PRESENT]
    why = f"AUROC below {WEAK_AUROC:.2f} on labelled films, or most synthetic ones missed"
    return [f"Told weakly by this model ({why}): {listed(seen)}."] if seen else []


def is_weak(known: FindingCard | None) -> bool:
    """Whether a card measured little skill for a finding; what was not measured is not called weak."""
    if known is None:
        return False
    areas = [known.auroc.value if known.auroc else None, known.auroc_on_reference_films]
    return any(area is not None and area < WEAK_AUROC for area in areas) or _missed(known)


def _missed(known: FindingCard) -> bool:
    synthetic, found = known.phantom_positives or 0, known.phantom_sensitivity
    return synthetic >= LEAST_SYNTHETIC and found is not None and found < FEW_FOUND


def _figures(card: ModelCard, code: str) -> str:
    """ "AUROC 0.709 (0.654–0.757) on 72 labelled films with it and 1,246 without (0.5 is chance); 0.62 …"."""
    known = card.finding(code)
    told: list[str] = []
    if known is None:
        return ""
    if known.auroc is not None:
        counted = known.positives is not None and known.negatives is not None
        on = f" on {known.positives:,} labelled films with it and {known.negatives:,} without" if counted else ""
        told.append(f"AUROC {known.auroc}{on} (0.5 is chance)")
    if known.auroc_on_reference_films is not None:
        told.append(f"{known.auroc_on_reference_films:.2f} on those of a published test list")
    if known.phantom_sensitivity is not None and known.phantom_positives:
        found = round(known.phantom_sensitivity * known.phantom_positives)
        told.append(f"{found} of {known.phantom_positives} synthetic ones found")
    return "; ".join(told)


def _name(code: str) -> str:
    return findings()[code].name if code in findings() else code


__all__ = ["is_weak", "worth_warnings"]
