"""The study browser: studies of the PACS that the server was started with, found and opened as films.

What it shows names patients; it is the PACS's answer to this user and is kept nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from imaging.failures import BadArguments
from imaging.pacs import Found, Pacs, Query
from imaging.pacs.connection import check_uid
from imaging.part10 import file_bytes
from ui.chat.opening import open_files
from ui.chat.panels import command

if TYPE_CHECKING:
    from ui.chat.conversation import Conversation

SHOWN_MOST = 100
"""Studies in the table, the newest first."""

FORM = (
    '<form class="pacs" data-find><label>Patient ID <input name="patient" maxlength="64"></label>'
    '<label>Accession <input name="accession" maxlength="16"></label>'
    '<label>Dates <input name="dates" maxlength="17" placeholder="20260101-20260131"></label>'
    '<button class="plain">Search the PACS</button></form>'
)


def find(pacs: Pacs, wanted: Mapping[str, Any]) -> str:
    """The studies that match a form as a table.

    Args:
        pacs: that is asked.
        wanted: `patient`, `accession` and `dates` as typed.

    Raises:
        BadArguments: nothing was given to look for, or it cannot be looked for.
        PacsFailed: the PACS does not answer.
    """
    given = {name: str(wanted.get(name, "")).strip() for name in ("patient", "accession", "dates")}
    if not any(given.values()):
        raise BadArguments("Nothing to look for was given.", "Give a patient ID, an accession number or dates.")
    asked = Query(patient_id=given["patient"], accession=given["accession"], dates=given["dates"])
    return table(sorted(pacs.find(asked), key=lambda study: study.date, reverse=True))


def table(studies: Sequence[Found]) -> str:
    """The search form, and the studies found so far."""
    if not studies:
        return f'{FORM}<p class="muted none">No study with films (CR, DX, RG) matches.</p>'
    names = ("Date", "Patient", "Accession", "Kind", "Description", "")
    head = "".join(f'<th scope="col">{name or "<span class=out-of-sight>Open</span>"}</th>' for name in names)
    rows = "".join(_row(study) for study in studies[:SHOWN_MOST])
    more = f'<p class="muted">{len(studies) - SHOWN_MOST} more match; narrow the search.</p>'
    return (
        f"{FORM}<table class=findings><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"{more if len(studies) > SHOWN_MOST else ''}"
    )


def open_study(conversation: Conversation, pacs: Pacs, study: str) -> None:
    """Fetch a study's films into the conversation; refusals are told there.

    Raises:
        BadArguments: no such identifier, or the PACS has no film of it.
        PacsFailed: the PACS does not answer.
    """
    films = pacs.instances(check_uid(study))
    if not films:
        raise BadArguments("The PACS has no film (CR, DX, RG) of this study.", "Choose another.")
    fetched = [file_bytes(each) for series in dict.fromkeys(s for s, _ in films) for each in pacs.get(study, series)]
    with conversation.busy:
        open_files(conversation, fetched)


def _row(study: Found) -> str:
    told = (study.date, study.patient_id, study.accession, " ".join(study.modalities), study.description)
    cells = "".join(f"<td>{escape(value) or '–'}</td>" for value in told)
    press = command(do="fetch", study=study.study)
    return f'<tr>{cells}<td><button type="button" class="plain" {press}>Open</button></td></tr>'


__all__ = ["FORM", "find", "open_study", "table"]
