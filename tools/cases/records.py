"""The records of indexed films in SQLite: what is searched by, shown and embedded; never a name of a file or a patient.

The database is the truth; the faiss files beside it are made from its vectors.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imaging.failures import Unavailable

Vector = npt.NDArray[np.float32]

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS films (
    number INTEGER PRIMARY KEY, film_id TEXT UNIQUE, digest TEXT UNIQUE, view TEXT, frontal INTEGER, age REAL, sex TEXT,
    acquired TEXT, patient_key TEXT, study_key TEXT, report TEXT, thumbnail BLOB
);
CREATE TABLE IF NOT EXISTS same (digest TEXT PRIMARY KEY, number INTEGER);
CREATE TABLE IF NOT EXISTS findings (number INTEGER, code TEXT, status TEXT, origin TEXT);
CREATE INDEX IF NOT EXISTS findings_code ON findings (code, status);
CREATE TABLE IF NOT EXISTS vectors (kind TEXT, number INTEGER, vector BLOB, PRIMARY KEY (kind, number));
"""
"""`same` holds further files of a picture that is indexed; `kind` names what of the film a vector shows."""


CHUNK = 4096
"""Vectors read at once: 34 MB of 2,100 components."""


@dataclass(frozen=True)
class CaseRecord:
    """One indexed film.

    Attributes:
        number: what it is called by, from 1.
        film_id: of its pixels.
        view, age_years, sex, acquired: as known from its file or the table given beside it.
        patient_key, study_key: pseudonyms.
        report: its text; empty where there is none.
        thumbnail: PNG.
        findings: code -> status, from the table given where it says so, else by the classifier.
    """

    number: int
    film_id: str
    view: str
    age_years: float | None
    sex: str | None
    acquired: dt.date | None
    patient_key: str | None
    study_key: str | None
    report: str
    thumbnail: bytes = field(repr=False)
    findings: Mapping[str, str] = field(default_factory=dict)


class CaseRecords:
    """The database of one index; a process writes it while others read (WAL).

    Args:
        path: of the file; made when absent, unless `read_only`.
        read_only: open what is there.

    Raises:
        Unavailable: it cannot be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        try:
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                with closing(sqlite3.connect(path)) as db:
                    db.execute("PRAGMA journal_mode=WAL")
                    db.executescript(SCHEMA)
            self._address = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rw'}"
            with self._open() as db:
                db.execute("SELECT 1 FROM facts").fetchone()
        except sqlite3.Error as error:
            raise Unavailable(
                f"The index of cases at {path} cannot be opened: {error}.", "Make it again: hilum index cases FOLDER."
            ) from error

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._address, uri=True, timeout=30.0)) as db, db:
            yield db

    def facts(self) -> dict[str, Any]:
        """What the index is: model, revision, space, parts …"""
        with self._open() as db:
            return {name: json.loads(value) for name, value in db.execute("SELECT name, value FROM facts")}

    def put_facts(self, facts: Mapping[str, Any]) -> None:
        """Write facts, over those of the same names."""
        with self._open() as db:
            db.executemany("REPLACE INTO facts VALUES (?, ?)", [(n, json.dumps(v)) for n, v in facts.items()])

    def knows(self, digest: str) -> bool:
        """Whether a file of this very content was indexed."""
        query = "SELECT 1 FROM films WHERE digest=? UNION SELECT 1 FROM same WHERE digest=?"
        with self._open() as db:
            return db.execute(query, (digest, digest)).fetchone() is not None

    def add(self, record: CaseRecord, digest: str, vectors: Mapping[str, Vector], labelled: Mapping[str, bool]) -> bool:
        """Keep a film with its vectors by kind, all or nothing; False where its picture is there already.

        Args:
            record: what to keep; its number is given here.
            digest: of the file's bytes.
            vectors: kind -> vector.
            labelled: codes that a table given beside the film says are present or absent.
        """
        with self._open() as db:
            known = db.execute("SELECT number FROM films WHERE film_id=?", (record.film_id,)).fetchone()
            if known is not None:
                db.execute("REPLACE INTO same VALUES (?, ?)", (digest, known[0]))
                return False
            values = (
                record.film_id, digest, record.view, int(record.view != "LATERAL"), record.age_years, record.sex,
                record.acquired.isoformat() if record.acquired else None, record.patient_key, record.study_key,
                record.report, record.thumbnail,
            )  # fmt: skip
            cursor = db.execute(f"INSERT INTO films VALUES (NULL{', ?' * len(values)})", values)
            number = cursor.lastrowid
            given = {code: ("present" if there else "absent", "table") for code, there in labelled.items()}
            judged = {code: (status, "classifier") for code, status in record.findings.items()}
            rows = [(number, code, *what) for code, what in {**judged, **given}.items()]
            db.executemany("INSERT INTO findings VALUES (?, ?, ?, ?)", rows)
            made = [(kind, number, np.asarray(v, dtype="<f4").tobytes()) for kind, v in vectors.items()]
            db.executemany("INSERT INTO vectors VALUES (?, ?, ?)", made)
        return True

    def count(self) -> int:
        """Films in the index."""
        with self._open() as db:
            return int(db.execute("SELECT COUNT(*) FROM films").fetchone()[0])

    def numbers(self, where: str = "1", values: Sequence[Any] = ()) -> npt.NDArray[np.int64]:
        """Numbers of the films that a condition of ours over `films` holds for, ascending."""
        with self._open() as db:
            found = db.execute(f"SELECT number FROM films WHERE {where} ORDER BY number", values)
            return np.array([row[0] for row in found], dtype=np.int64)

    def patient_of(self, film_id: str) -> str | None:
        """The pseudonym of an indexed film's patient; None where either is not known."""
        with self._open() as db:
            found = db.execute("SELECT patient_key FROM films WHERE film_id=?", (film_id,)).fetchone()
            return found[0] if found else None

    def get(self, number: int) -> CaseRecord:
        """The record of a film; KeyError for a number that is not there."""
        with self._open() as db:
            row = db.execute(
                "SELECT number, film_id, view, age, sex, acquired, patient_key, study_key, report, thumbnail "
                "FROM films WHERE number=?",
                (int(number),),
            ).fetchone()
            if row is None:
                raise KeyError(number)
            found = dict(db.execute("SELECT code, status FROM findings WHERE number=?", (int(number),)).fetchall())
        return CaseRecord(
            number=row[0],
            film_id=row[1],
            view=row[2],
            age_years=row[3],
            sex=row[4],
            acquired=dt.date.fromisoformat(row[5]) if row[5] else None,
            patient_key=row[6],
            study_key=row[7],
            report=row[8],
            thumbnail=row[9],
            findings=found,
        )

    def dimension(self, kind: str) -> int:
        """Length of the vectors of one kind; 0 where there is none."""
        with self._open() as db:
            found = db.execute("SELECT LENGTH(vector) FROM vectors WHERE kind=? LIMIT 1", (kind,)).fetchone()
            return found[0] // np.dtype("<f4").itemsize if found else 0

    def vectors_of(self, numbers: Sequence[int], kind: str) -> Vector:
        """Vectors float32 [m, d] of one kind of these films, in their order; 0 for one that is not there."""
        places = ", ".join("?" * len(numbers))
        query = f"SELECT number, vector FROM vectors WHERE kind = ? AND number IN ({places})"
        with self._open() as db:
            found = dict(db.execute(query, (kind, *numbers)).fetchall())
        return _stacked([found.get(number) for number in numbers], self.dimension(kind))

    def vectors(self, kinds: Sequence[str]) -> Iterator[tuple[npt.NDArray[np.int64], list[Vector]]]:
        """(numbers [m], vectors float32 [m, d] of each kind), in chunks, by number.

        The films are those that have the first kind; of another kind that one lacks its vector is 0.
        """
        sizes = [self.dimension(kind) for kind in kinds]
        names = [f"v{place}" for place in range(len(kinds))]
        joins = " ".join(
            f"LEFT JOIN vectors {name} ON {name}.number = v0.number AND {name}.kind = ?" for name in names[1:]
        )
        columns = ", ".join(f"{name}.vector" for name in names)
        query = f"SELECT v0.number, {columns} FROM vectors v0 {joins} WHERE v0.kind = ? ORDER BY v0.number"
        with self._open() as db:
            found = db.execute(query, (*kinds[1:], kinds[0]))
            while rows := found.fetchmany(CHUNK):
                numbers = np.array([row[0] for row in rows], dtype=np.int64)
                yield numbers, [_stacked([row[n] for row in rows], size) for n, size in enumerate(sizes, start=1)]


def _stacked(blobs: Sequence[bytes | None], size: int) -> Vector:
    """float32 [m, size] of stored vectors; 0 for one that is not there."""
    nothing = bytes(size * np.dtype("<f4").itemsize)
    return np.frombuffer(b"".join(blob or nothing for blob in blobs), dtype="<f4").reshape(len(blobs), size)
