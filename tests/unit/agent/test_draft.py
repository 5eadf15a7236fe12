"""The draft of a report: decisions, signature, and what is kept of them. Stub tools, so every sentence is known."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent

from agent.draft import UNVERIFIED, Decision, Draft
from agent.memory import Memory
from agent.session import Session
from imaging.failures import BadArguments


@pytest.fixture
def session() -> Session:
    agent = stub_agent(StubTools(Truth(scores={"effusion": 0.2, "pneumothorax": 0.1})))
    opened = agent.session()
    opened.ask("Write a report.", films=[film(1)])
    return opened


def test_a_report_becomes_its_sentences_with_evidence(session: Session) -> None:
    draft = session.draft()
    [sentence] = draft.sentences()
    assert sentence.text == "No pleural effusion is identified." and sentence.finding == "effusion"
    assert sentence.image_id == film(1).id and sentence.decision is Decision.PROPOSED
    named = {record.id: record.tool for record in session.ledger.records()}
    assert {named[e] for e in sentence.evidence} <= {"classify", "report"} and sentence.evidence
    assert draft.status == UNVERIFIED


def test_an_answer_without_a_report_becomes_its_claims(session: Session) -> None:
    session.ask("Is there a pneumothorax?")
    said = [sentence.text for sentence in session.draft(2).sentences()]
    assert any("pneumothorax" in text for text in said)
    assert session.draft().turn == 1, "the latest that drafted a report"


def test_sentences_are_changed_rejected_and_taken_back(session: Session) -> None:
    draft = session.draft()
    changed = draft.change("S1", "  A small   effusion. ")
    assert next(changed.sentences()).text == "A small effusion."
    assert next(changed.sentences()).proposed == "No pleural effusion is identified."
    assert draft.reject("S1").standing() == [] and len(draft.standing()) == 1
    assert next(changed.accept("S1").sentences()).text == "No pleural effusion is identified."


def test_signing_needs_every_decision_and_locks(session: Session) -> None:
    draft = session.draft()
    with pytest.raises(BadArguments, match="Not decided yet: S1"):
        draft.sign("Dr. Röntgen")
    signed = draft.accept().sign(" Dr.  Röntgen ", dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC))
    assert signed.status == "Signed by Dr. Röntgen, 2026-01-02 03:04 UTC. Drafted by software."
    for act in (lambda: signed.reject("S1"), lambda: signed.sign("Eve"), lambda: signed.change("S1", "x")):
        with pytest.raises(BadArguments, match="signed by Dr"):
            act()
    assert signed.withdraw_signature().reject("S1").status == UNVERIFIED


@pytest.mark.parametrize("name", ["", "   ", "a^b", "x" * 65, "a\\b"])
def test_a_name_that_dicom_cannot_hold_is_refused(session: Session, name: str) -> None:
    with pytest.raises(BadArguments, match="no name"):
        session.draft().accept().sign(name)


def test_unknown_sentence_and_empty_text_are_refused(session: Session) -> None:
    with pytest.raises(BadArguments, match="no sentence 'S9'"):
        session.draft().accept("S9")
    with pytest.raises(BadArguments, match="0 characters"):
        session.draft().change("S1", "  ")


def test_decisions_outlive_the_process_and_two_readers_do_not_overwrite(tmp_path: Path) -> None:
    agent = stub_agent(StubTools(Truth(scores={"effusion": 0.2})))
    agent.memory = Memory(tmp_path / "sessions.db")
    first = agent.session()
    first.ask("Write a report.", films=[film(1)])
    kept = first.keep_draft(first.draft().reject("S1"))
    second = agent.reopen(first.id)
    assert second.draft() == kept and kept.version == 1
    second.keep_draft(second.draft().accept("S1").sign("Dr. B"))
    with pytest.raises(BadArguments, match="changed meanwhile"):
        first.keep_draft(kept.accept())
    with pytest.raises(BadArguments, match="changed meanwhile"):
        first.keep_draft(Draft(turn=1, sections=()))
    assert first.draft().signature is not None
    assert [line["by"] for line in first.transcript() if line["kind"] == "signed"] == ["Dr. B"]
    agent.memory.delete(first.id, "")
    assert agent.memory.draft(first.id, 1) is None


def test_nothing_answered_is_no_report() -> None:
    with pytest.raises(BadArguments, match="no answer"):
        stub_agent().session().draft()
