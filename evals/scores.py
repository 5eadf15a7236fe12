"""The numbers of a graded run: over all, per category and subgroup with the worst, per pair, of its regions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evals.calibration import Calibration, calibration
from evals.grading import Grade, Outcome
from evals.journal import Record
from evals.metrics.boxes import iou
from evals.questions import Question
from evals.stats import Proportion, accuracy, bootstrap_interval, clustered_error

LEAST_GROUP = 20
"""Questions from which a subgroup can be called the worst; smaller ones are shown only."""
REGION_IOU = 0.2
"""Intersection over union from which drawn evidence counts as the right region; the phantom cases use the same."""


@dataclass(frozen=True)
class Graded:
    """One question, what was said, and what it is worth."""

    question: Question
    record: Record
    grade: Grade


@dataclass(frozen=True)
class Pairs:
    """Pairs of films that are asked the same (MediConfusion, Sepehri et al. 2024).

    Attributes:
        both: pairs of which both answers are right.
        confused: share of pairs that got the same letter for both films, where both were answered.
    """

    both: Proportion
    confused: float | None


@dataclass(frozen=True)
class Scores:
    """Everything that is counted of a run; unparsed and errored questions are in every denominator.

    Attributes:
        overall, categories: shares of right answers; a question with several categories counts in each.
        groups: attribute -> value -> share.
        worst: (attribute, value) of the lowest share among groups of LEAST_GROUP questions or more.
        counts: questions by outcome.
        standard_error: of `overall`, clustered by case.
        bootstrap: its 95 % interval by resampling cases.
        chance: what guessing one of its letters would be right of each question, on average; None with open questions.
        pairs: of questions that have a twin.
        regions: of answers about a marked region, those whose cited evidence drew a box there.
        calibration: of the confidences of answers; None where the planner tells none.
        stable: of questions asked several times, the share with one and the same answer; None where none was.
    """

    overall: Proportion
    categories: Mapping[str, Proportion]
    counts: Mapping[Outcome, int]
    groups: Mapping[str, Mapping[str, Proportion]] = field(default_factory=dict)
    worst: tuple[str, str] | None = None
    standard_error: float | None = None
    bootstrap: tuple[float, float] | None = None
    chance: float | None = None
    pairs: Pairs | None = None
    regions: Proportion | None = None
    calibration: Calibration | None = None
    stable: float | None = None


def score(graded: Sequence[Graded]) -> Scores:
    """The scores of a run."""
    names = sorted({name for item in graded for name in item.question.categories})
    groups = _groups(graded)
    right = [float(item.grade.right) for item in graded]
    cases = [item.question.case_id for item in graded]
    letters = [len(item.question.letters) for item in graded]
    return Scores(
        overall=_share(graded),
        categories={name: _share([i for i in graded if name in i.question.categories]) for name in names},
        counts={outcome: sum(item.grade.outcome is outcome for item in graded) for outcome in Outcome},
        groups=groups,
        worst=_worst(groups),
        standard_error=clustered_error(right, cases),
        bootstrap=bootstrap_interval(right, cases),
        chance=sum(1 / n for n in letters) / len(letters) if letters and all(letters) else None,
        pairs=_pairs(graded),
        regions=_regions(graded),
        calibration=calibration([_confidence(item) for item in graded], [item.grade.right for item in graded]),
        stable=_stable(graded),
    )


def _confidence(item: Graded) -> float | None:
    return item.record.confidence if item.grade.outcome is Outcome.ANSWERED else None


def _share(items: Sequence[Graded]) -> Proportion:
    return accuracy([item.grade.right for item in items], [item.question.case_id for item in items])


def _groups(graded: Sequence[Graded]) -> dict[str, dict[str, Proportion]]:
    found: dict[str, dict[str, list[Graded]]] = {}
    for item in graded:
        for attribute, value in item.question.groups.items():
            found.setdefault(attribute, {}).setdefault(value, []).append(item)
    return {name: {v: _share(values[v]) for v in sorted(values)} for name, values in sorted(found.items())}


def _worst(groups: Mapping[str, Mapping[str, Proportion]]) -> tuple[str, str] | None:
    large = [
        (share.value, attribute, value)
        for attribute, values in groups.items()
        for value, share in values.items()
        if share.n >= LEAST_GROUP and share.value is not None
    ]
    return min(large)[1:] if large else None


def _pairs(graded: Sequence[Graded]) -> Pairs | None:
    found: dict[str, list[Graded]] = {}
    for item in graded:
        if item.question.pair:
            found.setdefault(item.question.pair, []).append(item)
    whole = [items for items in found.values() if len(items) == 2]
    if not whole:
        return None
    both = accuracy([all(i.grade.right for i in items) for items in whole], [i[0].question.case_id for i in whole])
    answered = [items for items in whole if all(i.grade.letter for i in items)]
    same = sum(items[0].grade.letter == items[1].grade.letter for items in answered)
    return Pairs(both, same / len(answered) if answered else None)


def _regions(graded: Sequence[Graded]) -> Proportion | None:
    marked = [item for item in graded if item.question.regions]
    drawn = [(item, [box for step in item.record.steps if step.cited for box in step.boxes]) for item in marked]
    drew = [(item, boxes) for item, boxes in drawn if boxes]
    if not drew:
        return None
    hits = [any(iou(b, r) >= REGION_IOU for b in boxes for r in item.question.regions) for item, boxes in drew]
    return accuracy(hits, [item.question.case_id for item, _ in drew])


def _stable(graded: Sequence[Graded]) -> float | None:
    rounds: dict[str, list[str | None]] = {}
    for item in graded:
        rounds.setdefault(item.question.id.partition("~")[0], []).append(item.grade.letter or item.record.text)
    several = [answers for answers in rounds.values() if len(answers) > 1]
    return sum(len(set(answers)) == 1 for answers in several) / len(several) if several else None
