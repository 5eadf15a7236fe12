"""The report panel: what a reader decides lands in the draft, a stale page decides nothing, exports tell why not."""

from __future__ import annotations

import base64
import json

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent

from agent.draft import UNVERIFIED, Decision
from agent.session import Session
from imaging.failures import BadArguments
from ui.chat import report
from ui.chat.conversation import Conversation


@pytest.fixture
def session() -> Session:
    made = stub_agent(StubTools(Truth(scores={"effusion": 0.1}))).session()
    made.add(film(1))
    made.ask("Write a report.")
    return made


def panel(session: Session) -> str:
    return report.panel(Conversation(lambda: session, session))


def test_no_answer_says_how_to_get_a_draft() -> None:
    assert "Write a report" in report.panel(Conversation(lambda: stub_agent().session()))


def test_decisions_land_in_the_draft_and_the_signature_ends_them(session: Session) -> None:
    assert UNVERIFIED in panel(session)
    with pytest.raises(BadArguments, match="Not decided yet"):
        report.decide(session, {"do": "sign", "version": 0, "name": "Dr. A"})
    report.decide(session, {"do": "change", "version": 0, "sentence": "S1", "text": "<b>Small</b> effusion."})
    html = panel(session)
    assert "&lt;b&gt;Small&lt;/b&gt; effusion." in html and "was: No pleural effusion" in html
    report.decide(session, {"do": "accept", "version": 1})
    report.decide(session, {"do": "sign", "version": session.draft().version, "name": "Dr. A"})
    signed = session.draft()
    assert signed.signature is not None and next(signed.sentences()).decision is Decision.CHANGED
    assert "Signed by Dr. A" in panel(session) and "data-change" not in panel(session)
    report.decide(session, {"do": "withdraw", "version": signed.version})
    assert session.draft().signature is None


def test_page_that_shows_an_old_draft_decides_nothing(session: Session) -> None:
    report.decide(session, {"do": "reject", "version": 0, "sentence": "S1"})
    with pytest.raises(BadArguments, match="changed meanwhile"):
        report.decide(session, {"do": "accept", "version": 0, "sentence": "S1"})
    assert next(session.draft().sentences()).decision is Decision.REJECTED


def test_export_is_bytes_with_a_name_or_the_reason(session: Session) -> None:
    made = report.exported(session, "json")
    assert made["name"] == "report.json" and json.loads(base64.b64decode(made["data"]))
    assert "refused" in report.exported(session, report.DICOM), "no mask and no DICOM film: nothing to make"
