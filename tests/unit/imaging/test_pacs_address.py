"""What is an address, a date, a UID and an AE title, before anything is sent."""

from __future__ import annotations

import pytest

from imaging.failures import BadArguments
from imaging.pacs import Query, connect
from imaging.pacs.connection import PacsFailed, endpoint
from imaging.pacs.dimse import DimsePacs
from imaging.pacs.web import WebPacs


def test_addresses_choose_the_protocol() -> None:
    assert isinstance(connect("https://pacs.example/dicom-web"), WebPacs)
    assert isinstance(connect("dicom://ORTHANC@127.0.0.1:4242"), DimsePacs)


@pytest.mark.parametrize(
    "address",
    ["pacs", "ftp://x", "dicom://127.0.0.1:104", "dicom://A@host", "dicom://TITLE-OF-17-CHARS@h:1", "https://"],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(BadArguments, match="no address of a PACS"):
        connect(address)


def test_a_login_in_the_address_is_refused() -> None:
    with pytest.raises(BadArguments, match="HILUM_PACS_LOGIN"):
        connect("https://user:secret@pacs.example/dicom-web")


@pytest.mark.parametrize("field", [{"dates": "yesterday"}, {"study": "1.2.x"}, {"patient_id": "A*"}])
def test_wrong_queries_are_refused(field: dict[str, str]) -> None:
    with pytest.raises(BadArguments):
        Query(**field)


def test_endpoints() -> None:
    assert endpoint("127.0.0.1:11112") == ("127.0.0.1", 11112) and endpoint("[::1]:104") == ("::1", 104)
    for wrong in ("11112", "host:", "host:70000", ":1"):
        with pytest.raises(BadArguments):
            endpoint(wrong)


def test_a_pacs_that_is_not_there_is_unavailable_and_the_login_is_not_told() -> None:
    for pacs in (connect("http://127.0.0.1:9/dicom-web", "anna:secret"), connect("dicom://X@127.0.0.1:9")):
        with pytest.raises(PacsFailed, match="cannot be reached") as refused:
            pacs.echo()
        assert "secret" not in str(refused.value) and refused.value.exit_code == 4
