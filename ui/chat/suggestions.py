"""Questions offered as buttons: beside a film that was just opened, and after an answer."""

from __future__ import annotations

from agent.answer import Answer
from tools.contract import Status
from tools.knowledge import findings

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
    located = {row.code for record in answer.evidence if record.tool == "ground" for row in record.findings}
    known = findings()
    seen = [
        known[row.code].name
        for status in (Status.PRESENT, Status.UNCERTAIN)
        for row in answer.findings
        if row.status is status and row.code in known and row.code not in located
    ]
    asked = [f"Where is the {name}?" for name in dict.fromkeys(seen) if name != "cardiomegaly"][:1]
    if seen and "explain" not in ran:
        asked.append(f"Show a saliency map for {seen[0]}.")
    if films > 1 and "compare" not in ran:
        asked.append(COMPARE)
    if "measure" not in ran:
        asked.append("Is the heart enlarged?")
    if "report" not in ran:
        asked.append("Write a report.")
    if "classify" not in ran:
        asked.append("What do you see?")
    return [question for question in asked if question != answer.question][:MOST]
