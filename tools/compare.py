"""compare: what changed between two or more dated frontal films of one patient?

Answers for each finding new, worsened, unchanged, improved, resolved or not comparable, with side and place, the
measurements behind it and what it rests on: the measured heart, the aligned pictures, or scores. Films are laid over
one another first; the aligned prior is shown beside the current film. Refuses where there is no prior, where the films
are of several patients, where nobody knows which came first, and lateral views. It says what differs on the pictures,
not why, and makes no forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from pydantic import BaseModel, Field

from models.outputs import ScoreKind, Task
from tools.classify import display_name
from tools.comparison.drawing import Beside, beside, overlays
from tools.comparison.pair import OPACITY, Compared, Pair, Side, compare_pair, look
from tools.comparison.series import Dated, series
from tools.comparison.verdicts import CHANGED, FindingChange, Verdict, repeats
from tools.contract import Finding, Result, Status, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import frontal_film
from tools.contract.wording import listed, sentence_case, summarise
from tools.knowledge import finding

ORDER = (Verdict.NEW, Verdict.WORSENED, Verdict.RESOLVED, Verdict.IMPROVED, Verdict.NOT_COMPARABLE, Verdict.UNCHANGED)
"""In which order verdicts are told."""

NOT_WHY = "What differs on the pictures is not why it differs: position, breath and exposure change films as well."


class CompareArguments(ToolArguments):
    """Which films, and which findings."""

    image_ids: list[str] = Field(
        default_factory=list,
        description="Ids of two or more frontal films of one patient, in any order; left out, the newest frontal film "
        "of the session and its prior.",
    )
    findings: list[str] | None = Field(
        default=None,
        description="Finding codes to compare, e.g. ['effusion']; left out, all that are seen on a film or changed.",
    )
    same_patient: bool = Field(
        default=False,
        description="True only where the user says that films whose files name no patient are of one patient.",
    )
    days: list[int] | None = Field(
        default=None,
        description="Day of each film in the order of image_ids, e.g. [0, 14], where the files have no date and the "
        "user tells the time between them.",
    )


class CompareData(BaseModel):
    """Every interval in order, and the course of each finding over them."""

    pairs: list[Pair]
    course: dict[str, list[Verdict]] = Field(description="finding code to its verdict in each interval")
    rule: str
    beside: list[Beside]


def rule() -> str:
    """The rule by which a change is called, in two sentences."""
    known = repeats()
    return (
        f"A change is called only beyond a limit: the cardiothoracic ratio by more than {known.ratio_limit:.2f}, an "
        "opacity by the area and density of its difference on aligned films, a score by more than its own repeat noise "
        f"({known.measured_on}). New and resolved mean that the other film shows neither a "
        "score for it nor a body of it."
    )


def _sentences(pair: Pair, several: bool) -> list[str]:
    """One interval for the planner: no dates, changes first."""
    between = f"{pair.days} day{'' if pair.days == 1 else 's'}"
    said = [f"{sentence_case(pair.current_name)} against {pair.prior_name}, {between} earlier:"]
    for verdict in ORDER:
        rows = [row for row in pair.changes if row.verdict is verdict]
        for reason in dict.fromkeys(_why(row) for row in rows):
            names = listed(row.name for row in rows if _why(row) == reason)
            said.append(f"{sentence_case(names)}: {verdict.value} ({reason}).")
    if not any(row.verdict in CHANGED for row in pair.changes):
        said.insert(1, "No change beyond repeat noise was found.")
    if pair.absent_on_both and not several:
        said.append(f"On neither film: {listed(map(display_name, pair.absent_on_both))}.")
    said[:2] = [" ".join(said[:2])]
    return said


def _why(row: FindingChange) -> str:
    return row.reason


def _course(pairs: Sequence[Pair]) -> dict[str, list[Verdict]]:
    """Each finding's verdict per interval; the most telling one where an interval has several (one per side)."""
    codes = dict.fromkeys(row.finding for pair in pairs for row in pair.changes)
    return {
        code: [
            next((v for v in ORDER if any(r.finding == code and r.verdict is v for r in pair.changes)),
                 Verdict.UNCHANGED)
            for pair in pairs
        ]
        for code in codes
    }  # fmt: skip


def _findings(sides: Sequence[Side], compared: Sequence[Compared], asked: Sequence[str] | None) -> list[Finding]:
    """What stands on each film: the classifier's findings, the measured hearts, and opacities seen by aligning."""
    rows = [item for side in sides for item in side.assessment.findings if item.status is not Status.NOT_ASSESSED]
    rows += [side.heart for side in sides if side.heart is not None]
    rows = [row for row in rows if asked is None or row.code in asked]
    for each in compared:
        for row in each.pair.changes:
            if row.finding == OPACITY and row.basis == ["pictures"] and row.verdict in CHANGED:
                rows.append(_opacity(row, each.pair.current_id, Verdict.RESOLVED))
                rows.append(_opacity(row, each.pair.prior_id, Verdict.NEW))
    known = dict.fromkeys((row.code, row.image_id, row.status, row.laterality) for row in rows)
    return [next(r for r in rows if (r.code, r.image_id, r.status, r.laterality) == key) for key in known]


def _opacity(row: FindingChange, image_id: str, without: Verdict) -> Finding:
    """The opacity on one film; `without` is the verdict that says it is not there."""
    return Finding(
        code=OPACITY,
        image_id=image_id,
        status=Status.ABSENT if row.verdict is without else Status.PRESENT,
        score_kind=ScoreKind.MEASUREMENT,
        laterality=row.side,
        region=row.region,
        reason=f"by aligning two films: {row.reason}",
    )


def _looked_at(context: ToolContext, dated: Sequence[Dated], codes: Sequence[str] | None) -> list[Side]:
    """Every film checked and read; NotApplicable where one cannot be."""
    checked = [replace(each, film=frontal_film(context, each.film.id, "a comparison")) for each in dated]
    return [look(context, each, codes) for each in checked]


@tool(
    name="compare",
    title="Compare with a prior film",
    arguments=CompareArguments,
    result=CompareData,
    needs=(Task.CLASSIFY, Task.SEGMENT),
    answers="What changed between two or more dated frontal films of one patient: each finding new, worsened, "
    "unchanged, improved, resolved or not comparable, with what that rests on.",
)
def compare(context: ToolContext, arguments: CompareArguments) -> Result:
    """Verdicts per finding and interval; see the module."""
    for code in arguments.findings or []:
        finding(code)
    dated = series(context, arguments.image_ids, arguments.days, arguments.same_patient)
    sides = _looked_at(context, dated, arguments.findings)
    compared = [compare_pair(prior, current, arguments.findings) for prior, current in pairwise(sides)]
    pairs = [each.pair for each in compared]
    card = sides[-1].assessment.card
    several = len(pairs) > 1
    data = CompareData(
        pairs=pairs, course=_course(pairs), rule=rule(), beside=[item for each in compared for item in beside(each)]
    )
    return Result(
        image_ids=[each.film.id for each in dated],
        summary=summarise(sentence for pair in pairs for sentence in _sentences(pair, several)),
        findings=_findings(sides, compared, arguments.findings),
        data=data,
        overlays=[overlay for each in compared for overlay in overlays(each)],
        caveats=[*dict.fromkeys(text for pair in pairs for text in pair.caveats), NOT_WHY, data.rule],
        model=sides[-1].assessment.model,
        revision=sides[-1].assessment.revision,
        card=card_facts(card, [item.code for item in sides[-1].assessment.findings]),
    )
