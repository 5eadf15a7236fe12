"""Memory: the database of sessions. SQLite on a file, PostgreSQL for many servers, or in this process alone."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from sqlalchemy import (
    Connection,
    Engine,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from agent.answer import Answer, Evidence
from agent.draft import Draft
from agent.memory import engines
from agent.memory.holding import is_gone
from agent.memory.pixels import packed, unpacked
from agent.memory.tables import BY_SESSION, calls, drafts, evidence, films, metadata, sessions, transcript, turns
from imaging.failures import BadArguments
from imaging.studies import StudyFilm

IN_PROCESS = "process"
"""Settings.memory of sessions that end with the process."""
TITLE_CHARACTERS = 80
"""How much of the first question names a session until it is renamed."""
KNOWN_SHOWN = 5

SAME_EVIDENCE_GONE = delete(evidence).where(
    evidence.c.session_id == bindparam("of_session"), evidence.c.evidence_id == bindparam("of_evidence")
)
"""Built once: every call of a tool runs it, and building a statement takes longer than running it."""


@dataclass(frozen=True)
class Remembered:
    """One kept session, without its content.

    Attributes:
        id, title, planner: its id, what it is called, and who planned last.
        films, turns: how many it holds.
        created_s, used_s: seconds since 1970.
        interrupted: its last question was cut off and can be gone on with.
    """

    id: str
    title: str
    planner: str
    films: int
    turns: int
    created_s: float
    used_s: float
    interrupted: bool


@dataclass(frozen=True)
class RememberedTurn:
    """One question, the ids of the films that came with it, and what was answered; None where it was cut off."""

    number: int
    question: str
    added: tuple[str, ...]
    answer: Answer | None


class Memory:
    """Where sessions are kept. An owner sees and touches only their own; safe between threads and processes.

    Any method raises MemoryRefused while the database is full, locked, damaged or away.

    Attributes:
        lasting: whether it outlives the process.
    """

    def __init__(self, where: str | Path = IN_PROCESS) -> None:
        """Opens the database, made if absent.

        Args:
            where: IN_PROCESS, the path of an SQLite file, or the URL of a PostgreSQL database.

        Raises:
            Unavailable: it cannot be opened, or its driver is not installed; with the remedy.
        """
        self.lasting = str(where) != IN_PROCESS
        self._lock = threading.RLock()
        self._forgotten: deque[str] = deque()
        self._engine: Engine = engines.in_process() if not self.lasting else engines.opened(where)
        with engines.refusals_told():
            metadata.create_all(self._engine)
            self._saver = engines.checkpointer(where) if self.lasting else None

    def checkpointer(self) -> BaseCheckpointSaver[Any]:
        """What langgraph keeps a session's messages in; of its own for a session in the process."""
        return self._saver or InMemorySaver(serde=engines.serializer())

    # Sessions

    def begin(self, session_id: str, owner: str) -> None:
        """A new session of that owner."""
        self._remove_forgotten()
        now = time.time()
        self._do(insert(sessions).values(id=session_id, owner=owner, created_s=now, used_s=now))

    def require(self, session_id: str, owner: str) -> None:
        """BadArguments unless that owner has a session of that id; the same words if it is somebody else's."""
        with self._reading() as connection:
            if connection.execute(select(sessions.c.id).where(_own(session_id, owner))).first() is None:
                known = [f"{item.id} ({item.title or 'untitled'})" for item in self.remembered(owner)[:KNOWN_SHOWN]]
                raise BadArguments(
                    f"There is no session {session_id!r}.", f"The latest ones: {', '.join(known) or 'none'}."
                )

    def remembered(self, owner: str) -> list[Remembered]:
        """The owner's sessions, the one used last first."""
        self._remove_forgotten()
        open_turn = exists().where(turns.c.session_id == sessions.c.id, turns.c.done.is_(False))
        query = (
            select(
                sessions.c.id,
                sessions.c.title,
                sessions.c.planner,
                _count(films),
                _count(turns),
                sessions.c.created_s,
                sessions.c.used_s,
                open_turn,
                sessions.c.held_by,
                sessions.c.held_until_s,
            )
            .where(sessions.c.owner == owner)
            .order_by(sessions.c.used_s.desc())
        )
        with self._reading() as connection:
            rows: list[Any] = list(connection.execute(query))
        return [_remembered(tuple(row)) for row in rows]

    def rename(self, session_id: str, owner: str, title: str) -> None:
        """Call a session something else."""
        self.require(session_id, owner)
        self._do(update(sessions).where(_own(session_id, owner)).values(title=title.strip()[:TITLE_CHARACTERS]))

    def delete(self, session_id: str, owner: str) -> None:
        """Remove a session with its films, evidence, turns and checkpoints from the disk.

        Raises:
            BadArguments: that owner has no such session.
        """
        self.require(session_id, owner)
        with self._writing() as connection:
            _remove(connection, session_id)
        with engines.refusals_told():
            if self._saver is not None:
                self._saver.delete_thread(session_id)
            engines.erase_traces(self._engine)

    def forget(self, session_id: str) -> None:
        """Remove a session before the next one begins or sessions are listed.

        Now it touches no database: the garbage collector calls it in whatever thread it runs in, also in the middle of
        that thread's own transaction.
        """
        self._forgotten.append(session_id)

    def _remove_forgotten(self) -> None:
        with self._lock:  # one at a time, so that none is taken away between the look and the pop
            while self._forgotten:
                with self._writing() as connection:
                    _remove(connection, self._forgotten.popleft())

    def hold(self, session_id: str, holder: str, seconds: float) -> bool:
        """Take or prolong the right to answer in a session for so long; False while somebody else has it."""
        now = time.time()
        with self._writing() as connection:
            held_by = connection.execute(select(sessions.c.held_by).where(sessions.c.id == session_id)).scalar() or ""
            free = or_(sessions.c.held_by == holder, sessions.c.held_until_s < now)
            if is_gone(held_by):
                free = or_(free, sessions.c.held_by == held_by)
            taken = update(sessions).where(sessions.c.id == session_id, free)
            done = connection.execute(taken.values(held_by=holder, held_until_s=now + seconds, used_s=now))
            return bool(done.rowcount)

    def release(self, session_id: str, holder: str) -> None:
        """Give that right back."""
        mine = and_(sessions.c.id == session_id, sessions.c.held_by == holder)
        self._do(update(sessions).where(mine).values(held_by="", held_until_s=0.0))

    # Films and evidence

    def keep_film(self, session_id: str, film: StudyFilm) -> None:
        """Keep a film; one that is there already stays as it is."""
        if not self.lasting:
            return
        there = select(films.c.row).where(films.c.session_id == session_id, films.c.film_id == film.film.id)
        facts, pixels = packed(film)
        with self._writing() as connection:
            if connection.execute(there).first() is None:
                row = {"session_id": session_id, "film_id": film.film.id, "facts": facts, "pixels": pixels}
                connection.execute(insert(films).values(row))

    def films(self, session_id: str) -> list[StudyFilm]:
        """The films in order of adding."""
        return [unpacked(facts, pixels) for facts, pixels in self._rows(films, session_id, "facts", "pixels")]

    def keep_calls(self, session_id: str, ids: dict[str, str]) -> None:
        """Note which evidence number each planned call got (call id -> number); one that is noted stays as it is."""
        noted = select(calls.c.call_id).where(calls.c.session_id == session_id)
        with self._writing() as connection:
            there = set(connection.execute(noted).scalars())
            rows = [
                {"session_id": session_id, "call_id": call_id, "evidence_id": evidence_id}
                for call_id, evidence_id in ids.items()
                if call_id not in there
            ]
            if rows:
                connection.execute(insert(calls), rows)

    def calls(self, session_id: str) -> dict[str, str]:
        """Call id -> evidence number."""
        return dict(tuple(row) for row in self._rows(calls, session_id, "call_id", "evidence_id"))

    def keep_evidence(self, session_id: str, record: Evidence) -> None:
        """Keep what a tool gave, in place of what an earlier run of the same number gave."""
        row = {"session_id": session_id, "evidence_id": record.id, "record": record.model_dump(mode="json")}
        with self._writing() as connection:
            connection.execute(SAME_EVIDENCE_GONE, {"of_session": session_id, "of_evidence": record.id})
            connection.execute(insert(evidence), row)

    def evidence(self, session_id: str) -> list[Evidence]:
        """The records in the order they were made."""
        return [Evidence.model_validate(record) for (record,) in self._rows(evidence, session_id, "record")]

    # Turns and transcript

    def begin_turn(self, session_id: str, question: str, planner: str, added: list[str]) -> int:
        """A question is asked; the turn's number, from 1. The first one gives the session its title.

        A turn that was cut off before is given up with that.

        Args:
            session_id: where.
            question: as typed.
            planner: who will plan.
            added: ids of the films that came with it.
        """
        mine = sessions.c.id == session_id
        with self._writing() as connection:
            last = connection.execute(select(func.max(turns.c.number)).where(turns.c.session_id == session_id)).scalar()
            number = (last or 0) + 1
            row = {"session_id": session_id, "number": number, "question": question, "added": added}
            connection.execute(update(turns).where(turns.c.session_id == session_id).values(done=True))
            connection.execute(insert(turns).values(**row, began_s=time.time()))
            connection.execute(update(sessions).where(mine).values(planner=planner))
            title = " ".join(question.split())[:TITLE_CHARACTERS]
            connection.execute(update(sessions).where(mine, sessions.c.title == "").values(title=title))
        return number

    def end_turn(self, session_id: str, number: int, answer: Answer) -> None:
        """It is answered. What langgraph kept of the steps on the way is forgotten; the last state stays."""
        mine = and_(turns.c.session_id == session_id, turns.c.number == number)
        given = answer.model_dump(mode="json")
        self._do(
            update(turns).where(mine).values(answer=given, done=True),
            delete(calls).where(calls.c.session_id == session_id),
        )
        if self._saver is not None:
            with engines.refusals_told():
                engines.keep_latest(self._saver, session_id)

    def drop_turn(self, session_id: str, number: int) -> None:
        """It will never be answered: it failed, and asking again is a new turn."""
        self._do(
            delete(turns).where(turns.c.session_id == session_id, turns.c.number == number),
            delete(calls).where(calls.c.session_id == session_id),
        )

    def turns(self, session_id: str) -> list[RememberedTurn]:
        """The turns in order."""
        rows = self._rows(turns, session_id, "number", "question", "added", "answer")
        return [
            RememberedTurn(n, q, tuple(added), Answer.model_validate(given) if given else None)
            for n, q, added, given in rows
        ]

    def draft(self, session_id: str, turn: int) -> Draft | None:
        """What was made of a turn's report so far; None where nobody touched it."""
        query = select(drafts.c.draft).where(drafts.c.session_id == session_id, drafts.c.turn == turn)
        with self._reading() as connection:
            kept = connection.execute(query).scalar()
        return Draft.model_validate(kept) if kept is not None else None

    def keep_draft(self, session_id: str, draft: Draft) -> Draft:
        """Keep the next state of a draft; the same with its new version.

        Raises:
            BadArguments: somebody else changed it since it was read.
        """
        mine = and_(drafts.c.session_id == session_id, drafts.c.turn == draft.turn)
        kept = draft.model_copy(update={"version": draft.version + 1})
        row = {"version": kept.version, "draft": kept.model_dump(mode="json")}
        changed = BadArguments("The draft was changed meanwhile.", "Read it again and decide on what it says now.")
        try:
            with self._writing() as connection:
                if draft.version == 0:
                    connection.execute(insert(drafts).values(session_id=session_id, turn=draft.turn, **row))
                else:
                    was = update(drafts).where(mine, drafts.c.version == draft.version)
                    if not connection.execute(was.values(**row)).rowcount:
                        raise changed
        except IntegrityError:
            raise changed from None
        return kept

    def log(self, session_id: str, kind: str, facts: dict[str, Any]) -> None:
        """Add a line to the session's transcript.

        Args:
            session_id: whose.
            kind: what happened, one word.
            facts: JSON-ready values.
        """
        row = {"session_id": session_id, "at_s": time.time(), "kind": kind, "facts": facts}
        with self._writing() as connection:
            connection.execute(insert(transcript), row)

    def transcript(self, session_id: str, *kinds: str) -> Iterator[dict[str, Any]]:
        """The transcript's lines in order, of all kinds if none is named: {"at_s", "kind", **facts}."""
        chosen = [transcript.c.kind.in_(kinds)] if kinds else []
        for at_s, kind, facts in self._rows(transcript, session_id, "at_s", "kind", "facts", chosen=chosen):
            yield {"at_s": at_s, "kind": kind, **facts}

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()
        if self._saver is not None:
            engines.close(self._saver)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction: all of it is on the disk when it ends, or nothing."""
        with self._lock, engines.refusals_told(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._lock, engines.refusals_told(), self._engine.connect() as connection:
            yield connection

    def _do(self, *statements: Any) -> None:
        with self._writing() as connection:
            for statement in statements:
                connection.execute(statement)

    def _rows(self, table: Table, session_id: str, *columns: str, chosen: Sequence[Any] = ()) -> list[Any]:
        query = select(*(table.c[name] for name in columns)).where(table.c.session_id == session_id, *chosen)
        with self._reading() as connection:
            return list(connection.execute(query.order_by(table.c.row)))


def _remove(connection: Connection, session_id: str) -> None:
    for table in BY_SESSION:
        connection.execute(delete(table).where(table.c.session_id == session_id))
    connection.execute(delete(sessions).where(sessions.c.id == session_id))


def _own(session_id: str, owner: str) -> Any:
    return and_(sessions.c.id == session_id, sessions.c.owner == owner)


def _remembered(row: tuple[Any, ...]) -> Remembered:
    open_turn, held_by, held_until_s = row[7:]
    interrupted = bool(open_turn) and (held_until_s < time.time() or is_gone(held_by))
    return Remembered(row[0], row[1], row[2], row[3], row[4], row[5], row[6], interrupted)


def _count(table: Table) -> Any:
    counted: Select[Any] = select(func.count()).where(table.c.session_id == sessions.c.id)
    return counted.scalar_subquery()


__all__ = ["IN_PROCESS", "Memory", "Remembered", "RememberedTurn"]
