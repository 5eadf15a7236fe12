"""How far the evidence of a film speaks for a finding, each source once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from agent.answer import Evidence
from agent.planner.facts import Facts
from agent.planner.question import OBJECTS
from models.outputs import ScoreKind
from tools.contract import Finding, Status
from tools.knowledge import findings

MOST = 3.0
"""No single source speaks louder (about 20 to 1)."""
KEPT = 1e-3
"""Scores are kept this far from 0 and 1 before they become log-odds."""
OF_STATUS = {Status.PRESENT: 2.0, Status.UNCERTAIN: 0.3, Status.ABSENT: -1.0}
"""Weight of a status where no score can be weighed, and of an outlining model's word: its thresholds let 5 % of the
films without a finding through, so that seeing it says much; it misses many, so that not seeing it says less."""
OF_MEASURE = {Status.PRESENT: 2.0, Status.UNCERTAIN: 0.0, Status.ABSENT: -2.0}
"""Weight of what a measured number says: its limits hold to a few percent."""
OF_BROADER = 0.5
"""Share of its weight with which the broader finding counts ("consolidation" for pneumonia)."""
OUTLINING = "ground"


def belief(code: str, film: str, facts: Facts) -> float | None:
    """Weight of "this finding is there": by what was said of it and of the broader finding; of what nobody assesses, by
    its signs. None where nothing was said of any of them.

    Signs of one kind (a nodule or a mass) stand for one another and the clearest counts; those of several kinds (a wide
    heart, edema and an effusion) are expected together and count by their mean.
    """
    own = _own(code, film, facts)
    concept = findings().get(code)
    if own is not None:
        broader = _own(concept.parent, film, facts) if concept and concept.parent else None
        return _bounded(own + OF_BROADER * (broader or 0.0))
    by_kind: dict[str, float] = {}
    for sign in concept.shown_by if concept else ():
        weight = belief(sign, film, facts)
        if weight is not None:
            kind = findings()[sign].parent or sign
            by_kind[kind] = max(weight, by_kind.get(kind, -MOST))
    return sum(by_kind.values()) / len(by_kind) if by_kind else None


def _own(code: str, film: str, facts: Facts) -> float | None:
    told = list(_told(code, film, facts))
    return _bounded(sum(told)) if told else None


def _bounded(weight: float) -> float:
    return max(-MOST, min(MOST, weight))


def all_beliefs(film: str, facts: Facts) -> dict[str, float]:
    """The weight of every finding that anything was said of on a film."""
    codes = dict.fromkeys(f.code for r in facts.records for f in r.findings if f.image_id == film)
    return {code: weight for code in codes if (weight := _own(code, film, facts)) is not None}


def _told(code: str, film: str, facts: Facts) -> Iterator[float]:
    """What each source says. A localisation repeats the classifier; the outlining model's own word is in its data."""
    for record in facts.records:
        if record.failure is not None or film not in record.image_ids:
            continue
        if record.tool == OUTLINING:
            yield from _outlined(code, record)
        elif any(item["code"] == code for item in _objects(record)):
            yield from (OF_STATUS[Status(i["status"])] for i in _objects(record)
                        if i["code"] == code and Status(i["status"]) in OF_STATUS)  # fmt: skip
        else:
            rows = [f for f in record.findings if (f.code, f.image_id) == (code, film)]
            yield from (weight_of(row) for row in rows if row.status is not Status.NOT_ASSESSED)


def _outlined(code: str, record: Evidence) -> Iterator[float]:
    status = record.data.get("locator_status")
    if record.args.get("finding") == code and status in set(OF_STATUS):
        yield OF_STATUS[Status(status)]


def _objects(record: Evidence) -> list[dict[str, Any]]:
    return record.data.get("objects") or [] if record.tool == OBJECTS else []


def weight_of(row: Finding) -> float:
    """Weight of one tool's word: how far its score lies from its threshold in log-odds, else by its status."""
    if row.score_kind is ScoreKind.MEASUREMENT:
        return OF_MEASURE.get(row.status, 0.0)
    if row.score is None or row.threshold is None:
        return OF_STATUS.get(row.status, 0.0)
    return _bounded(_log_odds(row.score) - _log_odds(row.threshold))


def _log_odds(score: float) -> float:
    kept = min(max(score, KEPT), 1 - KEPT)
    return math.log(kept / (1 - kept))


__all__ = ["OUTLINING", "all_beliefs", "belief", "weight_of"]
