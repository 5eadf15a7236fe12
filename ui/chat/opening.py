"""Uploaded files into a conversation: the films on the stage, and in the conversation what became of every file."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path

from agent.films import places
from imaging.failures import FilmRefused
from imaging.studies import Refused, StudyInput
from ui.chat import markup
from ui.chat.conversation import Conversation
from ui.chat.examples import Example
from ui.chat.facts import brief_facts, film_names
from ui.chat.suggestions import beside
from ui.chat.telling import said

NOTICES_MAX = 3
"""Refused files that get a notice each; more are told in one that folds."""


def open_files(conversation: Conversation, files: Sequence[Path | bytes]) -> list[str]:
    """Take files, folders' files, zip archives and films' bytes into the session and say what became of each.

    Returns:
        Ids of the films among them, also of those that were open already.
    """
    found = conversation.session.take(files)
    new = [each.film for each in found.films if conversation.add(each.film)]
    chosen = found.to_read()
    if chosen:
        conversation.show(chosen[-1].film.id)
    for message in [*_refusals(found, files), *_remarks(found, files)]:
        conversation.messages.append(said(message))
    if found.films:
        told = f'<div class="opened">{_taken(conversation, found, bool(new))}</div>'
        conversation.messages.append(said(told, *beside(len(conversation.films))))
    return [each.film.id for each in found.films]


def open_example(conversation: Conversation, example: Example) -> None:
    """Make an example's film and open it."""
    with tempfile.TemporaryDirectory(prefix="hilum-") as folder:
        path = Path(folder) / "synthetic.dcm"
        example.write(path)
        conversation.add(conversation.session.add(path))
    conversation.messages.append(said(f'<div class="opened">{markup.plain(f"Synthetic film: {example.film}.")}</div>'))


def _taken(conversation: Conversation, found: StudyInput, new: bool) -> str:
    """What was opened, as HTML: one line for one film, a list with dates, views and roles for several."""
    names, told = film_names(conversation.films), places(conversation.session.studies)
    if len(found.films) == 1:
        film = found.films[0].film
        name = names[film.id]
        words = (
            f"{name} opened: {brief_facts(film, told[film.id])}." if new else f"This film is open already, as {name}."
        )
        return markup.plain(words)
    items = "".join(
        f"<li>{markup.plain(f'{names[each.film.id]}: {brief_facts(each.film, told[each.film.id])}')}</li>"
        for each in found.films
    )
    return f"{len(found.films)} films opened:<ul>{items}</ul>"


def _refusals(found: StudyInput, files: Sequence[Path | bytes]) -> list[str]:
    if len(found.refused) <= NOTICES_MAX:
        return [_refusal(each, files) for each in found.refused]
    items = "".join(f"<li>{markup.plain(_told(each, files))}</li>" for each in found.refused)
    heading = escape(f"{len(found.refused)} files cannot be used.")
    return [f'<div class="notice problem"><details><summary>{heading}</summary><ul>{items}</ul></details></div>']


def _refusal(each: Refused, files: Sequence[Path | bytes]) -> str:
    reason: FilmRefused = each.reason
    heading = f"{_short(each.source, files)} cannot be used."
    return markup.notice("problem", heading, reason.message, reason.hint)


def _told(each: Refused, files: Sequence[Path | bytes]) -> str:
    return f"{_short(each.source, files)}: {each.reason.message}"


def _remarks(found: StudyInput, files: Sequence[Path | bytes]) -> list[str]:
    """Duplicates, look-alikes and warnings."""
    told = []
    if found.duplicates:
        names = ", ".join(f"{_short(e.source, files)} (as {_short(e.same_as, files)})" for e in found.duplicates)
        told.append(markup.notice("note", "The same picture came more than once and was opened once:", names))
    for first, second in found.alike():
        names = f"{_short(first.source, files)} and {_short(second.source, files)}"
        told.append(markup.notice("note", "These look like one picture stored twice, not like two films:", names))
    told += [markup.notice("conflict", "Take care.", warning) for warning in found.warnings()]
    return told


def _short(source: str, files: Sequence[Path | bytes]) -> str:
    """A file's name as the user knows it: without the folder of the server it was put into."""
    for path in (each for each in files if isinstance(each, Path)):
        if source.startswith(str(path)):
            return source.removeprefix(f"{path.parent}/")
    return source
