"""Opening the databases: SQLite with safe and private settings, PostgreSQL by its URL; langgraph's savers on both."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import StaticPool

from agent.faults import MemoryRefused
from imaging.failures import BadArguments, Unavailable
from imaging.overlays import Overlay
from models.outputs import ScoreKind
from tools.contract import Finding, Result, Status, ToolFailure

logger = logging.getLogger(__name__)
POSTGRESQL = "postgresql://"
ACROSS_THREADS = {"check_same_thread": False, "cached_statements": 0}
"""For connections that pass from thread to thread under a lock. A cached statement is shared by cursors: one that the
garbage collector ends in another thread would reset it while it runs ("SQL statements in progress")."""
KEPT_TYPES = (Result, Finding, Status, ToolFailure, Overlay, ScoreKind)
"""Of ours, in the messages of a conversation."""
BUSY_MS = 30_000
"""How long SQLite waits for another process's write before it gives up."""


def is_refusal(error: BaseException) -> bool:
    """Whether it says that a database cannot be used now: full, locked, damaged or away; not that a statement is wrong.

    PEP 249 tells them apart, for sqlite3, psycopg and SQLAlchemy alike: OperationalError is the database's condition,
    and a DatabaseError of no further kind is SQLite's word for a damaged file.
    """
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return isinstance(error, MemoryRefused) or "OperationalError" in kinds or kinds[0] == "DatabaseError"


@contextmanager
def refusals_told() -> Iterator[None]:
    """While a database works: what it cannot do now becomes MemoryRefused, with the remedy."""
    try:
        yield
    except Exception as error:
        if isinstance(error, MemoryRefused) or not is_refusal(error):
            raise
        raise MemoryRefused(
            f"The session memory cannot be used now: {getattr(error, 'orig', error)}.",
            "What was kept is still there. Look after the disk and the rights of state_dir or memory (HILUM_STATE_DIR, "
            "HILUM_MEMORY); is it a database of Hilum? A question that was cut off is gone on with afterwards.",
        ) from error


def in_process() -> Engine:
    """A database in this process's memory; one connection, shared by its threads under Memory's lock."""
    return create_engine("sqlite://", poolclass=StaticPool, connect_args=ACROSS_THREADS)


def opened(where: str | Path) -> Engine:
    """The engine of an SQLite file or a PostgreSQL URL.

    Raises:
        Unavailable: the folder cannot be made, or PostgreSQL's driver is not installed.
        BadArguments: a URL of another kind.
    """
    if is_postgresql(where):
        try:
            return create_engine(str(where).replace(POSTGRESQL, "postgresql+psycopg://", 1), pool_pre_ping=True)
        except (ImportError, NoSuchModuleError) as error:
            raise Unavailable("PostgreSQL's driver is not installed.", "pip install 'hilum[postgres]'") from error
        except ArgumentError as error:
            raise BadArguments("The memory's address cannot be read.", f"Write {POSTGRESQL}user@host/name.") from error
    path = sqlite_path(where)
    engine = create_engine(f"sqlite:///{path}", connect_args=ACROSS_THREADS)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        _prepare(connection)

    return engine


def serializer() -> JsonPlusSerializer:
    """How langgraph's savers write and read: only its plain types and KEPT_TYPES are built, so that whoever can write
    the database cannot name a function to be called."""
    return JsonPlusSerializer(allowed_msgpack_modules=KEPT_TYPES)


def checkpointer(where: str | Path) -> BaseCheckpointSaver[Any]:
    """Langgraph's saver on the same database."""
    if is_postgresql(where):
        from langgraph.checkpoint.postgres import PostgresSaver
        from psycopg.rows import dict_row
        from psycopg_pool import ConnectionPool

        options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
        saver = PostgresSaver(ConnectionPool(str(where), kwargs=options, open=True), serde=serializer())
        saver.setup()
        return saver
    from langgraph.checkpoint.sqlite import SqliteSaver

    connection = sqlite3.connect(sqlite_path(where), check_same_thread=False)
    _prepare(connection)
    return SqliteSaver(connection, serde=serializer())


def keep_latest(saver: BaseCheckpointSaver[Any], session_id: str) -> None:
    """Forget a session's checkpoints but the last: each holds the whole conversation again."""
    latest = saver.get_tuple({"configurable": {"thread_id": session_id}})
    if latest is None:
        return
    newest = latest.checkpoint["id"]
    from langgraph.checkpoint.sqlite import SqliteSaver

    if isinstance(saver, SqliteSaver):
        with saver.cursor() as cursor:
            for table in ("checkpoints", "writes"):
                cursor.execute(f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_id < ?", (session_id, newest))
    else:
        saver.prune([session_id], strategy="keep_latest")


def erase_traces(engine: Engine) -> None:
    """After a deletion: empty SQLite's write-ahead log too, where deleted rows would still be read.

    While another process reads, SQLite keeps the log; a warning says so, and the next deletion empties it.
    """
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()
        if busy:
            logger.warning("Another process reads the session memory: its log still holds what was deleted.")


def close(saver: BaseCheckpointSaver[Any]) -> None:
    """Close a saver's connection."""
    saver.conn.close()  # type: ignore[attr-defined]


def is_postgresql(where: str | Path) -> bool:
    """Whether it is the URL of a PostgreSQL database."""
    return str(where).startswith(POSTGRESQL)


def sqlite_path(where: str | Path) -> Path:
    """The file, its folder made for its owner alone.

    Raises:
        BadArguments: a URL that is not PostgreSQL's.
        Unavailable: the folder cannot be made.
    """
    if "://" in str(where):
        raise BadArguments(f"The memory {where!r} is not known.", f"Give a file for SQLite, or {POSTGRESQL}…")
    path = Path(where).expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
    except OSError as error:
        raise Unavailable(
            f"The session memory {path} cannot be written: {error.strerror}.",
            "Set HILUM_STATE_DIR to a folder of yours, or HILUM_MEMORY=process to keep nothing.",
        ) from error
    return path


def _prepare(connection: sqlite3.Connection) -> None:
    """Write-ahead log for readers beside a writer; synchronous, so that what is committed survives a power cut;
    deleted content is overwritten; a busy database is waited for."""
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "secure_delete=ON",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")
