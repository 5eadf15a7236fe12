"""What judges share: where an answer puts a finding, which numbers and sides it tells, how far a box is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.contract import Status

if TYPE_CHECKING:
    from agent.answer import Answer, Claim
    from evals.phantom_cases.case import Judge

HALF = 0.5
"""What "uncertain" is worth where the truth is yes or no."""

Box = tuple[int, int, int, int]


def status_of(answer: Answer, code: str, image_id: str | None = None) -> Status | None:
    """Where the answer as a whole puts a finding; tools that disagree make it uncertain, None: not looked for."""
    said = {
        row.status
        for row in answer.findings
        if row.code == code and row.status is not Status.NOT_ASSESSED and image_id in (None, row.image_id)
    }
    if {Status.PRESENT, Status.ABSENT} <= said:
        return Status.UNCERTAIN
    return next((status for status in (Status.PRESENT, Status.UNCERTAIN, Status.ABSENT) if status in said), None)


def worth_of(status: Status | None, *, present: bool) -> float:
    """1 for the right one of present and absent, half for uncertain, 0 for the wrong one or none."""
    if status is Status.UNCERTAIN:
        return HALF
    return float(status is (Status.PRESENT if present else Status.ABSENT))


def finding_is(code: str, present: bool) -> Judge:
    """A judge of whether the last answer puts a finding where it is."""
    return lambda outcome: worth_of(status_of(outcome.last, code), present=present)


def claims_hold(answer: Answer) -> float:
    """Share of the answer's statements that cite evidence which exists; 0 for an answer that states nothing."""
    ids = {record.id for record in answer.evidence}
    held = [bool(claim.evidence) and set(claim.evidence) <= ids for claim in answer.claims]
    return sum(held) / len(held) if held else 0.0


def claims_about(answer: Answer, *words: str) -> list[Claim]:
    """The answer's statements in which all the words stand, whatever their case."""
    return [claim for claim in answer.claims if all(word in claim.text.lower() for word in words)]


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes (row_min, col_min, row_max, col_max), 0 to 1."""
    rows = min(one[2], other[2]) - max(one[0], other[0])
    columns = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(rows, 0) * max(columns, 0)
    total = _area(one) + _area(other) - shared
    return shared / total if total else 0.0


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


__all__ = ["HALF", "Box", "claims_about", "claims_hold", "overlap", "status_of", "worth_of"]
