"""A clock that is set forward or back: no film waits for the day to come round again, no session is locked out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent

from agent import Busy
from agent.memory import Memory
from agent.memory.holding import HOLD_S, new_holder
from ui.chat.visits import IDLE_LIMIT_S
from ui.watch.queue import opened

DAY_S = 86_400.0


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the wall clock by so many seconds from the true time."""
    true = time.time

    def by(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: true() + seconds)

    return by


@pytest.mark.parametrize("jump_s", [-DAY_S, -3600.0, DAY_S])
def test_a_watched_film_is_due_whatever_the_clock_does(
    jump_s: float, tmp_path: Path, set_clock: Callable[[float], None]
) -> None:
    with opened(tmp_path / "queue") as queue:
        queue.put("1.2.3", b"film")
        set_clock(jump_s)
        item = queue.due()
        assert item is not None and item.uid == "1.2.3"
        queue.later(item, "the PACS is away")
        assert queue.due() is None, "a pause is kept"
        set_clock(jump_s - DAY_S)
        assert queue.due() is not None


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_a_session_of_a_dead_process_is_free_and_of_a_living_one_is_not(
    jump_s: float, tmp_path: Path, set_clock: Callable[[float], None]
) -> None:
    memory = Memory(tmp_path / "sessions.db")
    memory.begin("s", "")
    mine, other = new_holder(), new_holder()
    host = mine.split(":")[0]
    assert memory.hold("s", f"{host}:4194305:gone", HOLD_S), "a process id beyond the largest of Linux"
    set_clock(jump_s)
    assert memory.hold("s", mine, HOLD_S), "it is dead, whatever the hour"
    assert not memory.hold("s", other, HOLD_S)


def test_a_question_is_answered_across_a_jump_and_the_order_stays(
    tmp_path: Path, set_clock: Callable[[float], None]
) -> None:
    agent = stub_agent(StubTools(Truth(scores={"effusion": 0.8})), max_turn_s=30.0)
    agent.memory = Memory(tmp_path / "sessions.db")
    session = agent.session()
    first = session.ask("Is there an effusion?", films=[film(1)])
    set_clock(-DAY_S)
    second = session.ask("How big is the heart?")
    set_clock(DAY_S)
    third = session.ask("Is there a pneumothorax?")
    assert not any(answer.stopped for answer in (first, second, third)), "limits of time go by the monotonic clock"
    assert [turn.number for turn in session.turns] == [1, 2, 3]
    assert all(answer.timings_ms["total"] < IDLE_LIMIT_S * 1000 for answer in (second, third))


def test_a_second_question_meanwhile_is_still_refused(tmp_path: Path, set_clock: Callable[[float], None]) -> None:
    agent = stub_agent(StubTools(Truth(scores={"effusion": 0.8})))
    agent.memory = Memory(tmp_path / "sessions.db")
    session = agent.session()
    session.add(film(1))
    events = session.stream("Is there an effusion?")
    next(events)
    set_clock(DAY_S)
    with pytest.raises(Busy):
        session.ask("And now?")
    assert list(events)
