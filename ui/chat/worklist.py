"""The worklist: what `hilum watch` has taken, read and sent, and the readings it kept for a reader."""

from __future__ import annotations

import time
from collections.abc import Collection
from html import escape
from pathlib import Path
from typing import Any

from imaging.failures import BadArguments
from ui.chat.panels import command
from ui.watch.queue import DATABASE, State, standing

SHOWN_MOST = 200
"""Films in the table, the newest first; the counts tell of all."""

WORDS = {
    State.RECEIVED: "waiting to be read",
    State.READ: "read, not sent yet",
    State.SENT: "read and sent",
    State.REFUSED: "not read",
    State.FAILED: "given up for now",
}


def watched(state_dir: Path) -> Path | None:
    """The folder of the queue where a watch keeps it by default; None where none ran."""
    folder = state_dir.expanduser() / "watch"
    return folder if (folder / DATABASE).is_file() else None


def panel(folder: Path, kept: Collection[str]) -> str:
    """The queue as a table; a reading that the user's memory holds can be opened.

    Args:
        folder: of the queue.
        kept: ids of the user's sessions.
    """
    try:
        told = standing(folder)
    except BadArguments as gone:
        return f'<p class="muted none">{escape(gone.message)}</p>'
    counts = " · ".join(f"{told['counts'][state]} {words}" for state, words in WORDS.items() if told["counts"][state])
    again = f'<button type="button" class="plain" {command(do="look")}>Look again</button>'
    rows = "".join(_row(film, kept) for film in told["films"][:SHOWN_MOST])
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Arrived", "Film", "Standing", "Reading"))
    return (
        f'<p class="standing plainly"><strong>{escape(counts) or "No film has arrived yet."}</strong>{again}</p>'
        f"<table class=findings><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(film: dict[str, Any], kept: Collection[str]) -> str:
    arrived = time.strftime("%Y-%m-%d %H:%M", time.localtime(film["arrived_s"]))
    reason = f"<small>{escape(film['reason'])}</small>" if film["reason"] else ""
    reading = "–"
    if film["session"] in kept:
        press = command(do="open", session=film["session"])
        reading = f'<button type="button" class="plain" {press}>Open</button>'
    cells = (arrived, f"<code>{escape(film['film'])}</code>", WORDS[State(film["state"])] + reason, reading)
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
