"""The rule by which a finding is called new, worsened, unchanged, improved or resolved between two films.

Three kinds of evidence, the surest first: the measured heart for cardiomegaly; what the aligned pictures show in the
part of the lungs where the finding can lie, and only if they align; the classifier's scores, and only beyond what they
differ by on films without a change (repeatability.toml). Nothing beyond noise is "unchanged", whatever threshold a
score has crossed; pictures that align and show no change outweigh a score that moved. Whether a grown finding is new or
worse goes by the classifier's status on the prior film and by what of it the aligned prior already shows; improved and
resolved likewise on the current film.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, Field

from tools.classify import display_name
from tools.comparison.pictures import Measured, Seen
from tools.contract import Finding, Status


class Verdict(StrEnum):
    """What became of a finding from one film to the next."""

    NEW = "new"
    WORSENED = "worsened"
    UNCHANGED = "unchanged"
    IMPROVED = "improved"
    RESOLVED = "resolved"
    NOT_COMPARABLE = "not comparable"


CHANGED = (Verdict.NEW, Verdict.WORSENED, Verdict.IMPROVED, Verdict.RESOLVED)
"""Verdicts that say that something changed."""

UNCERTAIN_NEEDS = 0.5
"""Share of the remnant needed (see Seen) that suffices where the classifier is uncertain. A judgement."""

SURE_ODDS = 1e-4
"""Scores are kept this far from 0 and 1 before they become log-odds."""


Basis = Literal["heart", "pictures", "scores"]
"""What a verdict rests on: the measured heart, the aligned pictures, the classifier's scores."""


class FindingChange(BaseModel):
    """What became of one finding; `side` and `region` are where the pictures differ, None where only numbers do."""

    finding: str
    name: str
    verdict: Verdict
    side: Literal["left", "right", "bilateral"] | None = None
    region: str | None = None
    prior_status: Status
    current_status: Status
    basis: list[Basis] = Field(default_factory=list)
    measured: list[Measured] = Field(default_factory=list)
    reason: str = ""


@dataclass(frozen=True)
class Repeats:
    """What unchanged patients' films differ by, from repeatability.toml."""

    ratio_limit: float
    default_limit: float
    limits: dict[str, dict[str, float]]
    measured_on: str

    def score_limit(self, model: str, code: str) -> float:
        """Largest difference of log-odds that counts as none."""
        return self.limits.get(model, {}).get(code, self.default_limit)

    def measured(self, model: str) -> bool:
        """Whether this model's repeat noise was measured."""
        return model in self.limits


@cache
def repeats() -> Repeats:
    """repeatability.toml."""
    read: dict[str, Any] = tomllib.loads(
        (resources.files("tools.comparison") / "repeatability.toml").read_text(encoding="utf-8")
    )
    return Repeats(
        ratio_limit=read["heart"]["ratio_limit"],
        default_limit=read["scores"]["default_limit"],
        limits={model: dict(entry["limit"]) for model, entry in read["models"].items()},
        measured_on=read["scores"]["measured_on"],
    )


def by_heart(before: Finding | None, after: Finding | None, width_change: float | None) -> FindingChange | None:
    """The heart's change by its measured cardiothoracic ratio; None where it was not measured on both films.

    Args:
        before, after: the measured ratio on either film.
        width_change: of the heart's outline on the aligned films, over the chest's width; None where they do not align.
            A ratio that changed while the heart did not is the chest's outline.
    """
    if before is None or after is None or before.score is None or after.score is None:
        return None
    limit, change = repeats().ratio_limit, after.score - before.score
    measured = [_measured("cardiothoracic ratio", before.score, after.score, change, limit)]
    told = f"cardiothoracic ratio {before.score:.2f} before, {after.score:.2f} now"
    if width_change is not None:
        measured.append(
            _measured("heart's width on the aligned films", None, None, width_change, limit, "chest widths")
        )
    real = abs(change) > limit and (width_change is None or (abs(width_change) > limit and width_change * change > 0))
    small = {before.status, after.status} == {Status.ABSENT}
    if small:
        reason = f"{told}: not enlarged on either film"
    elif real:
        reason = f"{told}, beyond its repeat limit of {limit:.2f}"
    elif abs(change) > limit:
        reason = f"{told}, but the heart's width is unchanged on the aligned films: the chest's outline differs"
    else:
        reason = f"{told}, within its repeat limit of {limit:.2f}"
    return FindingChange(
        finding="cardiomegaly", name=display_name("cardiomegaly"), region="heart", reason=reason,
        verdict=_crossed(before.status, after.status, change) if real else Verdict.UNCHANGED,
        prior_status=before.status, current_status=after.status, basis=["heart"], measured=measured,
    )  # fmt: skip


def _measured(
    what: str, prior: float | None, current: float | None, change: float, limit: float, unit: str = ""
) -> Measured:
    ends = [None if value is None else round(value, 3) for value in (prior, current)]
    return Measured(what=what, prior=ends[0], current=ends[1], change=round(change, 3), repeat_limit=limit, unit=unit)


def by_pictures(before: Finding, after: Finding, seen: Seen) -> FindingChange:
    """The change of a finding that the aligned pictures show.

    Args:
        before, after: what the classifier says of it on either film.
        seen: where and how the pictures differ.
    """
    lesser = (before if seen.more else after).status
    needed = {Status.PRESENT: 0.0, Status.UNCERTAIN: UNCERTAIN_NEEDS * seen.needed}.get(lesser, seen.needed)
    there = seen.remnant >= needed
    if seen.more:
        verdict = Verdict.WORSENED if there else Verdict.NEW
    else:
        verdict = Verdict.IMPROVED if there else Verdict.RESOLVED
    return FindingChange(
        finding=before.code, name=display_name(before.code), verdict=verdict, side=seen.side, region=seen.region,
        prior_status=before.status, current_status=after.status, basis=["pictures"], measured=seen.measured,
        reason=seen.words,
    )  # fmt: skip


def by_scores(before: Finding, after: Finding, model: str, *, same_view: bool, looked: bool) -> FindingChange:
    """The change of a finding by the classifier's scores alone.

    Args:
        before, after: what the classifier says of it on either film.
        model: the classifier's catalog id.
        same_view: whether both films are of one projection; scores of PA and AP films are not compared.
        looked: whether the aligned pictures show no change of it although one would show; they outweigh the scores.
    """
    row = FindingChange(
        finding=before.code, name=display_name(before.code), verdict=Verdict.NOT_COMPARABLE,
        prior_status=before.status, current_status=after.status,
    )  # fmt: skip
    if before.score is None or after.score is None:
        row.reason = f"not assessed: {before.reason or after.reason}"
        return row
    limit = repeats().score_limit(model, before.code)
    change = _log_odds(after.score) - _log_odds(before.score)
    row.measured = [
        Measured(
            what="score", prior=before.score, current=after.score, change=round(change, 2), repeat_limit=limit,
            unit="log-odds",
        )
    ]  # fmt: skip
    told = f"score {before.score:.2f} before, {after.score:.2f} now"
    if not same_view and not looked:
        row.reason = f"{told}; scores of a PA and an AP film are not compared"
        return row
    moved = same_view and abs(change) > limit
    noise = f", {'beyond' if moved else 'within'} its repeat noise ({abs(change):.1f} of {limit:.1f} log-odds)"
    row.reason = told + (noise if same_view else "")
    if moved and not looked:
        row.basis, row.verdict = ["scores"], _crossed(before.status, after.status, change)
        return row
    row.verdict = Verdict.UNCHANGED
    by: dict[Basis, bool] = {"pictures": looked, "scores": same_view and not moved}
    row.basis = [name for name, rests in by.items() if rests]
    row.reason += ", but the aligned films show no change that goes with it" if moved else ""
    return row


def _crossed(before: Status, after: Status, change: float) -> Verdict:
    """What a score's real change means by the statuses on both films."""
    if change > 0:
        if after is Status.ABSENT:
            return Verdict.UNCHANGED
        return Verdict.NEW if before is Status.ABSENT else Verdict.WORSENED
    if before is Status.ABSENT:
        return Verdict.UNCHANGED
    return Verdict.RESOLVED if after is Status.ABSENT else Verdict.IMPROVED


def _log_odds(score: float) -> float:
    kept = min(max(score, SURE_ODDS), 1 - SURE_ODDS)
    return math.log(kept / (1 - kept))


__all__ = ["CHANGED", "FindingChange", "Measured", "Verdict", "by_heart", "by_pictures", "by_scores", "repeats"]
