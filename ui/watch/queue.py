"""The queue of watched films: on disk before the sender is told that it has been taken, done once, lost never.

A row per SOP Instance UID in SQLite, the film in `inbox`, what was made of it in `outbox`. A film is written and
synchronised before its row, results before the row says so; each step can be repeated after a kill:

    received -> read (results lie in the outbox) -> sent      or   refused | failed, with a reason

It holds patients' films and UIDs until they are sent, so the folder is its owner's alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from imaging.failures import BadArguments, Unavailable

SCHEMA = """
CREATE TABLE IF NOT EXISTS films (
    uid TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0,
    due_s REAL NOT NULL, arrived_s REAL NOT NULL, changed_s REAL NOT NULL, session TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS due ON films (state, due_s);
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 300.0
"""Before something is tried again: doubled with every try."""


DATABASE = "queue.db"


class State(StrEnum):
    """How far a film is."""

    RECEIVED = "received"
    READ = "read"
    SENT = "sent"
    REFUSED = "refused"
    """It cannot be read, or is no chest film: final, with the reason."""
    FAILED = "failed"
    """Reading it failed again and again; `Queue.again` puts it back."""


OPEN = (State.RECEIVED, State.READ)


@dataclass(frozen=True)
class Item:
    """One film of the queue; `uid` identifies it at the PACS and is shown to nobody else."""

    uid: str
    state: State
    tries: int
    reason: str = ""
    session: str = ""

    @property
    def key(self) -> str:
        """Name of its files: a hash."""
        return hashlib.sha256(self.uid.encode()).hexdigest()[:32]


class Queue:
    """Safe between threads; one process at a time owns it."""

    def __init__(self, folder: Path) -> None:
        """Opens the queue, made if absent; what a killed process left half done is cleared away.

        Args:
            folder: of the queue, its owner's alone.

        Raises:
            BadArguments: another process works on it.
            Unavailable: it cannot be written.
        """
        self.folder = folder
        self._inbox, self._outbox = folder / "inbox", folder / "outbox"
        self._lock = threading.RLock()
        try:
            for each in (folder, self._inbox, self._outbox):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._owned: IO[str] = (folder / "lock").open("a")
            fcntl.flock(self._owned, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadArguments(f"Another hilum watch works on {folder}.", "Stop it, or give another --queue.") from None
        except OSError as error:
            raise Unavailable(
                f"The queue {folder} cannot be written: {error.strerror}.", "Give another --queue."
            ) from None
        self._db = sqlite3.connect(folder / DATABASE, check_same_thread=False, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(SCHEMA)
        self._clear()

    def known(self, uid: str) -> bool:
        """Whether the film has ever arrived."""
        return self._one("SELECT 1 FROM films WHERE uid = ?", uid) is not None

    def put(self, uid: str, data: bytes) -> bool:
        """Take a film; False when it is known. Returns after film and row are on the disk.

        Args:
            uid: SOP Instance UID.
            data: a DICOM file.

        Raises:
            OSError, sqlite3.Error: it could not be kept (a full disk, say): it was not taken.
        """
        if self.known(uid):
            return False
        _write(self._inbox / f"{Item(uid, State.RECEIVED, 0).key}.dcm", data)
        now = time.time()
        with self._lock:
            done = self._db.execute(
                "INSERT OR IGNORE INTO films (uid, state, due_s, arrived_s, changed_s) VALUES (?, ?, ?, ?, ?)",
                (uid, State.RECEIVED, now, now, now),
            )
            return bool(done.rowcount)

    def due(self) -> Item | None:
        """The next film to go on with: results to be sent first, then what arrived first; None while none is due.

        One that is due later than any wait can be was noted before the clock was set back: it is due.
        """
        now = time.time()
        row = self._one(
            "SELECT uid, state, tries, reason, session FROM films WHERE state IN (?, ?) AND (due_s <= ? OR due_s > ?) "
            "ORDER BY state = ? DESC, arrived_s LIMIT 1",
            *OPEN, now, now + LONGEST_WAIT_S, State.READ,
        )  # fmt: skip
        return Item(row[0], State(row[1]), row[2], row[3], row[4]) if row else None

    def film(self, item: Item) -> Path:
        """The film's file, while it is not done."""
        return self._inbox / f"{item.key}.dcm"

    def results(self, item: Item) -> list[Path]:
        """The files that were made of it."""
        return sorted((self._outbox / item.key).glob("*.dcm"))

    def keep_results(self, item: Item, files: Mapping[str, bytes], session: str = "") -> None:
        """Results are there: all of them or none.

        Args:
            item: of which film.
            files: name -> bytes of a DICOM file.
            session: id of the session that was kept, if one was.
        """
        final, draft = self._outbox / item.key, self._outbox / f"{item.key}.part"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        for name, data in files.items():
            _write(draft / name, data)
        shutil.rmtree(final, ignore_errors=True)
        draft.rename(final)
        _sync(self._outbox)
        self._set(item, state=State.READ, tries=0, due_s=time.time(), reason="", session=session)

    def done(self, item: Item) -> None:
        """The results were sent: film and results are deleted, the row stays, so that it is not done again."""
        self._set(item, state=State.SENT)
        self._forget(item)

    def refuse(self, item: Item, reason: str) -> None:
        """It will never be read. The film is deleted: it is the PACS's.

        Args:
            item: which.
            reason: without anything that identifies a patient.
        """
        self._set(item, state=State.REFUSED, reason=reason)
        self._forget(item)

    def fail(self, item: Item, reason: str) -> None:
        """It is given up for now; the film stays. Arguments as of refuse."""
        self._set(item, state=State.FAILED, reason=reason)

    def later(self, item: Item, reason: str) -> float:
        """Try again after a pause that doubles; its seconds. Arguments as of refuse."""
        wait = min(FIRST_WAIT_S * 2**item.tries, LONGEST_WAIT_S)
        self._set(item, tries=item.tries + 1, due_s=time.time() + wait, reason=reason)
        return wait

    def again(self) -> int:
        """Put every film that failed back; how many."""
        with self._lock:
            change = "UPDATE films SET state = ?, tries = 0, due_s = 0 WHERE state = ?"
            return self._db.execute(change, (State.RECEIVED, State.FAILED)).rowcount

    def mark(self, name: str, value: str | None = None) -> str:
        """A word kept across runs, "" at first; a new value where one is given."""
        if value is not None:
            with self._lock:
                self._db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (name, value))
        row = self._one("SELECT value FROM marks WHERE name = ?", name)
        return row[0] if row else ""

    def close(self) -> None:
        """Give the queue back."""
        with self._lock:
            self._db.close()
        self._owned.close()

    def _clear(self) -> None:
        """Files that no row speaks of: the process was killed between film and row, and the sender was told nothing."""
        with self._lock:
            uids = self._db.execute("SELECT uid, state FROM films").fetchall()
        kept = {Item(uid, State(state), 0).key for uid, state in uids if state in (*OPEN, State.FAILED)}
        for path in [*self._inbox.iterdir(), *self._outbox.iterdir()]:
            if path.name.removesuffix(".dcm") not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _forget(self, item: Item) -> None:
        self.film(item).unlink(missing_ok=True)
        shutil.rmtree(self._outbox / item.key, ignore_errors=True)

    def _set(self, item: Item, **values: Any) -> None:
        named = {**values, "changed_s": time.time()}
        change = f"UPDATE films SET {', '.join(f'{name} = ?' for name in named)} WHERE uid = ?"
        with self._lock:
            self._db.execute(change, (*named.values(), item.uid))

    def _one(self, query: str, *values: object) -> Any:
        with self._lock:
            return self._db.execute(query, values).fetchone()


def standing(folder: Path) -> dict[str, Any]:
    """{"counts": state -> films, "films": the newest first, without UIDs}, also while a watch works on the queue.

    Args:
        folder: of the queue.

    Raises:
        BadArguments: there is no queue.
    """
    if not (folder / DATABASE).is_file():
        raise BadArguments(f"There is no queue in {folder}.", "Give the --queue of a watch that ran.")
    names = ("state", "reason", "tries", "arrived_s", "changed_s", "session")
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        rows = db.execute(f"SELECT uid, {', '.join(names)} FROM films ORDER BY arrived_s DESC").fetchall()
    films = [
        {"film": Item(row[0], State(row[1]), 0).key[:12], **dict(zip(names, row[1:], strict=True))} for row in rows
    ]
    counted = Counter(film["state"] for film in films)
    return {"counts": {state.value: counted[state.value] for state in State}, "films": films}


@contextmanager
def opened(folder: Path) -> Iterator[Queue]:
    """The queue, given back at the end."""
    queue = Queue(folder)
    try:
        yield queue
    finally:
        queue.close()


def _write(path: Path, data: bytes) -> None:
    """The whole file or none, on the disk when this returns; its owner's alone."""
    part = path.with_name(f"{path.name}.{threading.get_ident()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.rename(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
