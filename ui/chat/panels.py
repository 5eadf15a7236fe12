"""The panels around the viewer as HTML: films, conversations, findings. Pure but for thumbnails, which are made once.

What can be pressed carries its command as `data-do`, JSON that panels.js sends to ui.chat.desk.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from html import escape
from typing import TYPE_CHECKING

from agent.films import places
from agent.memory import Remembered
from imaging.radiograph import Radiograph
from tools.contract import Finding, Status
from ui.chat import viewer
from ui.chat.facts import brief_facts, film_names
from ui.chat.markup import findings_table
from ui.chat.telling import finding_names

if TYPE_CHECKING:
    from ui.chat.conversation import Conversation

DAY_S = 86_400.0


def command(**what: object) -> str:
    """The attribute of a button that does something: data-do='{"do": …}'."""
    return f"data-do='{escape(json.dumps(what), quote=True)}'"


def films(conversation: Conversation) -> str:
    """The films as buttons: thumbnail, name, view, date, place among the others, a sign where there are warnings."""
    if not conversation.films:
        return '<p class="muted none">No film yet. Drop one anywhere on this page.</p>'
    names, told = film_names(conversation.films), places(conversation.session.studies)
    groups: dict[str, list[str]] = {}
    for film in conversation.films.values():
        if film.id not in conversation.thumbnails:
            conversation.thumbnails[film.id] = viewer.thumbnail(film)
        button = _film(film, names[film.id], told.get(film.id, ""), conversation.thumbnails[film.id])
        groups.setdefault(film.study_key or film.id, []).append(button)
    return "".join(f'<div class="study">{"".join(buttons)}</div>' for buttons in groups.values())


def _film(film: Radiograph, name: str, place: str, picture: str) -> str:
    several = f"{len(film.warnings)} warnings" if len(film.warnings) > 1 else "warning"
    sign = f'<span class="warning"><span class="sign">▲</span> {several}</span>' if film.warnings else ""
    words = f"<strong>{escape(name)}</strong><span>{escape(brief_facts(film, place))}</span>{sign}"
    return (
        f'<button type="button" data-film="{escape(film.id)}" aria-pressed="false">'
        f'<img src="{picture}" alt="">{f"<span class=words>{words}</span>"}</button>'
    )


def conversations(kept: Sequence[Remembered], open_id: str) -> str:
    """The user's conversations: open, rename, delete."""
    if not kept:
        return '<p class="muted none">Conversations you had appear here.</p>'
    return f'<ul class="kept">{"".join(_conversation(each, each.id == open_id) for each in kept)}</ul>'


def _conversation(kept: Remembered, is_open: bool) -> str:
    title = escape(kept.title or "No question yet")
    cut = ' · <span class="warning">cut off</span>' if kept.interrupted else ""
    count = f"{kept.films} film{'' if kept.films == 1 else 's'}"
    current = ' aria-current="true"' if is_open else ""
    return (
        f"<li{current}><button type=button class=open {command(do='open', session=kept.id)}>"
        f"<strong>{title}</strong><span>{when(kept.used_s)} · {count}{cut}</span></button>"
        f"{_icon('rename', kept.id, title, '✎')}{_icon('delete', kept.id, title, '✕')}</li>"
    )


def _icon(what: str, session_id: str, title: str, sign: str) -> str:
    words = f'aria-label="{what.capitalize()} {title}" title="{what.capitalize()}"'
    return f'<button type="button" class="icon" data-{what}="{escape(session_id)}" {words}>{sign}</button>'


def when(used_s: float) -> str:
    """The time of day for today, else the date."""
    recent = time.time() - used_s < DAY_S / 2
    return time.strftime("%H:%M" if recent else "%Y-%m-%d", time.localtime(used_s))


def findings(conversation: Conversation) -> str:
    """Every finding of the conversation, the latest word on each, with what its score means."""
    rows: Collection[Finding] = list(conversation.findings.values())
    if not any(row.status is not Status.NOT_ASSESSED for row in rows):
        return '<p class="muted none">Findings appear here once a question was answered.</p>'
    known = {record.id: record.title for record in conversation.evidence.values()}
    table = findings_table(rows, film_names(conversation.films), finding_names(), known)
    left = [row for row in rows if row.status is Status.NOT_ASSESSED]
    names = finding_names()
    listed = ", ".join(dict.fromkeys(escape(names.get(row.code, row.code)) for row in left))
    missing = f'<p class="muted">Not assessed: {listed}.</p>' if left else ""
    return f"{table}{missing}"


__all__ = ["command", "conversations", "films", "findings", "when"]
