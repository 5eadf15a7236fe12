"""The signed report's way into a PACS: the line of the report panel that sends it, and what pressing it does.

Nothing is sent but by a press, and nothing that nobody signed.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from agent.exports import Format
from agent.exports.material import Material
from agent.exports.sending import Sent, check_sendable, pack, send, sent
from imaging.failures import BadArguments, HilumFailure
from imaging.pacs import Pacs
from imaging.pacs.connection import PacsFailed
from ui.chat.studies import choice, chosen, films_of

if TYPE_CHECKING:
    from ui.chat.conversation import Conversation

OFFERED = {
    Format.SR: ("Report (SR)", "findings, measurements and sentences, coded: DICOM Structured Report"),
    Format.SEG: ("Outlines (SEG)", "unverified also in a signed report: who signs sentences has not checked them"),
    Format.SC: ("Pictures (SC)", "what was drawn on the films, as pictures that any viewer shows"),
    Format.KO: ("Key images (KO)", "which films show a finding"),
}
"""Format -> its name and what it is."""
CHOSEN = (Format.SR, Format.SEG)
"""Ticked at first."""
NO_PACS = "No PACS is set. Start Hilum with: hilum chat --pacs ADDRESS."
NOT_SIGNED = "Only a signed report is sent."


def line(conversation: Conversation, pacs: Sequence[Pacs]) -> str:
    """The form that sends the report, or a button that cannot be pressed with what is missing; then what was sent."""
    draft = conversation.session.draft()
    if not pacs or draft.signature is None:
        why = NOT_SIGNED if pacs else NO_PACS
        return (
            '<p class="sending"><button type="button" class="plain" disabled aria-describedby="why-not-sent">'
            f'Send to PACS</button><span class="muted" id="why-not-sent">{why}</span></p>'
        )
    boxes = "".join(
        f'<label title="{escape(what)}"><input type="checkbox" name="format" value="{item}"'
        f"{' checked' if item in CHOSEN else ''}>{name}</label>"
        for item, (name, what) in OFFERED.items()
    )
    needed = "" if all(_origins(conversation)) else ' data-files="needed" title="Asks for the films&#39; DICOM files"'
    dots = " …" if needed else ""
    return (
        f'<form class="sending" data-send="{draft.version}"><fieldset><legend>Send to PACS</legend>{boxes}</fieldset>'
        f'{choice(pacs)}<button class="plain"{needed}>Send to PACS{dots}</button>'
        '<input type="file" multiple hidden aria-label="DICOM files of the films">'
        f'<span class="told" role="status"></span></form>{_history(conversation)}'
    )


def sent_to(
    conversation: Conversation, pacs: Sequence[Pacs], wanted: Mapping[str, Any], files: Sequence[str]
) -> dict[str, str]:
    """{"sent": what was} or {"refused": why}.

    Args:
        conversation: whose report.
        pacs: those of this server.
        wanted: the form: `pacs`, `formats` and the `version` of the draft it stood under.
        files: the films' DICOM files as base64, where they did not come from a PACS in this conversation.
    """
    session = conversation.session
    try:
        to = pacs[chosen(pacs, wanted)]
        if wanted.get("version") != session.draft().version:
            raise BadArguments("The draft was changed meanwhile.", "It is shown as it stands now.")
        formats = [str(name) for name in wanted.get("formats", [])]
        with conversation.sending:
            check_sendable(session, to.address, formats)
            parcel = conversation.parcel
            if parcel is None or not parcel.is_for(session, to.address, formats):
                sources = [*map(base64.b64decode, files), *_fetched(conversation, pacs)]
                parcel = conversation.parcel = pack(session, to.address, formats, sources)
            done = send(session, parcel, to)
            conversation.parcel = None
    except PacsFailed as failed:
        return {"refused": f"Not sent. {failed.message} {failed.hint} Nothing is lost: send it again."}
    except HilumFailure as failed:
        return {"refused": f"Not sent. {failed.message} {failed.hint}".strip()}
    return {"sent": _told(done)}


def _origins(conversation: Conversation) -> list[tuple[str, str] | None]:
    """(PACS, study) that each DICOM film of the report was fetched from in this conversation; None: from none."""
    films = Material.of(conversation.session).acquired_films()
    return [conversation.fetched.get(film.id) for film in films if film.source.format == "DICOM"]


def _fetched(conversation: Conversation, pacs: Sequence[Pacs]) -> list[bytes]:
    """The report's films that came from a PACS, once more: what is kept of them here is only where they are."""
    by_address = {each.address: each for each in pacs}
    studies = dict.fromkeys(filter(None, _origins(conversation)))
    return [data for address, study in studies for data in films_of(by_address[address], study)]


def _history(conversation: Conversation) -> str:
    draft = conversation.session.draft()
    done = [each for each in sent(conversation.session) if (each.turn, each.version) == (draft.turn, draft.version)]
    return f'<ul class="sent">{"".join(f"<li>✓ {escape(_told(each))}</li>" for each in done)}</ul>' if done else ""


def _told(done: Sent) -> str:
    names = ", ".join(name.upper() for name in done.formats)
    count = f"{done.objects} object{'' if done.objects == 1 else 's'}"
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(done.at_s))
    return f"Sent to {done.to}, {when}: {names} ({count}). {done.left}".strip()


__all__ = ["line", "sent_to"]
