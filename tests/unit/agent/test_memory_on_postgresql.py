"""The memory on a real PostgreSQL: a throw-away cluster on a Unix socket, run by a user that is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent

from agent import Agent
from agent.memory import Memory
from imaging.failures import BadArguments, Unavailable

psycopg = pytest.importorskip("psycopg", reason="the postgres extra is not installed")

TRUTH = Truth(scores={"effusion": 0.81, "pneumothorax": 0.1}, sides={"effusion": "left"})
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
NOT_ROOT = ("postgres", "nobody")
"""Who runs the server where the tests run as root, which it refuses; the first that the machine knows."""
RELAXED = "-c listen_addresses='' -c fsync=off -c shared_buffers=16MB -c max_connections=20"


def server_tools() -> Path | None:
    """The folder of initdb and pg_ctl, or None."""
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else BINARIES[-1] if BINARIES else None


def server_user() -> str | None:
    """Whom to run the server as: None is oneself."""
    if os.geteuid():
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in NOT_ROOT if name in known)


@pytest.fixture(scope="module")
def where() -> Iterator[str]:
    """The URL of an empty database; the server is gone when the tests of this file are done."""
    tools, user = server_tools(), server_user()
    if tools is None:
        pytest.skip("PostgreSQL's server is not installed (initdb)")
    folder = Path(tempfile.mkdtemp(prefix="hilum-pg-"))  # short: a socket's path has 107 characters at most
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)

    def run(*command: str) -> None:
        done = subprocess.run([str(tools / command[0]), *command[1:]], cwd=folder, user=user, env={"LC_ALL": "C"},
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True)  # fmt: skip
        assert done.returncode == 0, done.stderr

    try:
        run("initdb", "-D", str(folder / "data"), "-U", "hilum", "--auth=trust", "-E", "UTF8", "--no-sync")
        log, options = str(folder / "log"), f"-k {folder} {RELAXED}"
        run("pg_ctl", "-D", str(folder / "data"), "-l", log, "-o", options, "-w", "start")
        yield f"postgresql://hilum@/postgres?host={folder}"
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            run("pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def memory(where: str) -> Iterator[Memory]:
    opened = Memory(where)
    yield opened
    for owner in ("", "anna", "ben"):
        for item in opened.remembered(owner):
            opened.delete(item.id, owner)
    opened.close()


def agent_on(memory: Memory, tools: StubTools | None = None) -> Agent:
    made = stub_agent(tools or StubTools(TRUTH))
    made.memory = memory
    return made


def test_session_comes_back_in_another_process_of_the_server(where: str, memory: Memory) -> None:
    first = agent_on(memory).session("anna")
    answer = first.ask("Is there a left effusion?", films=[film(1)])
    elsewhere, tools = Memory(where), StubTools(TRUTH)
    again = agent_on(elsewhere, tools).reopen(first.id, "anna")
    assert [turn.answer for turn in again.turns] == [answer]
    assert again.ledger.records() == first.ledger.records()
    assert abs(again.films.get(film(1).id).pixels - film(1).pixels).max() <= 0.5 / 65535 + 1e-7
    assert "present on the left only" in again.ask("And on the right?").text and tools.runs == []
    elsewhere.close()


def test_owner_sees_only_their_own_and_deleted_is_gone(where: str, memory: Memory) -> None:
    agent = agent_on(memory)
    mine, yours = agent.session("anna"), agent.session("ben")
    mine.ask("Is there an effusion?", films=[film(1)])
    yours.ask("Is there a mass?", films=[film(2)])
    assert [item.id for item in memory.remembered("anna")] == [mine.id]
    with pytest.raises(BadArguments, match="There is no session"):
        agent.reopen(yours.id, "anna")
    memory.delete(mine.id, "anna")
    with psycopg.connect(where) as connection:
        tables = [name for (name,) in connection.execute(
            "SELECT table_name FROM information_schema.columns WHERE column_name IN ('session_id', 'thread_id')"
        )]  # fmt: skip
        assert {"films", "evidence", "turns", "checkpoints"} <= set(tables)
        for table in tables:
            column = "thread_id" if "checkpoint" in table else "session_id"
            left = connection.execute(f"SELECT count(*) FROM {table} WHERE {column} = %s", (mine.id,)).fetchone()
            assert left == (0,), table


def test_checkpoints_do_not_pile_up(where: str, memory: Memory) -> None:
    session = agent_on(memory).session()
    session.add(film(1))
    for question in ("Is there an effusion?", "And a pneumothorax?", "Where?"):
        session.ask(question)
    with psycopg.connect(where) as connection:
        kept = connection.execute("SELECT count(*) FROM checkpoints WHERE thread_id = %s", (session.id,)).fetchone()
    assert kept == (1,)


def test_sessions_of_several_servers_at_once(where: str, memory: Memory) -> None:
    other = Memory(where)
    agents = [agent_on(memory), agent_on(other)]
    start = threading.Barrier(6)

    def ask(n: int) -> tuple[str, str]:
        session = agents[n % 2].session("ben")
        start.wait()
        return session.id, session.ask("Is there a left effusion?", films=[film(n)]).text

    with ThreadPoolExecutor(6) as threads:
        answered = dict(threads.map(ask, range(6)))
    assert len(answered) == 6 and len(set(answered.values())) == 1
    assert {item.id for item in memory.remembered("ben")} == set(answered)
    other.close()


def test_one_process_holds_a_session_at_a_time(memory: Memory, where: str) -> None:
    session = agent_on(memory).session()
    other = Memory(where)
    assert memory.hold(session.id, "elsewhere:1:a", 20) and not other.hold(session.id, "elsewhere:2:b", 20)
    memory.release(session.id, "elsewhere:1:a")
    assert other.hold(session.id, "elsewhere:2:b", 20)
    other.close()


def test_server_that_is_not_there_is_unavailable_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="memory cannot be used") as refused:
        Memory(f"postgresql://hilum@/postgres?host={tmp_path}")
    assert "HILUM_MEMORY" in refused.value.hint
