"""One prior and one current film → what became of each finding, with the alignment it rests on and what limits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, Field

from imaging.geometry import extent
from imaging.radiograph import Radiograph, View
from tools.anatomy.outlines import Outlines, outline
from tools.classify import Assessment, assess
from tools.comparison.alignment import Alignment, GridFilm, align
from tools.comparison.changes import Changes, changes
from tools.comparison.pictures import Seen, opacity_elsewhere, seen, settles
from tools.comparison.series import Dated
from tools.comparison.verdicts import CHANGED, FindingChange, by_heart, by_pictures, by_scores, repeats
from tools.contract import Finding, Status, ToolContext
from tools.contract.films import film_caveats
from tools.measure import MeasureArguments, measure

OPACITY = "lung_opacity"
"""The finding under which the pictures' own changes are told, whatever a classifier calls them."""

HEART = "cardiomegaly"
FLUID = "effusion"

ALIGNED_FROM = 0.35
"""Least correlation of the aligned pictures at which their difference is read."""

QUIET = 0.045
"""Most noise of the difference, in shares of the lungs' contrast, at which seeing no change outweighs a score."""

BREATH = 0.04
"""Shift of both domes in the same direction, over the lungs' height, from which the breath is said to differ."""


class Aligned(BaseModel):
    """How the prior was laid over the current film, and how well it fits."""

    usable: bool
    correlation: float | None = Field(description="of the aligned pictures' local structure over the chest, -1 to 1")
    needed: float = ALIGNED_FROM
    outline_distance_percent: float | None = Field(
        description="mean distance of the lungs' outer borders, in % of the chest's width"
    )
    scale: float | None = Field(description="size of the prior's anatomy over the current one's, in pixels")
    turn_deg: float | None = Field(description="turn in the picture's plane")
    noise: float | None = Field(description="of the difference, in shares of the lungs' contrast")
    reason: str = ""


class Pair(BaseModel):
    """One interval: the prior, the current film, the days between, and what became of each finding.

    `prior_date` and `current_date` are for the user; a planner is told `days` alone.
    """

    prior_id: str
    current_id: str
    prior_name: str
    current_name: str
    days: int
    prior_date: str | None
    current_date: str | None
    alignment: Aligned
    changes: list[FindingChange]
    absent_on_both: list[str] = Field(description="codes the classifier sees on neither film and nothing shows")
    caveats: list[str] = Field(default_factory=list)


@dataclass(frozen=True)
class Side:
    """What is known of one film before it is compared."""

    dated: Dated
    outlines: Outlines
    assessment: Assessment
    heart: Finding | None

    @property
    def film(self) -> Radiograph:
        """The film."""
        return self.dated.film

    def finding(self, code: str) -> Finding:
        """What the classifier says of a code; not assessed where it was not asked."""
        for item in self.assessment.findings:
            if item.code == code:
                return item
        return Finding(code=code, image_id=self.film.id, status=Status.NOT_ASSESSED, reason="no classifier told it")


@dataclass(frozen=True)
class Compared:
    """A pair with the pictures behind it; `aligned` and `found` are None where the films do not align."""

    pair: Pair
    aligned: Alignment | None
    found: Changes | None


def look(context: ToolContext, dated: Dated, codes: Sequence[str] | None) -> Side:
    """Everything about one film that the comparison needs, from the session's models."""
    film = dated.film
    measured = measure.run(context, MeasureArguments(image_id=film.id))
    heart = next((item for item in measured.findings if item.code == HEART and item.score is not None), None)
    assessment = assess(context, film)
    known = {item.code for item in assessment.findings}
    if more := [code for code in codes or () if code not in known]:
        findings = [*assessment.findings, *assess(context, film, more).findings]
        assessment = replace(assessment, findings=findings)
    return Side(dated, outline(context, film), assessment, heart)


def compare_pair(prior: Side, current: Side, asked: Sequence[str] | None) -> Compared:
    """What became of each finding: of those asked, or of all that are seen on either film or that changed."""
    aligned, told = _aligned(prior, current)
    found = changes(aligned) if aligned is not None else None
    usable = found if told.usable else None
    if found is not None:
        told.noise = round(found.noise, 3)
    width = _heart_change(aligned) if aligned is not None and told.usable else None
    rows = [row for code in _codes(prior, asked) for row in _rows(code, prior, current, usable, asked, width)]
    absent = [row.finding for row in rows if _absent(row)]
    pair = Pair(
        prior_id=prior.film.id, current_id=current.film.id,
        prior_name=prior.dated.name, current_name=current.dated.name, days=current.dated.day - prior.dated.day,
        prior_date=_iso(prior.dated), current_date=_iso(current.dated), alignment=told,
        changes=[row for row in rows if asked is not None or not _absent(row)],
        absent_on_both=absent if asked is None else [], caveats=_caveats(prior, current, aligned, told),
    )  # fmt: skip
    return Compared(pair, aligned if told.usable else None, usable)


def _codes(prior: Side, asked: Sequence[str] | None) -> list[str]:
    if asked is not None:
        return list(dict.fromkeys(asked))
    seen_codes = [item.code for item in prior.assessment.findings if item.status is not Status.NOT_ASSESSED]
    return list(dict.fromkeys([OPACITY, *seen_codes, HEART]))


def _rows(
    code: str, prior: Side, current: Side, found: Changes | None, asked: Sequence[str] | None, width: float | None
) -> list[FindingChange]:
    """The rows of one finding; `width` is by how much the heart's width changed on the aligned films."""
    before, after = prior.finding(code), current.finding(code)
    same_view = prior.film.view is current.film.view
    if code == HEART and same_view and (row := by_heart(prior.heart, current.heart, width)) is not None:
        return [row]
    named = asked is not None or {before.status, after.status} & {Status.PRESENT, Status.UNCERTAIN}
    sightings = _sightings(code, prior, current, found) if found is not None and (named or code == OPACITY) else []
    if sightings:
        return [by_pictures(before, after, each) for each in sightings]
    if code == OPACITY and asked is None and before.score is None:
        return []
    grew = (after.score or 0.0) > (before.score or 0.0)
    looked = found is not None and found.noise <= QUIET and settles(code) and not opacity_elsewhere(found, grew)
    return [by_scores(before, after, prior.assessment.model, same_view=same_view, looked=looked)]


def _sightings(code: str, prior: Side, current: Side, found: Changes) -> list[Seen]:
    """Where the pictures show a change of it; what lies at the base is left to fluid that a classifier sees."""
    seen_fluid = {side.finding(FLUID).status for side in (prior, current)} & {Status.PRESENT, Status.UNCERTAIN}
    return seen(code, found, fluid=bool(seen_fluid) and code != FLUID)


def _heart_change(aligned: Alignment) -> float | None:
    """By how much the heart's outline became wider, in widths of the chest; None where it was not outlined on both."""
    hearts = [aligned.carried_mask(aligned.prior.heart), aligned.current.heart]
    if not all(heart.any() for heart in hearts):
        return None
    _, low, _, high = extent(aligned.current.lungs)
    before, after = (extent(heart) for heart in hearts)
    return ((after[3] - after[1]) - (before[3] - before[1])) / (high - low)


def _absent(row: FindingChange) -> bool:
    """Seen on neither film, and nothing changed."""
    return (
        row.verdict not in CHANGED
        and {row.prior_status, row.current_status} <= {Status.ABSENT, Status.NOT_ASSESSED}
        and "heart" not in row.basis
    )


def _aligned(prior: Side, current: Side) -> tuple[Alignment | None, Aligned]:
    try:
        aligned = align(GridFilm.of(prior.film, prior.outlines), GridFilm.of(current.film, current.outlines))
    except ValueError as error:
        return None, Aligned(
            usable=False, correlation=None, outline_distance_percent=None, scale=None, turn_deg=None, noise=None,
            reason=f"the lungs' outlines cannot be laid over one another: {error}",
        )  # fmt: skip
    usable = aligned.correlation >= ALIGNED_FROM
    reason = "" if usable else (
        f"the films do not fit well enough on one another (correlation {aligned.correlation:.2f}, {ALIGNED_FROM} is "
        "needed)"
    )  # fmt: skip
    distance = aligned.outline_distance
    return aligned, Aligned(
        usable=usable, correlation=round(aligned.correlation, 2),
        outline_distance_percent=round(100 * distance, 1) if np.isfinite(distance) else None,
        scale=round(aligned.scale, 3), turn_deg=round(aligned.turn_deg, 1), noise=None, reason=reason,
    )  # fmt: skip


def _caveats(prior: Side, current: Side, aligned: Alignment | None, told: Aligned) -> list[str]:
    """What limits this comparison: technique first, then each film's own warnings."""
    said = []
    views = [side.film.view for side in (prior, current)]
    if views[0] is not views[1] and View.UNKNOWN not in views:
        said.append(
            f"{prior.dated.name.capitalize()} is {views[0]} and {current.dated.name} {views[1]}: the heart's width and "
            "the scores are not compared across projections."
        )
    if not told.usable:
        said.append(f"Place and extent are not compared: {told.reason}. The verdicts rest on scores and the heart.")
    if prior.dated.day == current.dated.day:
        said.append("The films are of one day; their order is the one in which they were given.")
    if current.dated.date is None:
        said.append("The days between the films are as the user told.")
    if current.film.patient_key is None or prior.film.patient_key is None:
        said.append("That the films are of one patient is the user's word.")
    if aligned is not None and (depth := _breath(aligned)):
        said.append(f"The breath is {depth} on {current.dated.name}: bases and heart look different for that alone.")
    if not repeats().measured(prior.assessment.model):
        said.append(f"The repeat noise of {prior.assessment.card.title} was not measured; a general limit is used.")
    for side in (prior, current):
        said += [f"{side.dated.name.capitalize()}: {text}" for text in film_caveats(side.film)]
    return list(dict.fromkeys(said))


def _breath(aligned: Alignment) -> str:
    """ "deeper" or "shallower" where both domes moved the same way against the rest of the chest, else empty."""
    shifts = []
    for old, new in (
        (aligned.carried_mask(aligned.prior.left), aligned.current.left),
        (aligned.carried_mask(aligned.prior.right), aligned.current.right),
    ):
        if not old.any() or not new.any():
            return ""
        top, _, bottom, _ = extent(new)
        shifts.append((bottom - extent(old)[2]) / (bottom - top))
    if min(abs(shift) for shift in shifts) < BREATH or shifts[0] * shifts[1] < 0:
        return ""
    return "deeper" if shifts[0] > 0 else "shallower"


def _iso(dated: Dated) -> str | None:
    return dated.date.isoformat() if dated.date is not None else None


__all__ = ["HEART", "OPACITY", "Aligned", "Compared", "Pair", "Side", "compare_pair", "look"]
