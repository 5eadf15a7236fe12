"""Operating points: thresholds that the user moves, by a rate on the card's ROC curve or by value.

A card whose findings carry `roc` says which threshold had which sensitivity and specificity where the model was
measured; another card's thresholds can be moved by value only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from imaging.failures import BadArguments, NotApplicable
from models.card import FindingCard, ModelCard
from tools.contract.wording import listed

MORE = 0.9
"""Sensitivity of "sensitive", specificity of "specific". A convention of ours: what screening asks for at least."""


@dataclass(frozen=True)
class Wish:
    """Where the user wants the thresholds; at most one of the three ways.

    Attributes:
        rate: "sensitivity" or "specificity".
        at_least: the rate wanted, in (0, 1).
        threshold: one for every finding, on the scale of the model's scores.
        thresholds: finding code -> threshold; the others keep theirs.
    """

    rate: str = ""
    at_least: float = 0.0
    threshold: float | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.rate or self.threshold is not None or self.thresholds)

    @property
    def words(self) -> str:
        """ "at least 95 % sensitivity", "0.3", "0.2 for effusion and 0.1 for mass"."""
        if self.rate:
            return f"at least {100 * self.at_least:g} % {self.rate}"
        if self.threshold is not None:
            return f"{self.threshold:g}"
        return listed([f"{value:g} for {code.replace('_', ' ')}" for code, value in self.thresholds.items()])


@dataclass(frozen=True)
class Moved:
    """A card with thresholds where the user wants them, and the findings whose threshold did not move, with why."""

    card: ModelCard
    kept: Mapping[str, str]


def moved(card: ModelCard, wish: Wish, codes: Iterable[str]) -> Moved:
    """The card with moved thresholds for these codes. A moved threshold has no uncertain band: none was measured.

    Raises:
        BadArguments: a threshold for a finding that was not asked for or that the model does not know.
        NotApplicable: a rate is wanted and the card knows the ROC curve of none of the codes.
    """
    asked = set(codes)
    for code in wish.thresholds:
        if code not in asked or card.finding(code) is None:
            known = ", ".join(item.code for item in card.findings if item.code in asked)
            raise BadArguments(f"There is no threshold for {code!r} to move here.", f"There is one for: {known}.")
    kept: dict[str, str] = {}
    findings = []
    for item in card.findings:
        told = _threshold(item, wish) if item.code in asked and item.usable else item.threshold
        if told is None:
            kept[item.code] = f"its {wish.rate} at other thresholds was not measured"
        findings.append(item if told is None or told == item.threshold else _at(item, told))
    usable = [item.code for item in card.findings if item.code in asked and item.usable]
    if usable and set(usable) <= set(kept):
        raise NotApplicable(
            f"The thresholds of {card.title} cannot be set by {wish.rate}: its ROC curve was not measured on labelled "
            "films.",
            "Set a threshold by value, or choose a model whose card has the curve (hilum models show ID).",
        )
    return Moved(card.model_copy(update={"findings": findings}), kept)


def rates(item: FindingCard, threshold: float) -> tuple[float, float] | None:
    """(sensitivity, specificity) at a threshold, between measured points by line; None off the measured curve."""
    if not item.roc:
        return None
    thresholds, sensitivities, specificities = np.array(item.roc).T
    if not thresholds[0] <= threshold <= thresholds[-1]:
        return None
    found = (float(np.interp(threshold, thresholds, row)) for row in (sensitivities, specificities))
    sensitivity, specificity = found
    return round(sensitivity, 4), round(specificity, 4)


def _threshold(item: FindingCard, wish: Wish) -> float | None:
    """Where one finding's threshold is to be; None where a rate is wanted that was not measured."""
    if not wish.rate:
        return wish.thresholds.get(item.code, item.threshold) if wish.thresholds else wish.threshold
    if wish.rate == "sensitivity":
        return max((at for at, sensitivity, _ in item.roc if sensitivity >= wish.at_least), default=None)
    return min((at for at, _, specificity in item.roc if specificity >= wish.at_least), default=None)


def _at(item: FindingCard, threshold: float) -> FindingCard:
    sensitivity, specificity = rates(item, threshold) or (None, None)
    update = {
        "threshold": threshold, "uncertain_low": threshold, "uncertain_high": threshold,
        "sensitivity": sensitivity, "specificity": specificity,
    }  # fmt: skip
    return item.model_copy(update=update)


__all__ = ["MORE", "Moved", "Wish", "moved", "rates"]
