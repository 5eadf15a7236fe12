"""The database of sessions locked, damaged or none: told by name, other sessions go on, nothing is overwritten."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent

from agent import Agent
from agent.faults import MemoryRefused
from agent.memory import Memory, engines
from imaging.failures import Unavailable

ROOT = Path(__file__).resolve().parents[2]
TRUTH = Truth(scores={"effusion": 0.81})
WRITER = """
import sys
from agent.memory import Memory
memory = Memory(sys.argv[1])
for number in range(40):
    memory.begin(f"{sys.argv[2]}-{number}", sys.argv[2])
    memory.begin_turn(f"{sys.argv[2]}-{number}", "Is there an effusion?", "embedded", [])
"""


def agent_on(where: Path) -> Agent:
    made = stub_agent(StubTools(TRUTH))
    made.memory = Memory(where)
    return made


def test_a_locked_database_is_waited_for_then_told_and_the_session_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_MS", 50)
    where = tmp_path / "sessions.db"
    session = agent_on(where).session()
    session.add(film(1))
    other = sqlite3.connect(where, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(MemoryRefused, match="locked"):
        session.ask("Is there an effusion?")
    other.execute("ROLLBACK")
    assert "effusion" in session.ask("Is there an effusion?").text, "the session was not left busy"


def test_a_reader_that_keeps_deleted_rows_in_the_log_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engines, "BUSY_MS", 50)
    where = tmp_path / "sessions.db"
    memory = Memory(where)
    memory.begin("one", "")
    memory.begin("two", "")
    other = sqlite3.connect(where, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM sessions").fetchall()
    memory.delete("one", "")
    assert "still holds what was deleted" in caplog.text
    other.execute("ROLLBACK")
    caplog.clear()
    memory.delete("two", "")
    assert not caplog.text


@pytest.mark.parametrize("how", ["a page in its middle", "its beginning", "another file"])
def test_a_damaged_database_is_told_and_left_as_it_is(how: str, tmp_path: Path) -> None:
    where = tmp_path / "sessions.db"
    agent = agent_on(where)
    agent.session().ask("Is there an effusion?", films=[film(1)])
    agent.memory.close()
    with sqlite3.connect(where) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(where.read_bytes())
    if how == "another file":
        data = bytearray(b"notes of mine, and no database at all\n" * 200)
    elif how == "its beginning":
        data[:100] = bytes(100)
    else:
        data[4096 : len(data) - 4096] = b"\xa5" * (len(data) - 8192)
    where.write_bytes(data)
    with pytest.raises(Unavailable, match=r"cannot be used now: .*(malformed|not a database)") as told:
        memory = Memory(where)
        memory.remembered("")
        agent_on(where).session()
    assert "HILUM_STATE_DIR" in told.value.hint
    assert where.read_bytes() == bytes(data), "it is kept for whoever can read more of it"
    assert agent_on(tmp_path / "new.db").session().ask("Is there an effusion?", films=[film(1)]).text


def test_two_processes_write_one_database_and_nothing_is_lost(tmp_path: Path) -> None:
    where = tmp_path / "sessions.db"
    Memory(where).close()
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(where), owner], cwd=ROOT, stderr=subprocess.PIPE)
        for owner in ("anna", "ben")
    ]
    for process in running:
        assert process.wait(timeout=280) == 0, process.stderr and process.stderr.read()
    memory = Memory(where)
    for owner in ("anna", "ben"):
        kept = memory.remembered(owner)
        assert sorted(item.id for item in kept) == sorted(f"{owner}-{number}" for number in range(40))
        assert all(item.turns == 1 for item in kept)
