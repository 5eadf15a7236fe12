"""A signed report sent to a PACS: each object once per signed version, noted in the session's transcript."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom

from agent.exports.material import Material
from agent.exports.writing import DICOM_FORMATS, FORMATS, Format, known, rendered
from imaging.failures import BadArguments, NotApplicable
from imaging.pacs import Pacs

if TYPE_CHECKING:
    from agent.session import Session

SENT = "sent"
"""Kind of the transcript's line."""


@dataclass(frozen=True)
class Sent:
    """One sending that a PACS took.

    Attributes:
        at_s: when, Unix time.
        to: address of the PACS.
        turn, version: of the draft that was signed.
        formats: names of what was sent.
        objects: how many DICOM objects that were.
        left: what could not be made of the report, with the reasons; empty if everything could.
    """

    at_s: float
    to: str
    turn: int
    version: int
    formats: tuple[str, ...]
    objects: int
    left: str


@dataclass(frozen=True, eq=False)
class Parcel:
    """What is to be sent. Sending it again sends the same objects under the same UIDs, which a PACS then has once.

    Attributes:
        to: address of the PACS it is for.
        turn, version: of the signed draft.
        asked: formats that were chosen.
        made: format -> its objects.
        left: as of Sent.
    """

    to: str
    turn: int
    version: int
    asked: frozenset[Format]
    made: dict[Format, list[pydicom.Dataset]]
    left: str

    def is_for(self, session: Session, to: str, formats: Sequence[str]) -> bool:
        """Whether it is what `pack` with these arguments would make anew."""
        draft = session.draft()
        here = (to, draft.turn, draft.version, frozenset(formats))
        return here == (self.to, self.turn, self.version, self.asked) and draft.signature is not None


def pack(session: Session, to: str, formats: Sequence[str], sources: Sequence[Path | bytes]) -> Parcel:
    """The objects of a session's latest report as signed; nothing is sent yet.

    Args:
        session: whose report.
        to: address of the PACS; what it has of this version already is left out.
        formats: names of DICOM formats.
        sources: the films' DICOM files: a session keeps no identifiers.

    Raises:
        BadArguments: nobody has signed, no format is given, a film's file is missing, or all was sent before.
        NotApplicable: nothing of it can be made of this report, with the reasons.
    """
    asked = check_sendable(session, to, formats)
    material = Material.of(session)
    made: dict[Format, list[pydicom.Dataset]] = {}
    left = []
    for item in asked:
        try:
            files = rendered(material, item, sources)
        except NotApplicable as reason:
            left.append(f"No {FORMATS[item]}: {reason.message}")
        else:
            made[item] = [pydicom.dcmread(io.BytesIO(data)) for data in files.values()]
    if not made:
        raise NotApplicable(" ".join(left), "Nothing was sent.")
    draft = material.draft
    return Parcel(to, draft.turn, draft.version, frozenset(map(known, formats)), made, " ".join(left))


def check_sendable(session: Session, to: str, formats: Sequence[str]) -> list[Format]:
    """Those formats of the latest report that this PACS has not got yet. Raises BadArguments as pack.

    Args:
        session, to, formats: as of pack.
    """
    draft = session.draft()
    if draft.signature is None:
        raise BadArguments("The report is an unverified draft: nobody has signed it.", "Sign it, then send it.")
    asked = [known(name) for name in dict.fromkeys(formats)]
    if not asked or set(asked) - set(DICOM_FORMATS):
        raise BadArguments("Nothing that a PACS takes was chosen.", f"Choose of {', '.join(DICOM_FORMATS)}.")
    there = {
        name
        for each in sent(session)
        if (each.to, each.turn, each.version) == (to, draft.turn, draft.version)
        for name in each.formats
    }
    new = [item for item in asked if item not in there]
    if not new:
        raise BadArguments(
            f"{to} has these already, as this version was signed.",
            "Choose others, or withdraw the signature, change the report and sign again.",
        )
    return new


def send(session: Session, parcel: Parcel, pacs: Pacs) -> Sent:
    """Send it, and note that in the transcript.

    Args:
        session: whose report it is.
        parcel: of `pack`.
        pacs: that takes it.

    Raises:
        PacsFailed: it cannot be reached or refuses; the same parcel can be sent again.
    """
    objects = pacs.store([each for datasets in parcel.made.values() for each in datasets])
    facts = {
        "to": parcel.to,
        "turn": parcel.turn,
        "version": parcel.version,
        "formats": [item.value for item in parcel.made],
        "objects": objects,
        "left": parcel.left,
    }
    session.log(SENT, facts)
    return sent(session)[-1]


def sent(session: Session) -> list[Sent]:
    """What was sent of a session, in order."""
    return [
        Sent(**{name: line[name] for name in Sent.__dataclass_fields__} | {"formats": tuple(line["formats"])})
        for line in session.transcript(SENT)
    ]


__all__ = ["SENT", "Parcel", "Sent", "check_sendable", "pack", "send", "sent"]
