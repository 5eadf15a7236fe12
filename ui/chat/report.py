"""The report draft as a panel: sentences accepted, changed or rejected beside their evidence; signed; exported."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from agent.draft import Decision, Draft, DraftSentence
from agent.exports import FORMATS, Format
from agent.exports.material import Material
from agent.exports.writing import DICOM_FORMATS, rendered
from imaging.failures import BadArguments, HilumFailure, NotApplicable
from imaging.pacs import Pacs
from ui.chat import sending
from ui.chat.markup import citation, plain
from ui.chat.panels import command

if TYPE_CHECKING:
    from agent.session import Session
    from ui.chat.conversation import Conversation

NONE = '<p class="muted none">A report draft appears here once a question was answered; ask “Write a report.”</p>'

SIGNS = {
    Decision.PROPOSED: ("◌", "not decided"),
    Decision.ACCEPTED: ("✓", "accepted"),
    Decision.CHANGED: ("✎", "changed"),
    Decision.REJECTED: ("✕", "rejected"),
}
"""Sign and word of what the reader did with a sentence."""

SHORT = {Format.PDF: "PDF", Format.MD: "Markdown", Format.JSON: "JSON", Format.CSV: "CSV", Format.FHIR: "FHIR"}
"""Formats with a button of their own; the DICOM ones come together, because they need the films' files."""
DECISIONS = ("accept", "reject", "change", "sign", "withdraw")
"""What a button of the panel does to the draft."""
DICOM = "dicom"
ZIP = "report.dicom.zip"


def panel(conversation: Conversation, pacs: Sequence[Pacs] = ()) -> str:
    """The latest report's draft with its buttons, or what to do to get one.

    Args:
        conversation: whose report.
        pacs: to which it can be sent once it is signed.
    """
    if not conversation.id or not any(turn.answer is not None for turn in conversation.session.turns):
        return NONE
    draft = conversation.session.draft()
    known = {record.id: record.title for record in conversation.evidence.values()}
    sections = "".join(
        f"<h3>{escape(section.title)}</h3><ul>{''.join(_sentence(x, draft, known) for x in section.sentences)}</ul>"
        for section in draft.sections
    )
    foot = f"{_foot(draft)}{_exports()}{sending.line(conversation, pacs)}"
    return f'<div class="report">{_head(draft)}{sections}{foot}</div>'


def decide(session: Session, wanted: Mapping[str, Any]) -> None:
    """Do what was pressed in the panel, to the draft that the panel showed.

    Args:
        session: whose draft.
        wanted: the button's command: `do` (accept, reject, change, sign, withdraw), `version`, and `sentence`, `text`
            or `name`.

    Raises:
        BadArguments: it was changed elsewhere meanwhile, or agent.draft refuses it, with the reason.
    """
    draft = session.draft()
    if wanted.get("version") != draft.version:
        raise BadArguments("The draft was changed meanwhile.", "It is shown as it stands now.")
    sentence = str(wanted.get("sentence", ""))
    done = {
        "accept": lambda: draft.accept(*([sentence] if sentence else [])),
        "reject": lambda: draft.reject(sentence),
        "change": lambda: draft.change(sentence, str(wanted.get("text", ""))),
        "sign": lambda: draft.sign(str(wanted.get("name", ""))),
        "withdraw": draft.withdraw_signature,
    }
    session.keep_draft(done[str(wanted["do"])]())


def exported(session: Session, name: str, files: Sequence[str] = ()) -> dict[str, str]:
    """{"name", "data": base64} of the report in a format, or {"refused": why}.

    Args:
        session: whose latest report.
        name: of SHORT, or DICOM for a zip of all that can be made of DICOM_FORMATS.
        files: the films' DICOM files as base64, for DICOM.
    """
    try:
        material = Material.of(session, None)
        if name == DICOM:
            return _dicom(material, [base64.b64decode(each) for each in files])
        ((file_name, data),) = rendered(material, Format(name), ()).items()
    except HilumFailure as failed:
        return {"refused": f"{failed.message} {failed.hint}".strip()}
    return {"name": file_name, "data": base64.b64encode(data).decode("ascii")}


def _dicom(material: Material, files: Sequence[bytes]) -> dict[str, str]:
    made: dict[str, bytes] = {}
    left = []
    for item in DICOM_FORMATS:
        try:
            made |= rendered(material, item, files)
        except NotApplicable as reason:
            left.append(f"No {FORMATS[item]}: {reason.message}")
    if not made:
        return {"refused": " ".join(left)}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in made.items():
            archive.writestr(name, data)
    told = {"left": " ".join(left)} if left else {}
    return {"name": ZIP, "data": base64.b64encode(packed.getvalue()).decode("ascii"), **told}


def _head(draft: Draft) -> str:
    left = sum(each.decision is Decision.PROPOSED for each in draft.sentences())
    kind = "signed" if draft.signature else "unsigned"
    press = command(do="accept", version=draft.version)
    accept = f'<button type="button" class="plain" {press}>Accept the other {left}</button>' if left else ""
    return f'<p class="standing {kind}"><strong>{plain(draft.status)}</strong>{accept}</p>'


def _sentence(sentence: DraftSentence, draft: Draft, known: Mapping[str, str]) -> str:
    sign, word = SIGNS[sentence.decision]
    cited = " ".join(citation(item, known) for item in sentence.evidence)
    was = f'<span class="was">was: {plain(sentence.proposed)}</span>' if sentence.decision is Decision.CHANGED else ""
    return (
        f'<li class="{sentence.decision}" data-sentence="{sentence.id}"><span class="sign" title="{word}">{sign}'
        f'<span class="out-of-sight">{word}</span></span>'
        f'<span class="text">{plain(sentence.text)}{was}</span><span class="proof">{cited}</span>'
        f"{'' if draft.signature else _buttons(sentence, draft)}</li>"
    )


def _buttons(sentence: DraftSentence, draft: Draft) -> str:
    which = {"sentence": sentence.id, "version": draft.version}
    said = escape(sentence.text[:60])
    return (
        '<span class="decide">'
        f'<button type="button" title="Accept" aria-label="Accept: {said}" {command(do="accept", **which)}>✓</button>'
        f'<button type="button" title="Change" aria-label="Change: {said}" data-change="{sentence.id}" '
        f'data-version="{draft.version}">✎</button>'
        f'<button type="button" title="Reject" aria-label="Reject: {said}" {command(do="reject", **which)}>✕</button>'
        "</span>"
    )


def _foot(draft: Draft) -> str:
    if draft.signature:
        return (
            f'<p class="signing"><button type="button" class="plain" {command(do="withdraw", version=draft.version)}>'
            "Withdraw the signature</button></p>"
        )
    return (
        f'<form class="signing" data-sign="{draft.version}"><label>Sign as <input name="name" maxlength="64" '
        'autocomplete="name" placeholder="your name" required></label><button class="plain">Sign the report</button>'
        '<span class="muted">Every sentence must be accepted, changed or rejected first.</span></form>'
    )


def _exports() -> str:
    buttons = "".join(
        f'<button type="button" class="plain" data-export="{item}" title="{escape(FORMATS[item])}">{name}</button>'
        for item, name in SHORT.items()
    )
    why = "SR, SEG, KO and SC; asks for the films' DICOM files, because a session keeps no identifiers"
    return (
        f'<p class="exports"><span>Export</span>{buttons}'
        f'<button type="button" class="plain" data-export="{DICOM}" title="{why}">DICOM …</button>'
        '<input type="file" multiple hidden aria-label="DICOM files of the films">'
        '<span class="told muted" role="status"></span></p>'
    )


__all__ = ["DECISIONS", "DICOM", "decide", "exported", "panel"]
