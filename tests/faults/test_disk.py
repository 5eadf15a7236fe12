"""A full or read-only disk: what was kept stays, what was not is told with the remedy, with room again it goes on."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from agent_stubs import StubTools, Truth, film, stub_agent
from catalog_entries import entry
from noise import noise_films
from room import files_end_at, on_small_disk
from unkind_server import Behaviour, serving

from agent import Agent, Answer
from agent.events import Answered
from agent.faults import MemoryRefused
from agent.memory import Memory
from evals.journal import Journal as Answers
from evals.journal import Record
from imaging.failures import BadArguments, Unavailable
from models.fetch.store import pull
from models.pool import ModelPool
from models.weights import locate
from tools.batches.cohort import Journal, run_cohort, write_table

HERE = Path(__file__).parent
TRUTH = Truth(scores={"effusion": 0.81, "pneumothorax": 0.1}, sides={"effusion": "left"}, ratio=0.56)
QUESTION = "What do you see?"
STEP_BYTES = 12 << 10
"""Between two sizes at which the disk is full: a turn writes about 250 KiB in some dozen transactions."""


def agent_on(where: Path, tools: StubTools | None = None) -> Agent:
    made = stub_agent(tools or StubTools(TRUTH))
    made.memory = Memory(where)
    return made


def largest(folder: Path) -> int:
    return max(path.stat().st_size for path in folder.iterdir())


def said(answer: Answer) -> str:
    """The text with every citation as [E]: a number that was reserved before the disk was full is not given again."""
    return re.sub(r"\[E[\d, E]*\]", "[E]", answer.text)


def test_a_question_on_a_disk_that_fills_at_any_moment_is_gone_on_with(tmp_path: Path) -> None:
    expected = said(agent_on(tmp_path / "whole" / "sessions.db").session().ask(QUESTION, films=[film(1)]))
    refused = 0
    for place in range(40):
        where = tmp_path / str(place) / "sessions.db"
        tools = StubTools(TRUTH)
        agent = agent_on(where, tools)
        session = agent.session()
        session.add(film(1))
        room = largest(where.parent) + place * STEP_BYTES
        try:
            with files_end_at(room):
                answer = session.ask(QUESTION)
        except MemoryRefused as told:
            refused += 1
            assert "cannot be used now" in told.message and "HILUM_STATE_DIR" in told.hint
            kept = [record.tool for record in Memory(where).evidence(session.id)]
            tools.runs.clear()
            again = list(session.resume()) if session.interrupted else [Answered(session.ask(QUESTION))]
            answer = again[-1].answer
            assert not set(kept) & {name for name, _ in tools.runs}, "what a tool gave and was kept is not made again"
        assert said(answer) == expected
        with sqlite3.connect(where) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        agent.memory.close()
        if refused == place:  # the whole turn found room
            break
    assert refused >= 5, "the disk was full at several steps of a turn"


@pytest.fixture
def films(tmp_path: Path) -> Path:
    return noise_films(tmp_path / "films", 8)


def table_of(films: Path, out: Path) -> int:
    journal = Journal(out.with_suffix(".sqlite"), {})
    try:
        list(run_cohort([films], [], ModelPool(device="cpu"), journal, workers=2))
        return write_table(journal, out)
    finally:
        journal.close()


def test_a_batch_on_a_full_disk_says_so_and_goes_on(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    Journal(tmp_path / "t.sqlite", {}).close()
    page_bytes = 4096  # SQLite's; the last one is that of the rows
    room = (tmp_path / "t.sqlite").stat().st_size - page_bytes
    with files_end_at(room), pytest.raises(Unavailable, match="cannot be written"):
        table_of(films, out)
    assert table_of(films, out) == 8
    whole = out.read_bytes()
    out.unlink()
    with files_end_at(len(whole) - 1), pytest.raises(Unavailable, match="cannot be written") as told:
        table_of(films, out)
    assert "t.sqlite" in told.value.hint and sorted(path.suffix for path in tmp_path.iterdir()) == ["", ".sqlite"]
    assert table_of(films, out) == 8 and out.read_bytes() == whole


def test_an_answer_of_a_benchmark_that_finds_no_room_is_not_taken_for_kept(tmp_path: Path) -> None:
    with Answers(tmp_path / "run") as answers:
        answers.add(Record(id="one", text="A"))
        with (
            files_end_at(answers.path.stat().st_size + 20),
            pytest.raises(BadArguments, match="cannot be written"),
        ):
            answers.add(Record(id="two", text="B" * 50))
        assert answers.answered("two") is None
    with Answers(tmp_path / "run") as again:
        assert again.torn == 1 and again.answered("one") is not None and again.answered("two") is None
        again.add(Record(id="two", text="B"))
    with Answers(tmp_path / "run") as last:
        assert last.answered("two") == Record(id="two", text="B")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Behaviour, str]]:
    monkeypatch.setattr("models.fetch.remote.get_token", lambda: None)
    behaviour = Behaviour(files={})
    with serving(behaviour) as url:
        yield behaviour, url


def test_a_pull_onto_a_full_disk_keeps_what_came_and_goes_on(hub: tuple[Behaviour, str], tmp_path: Path) -> None:
    behaviour, url = hub
    saved = tmp_path / "saved.pt"
    torch.save({"a": torch.from_numpy(np.random.default_rng(0).random(400_000, np.float32))}, saved)
    content = behaviour.files["/model.pt"] = saved.read_bytes()
    item = entry("plain", source={"kind": "url", "url": f"{url}/model.pt", "revision": "1", "note": "-"})
    models = tmp_path / "models"
    with files_end_at(900_000), pytest.raises(Unavailable, match="cannot be written") as told:
        pull(item, models, pause_s=0.01)
    assert "goes on where it stopped" in told.value.hint and not locate(item, models).present
    behaviour.asked.clear()
    assert pull(item, models, pause_s=0.01).read_bytes() == content
    assert behaviour.asked[0][1].startswith("bytes=") and locate(item, models).present


def test_commands_on_a_disk_that_is_full_or_read_only_fail_by_name(tmp_path: Path) -> None:
    told = [json.loads(line) for line in on_small_disk(HERE / "on_small_disk.py", tmp_path, "1m").splitlines()]
    assert {each["disk"] for each in told} == {"full", "read-only"} and len(told) == 8
    for each in told:
        assert each["exit"] in (2, 3, 4) and "fault of Hilum" not in each["said"], each
        assert re.search(r"cannot be\s(written|used\snow)", each["said"]), each
