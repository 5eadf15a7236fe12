"""The answers of one run, kept as they come: one JSON line each, on the disk before the next question is asked.

The inspect log is for reading; this file is what resuming rests on. After a kill at any moment it holds every answered
question whole, at most one torn last line (its question was in flight and is asked again), and nothing twice.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imaging.failures import Unavailable, writing

FILE = "answers.jsonl"


class Fault(BaseModel):
    """Why a question errored; the trace is for us and stays in the logs."""

    model_config = ConfigDict(extra="forbid")

    type: str
    message: str
    trace: str = ""


class Step(BaseModel):
    """One tool run of an answer: what was called with what, what came of it, and the boxes it drew."""

    model_config = ConfigDict(extra="forbid")

    tool: str
    args: dict[str, Any] = Field(default_factory=dict)
    status: str = ""
    summary: str = ""
    model: str = ""
    seconds: float = 0.0
    cited: bool = False
    boxes: list[tuple[float, float, float, float]] = Field(default_factory=list)


class Record(BaseModel):
    """What the agent said to one question, ungraded: a better grader needs no new answers.

    `confidence` is its score of the option it chose, in [0, 1]; None where it tells none.
    """

    model_config = ConfigDict(extra="forbid")

    id: str
    text: str = ""
    choice: str | None = None
    confidence: float | None = None
    fault: Fault | None = None
    planner: str = ""
    models: dict[str, str] = Field(default_factory=dict)
    tools: list[str] = Field(default_factory=list)
    steps: list[Step] = Field(default_factory=list)
    usage: dict[str, Any] = Field(default_factory=dict)
    seconds: float = 0.0


class Journal:
    """Append-only records of one run; one process writes it at a time.

    An errored question was not answered: it is asked again on the next run, and its last record counts.
    """

    def __init__(self, folder: Path) -> None:
        """Opens FOLDER/answers.jsonl, made if absent.

        Args:
            folder: the folder of the run.

        Raises:
            BadArguments: it cannot be written.
            Unavailable: another process writes it.
        """
        self.path = folder / FILE
        self._lock = threading.Lock()
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise Unavailable(
                f"Another process is writing {self.path}.", "Wait until it ends, or use another --log-dir."
            ) from error
        self.records, self.torn = self._read()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def answered(self, identity: str) -> Record | None:
        """The record of a question that need not be asked again."""
        record = self.records.get(identity)
        return record if record and record.fault is None else None

    def add(self, record: Record) -> None:
        """Write one record and return once it is on the disk.

        Raises:
            BadArguments: it cannot be written (a full disk, say): the question was not answered.
        """
        line = (record.model_dump_json() + "\n").encode()
        with self._lock, writing(self.path):
            remaining = memoryview(line)
            while remaining:
                remaining = remaining[os.write(self._file, remaining) :]
            os.fsync(self._file)
            self.records[record.id] = record

    def _read(self) -> tuple[dict[str, Record], int]:
        """Records by id, and how many lines a crash left torn; a torn end is closed with a newline."""
        content = self.path.read_bytes()
        if content and not content.endswith(b"\n"):
            os.write(self._file, b"\n")
        records: dict[str, Record] = {}
        torn = 0
        for line in content.splitlines():
            if not line.strip():
                continue
            try:
                record = Record.model_validate_json(line)
            except ValidationError:
                torn += 1
                continue
            records[record.id] = record
        return records, torn
