"""How alike two reports are in what they say: labels, entities, relations, and each finding's difference.

All of it is read by Hilum's own rules (tools.reading), so the numbers are *in the manner of* F1-CheXbert, RadGraph F1
(Jain et al., 2021; Yu et al., Patterns 2023) and GREEN (Ostmeier et al., EMNLP Findings 2024), and are not those.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from enum import StrEnum

from pydantic import BaseModel

from tools.knowledge import is_kind_of
from tools.reading import Reading
from tools.reading.labels import Value, labels_of
from tools.reading.report import Entity, ReportFinding, entities_of, summed_up

MADE = frozenset({Value.PRESENT, Value.UNCERTAIN})
"""A doubt counts as a finding that the draft must hold, too."""


class F1(BaseModel):
    """Agreement of two sets; the scores are None where both are empty."""

    f1: float | None
    precision: float | None
    recall: float | None
    both: int
    only_candidate: int
    only_reference: int


class DifferenceKind(StrEnum):
    """How a draft differs from its reference on one finding."""

    AGREED = "agreed"
    MISSED = "missed"
    ADDED = "added"
    CONTRADICTED = "contradicted"
    OTHER_SIDE = "other_side"
    OTHER_SEVERITY = "other_severity"
    OTHER_CERTAINTY = "other_certainty"
    OTHER_DETAIL = "other_detail"
    """Named more broadly or more narrowly: "opacity" for "consolidation"."""


class Difference(BaseModel):
    """One finding in the two reports; `candidate` and `reference` say what each holds, "" for nothing."""

    code: str
    name: str
    kind: DifferenceKind
    candidate: str
    reference: str


class Agreement(BaseModel):
    """Likeness of what is said.

    Attributes:
        label_f1: of the positive CheXpert-14 labels, uncertain ones among them.
        entity_f1: of findings with their status and side, places and modifiers.
        relation_f1: of located_at, modify and suggestive_of between them.
        matched_share: findings that agree / (those + every difference), in the manner of GREEN; None without findings.
        differences: one row per finding that either report states or doubts.
    """

    label_f1: F1
    entity_f1: F1
    relation_f1: F1
    matched_share: float | None
    differences: list[Difference]


def clinical(candidate: Reading, reference: Reading) -> Agreement:
    """Likeness of a draft and its reference, both read before."""
    ours, theirs = (_positive(labels_of(reading, "chexpert14")) for reading in (candidate, reference))
    entities, relations = zip(*(_graph(reading) for reading in (candidate, reference)), strict=True)
    found = differences(summed_up(candidate), summed_up(reference))
    agreed = sum(row.kind is DifferenceKind.AGREED for row in found)
    return Agreement(
        label_f1=f1(ours, theirs),
        entity_f1=f1(*entities),
        relation_f1=f1(*relations),
        matched_share=round(agreed / len(found), 4) if found else None,
        differences=found,
    )


def f1(candidate: Iterable[Hashable], reference: Iterable[Hashable]) -> F1:
    """Precision, recall and F1 of one set against another."""
    ours, theirs = set(candidate), set(reference)
    both = len(ours & theirs)
    empty = not ours and not theirs
    precision = None if empty else both / len(ours) if ours else 0.0
    recall = None if empty else both / len(theirs) if theirs else 0.0
    score = None if empty else 2 * both / (len(ours) + len(theirs))
    return F1(
        f1=None if score is None else round(score, 4),
        precision=None if precision is None else round(precision, 4),
        recall=None if recall is None else round(recall, 4),
        both=both,
        only_candidate=len(ours - theirs),
        only_reference=len(theirs - ours),
    )


def differences(candidate: Sequence[ReportFinding], reference: Sequence[ReportFinding]) -> list[Difference]:
    """One row per finding that either side states or doubts, the reference's first; sides that match are paired."""
    rows: list[Difference] = []
    left = list(candidate)
    for theirs in (row for row in reference if row.status in MADE):
        ours = _partner(theirs, left)
        if ours is not None:
            left.remove(ours)
        rows.append(_difference(theirs.code, theirs.name, ours, theirs))
    for ours in (row for row in left if row.status in MADE):
        theirs_of = next((row for row in reference if row.code == ours.code and row.status not in MADE), None)
        rows.append(_difference(ours.code, ours.name, ours, theirs_of))
    return _joined(rows)


def _partner(wanted: ReportFinding, rows: Sequence[ReportFinding]) -> ReportFinding | None:
    """The other report's row on the same finding: that of the same side first, a made one before a denied one."""
    same = [row for row in rows if row.code == wanted.code]
    return min(
        same, key=lambda row: (row.status not in MADE, row.side != wanted.side, row.side is not None), default=None
    )


def _difference(code: str, name: str, ours: ReportFinding | None, theirs: ReportFinding | None) -> Difference:
    kind = DifferenceKind.AGREED
    if ours is None:
        kind = DifferenceKind.MISSED
    elif theirs is None:
        kind = DifferenceKind.ADDED
    elif (ours.status in MADE) != (theirs.status in MADE):
        kind = DifferenceKind.CONTRADICTED
    elif ours.side and theirs.side and ours.side != theirs.side:
        kind = DifferenceKind.OTHER_SIDE
    elif ours.status is not theirs.status:
        kind = DifferenceKind.OTHER_CERTAINTY
    elif ours.severity and theirs.severity and ours.severity != theirs.severity:
        kind = DifferenceKind.OTHER_SEVERITY
    return Difference(code=code, name=name, kind=kind, candidate=_told(ours), reference=_told(theirs))


def _joined(rows: list[Difference]) -> list[Difference]:
    """A missed finding and an added broader or narrower one are one difference in detail."""
    joined: list[Difference] = []
    used: set[int] = set()
    for row in rows:
        near = next(
            (n for n, other in enumerate(rows)
             if row.kind is DifferenceKind.MISSED and other.kind is DifferenceKind.ADDED and n not in used
             and (is_kind_of(row.code, other.code) or is_kind_of(other.code, row.code))),
            None,
        )  # fmt: skip
        if near is not None:
            used.add(near)
            row = row.model_copy(update={"kind": DifferenceKind.OTHER_DETAIL, "candidate": rows[near].candidate})
        joined.append(row)
    gone = {id(rows[n]) for n in used}
    return [row for row in joined if id(row) not in gone]


def _told(row: ReportFinding | None) -> str:
    if row is None:
        return ""
    return f"{_STATUS_WORDS.get(row.status, '')}{row.told()}"


_STATUS_WORDS = {Value.UNCERTAIN: "possible ", Value.ABSENT: "no "}


def _positive(labels: dict[str, Value]) -> set[str]:
    return {label for label, value in labels.items() if value in MADE}


def _graph(reading: Reading) -> tuple[set[Hashable], set[Hashable]]:
    """What counts as the same entity and the same relation in both reports."""
    entities, relations = entities_of(reading)
    seen = {entity.id: _key(entity) for entity in entities if entity.section in {"findings", "impression", ""}}
    made = {
        (relation.type, seen[relation.source], seen[relation.target])
        for relation in relations
        if relation.source in seen and relation.target in seen
    }
    return set(seen.values()), set(made)


def _key(entity: Entity) -> Hashable:
    if entity.type == "modifier":
        return entity.type, entity.code, entity.name
    return entity.type, entity.code, entity.status, entity.side
