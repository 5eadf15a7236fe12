"""Questions offered under an answer: only such as a tool here can answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from agent.answer import Answer, Evidence, EvidenceStatus
from tools.contract import Finding, Status
from ui.chat.suggestions import after


def run(number: str, tool: str, *codes: str) -> Evidence:
    rows = [Finding(code=code, image_id="f1", status=Status.PRESENT, evidence=[number]) for code in codes]
    return Evidence(
        id=number, tool=tool, title=tool, image_ids=["f1"], args={}, status=EvidenceStatus.OK, summary="", findings=rows
    )  # fmt: skip


def answered(*records: Evidence) -> Answer:
    rows = [row for record in records for row in record.findings]
    return cast(Answer, SimpleNamespace(question="What do you see?", evidence=records, findings=rows))


def test_what_only_the_detector_saw_is_neither_looked_for_again_nor_explained_by_the_classifier() -> None:
    devices = run("E1", "detect_objects", "ett", "support_devices")
    assert after(answered(devices, run("E2", "classify")), 1) == ["Is the heart enlarged?", "Write a report."]
    beside = after(answered(devices, run("E2", "classify", "mass")), 1)
    assert beside[:2] == ["Where is the mass?", "Show a saliency map for mass."]
