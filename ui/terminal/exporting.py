"""`hilum export` and `hilum ask --export`: a session's report written to a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from agent import Agent, Session, Settings
from agent.exports import Format, SourceMissing, export
from imaging.failures import NotApplicable
from ui.terminal.sessions import kept_memory, whole_id


def export_kept(
    beginning: str, formats: str, folder: Path, films: Sequence[Path], turn: int | None, owner: str
) -> list[Path]:
    """Write the report of the kept session named so; the files."""
    settings = Settings()
    memory = kept_memory(settings)
    session = Agent(settings, planner="embedded", memory=memory).reopen(whole_id(memory, beginning, owner), owner)
    named = [name for name in (part.strip() for part in formats.split(",")) if name]
    return export(session, named, folder, sources=films, turn=turn)


def export_answered(session: Session, films: Sequence[Path], folder: Path) -> Iterator[str]:
    """Write the report of a session's latest answer in every format; a line for each file and for each that is none."""
    for item in Format:
        try:
            for path in export(session, [item], folder, sources=films, turn=session.turns[-1].number):
                yield f"export: {path}"
        except (NotApplicable, SourceMissing) as reason:
            yield f"no {item.value}: {reason}"
