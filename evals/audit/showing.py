"""An audit on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as RichTable

from tools.audits import Audit
from tools.audits.tables import tables


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
