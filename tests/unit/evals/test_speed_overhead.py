"""The overhead bench: both loops run the same tools, ours together and the published one's one after the other."""

from __future__ import annotations

import threading
import time

import pytest

from evals.speed import overhead
from evals.speed.overhead import INSTANT, QUESTION, WAITS_S


@pytest.fixture
def most_at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by how many tools run whenever one begins to wait."""
    running, seen, lock = [0], [], threading.Lock()

    def wait(seconds: float) -> None:
        with lock:
            running[0] += 1
            seen.append(running[0])
        threading.Event().wait(0.3)
        with lock:
            running[0] -= 1

    monkeypatch.setattr(overhead.time, "sleep", wait)
    return seen


def test_published_loop_runs_one_tool_at_a_time_and_ours_all(most_at_once: list[int]) -> None:
    film = overhead._film()
    answered = overhead._sequential(film)()
    assert len(answered["messages"]) == 7 and max(most_at_once) == 1
    most_at_once.clear()
    answer = overhead._session(film, WAITS_S, overhead.Memory()).ask(QUESTION)
    assert [record.tool for record in answer.evidence] == list(WAITS_S)
    assert max(most_at_once) == len(WAITS_S)


def test_every_turn_of_a_session_is_a_new_request() -> None:
    session = overhead._session(overhead._film(), INSTANT, overhead.Memory())
    assert [len(session.ask(QUESTION).evidence) for _ in range(2)] == [4, 8]


def test_line_tells_ratio_slowest_tool_and_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "WAITS_S", dict.fromkeys(WAITS_S, 0.01))
    monkeypatch.setattr(overhead, "SESSIONS", 1)
    begun = time.perf_counter()
    line = overhead.measure(films=1).to_json("overhead")
    assert time.perf_counter() > begun and line["baseline"]["count"] == line["candidate"]["count"] == 1
    assert {"times_slowest_tool", "own_ms", "own_cpu_ms"} <= set(line) and set(line["own_ms"]) == {"process", "sqlite"}
