"""`hilum export` and `hilum ask --export`: a session's report written to a folder."""

from __future__ import annotations

from pathlib import Path

from agent import Agent, Session, Settings
from agent.exports import Format, export
from ui.terminal.sessions import kept_memory, whole_id


def export_kept(beginning: str, formats: str, folder: Path, turn: int | None, owner: str) -> list[Path]:
    """Write the report of the kept session whose id begins so; the files."""
    settings = Settings()
    memory = kept_memory(settings)
    session = Agent(settings, planner="embedded", memory=memory).reopen(whole_id(memory, beginning, owner), owner)
    return export(session, _parted(formats), folder, turn=turn)


def export_answered(session: Session, folder: Path) -> list[Path]:
    """Write the report of a session's latest answer in every format that is possible for its films."""
    return export(session, list(Format), folder, turn=session.turns[-1].number)


def _parted(formats: str) -> list[str]:
    return [name for name in (part.strip() for part in formats.split(",")) if name]
