"""What must be read first: findings that cannot wait, told before everything else whatever the planner wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agent.answer import Evidence, EvidenceStatus
from agent.claims.verdicts import words
from agent.mentions import name_of
from agent.planner.facts import cite
from agent.planner.wording import say
from tools.contract import Finding, Status
from tools.knowledge import findings


def urgent(records: Iterable[Evidence]) -> list[str]:
    """A sentence for each urgent finding that a tool calls present or uncertain, with its evidence, surest first.

    Which findings are urgent is the ontology's word (`urgent` in tools/knowledge/findings.toml). A kind of finding is
    not told beside one of its kind: a retained sponge is a retained object.
    """
    rows = [(row, record.id) for record in records if record.status is EvidenceStatus.OK for row in record.findings]
    told = []
    for status, key in ((Status.PRESENT, "urgent.present"), (Status.UNCERTAIN, "urgent.perhaps")):
        here = [(row, number) for row, number in rows if row.status is status and _is_urgent(row.code)]
        narrower = {(findings()[row.code].parent, row.image_id) for row, _ in here}
        here = [(row, number) for row, number in here if (row.code, row.image_id) not in narrower]
        for code in dict.fromkeys(row.code for row, _ in here):
            ids = [number for row, number in here if row.code == code]
            told.append(say(key, name=name_of(code), cite=cite(ids)))
    return [*_together(rows), *told]


def _together(rows: Sequence[tuple[Finding, str]]) -> list[str]:
    told = []
    for item in words()["urgent_together"]:
        about = [(row, number) for row, number in rows if row.code in item["codes"]]
        present = {row.code for row, _ in about if row.status is Status.PRESENT}
        if present == set(item["codes"]) and not any(row.status is Status.ABSENT for row, _ in about):
            told.append(say("urgent.together", what=item["what"], cite=cite(number for _, number in about)))
    return told


def _is_urgent(code: str) -> bool:
    """A finding is urgent if it or a broader one is."""
    concept = findings().get(code)
    return concept is not None and (concept.urgent or (concept.parent is not None and _is_urgent(concept.parent)))
