"""Text into claims: citations in every shape, and what the evidence does not bear out."""

from __future__ import annotations

import pytest
from agent_stubs import StubTools

from agent.answer import Verdict
from agent.claims import check, urgent
from agent.ledger import EvidenceLedger
from agent.mentions import mentions, side_of
from evals.lying import measured
from tools.contract import Finding, Result, Status, ToolFailure

TOOL = StubTools().registry().get("classify")
SUPPORTED, CONFLICTING, NOT_ASSESSED = Verdict.SUPPORTED, Verdict.CONFLICTING, Verdict.NOT_ASSESSED


@pytest.fixture
def ledger() -> EvidenceLedger:
    """E1: effusion present 0.81, pneumothorax absent, mass uncertain, hernia not assessed; E2: effusion left;
    E3: failed; E4: effusion absent."""
    filled = EvidenceLedger()
    present = Finding(code="effusion", image_id="f", status=Status.PRESENT, score=0.8125, threshold=0.5)
    results = [
        Result(
            summary="Scores.",
            findings=[
                present,
                Finding(code="pneumothorax", image_id="f", status=Status.ABSENT, score=0.1, threshold=0.5),
                Finding(code="mass", image_id="f", status=Status.UNCERTAIN, score=0.5, threshold=0.5),
                Finding(code="hernia", image_id="f", status=Status.NOT_ASSESSED, reason="not trained"),
            ],
        ),
        Result(summary="Effusion, left, 23.4 mm.", findings=[present.model_copy(update={"laterality": "left"})]),
        Result(summary="FAILED", failure=ToolFailure(kind="not_applicable", message="lateral film")),
        Result(summary="None.", findings=[present.model_copy(update={"status": Status.ABSENT, "score": 0.2})]),
    ]
    for number, result in enumerate(results):
        filled.record(filled.reserve(str(number), "classify", {"image_id": str(number)}), TOOL, {}, result)
    return filled


@pytest.mark.parametrize(
    ("sentence", "verdict"),
    [
        ("There is a pleural effusion [E1].", SUPPORTED),
        ("There is no pleural effusion [E1].", CONFLICTING),
        ("There is no pneumothorax [E1].", SUPPORTED),
        ("No effusion, pneumothorax or mass is seen [E1].", CONFLICTING),
        ("A pneumothorax is present [E1].", CONFLICTING),
        ("Not seen: pneumothorax (0.1, limit 0.5) [E1].", SUPPORTED),
        ("Not seen: effusion and pneumothorax [E1].", CONFLICTING),
        ("Related findings it does assess: pneumothorax [E1].", SUPPORTED),
        ("A mass is present [E1].", NOT_ASSESSED),
        ("A mass is possible [E1].", SUPPORTED),
        ("There is a hernia [E1].", NOT_ASSESSED),
        ("There is pneumonia [E1].", NOT_ASSESSED),
        ("The effusion is on the left [E1, E2].", SUPPORTED),
        ("The effusion is on the right [E2].", CONFLICTING),
        ("A right effusion is present [E1].", NOT_ASSESSED),
        ("The effusion scores 0.81 [E1].", SUPPORTED),
        ("The effusion scores 0.86 [E1].", NOT_ASSESSED),
        ("The effusion measures 23.4 mm [E2].", SUPPORTED),
        ("The effusion measures 2.3 cm [E2].", SUPPORTED),
        ("The effusion measures 42 mm [E2].", NOT_ASSESSED),
        ("The heart is of normal size [E3].", NOT_ASSESSED),
        ("There is an effusion [E1, E4].", CONFLICTING),
        ("There is an effusion (E1).", SUPPORTED),
        ("There is an effusion. [E1]", SUPPORTED),
        ("There is an effusion [E1][E2].", SUPPORTED),
        ("There is an effusion on the left [E1-E2].", SUPPORTED),
        ("There is a left effusion [E1 and E2].", SUPPORTED),
        ("There is an effusion.", NOT_ASSESSED),
    ],
)
def test_verdict_of_a_sentence(ledger: EvidenceLedger, sentence: str, verdict: Verdict) -> None:
    [claim] = check(sentence, ledger).claims
    assert claim.verdict is verdict
    assert "[" not in claim.text and "E1" not in claim.text


def test_invented_citation_is_removed_and_marked(ledger: EvidenceLedger) -> None:
    checked = check("There is a mass [E9]. There is an effusion [E1, E12].", ledger)
    assert "E9" not in checked.text and "E12" not in checked.text and "[E1]" in checked.text
    assert "does not exist" in checked.text
    assert [(claim.evidence, claim.verdict) for claim in checked.claims] == [([], NOT_ASSESSED), (["E1"], SUPPORTED)]


def test_uncited_statements_are_counted_and_other_sentences_are_no_claims(ledger: EvidenceLedger) -> None:
    checked = check("Here is what I found:\n- Effusion is present [E1].\n- A nodule is seen.\nPlease ask on.", ledger)
    assert [claim.text for claim in checked.claims] == ["Effusion is present.", "A nodule is seen."]
    assert "A nodule is seen. (not verified: it cites no evidence)" in checked.text
    assert check("A nodule is seen.", ledger, scripted=True).claims == []


@pytest.mark.parametrize(
    ("text", "letter"),
    [("Because.\nANSWER: C", "C"), ("ANSWER: A\nANSWER: B", "B"), ("**ANSWER: D**", "D"), ("The answer is A", None)],
)
def test_choice_is_the_last_answer_line(ledger: EvidenceLedger, text: str, letter: str | None) -> None:
    assert check(text, ledger).choice == letter


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no effusion", [("effusion", True, None)]),
        ("left effusion without pneumothorax", [("effusion", False, "left"), ("pneumothorax", True, None)]),
        ("no effusion but a right mass", [("effusion", True, None), ("mass", False, "right")]),
        ("pneumothorax is absent", [("pneumothorax", True, None)]),
        ("an effusion cannot be excluded", [("effusion", False, None)]),
        ("bilateral efusions", [("effusion", False, "bilateral")]),
        ("heart size is normal", [("cardiomegaly", True, None)]),
        ("this is an effusion, right?", [("effusion", False, None)]),
    ],
)
def test_mentions_with_denial_and_side(text: str, found: list[tuple[str, bool, str | None]]) -> None:
    named = [m for m in mentions(text) if m.kind == "finding"]
    assert [(m.code, m.denied, m.side) for m in named] == found


def test_side_of_both_is_bilateral() -> None:
    assert side_of("left or right?") == "bilateral" and side_of("the film") is None


@pytest.mark.parametrize(
    ("sentence", "shown", "gone"),
    [
        ("There is no pleural effusion [E1].", "the evidence says pleural effusion present [E1].)", True),
        ("The effusion is on the right [E2].", "the evidence says pleural effusion present on the left [E2].)", True),
        ("The lungs are clear [E1].", "the evidence says pleural effusion present [E1].)", True),
        ("The effusion measures 42 mm [E2].", "withdrawn here: the evidence says 23.4 mm [E2].)", True),
        ("An effusion of 42 ml is present [E1].", "[E1]. (the number is not in E1)", False),
        ("A massive effusion is present [E1].", "(the degree is not in E1)", False),
        ("The effusion lies in the lower zone [E2].", "(the place is not in E2)", False),
        ("A mass is present [E1].", "(stated more firmly than E1 bears out: it is uncertain there)", False),
        ("There is pneumonia [E1].", "(not supported: E1 does not assess it)", False),
        ("There is an effusion [E1, E4].", "(the tools disagree on it)", False),
    ],
)
def test_what_the_evidence_contradicts_is_withdrawn_and_the_rest_marked(
    ledger: EvidenceLedger, sentence: str, shown: str, gone: bool
) -> None:
    checked = check(sentence, ledger)
    assert shown in checked.text
    assert (sentence.partition(" [")[0] not in checked.text) is gone and bool(checked.withdrawn) is gone
    assert check(sentence, ledger, scripted=True).text == sentence


def row(code: str, status: Status) -> Finding:
    return Finding(code=code, image_id="f", status=status, score=0.9, threshold=0.5)


def recorded(*results: Result) -> EvidenceLedger:
    filled = EvidenceLedger()
    for number, result in enumerate(results):
        filled.record(filled.reserve(str(number), "classify", {"image_id": str(number)}), TOOL, {}, result)
    return filled


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("retained_object", Status.PRESENT)], ["URGENT: retained object is present [E1]."]),
        ([("retained_object", Status.UNCERTAIN)], ["URGENT: retained object is possible [E1]."]),
        ([("retained_object", Status.ABSENT)], []),
        ([("retained_needle", Status.PRESENT)], ["URGENT: retained needle is present [E1]."]),
        (
            [("retained_needle", Status.PRESENT), ("retained_object", Status.PRESENT)],
            ["URGENT: retained needle is present [E1]."],
        ),
        ([("effusion", Status.PRESENT)], []),
        (
            [("pneumothorax", Status.PRESENT), ("mediastinal_shift", Status.PRESENT)],
            ["URGENT: pneumothorax is present with mediastinal shift, so that tension is possible [E1]."],
        ),
        ([("pneumothorax", Status.PRESENT), ("mediastinal_shift", Status.ABSENT)], []),
    ],
)
def test_urgent_findings_are_told_first(rows: list[tuple[str, Status]], says: list[str]) -> None:
    told = urgent(recorded(Result(summary="x", findings=[row(*item) for item in rows])).records())
    assert told == says


def test_lies_are_caught_and_truths_let_through() -> None:
    """Truth and lies are the suite's own, see evals.lying; the goal of 99 % is the project's."""
    rates = {item.kind: item.doubted / item.count for item in measured(seed=7, count=30)}
    assert rates.pop("truth") <= 0.01
    for kind in ("number", "side", "citation invented", "citation of other evidence", "citation left out", "status"):
        assert rates[kind] >= 0.99, (kind, rates[kind])
    assert min(rates.values()) >= 0.95
