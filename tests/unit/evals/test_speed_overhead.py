"""The overhead bench: both loops run the same tools, ours together and the published one's one after the other."""

from __future__ import annotations

import threading
import time

import pytest

from evals.speed import overhead
from evals.speed.overhead import INSTANT, QUESTION, WAITS_S


def test_published_loop_runs_one_tool_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    running, seen = threading.Semaphore(0), []

    def wait(seconds: float) -> None:
        running.release()
        seen.append(running._value)
        running.acquire()

    monkeypatch.setattr(overhead, "_wait", wait)
    answered = overhead._sequential(overhead._film())()
    assert len(answered["messages"]) == 7 and seen == [1] * len(WAITS_S)


def test_ours_runs_all_tools_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(len(WAITS_S))
    monkeypatch.setattr(overhead, "_wait", lambda seconds: together.wait(100))
    answer = overhead._session(overhead._film(), WAITS_S, overhead.Memory()).ask(QUESTION)
    assert [record.tool for record in answer.evidence] == list(WAITS_S), "each waited until all were there"


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
