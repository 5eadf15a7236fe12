"""Tools over many films: one row per film, kept as it comes, so that a broken-off run goes on where it stopped."""

from __future__ import annotations

import csv
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from imaging.failures import BadArguments, FilmRefused, Unavailable
from imaging.sources import Content, contents
from imaging.store import ImageStore
from models.pool import ModelPool
from tools.contract import Result, Status, Tool, ToolContext
from tools.knowledge import findings

Row = dict[str, Any]
"""One film: column -> text, number, truth value or None."""

FILM_COLUMNS = ("view", "acquired", "age_years", "sex", "patient_key", "study_key", "rows", "columns")
"""Of a film's facts, those that a cohort's table needs; the identifiers in it are pseudonyms (imaging.identity)."""

ROWS_PER_GROUP = 1000
"""Rows of a Parquet row group: what is in memory while it is written."""

CLASSIFIED = "classify"
"""The tool whose scores stand first in a table, in columns named by the finding's code alone."""

AHEAD = 2
"""Films read ahead per worker: bounds memory, and keeps a worker from waiting for the disk."""

SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Outcome:
    """How a run ended: films in all, of them done before, of them with an error in some column."""

    films: int
    done_before: int
    with_errors: int


class Journal:
    """Rows on disk as they come, by the content of the film: what resuming rests on.

    Args:
        path: SQLite file, made if absent.
        question: what the rows answer (tools, models, versions); a journal of another question is refused.

    Raises:
        BadArguments: the file belongs to a run with other tools or models.
        Unavailable: another process is writing it, or it cannot be written; every method, when the disk is full, say.
    """

    def __init__(self, path: Path, question: Mapping[str, Any]) -> None:
        self.path = path
        asked = json.dumps(question, sort_keys=True)
        with self._told():
            self._db = sqlite3.connect(path, isolation_level=None, timeout=1.0)
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("CREATE TABLE IF NOT EXISTS question (text TEXT)")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS rows (place INTEGER PRIMARY KEY, name TEXT, digest TEXT, row TEXT)"
            )
            before = self._db.execute("SELECT text FROM question").fetchone()
            if before is None:
                self._db.execute("INSERT INTO question VALUES (?)", (asked,))
        if before is not None and before[0] != asked:
            self._db.close()
            raise BadArguments(
                f"{path} holds a run with other tools or models.",
                "Finish it with the same, or delete it to begin anew.",
            )

    def has(self, place: int, name: str, digest: str) -> bool:
        """Whether the row of this very content is there."""
        found = self._db.execute("SELECT 1 FROM rows WHERE place=? AND name=? AND digest=?", (place, name, digest))
        return found.fetchone() is not None

    def add(self, place: int, name: str, digest: str, row: Row) -> None:
        """Write a row; it is on the disk when this returns."""
        with self._told():
            self._db.execute("REPLACE INTO rows VALUES (?, ?, ?, ?)", (place, name, digest, json.dumps(row)))

    def rows(self) -> Iterator[Row]:
        """Every row in the order of the films."""
        for (text,) in self._db.execute("SELECT row FROM rows ORDER BY place"):
            yield json.loads(text)

    def keep_first(self, count: int) -> None:
        """Forget rows beyond the films that there are now."""
        with self._told():
            self._db.execute("DELETE FROM rows WHERE place >= ?", (count,))

    def close(self, *, delete: bool = False) -> None:
        """Close the file; with `delete` it has served its purpose."""
        self._db.close()
        if delete:
            self.path.unlink(missing_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """While the file is worked on: SQLite's word that it cannot be becomes Unavailable, with the remedy."""
        try:
            yield
        except sqlite3.Error as error:
            hint = "Is another run using it? Else make room, or give --out in a folder that you may write to"
            raise Unavailable(
                f"{self.path} cannot be written: {error}.", f"{hint}; the same command goes on with the rows so far."
            ) from error


def check_target(out: Path) -> None:
    """Raise BadArguments unless the table can be written there, before any film is read."""
    if out.suffix not in SUFFIXES:
        raise BadArguments(f"{out.name}: a table ends in {' or '.join(SUFFIXES)}.", "Name it e.g. results.csv.")
    if out.exists():
        raise BadArguments(f"{out} is there already.", "Delete it, or choose another name.")
    if out.suffix == ".parquet":
        _parquet()


def run_cohort(
    given: Sequence[Path], tools: Sequence[Tool], models: ModelPool, journal: Journal, workers: int
) -> Iterator[Outcome]:
    """Run the tools on every film of files, folders and archives; yields how far it is after each film.

    Workers run side by side, so that films of several share a batch in the pool; at most AHEAD films per worker are
    in memory. A film that cannot be read, and a tool that does not apply, are rows and columns that say so.
    """
    count, done_before, with_errors = 0, 0, 0
    going: dict[Future[Row], tuple[int, str, str]] = {}
    films = contents(given)
    with ThreadPoolExecutor(workers, thread_name_prefix="hilum-cohort") as threads:
        try:
            more = True
            while more or going:
                while more and len(going) < workers * AHEAD:
                    content = next(films, None)
                    if content is None:
                        more = False
                        break
                    key = (count, content.name, hashlib.sha256(content.data or b"").hexdigest())
                    count += 1
                    if journal.has(*key):
                        done_before += 1
                    else:
                        going[threads.submit(row_of, content, tools, models)] = key
                done, _ = wait(going, return_when=FIRST_COMPLETED) if going else (set(), None)
                for job in done:
                    row = job.result()
                    journal.add(*going.pop(job), row)
                    with_errors += has_error(row)
                yield Outcome(count - len(going), done_before, with_errors)
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    journal.keep_first(count)


def refused_row(name: str, refusal: FilmRefused) -> Row:
    """The row of a file that is no film."""
    return {"file": name, "film_id": None, "error": f"{refusal.kind}: {refusal}"}


def row_of(content: Content, tools: Sequence[Tool], models: ModelPool) -> Row:
    """The row of one file: what it is, and each tool's findings and values under "tool.column".

    The scores of the findings that the classifier is good enough at stand under their codes as well.
    """
    row: Row = {"file": content.name, "film_id": None, "error": None}
    if content.data is None:
        return refused_row(content.name, content.refused or FilmRefused("The file has no content."))
    try:
        context = ToolContext(films=ImageStore(), models=models)
        film = context.films.add(content.data)
    except FilmRefused as refusal:
        return refused_row(content.name, refusal)
    if film.derived is not None:
        return row | {"film_id": film.id, "error": f"not_acquired: {film.warnings[0]}"}
    facts = film.facts()
    row |= {"film_id": film.id} | {name: facts[name] for name in FILM_COLUMNS}
    row["warnings"] = "; ".join(film.warnings) or None
    for tool in tools:
        result = tool.run(context, {"image_id": film.id})
        if tool.name == CLASSIFIED:
            row |= {item.code: item.score for item in result.findings if item.status is not Status.NOT_ASSESSED}
        row |= {f"{tool.name}.{name}": value for name, value in columns_of(result)}
    return row


def has_error(row: Row) -> bool:
    """Whether the film or one of the tools has an error in this row."""
    return any(value and name.split(".")[-1] == "error" for name, value in row.items())


def columns_of(result: Result) -> Iterator[tuple[str, Any]]:
    """A result as columns: error, model and revision, each finding's status, score and side, each value of its data."""
    yield "error", f"{result.failure.kind}: {result.failure.message}" if result.failure else None
    yield "model", result.model or None
    yield "revision", result.revision or None
    for finding in result.findings:
        yield f"{finding.code}.status", finding.status.value
        yield f"{finding.code}.score", finding.score
        yield f"{finding.code}.side", finding.laterality
    if result.data is not None:
        yield from _leaves(result.data.model_dump(mode="json"))


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Numbers, truth values and short codes inside nested data; a list's items by their code, other lists left out."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict) and isinstance(item.get("code"), str):
                yield from _leaves({name: inner for name, inner in item.items() if name != "code"}, (item["code"],))
    elif isinstance(value, bool | int | float) and path:
        yield ".".join(path), value


def write_table(journal: Journal, out: Path) -> int:
    """Write the journal's rows as CSV or Parquet, beside and then renamed; returns the number of rows.

    Columns: the file, the classifier's score per finding, then all else in the order in which it came up.

    Raises:
        Unavailable: it cannot be written; nothing of it is left, the rows are.
    """
    columns: dict[str, type] = {"file": type(None)}
    for row in journal.rows():
        for name, value in row.items():
            known = columns.get(name)
            if value is not None and known in (None, type(None), int, bool):
                columns[name] = type(value)
            columns.setdefault(name, type(None))
    columns = dict(sorted(columns.items(), key=lambda item: (item[0] != "file", item[0] not in findings())))
    beside = out.with_name(f".{out.name}.part")
    write = _write_csv if out.suffix == ".csv" else _write_parquet
    try:
        count = write(journal.rows(), columns, beside)
        beside.replace(out)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise Unavailable(
            f"{out} cannot be written: {error.strerror or error}.",
            f"Make room; the rows are kept in {journal.path.name}, and the same command writes the table from them.",
        ) from error
    return count


def _write_csv(rows: Iterator[Row], columns: Mapping[str, type], path: Path) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(columns))
        table.writeheader()
        for row in rows:
            table.writerow(row)
            count += 1
    return count


def _write_parquet(rows: Iterator[Row], columns: Mapping[str, type], path: Path) -> int:
    arrow, parquet = _parquet()
    kinds = {bool: arrow.bool_(), int: arrow.float64(), float: arrow.float64()}
    schema = arrow.schema([(name, kinds.get(kind, arrow.string())) for name, kind in columns.items()])
    count = 0
    with parquet.ParquetWriter(path, schema) as file:
        while group := list(islice(rows, ROWS_PER_GROUP)):
            full = [{name: _cast(row.get(name), kind) for name, kind in columns.items()} for row in group]
            file.write_table(arrow.Table.from_pylist(full, schema=schema))
            count += len(group)
    return count


def _cast(value: Any, kind: type) -> Any:
    """A value as its column's kind: integers among fractions are fractions."""
    if value is None or kind is bool:
        return value
    return float(value) if kind in (int, float) else str(value)


def _parquet() -> tuple[Any, Any]:
    """pyarrow and pyarrow.parquet; Unavailable with the remedy where they are not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise Unavailable("Parquet needs pyarrow.", "pip install 'hilum[batch]', or write a .csv.") from error
    return pyarrow, pyarrow.parquet
