"""The study browser: studies of the PACSs that the server was started with, found and opened as films.

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

FIELDS = (
    '<label>Patient ID <input name="patient" maxlength="64"></label>'
    '<label>Accession <input name="accession" maxlength="16"></label>'
    '<label>Dates <input name="dates" maxlength="17" placeholder="20260101-20260131"></label>'
)


def form(pacs: Sequence[Pacs], at: int = 0) -> str:
    """What to look for, and where.

    Args:
        pacs: those of this server.
        at: which of them is chosen.
    """
    return (
        f'<form class="pacs" data-find>{FIELDS}{choice(pacs, at)}<button class="plain">Search the PACS</button></form>'
    )


def choice(pacs: Sequence[Pacs], at: int = 0) -> str:
    """Which PACS, as the field `pacs` of a form: a list where there are several, else its address in words.

    Args:
        pacs: those of this server.
        at: which is chosen.
    """
    if len(pacs) == 1:
        return f'<input type="hidden" name="pacs" value="0"><span class="muted">{escape(pacs[0].address)}</span>'
    options = "".join(
        f'<option value="{n}"{" selected" if n == at else ""}>{escape(each.address)}</option>'
        for n, each in enumerate(pacs)
    )
    return f'<select name="pacs" aria-label="PACS">{options}</select>'


def chosen(pacs: Sequence[Pacs], wanted: Mapping[str, Any]) -> int:
    """Place of the PACS that a form's or button's `pacs` names. BadArguments if there is none such.

    Args:
        pacs: those of this server.
        wanted: the form's values.
    """
    at = str(wanted.get("pacs", ""))
    if not at.isdecimal() or int(at) >= len(pacs):
        raise BadArguments(
            "There is no such PACS.", "Choose one of the list, or start with: hilum chat --pacs ADDRESS."
        )
    return int(at)


def find(pacs: Sequence[Pacs], wanted: Mapping[str, Any]) -> str:
    """The studies that match a form as a table.

    Args:
        pacs: those of this server.
        wanted: `pacs`, `patient`, `accession` and `dates` as typed.

    Raises:
        BadArguments: nothing was given to look for, or it cannot be looked for.
        PacsFailed: the PACS does not answer.
    """
    at = chosen(pacs, wanted)
    given = {name: str(wanted.get(name, "")).strip() for name in ("patient", "accession", "dates")}
    if not any(given.values()):
        raise BadArguments("Nothing to look for was given.", "Give a patient ID, an accession number or dates.")
    asked = Query(patient_id=given["patient"], accession=given["accession"], dates=given["dates"])
    found = sorted(pacs[at].find(asked), key=lambda study: study.date, reverse=True)
    return form(pacs, at) + table(found, at)


def table(studies: Sequence[Found], at: int) -> str:
    """The studies that were found.

    Args:
        studies: the newest first.
        at: place of the PACS that has them.
    """
    if not studies:
        return '<p class="muted none">No study with films (CR, DX, RG) matches.</p>'
    names = ("Date", "Patient", "Accession", "Kind", "Description", "")
    head = "".join(f'<th scope="col">{name or "<span class=out-of-sight>Open</span>"}</th>' for name in names)
    rows = "".join(_row(study, at) for study in studies[:SHOWN_MOST])
    more = f'<p class="muted">{len(studies) - SHOWN_MOST} more match; narrow the search.</p>'
    return (
        f"<table class=findings><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"{more if len(studies) > SHOWN_MOST else ''}"
    )


def open_study(conversation: Conversation, pacs: Sequence[Pacs], wanted: Mapping[str, Any]) -> None:
    """Fetch a study's films into the conversation; refusals are told there. Where they came from is kept with it.

    Args:
        conversation: that takes them.
        pacs: those of this server.
        wanted: the button's command: `pacs` and `study`.

    Raises:
        BadArguments: no such identifier, or the PACS has no film of it.
        PacsFailed: the PACS does not answer.
    """
    asked, study = pacs[chosen(pacs, wanted)], str(wanted.get("study", ""))
    fetched = films_of(asked, study)
    with conversation.busy:
        opened = open_files(conversation, fetched)
    conversation.fetched |= dict.fromkeys(opened, (asked.address, study))


def films_of(pacs: Pacs, study: str) -> list[bytes]:
    """The files of a study's films. Raises as open_study."""
    films = pacs.instances(check_uid(study))
    if not films:
        raise BadArguments("The PACS has no film (CR, DX, RG) of this study.", "Choose another.")
    return [file_bytes(each) for series in dict.fromkeys(s for s, _ in films) for each in pacs.get(study, series)]


def _day(date: str) -> str:
    """20210105 as 2021-01-05; anything else as it is."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdecimal() else date


def _row(study: Found, at: int) -> str:
    told = (_day(study.date), study.patient_id, study.accession, " ".join(study.modalities), study.description)
    cells = "".join(f"<td>{escape(value) or '–'}</td>" for value in told)
    press = command(do="fetch", pacs=at, study=study.study)
    return f'<tr>{cells}<td><button type="button" class="plain" {press}>Open</button></td></tr>'


__all__ = ["choice", "chosen", "films_of", "find", "form", "open_study", "table"]
