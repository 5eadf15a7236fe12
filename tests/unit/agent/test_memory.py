"""Sessions that outlive their process: films, evidence and turns come back, and only their owner's."""

from __future__ import annotations

import datetime as dt
import gc
import os
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent

from agent import Agent, Busy
from agent.events import Answered, ToolFinished
from agent.memory import Memory
from agent.memory.holding import is_gone, new_holder
from imaging.derived import processed
from imaging.failures import BadArguments, Unavailable
from imaging.radiograph import SpacingOrigin

HERE = Path(__file__).resolve().parent
TRUTH = Truth(scores={"effusion": 0.81, "pneumothorax": 0.1}, sides={"effusion": "left"})


def agent_on(where: Path, tools: StubTools | None = None) -> Agent:
    """A new agent over the same database, as a new process would make it."""
    made = stub_agent(tools or StubTools(TRUTH))
    made.memory = Memory(where)
    return made


def environment() -> dict[str, str]:
    """For a process that needs the stubs of the tests."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (HERE.parents[1], HERE.parents[2])))}


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sessions.db"


def test_reopened_session_has_its_films_evidence_and_turns(where: Path) -> None:
    first = agent_on(where).session()
    known = replace(
        film(1), acquired=dt.date(2020, 1, 2), age_years=61.0, sex="F", spacing_mm=(0.2, 0.3),
        spacing_origin=SpacingOrigin.IMAGER, warnings=("One.", "Two."), patient_key="p",
        source=replace(film(1).source, window=(2000.0, 4000.0), orientation=("L", "F")),
    )  # fmt: skip
    answer = first.ask("Is there a left effusion?", films=[known])
    tools = StubTools(TRUTH)
    again = agent_on(where, tools).reopen(first.id)
    assert again.films.get(known.id).facts() == known.facts()
    assert again.films.get(known.id).source == known.source, "its pairs are pairs again, not JSON's lists"
    assert abs(again.films.get(known.id).pixels - known.pixels).max() <= 0.5 / 65535 + 1e-7
    assert [turn.answer for turn in again.turns] == [answer]
    assert again.ledger.records() == first.ledger.records()
    followed = again.ask("And on the right?")
    assert "present on the left only" in followed.text
    assert tools.runs == [], "what is known is not made again"
    assert again.ask("Is there a pneumothorax?").evidence[0].id == "E3"


def test_sessions_are_listed_renamed_and_deleted_by_their_owner_alone(where: Path) -> None:
    agent = agent_on(where)
    mine, yours = agent.session("anna"), agent.session("ben")
    mine.ask("Is there an effusion?", films=[film(1)])
    yours.ask("Is there a mass?", films=[film(2)])
    [listed] = agent.memory.remembered("anna")
    assert (listed.id, listed.title, listed.films, listed.turns, listed.interrupted) == (
        mine.id, "Is there an effusion?", 1, 1, False,
    )  # fmt: skip
    for forbidden in (
        lambda: agent.reopen(yours.id, "anna"),
        lambda: agent.memory.rename(yours.id, "anna", "x"),
        lambda: agent.memory.delete(yours.id, "anna"),
    ):
        with pytest.raises(BadArguments, match="There is no session") as refused:
            forbidden()
        assert yours.id not in str(refused.value).replace(f"session {yours.id!r}", "")
    agent.memory.rename(mine.id, "anna", "Left effusion")
    assert agent.memory.remembered("anna")[0].title == "Left effusion"
    agent.memory.delete(mine.id, "anna")
    assert agent.memory.remembered("anna") == [] and len(agent.memory.remembered("ben")) == 1


def test_deleted_session_is_gone_from_the_disk(where: Path) -> None:
    agent = agent_on(where)
    session = agent.session()
    marker = "Is there an effusion in the quicksilver-canary film?"
    session.ask(marker, films=[film(1)])
    assert any(b"quicksilver" in file.read_bytes() for file in where.parent.iterdir())
    agent.memory.delete(session.id, "")
    left = {file.name for file in where.parent.iterdir() if b"quicksilver" in file.read_bytes()}
    assert left == set()
    with sqlite3.connect(where) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert {
            name: database.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in tables
        } == dict.fromkeys(tables, 0)


def test_database_is_its_owners_alone(where: Path) -> None:
    agent_on(where).session()
    assert where.stat().st_mode & 0o077 == 0 and where.parent.stat().st_mode & 0o077 == 0


def test_checkpoints_do_not_pile_up(where: Path) -> None:
    session = agent_on(where).session()
    session.add(film(1))
    for question in ("Is there an effusion?", "And a pneumothorax?", "Where?"):
        session.ask(question)
    with sqlite3.connect(where) as database:
        assert database.execute("SELECT COUNT(*) FROM checkpoints").fetchone()[0] == 1


def test_killed_turn_is_gone_on_with_and_no_finished_tool_runs_again(where: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    victim = subprocess.Popen([sys.executable, HERE / "killed_session.py", where, runs], env=environment())
    while not (runs.is_file() and "measure ended" in runs.read_text()):
        assert victim.poll() is None, "the session ended before it was killed"
        time.sleep(0.05)
    victim.kill()
    victim.wait()
    tools = StubTools(Truth(scores=TRUTH.scores, sides=TRUTH.sides, ratio=0.56))
    agent = agent_on(where, tools)
    [kept] = agent.memory.remembered("")
    assert kept.interrupted
    session = agent.reopen(kept.id)
    assert session.interrupted == "What do you see?"
    events = list(session.resume())
    last = events[-1]
    assert isinstance(last, Answered) and "Present: pleural effusion on the left" in last.answer.text
    assert sorted(name for name, _ in tools.runs) == ["classify", "ground"], "measure had ended before the kill"
    told = {event.evidence.id for event in events if isinstance(event, ToolFinished)}
    assert {"E1", "E3"} <= told <= {"E1", "E2", "E3"}, (
        "E2 is told again where the kill came before the graph had noted it"
    )
    assert session.interrupted == "" and [record.id for record in session.ledger.records()] == ["E1", "E2", "E3"]
    with pytest.raises(BadArguments, match="No question of this session was cut off"):
        list(session.resume())


def test_two_processes_do_not_answer_in_one_session_at_once(where: Path) -> None:
    slow = StubTools(Truth(scores=TRUTH.scores, delay_s={"classify": 0.6}))
    one = agent_on(where, slow).session()
    one.add(film(1))
    other = agent_on(where).reopen(one.id)
    running = threading.Thread(target=one.ask, args=("Is there an effusion?",))
    running.start()
    while not one.turns:
        time.sleep(0.01)
    with pytest.raises(Busy, match="Another process"):
        for _ in range(20):
            other.ask("Is there a pneumothorax?")
            time.sleep(0.02)
    running.join()
    assert other.ask("Is there a pneumothorax?").text


def test_hold_of_a_dead_process_is_not_waited_out() -> None:
    gone = subprocess.run(
        [sys.executable, "-c", "from agent.memory.holding import new_holder; print(new_holder())"],
        capture_output=True, text=True, check=True, cwd=HERE.parents[2],
    ).stdout.strip()  # fmt: skip
    assert is_gone(gone) and not is_gone(new_holder()) and not is_gone("elsewhere:1:x") and not is_gone("")


def test_transcript_tells_settings_versions_prompts_tools_and_turns(where: Path) -> None:
    session = agent_on(where).session()
    answer = session.ask("Is there an effusion?", films=[film(1)])
    opened, turn = session.transcript()
    assert {"planner", "settings", "versions", "prompts", "tools"} <= set(opened)
    assert "state_dir" not in opened["settings"] and opened["prompts"]["system.md"]
    assert turn["evidence"] == [record.id for record in answer.evidence]
    assert turn["answer"]["text"] == answer.text and len(turn["replies"]) == 3


def test_film_that_a_tool_made_comes_back_marked(where: Path) -> None:
    session = agent_on(where).session()
    original = session.add(film(1))
    made = processed(original, 1 - original.pixels, "inverted", "enhance")
    session.films.add(made)
    kept = agent_on(where).reopen(session.id).films.get(made.id)
    assert kept.derived == made.derived and kept.warnings == made.warnings


def test_question_after_one_that_was_cut_off_gives_that_up(where: Path) -> None:
    session = agent_on(where).session()
    agent_on(where).memory.begin_turn(session.id, "Lost?", "embedded", [])
    assert session.interrupted == "Lost?"
    session.ask("Is there an effusion?", films=[film(1)])
    assert session.interrupted == "" and [turn.question for turn in session.turns] == ["Lost?", "Is there an effusion?"]


def test_failed_turn_leaves_no_open_turn(where: Path) -> None:
    session = agent_on(where, StubTools(Truth(bug="classify"))).session()
    with pytest.raises(RuntimeError, match="a bug of Hilum"):
        session.ask("Is there an effusion?", films=[film(1)])
    assert session.turns == [] and session.interrupted == ""


@pytest.mark.parametrize(("where", "says"), [("mysql://x/y", "not known"), ("/proc/nowhere/x.db", "cannot be written")])
def test_place_that_cannot_hold_a_memory_is_refused(where: str, says: str) -> None:
    with pytest.raises((BadArguments, Unavailable), match=says):
        Memory(where)


def test_memory_in_the_process_forgets_a_session_with_its_last_user() -> None:
    agent = stub_agent(StubTools(TRUTH))
    session: Any = agent.session()
    session.ask("Is there an effusion?", films=[film(1)])
    assert len(agent.memory.remembered("")) == 1
    del session
    for _ in range(100):
        gc.collect()
        if not agent.memory.remembered(""):
            return
        time.sleep(0.02)
    pytest.fail("the session is still there")


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_session_that_ends_within_a_transaction_does_not_disturb_it() -> None:
    """The garbage collector may end a session in the middle of another one's transaction, in the same thread."""
    agent = stub_agent(StubTools(TRUTH))
    kept, ended = agent.session(), [agent.session()]
    with agent.memory._reading() as connection:
        rows = connection.exec_driver_sql("SELECT id FROM sessions")
        first = rows.fetchone()
        ended.clear()
        gc.collect()
        assert first is not None and rows.fetchone() is not None
    assert [each.id for each in agent.memory.remembered("")] == [kept.id]


def test_sessions_that_ended_are_removed_once_by_many_threads() -> None:
    memory = Memory()
    for number in range(100):
        memory.begin(str(number), "me")
    for number in range(100):
        memory.forget(str(number))
    with ThreadPoolExecutor(8) as threads:
        told = [job.result() for job in [threads.submit(memory.remembered, "me") for _ in range(32)]]
    assert all(not sessions for sessions in told)
