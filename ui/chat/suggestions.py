"""Questions offered as buttons: beside a film that was just opened, and after an answer."""

from __future__ import annotations

from agent.answer import Answer
from tools.contract import Status
from tools.knowledge import findings
from tools.knowledge.objects import objects

OPENED = ("What do you see?", "Is the heart enlarged?", "Write a report.")
"""Offered beside a film that was just opened."""
COMPARE = "What has changed since the prior film?"
MOST = 3
"""Buttons under an answer; more would push the answer out of sight."""


def beside(films: int) -> tuple[str, ...]:
    """Questions for films that were just opened.

    Args:
        films: how many are open.
    """
    return (COMPARE, *OPENED) if films > 1 else OPENED


def after(answer: Answer, films: int) -> list[str]:
    """What one would ask next, given what was found and which tools have run; never the same question again.

    Args:
        answer: that was just given.
        films: how many are open.
    """
    ran = {record.tool for record in answer.evidence}
    told_by = {
        tool: {row.code for record in answer.evidence if record.tool == tool for row in record.findings}
        for tool in ("classify", "ground", "detect_objects")
    }
    known, kinds = findings(), {each.kind for each in objects().values()}
    seen = [
        row.code
        for status in (Status.PRESENT, Status.UNCERTAIN)
        for row in answer.findings
        if row.status is status and row.code in known and row.code not in told_by["ground"] | kinds
    ]
    unplaced = [code for code in dict.fromkeys(seen) if code not in told_by["detect_objects"] | {"cardiomegaly"}]
    asked = [f"Where is the {known[code].name}?" for code in unplaced][:1]
    shown = [code for code in seen if code in told_by["classify"]]
    if shown and "explain" not in ran:
        asked.append(f"Show a saliency map for {known[shown[0]].name}.")
    if films > 1 and "compare" not in ran:
        asked.append(COMPARE)
    if "measure" not in ran:
        asked.append("Is the heart enlarged?")
    if "report" not in ran:
        asked.append("Write a report.")
    if "classify" not in ran:
        asked.append("What do you see?")
    return [question for question in asked if question != answer.question][:MOST]
