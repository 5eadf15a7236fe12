"""`hilum index cases`: past films into the index, with progress; every refused file is named at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from agent import make_pool
from agent.settings import Profile, Settings
from imaging.failures import BadArguments, FilmRefused
from imaging.pacs import Query
from tools.cases import CaseLibrary, Entry, folder_entries, pacs_entries
from tools.cases.building import Progress, build_index
from tools.cases.entries import Table, read_table
from ui.terminal.batch import count_files
from ui.terminal.pacs import connected


@dataclass(frozen=True)
class Films:
    """Where the films to index lie: in folders, or in a PACS.

    Attributes:
        folders: folders, files and archives; none where a PACS is given.
        pacs: address of a PACS, or empty.
        access: login, our own title and where to receive by C-MOVE, of the PACS.
        patient, dates: which of the PACS's studies, as imaging.pacs.Query has them.
    """

    folders: tuple[Path, ...]
    pacs: str
    access: tuple[str, str, str]
    patient: str
    dates: str

    def __post_init__(self) -> None:
        if bool(self.folders) == bool(self.pacs):
            raise BadArguments("Films come from folders or from a PACS.", "Give a FOLDER, or --pacs with --dates.")
        if bool(self.pacs) != bool(self.patient or self.dates):
            raise BadArguments(
                "A PACS is asked by patient or dates, never for all that it has.",
                "Give --pacs with --dates, such as 20250101-20251231, or with --patient.",
            )
        for folder in self.folders:
            if not folder.exists():
                raise BadArguments(f"{folder} is not there.", "Give a folder, a zip archive or a film.")

    def entries(self, table: Table | None) -> Iterator[Entry]:
        """Each film, with what the table says of it."""
        if not self.pacs:
            return folder_entries(self.folders, table)
        return pacs_entries(connected(self.pacs, *self.access), Query(patient_id=self.patient, dates=self.dates), table)


def index_cases(given: Films, reports: Path | None, zones: bool, anew: bool, profile: str | None, as_json: bool) -> int:
    """Index films and say what became of each file; the exit code, that of a refused film where nothing was indexed.

    Raises:
        BadArguments: a table that cannot be used, an index of another making.
        Unavailable: no model here embeds films, or the PACS does not answer.
    """
    table = read_table(reports) if reports else None
    if profile is not None and profile not in list(Profile):
        raise BadArguments(f"There is no profile {profile!r}.", f"Use {', '.join(Profile)}.")
    settings = Settings(profile=Profile(profile)) if profile else Settings()
    home = settings.state_dir.expanduser()
    steps = build_index(given.entries(table), make_pool(settings), home, anew=anew, zones=zones)
    progress = _with_bar(steps, None if given.pacs else sum(map(count_files, given.folders)))
    films = 0 if not (progress.added or progress.known or progress.same) else CaseLibrary.at(home).films
    _tell(progress, table, films, as_json)
    return 0 if films else FilmRefused.exit_code


def _with_bar(steps: Iterator[Progress], total: int | None) -> Progress:
    columns = (TextColumn("films"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    last = Progress()
    with Bars(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task("films", total=total)
        for step in steps:
            bars.update(bar, completed=step.seen)
            last = step
    return last


def _tell(progress: Progress, table: Table | None, films: int, as_json: bool) -> None:
    """Counts on stdout; refused files and unused columns on stderr, where nothing of them is kept."""
    for name, reason in progress.refused:
        typer.echo(f"refused: {name}: {reason}", err=True)
    if table and table.unused:
        typer.echo(f"columns not used: {', '.join(table.unused)}", err=True)
    counts = {
        "films": films, "added": progress.added, "indexed_before": progress.known, "same_picture": progress.same,
        "refused": len(progress.refused), "files": progress.seen,
    }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(counts))
        return
    told = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items() if name != "films")
    typer.echo(f"{films} films in the index ({told})")
