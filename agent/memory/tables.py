"""The tables, the same in SQLite and PostgreSQL. Beside them lie langgraph's own, which its checkpointer makes."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()


def _session_id() -> Column[str]:
    return Column("session_id", String(32), ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True)


sessions = Table(
    "sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(200), nullable=False, index=True),
    Column("title", String(200), nullable=False, default=""),
    Column("planner", String(200), nullable=False, default=""),
    Column("created_s", Float, nullable=False),
    Column("used_s", Float, nullable=False),
    Column("held_by", String(64), nullable=False, default=""),
    Column("held_until_s", Float, nullable=False, default=0.0),
)
"""`held_by` is the process and session object that answers a question now; others are refused until `held_until_s`."""

films = Table(
    "films",
    metadata,
    Column("row", Integer, primary_key=True),
    _session_id(),
    Column("film_id", String(32), nullable=False),
    Column("facts", JSON, nullable=False),
    Column("pixels", LargeBinary, nullable=False),
    UniqueConstraint("session_id", "film_id"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("row", Integer, primary_key=True),
    _session_id(),
    Column("evidence_id", String(16), nullable=False),
    Column("record", JSON, nullable=True),
    UniqueConstraint("session_id", "evidence_id"),
)

calls = Table(
    "calls",
    metadata,
    Column("row", Integer, primary_key=True),
    _session_id(),
    Column("call_id", String(100), nullable=False),
    Column("evidence_id", String(16), nullable=False),
    UniqueConstraint("session_id", "call_id"),
)
"""Which planned call got which evidence number: a turn that was cut off goes on with its numbers."""

turns = Table(
    "turns",
    metadata,
    Column("row", Integer, primary_key=True),
    _session_id(),
    Column("number", Integer, nullable=False),
    Column("question", Text, nullable=False),
    Column("added", JSON, nullable=False),
    Column("answer", JSON, nullable=True),
    Column("done", Boolean, nullable=False, default=False),
    Column("began_s", Float, nullable=False),
    UniqueConstraint("session_id", "number"),
)
"""A turn that is not done and whose session nobody holds was cut off."""

transcript = Table(
    "transcript",
    metadata,
    Column("row", Integer, primary_key=True),
    _session_id(),
    Column("at_s", Float, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("facts", JSON, nullable=False),
)
"""What happened, in order: the audit log. See docs/design/memory.md."""

drafts = Table(
    "drafts",
    metadata,
    Column("row", Integer, primary_key=True),
    _session_id(),
    Column("turn", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("draft", JSON, nullable=False),
    UniqueConstraint("session_id", "turn"),
)
"""What a reader made of an answer's report; `version` counts its states."""

BY_SESSION = (drafts, transcript, turns, calls, evidence, films)
"""Tables whose rows belong to a session."""
