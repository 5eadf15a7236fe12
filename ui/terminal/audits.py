"""An audit on the terminal, and the command's result."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from agent.settings import Settings
from tools.audits import FOLDER, Audit
from tools.audits.tables import tables


def keep_audit(audit: Audit, settings: Settings) -> Path:
    """Keep it in Hilum's home directory, where the tool `audit` finds it; returns the file."""
    path = settings.state_dir.expanduser() / FOLDER / f"{audit.model}.json"
    audit.write(path)
    return path


def show_audit(audit: Audit, console: Console) -> None:
    """For people.

    Args:
        audit: what was found.
        console: where to write.
    """
    console.print(f"{audit.title} · {audit.films} films of {audit.patients} patients · scores {audit.scores}")
    for table in tables(audit):
        drawn = RichTable(title=table.title, title_justify="left")
        for column in table.columns:
            drawn.add_column(column)
        for row in table.rows:
            drawn.add_row(*row)
        console.print(drawn)
    for reason in audit.missing:
        console.print(f"Not looked at: {reason}", markup=False)
