"""Sending the signed report to a PACS: what is refused, that a second try sends the same, and who gets which login."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any, cast

import pydicom
import pytest
from agent_stubs import StubTools, Truth, stub_agent

from imaging.failures import BadArguments
from imaging.pacs import Pacs
from imaging.pacs.connection import PacsFailed
from imaging.phantom import PhantomSpec, write_phantom
from ui.chat import report, sending
from ui.chat.conversation import Conversation
from ui.terminal.pacs import all_connected


class Stub:
    """Breaks off in the middle once, then takes everything."""

    address = "dicom://STUB@pacs:104"

    def __init__(self) -> None:
        self.tries: list[list[str]] = []

    def store(self, datasets: Iterable[pydicom.Dataset]) -> int:
        self.tries.append([each.SOPInstanceUID for each in datasets])
        if len(self.tries) == 1:
            raise PacsFailed("The PACS STUB broke off during C-STORE.", "Look at its log.")
        return len(self.tries[-1])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "film.dcm"
    write_phantom(PhantomSpec(seed=5, size=128), path)
    return path.read_bytes()


@pytest.fixture
def conversation(file: bytes) -> Conversation:
    session = stub_agent(StubTools(Truth(scores={"effusion": 0.1}))).session()
    session.add(file)
    session.ask("Write a report.")
    return Conversation(lambda: session, session)


def press(conversation: Conversation, to: Stub, file: bytes | None, **more: Any) -> dict[str, str]:
    wanted = {"pacs": "0", "version": conversation.session.draft().version, "formats": ["sr"], **more}
    files = [] if file is None else [base64.b64encode(file).decode()]
    return sending.sent_to(conversation, [cast(Pacs, to)], wanted, files)


def sign(conversation: Conversation) -> None:
    session = conversation.session
    session.keep_draft(session.draft().accept().sign("Dr. A"))


def test_a_draft_that_nobody_signed_is_not_sent(conversation: Conversation, file: bytes) -> None:
    pacs = Stub()
    assert "unverified draft" in press(conversation, pacs, file)["refused"]
    assert "disabled" in sending.line(conversation, [cast(Pacs, pacs)]) and pacs.tries == []


def test_without_a_pacs_the_button_says_how_to_set_one(conversation: Conversation) -> None:
    sign(conversation)
    line = sending.line(conversation, [])
    assert "disabled" in line and "hilum chat --pacs ADDRESS" in line


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"pacs": "1"}, "no such PACS"), ({"version": 0}, "changed meanwhile"),
        ({"formats": []}, "Nothing that a PACS"), ({"formats": ["pdf"]}, "Nothing that a PACS"),
        ({"formats": ["seg"]}, "No DICOM Segmentation"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused_with_the_reason(
    conversation: Conversation, file: bytes, more: dict[str, Any], said: str
) -> None:
    sign(conversation)
    pacs = Stub()
    assert said in press(conversation, pacs, file, **more)["refused"]
    assert pacs.tries == []


def test_films_file_is_asked_for_where_the_film_did_not_come_from_a_pacs(conversation: Conversation) -> None:
    sign(conversation)
    assert 'data-files="needed"' in sending.line(conversation, [cast(Pacs, Stub())])
    assert "is needed" in press(conversation, Stub(), None)["refused"]


def test_a_second_try_sends_the_same_objects_and_what_was_sent_is_kept(conversation: Conversation, file: bytes) -> None:
    sign(conversation)
    pacs = Stub()
    assert "send it again" in press(conversation, pacs, file)["refused"]
    assert press(conversation, pacs, None)["sent"].startswith("Sent to dicom://STUB@pacs:104")
    assert pacs.tries[0] == pacs.tries[1]
    assert "has these already" in press(conversation, pacs, file)["refused"] and len(pacs.tries) == 2
    again = Conversation(lambda: conversation.session, conversation.session)
    assert "Sent to dicom://STUB@pacs:104" in report.panel(again, [cast(Pacs, pacs)])


def test_each_pacs_gets_its_own_login_alone() -> None:
    addresses = ["https://one.example/dicom-web", "https://two.example/dicom-web"]
    first, second = all_connected(addresses, "a:1 -", "HILUM")
    assert (first._login, second._login) == ("a:1", "")  # type: ignore[attr-defined]
    [alone] = all_connected(addresses[:1], "a:pass word", "HILUM")
    assert alone._login == "a:pass word"  # type: ignore[attr-defined]
    assert all_connected([], "a:1", "HILUM") == []
    with pytest.raises(BadArguments, match="2 PACSs and 1 logins"):
        all_connected(addresses, "a:1", "HILUM")
