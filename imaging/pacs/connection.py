"""A PACS by its address, and what one asks it for, whichever protocol it speaks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import UID

from imaging.elements import text
from imaging.failures import BadArguments, Unavailable
from imaging.part10 import RADIOGRAPHS

OWN_TITLE = "HILUM"
"""Application Entity title that Hilum calls itself."""
AE_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?")
"""VR AE of PS3.5 6.2: 1 to 16 printable characters, no backslash, no spaces at the ends."""
DATES = re.compile(r"\d{8}|\d{8}-|-\d{8}|\d{8}-\d{8}")
"""One day, or a range, as PS3.4 C.2.2.2.5.1 writes it."""
FILMS = tuple(sorted(RADIOGRAPHS))
"""Modalities that are looked for: CR, DX, RG."""
TIMEOUT_S = 30.0
"""How long a PACS may keep silent."""


class PacsFailed(Unavailable):
    """A PACS cannot be reached, or refused; trying again later may help."""

    kind = "pacs_failed"


@dataclass(frozen=True)
class Query:
    """What to look for; empty fields match everything.

    Attributes:
        patient_id, accession, study: exact values.
        dates: a day or a range: 20260101, 20260101-, -20260131, 20260101-20260131.
        modalities: any of them in the study.
    """

    patient_id: str = ""
    accession: str = ""
    study: str = ""
    dates: str = ""
    modalities: tuple[str, ...] = FILMS

    def __post_init__(self) -> None:
        if self.dates and not DATES.fullmatch(self.dates):
            raise BadArguments(f"{self.dates!r} is no date.", "Write 20260131, or a range such as 20260101-20260131.")
        check_uid(self.study)
        for value in (self.patient_id, self.accession):
            if set(value) & set("*?\\"):
                raise BadArguments(f"{value!r} holds * ? or \\.", "Give the whole value; wildcards are not used.")


@dataclass(frozen=True)
class Found:
    """One study as the PACS names it. It identifies a patient: for the eyes of who asked.

    Attributes:
        study: Study Instance UID.
        patient_id, accession, date, description: as the PACS gives them.
        modalities: Modalities in Study.
    """

    study: str
    patient_id: str
    accession: str
    date: str
    description: str
    modalities: tuple[str, ...]

    @classmethod
    def of(cls, study: Dataset) -> Found:
        """From a match of C-FIND or QIDO."""
        modalities = study.get("ModalitiesInStudy") or ()
        return cls(
            study=text(study, "StudyInstanceUID"),
            patient_id=text(study, "PatientID"),
            accession=text(study, "AccessionNumber"),
            date=text(study, "StudyDate"),
            description=text(study, "StudyDescription"),
            modalities=(modalities,) if isinstance(modalities, str) else tuple(modalities),
        )


class Pacs(Protocol):
    """What every protocol offers. Methods raise PacsFailed where the PACS cannot be reached or refuses."""

    address: str

    def echo(self) -> None:
        """Whether it answers at all."""

    def find(self, query: Query) -> list[Found]:
        """The studies that match."""

    def instances(self, study: str, modalities: tuple[str, ...] = FILMS) -> list[tuple[str, str]]:
        """(Series Instance UID, SOP Instance UID) of a study's objects of these modalities."""

    def get(self, study: str, series: str = "", instance: str = "") -> Iterator[Dataset]:
        """The objects of a study, of one series, or one object."""

    def store(self, datasets: Iterable[Dataset]) -> int:
        """Send objects; how many. One that is there already with the same UID counts as sent."""


def connect(address: str, login: str = "", own_title: str = OWN_TITLE, move_to: str = "") -> Pacs:
    """The PACS at an address; nothing is sent yet.

    Args:
        address: `https://host/dicom-web` for DICOMweb, `dicom://TITLE@host:port` for DIMSE.
        login: user:password, or a bearer token, of DICOMweb.
        own_title: our AE title, by which a DIMSE peer knows us.
        move_to: of DIMSE: host:port of ours on which to receive by C-MOVE, instead of by C-GET.

    Raises:
        BadArguments: the address or the title is none.
    """
    parts = urlsplit(address)
    if not AE_TITLE.fullmatch(own_title):
        raise BadArguments(f"{own_title!r} is no AE title.", "1 to 16 printable characters without a backslash.")
    if parts.scheme in ("http", "https") and parts.hostname:
        from imaging.pacs.web import WebPacs

        if parts.username or parts.password:
            raise BadArguments("The address holds a login.", "Give it in HILUM_PACS_LOGIN.")
        return WebPacs(address.rstrip("/"), login)
    if parts.scheme == "dicom" and parts.hostname and parts.port and AE_TITLE.fullmatch(parts.username or ""):
        from imaging.pacs.dimse import DimsePacs

        return DimsePacs(address, parts.username or "", parts.hostname, parts.port, own_title, move_to)
    raise BadArguments(
        f"{address!r} is no address of a PACS.",
        "Write https://host/dicom-web for DICOMweb, or dicom://TITLE@host:104 for DIMSE.",
    )


def endpoint(address: str) -> tuple[str, int]:
    """(host, port) of "127.0.0.1:11112". BadArguments if it is none."""
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 1 << 16):
        raise BadArguments(f"{address!r} is no place to listen on.", "Write host:port, such as 127.0.0.1:11112.")
    return host.strip("[]"), int(port)


def check_uid(uid: str) -> str:
    """The UID. BadArguments if it is none; an empty one passes."""
    if uid and not UID(uid, validation_mode=config.IGNORE).is_valid:
        raise BadArguments(f"{uid!r} is no UID.", "UIDs are numbers with dots, as `hilum pacs query` shows them.")
    return uid
