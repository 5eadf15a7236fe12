"""The speed benches' form: the JSON line, the direction of the ratio, and what an unknown name gives."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from published import ScriptedAgent, answer

from agent.answer import Answer
from evals.speed import ask, classify, cold, memory, sessions
from evals.speed.__main__ import benches, main
from evals.speed.measured import Measured, Timing
from evals.speed.suite import SIZES, run_suite
from imaging.failures import BadArguments


def slow_first(number: int, question: str) -> Answer:
    time.sleep(0.2 if number == 0 else 0.02)
    return answer(question, "same")


def test_ratio_above_one_means_that_the_later_ask_is_faster() -> None:
    measured = ask.measure(ScriptedAgent(slow_first))
    assert 3 < measured.ratio < 15
    assert len(measured.candidate.seconds) == ask.LATER_ASKS


def test_last_line_is_json_with_ratio_baseline_and_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        ask, "measure", lambda: Measured(Timing("first ask", (3.0,)), Timing("later ask", (1.0, 2.0, 9.0)))
    )
    assert main(["ask", "--json"]) == 0
    out, err = capsys.readouterr()
    line = json.loads(out.splitlines()[-1])
    assert (line["bench"], line["ratio"], line["baseline"]["what"], err) == ("ask", 1.5, "first ask", "")
    assert (line["candidate"]["count"], line["candidate"]["median_s"]) == (3, 2.0)
    assert line["machine"]["cores"] >= 1


def test_unknown_bench_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert "ask" in benches()
    assert main(["asks"]) == 2
    assert "Did you mean 'ask'?" in capsys.readouterr().err


def test_sessions_are_asked_alone_and_together_each_with_a_film_of_its_own() -> None:
    films: list[str] = []

    def note(number: int, question: str) -> Answer:
        time.sleep(0.05)
        films.append(question)
        return answer(question, "same")

    measured = sessions.measure(4, 128, ScriptedAgent(note))
    assert len(films) == 1 + 4 + 4
    assert 1.5 < measured.ratio < 8, "four at once, each mostly waiting"
    assert measured.facts["p95_s_alone"] >= 0.05


def test_cold_counts_processes_and_their_peak_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes are stand-ins that answer at once; the real ones are run by hand (docs/performance.md)."""
    said = 'print(\'{"models": ["m"], "text": "t", "cpu_s": 0.5, "peak_mb": 70.2}\')'
    monkeypatch.setattr(cold, "CHILD", f"import sys, time\ntime.sleep(0.3 * (sys.argv[2] == 'all'))\n{said}")
    line = cold.measure(2).to_json("cold")
    assert line["ratio"] > 1.5 and (line["processes"], line["peak_mb_needed"], line["same_text"]) == (4, 70, True)


def test_gpu_memory_needs_a_gpu(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["gpu_memory"]) == 4
    assert "needs a GPU of CUDA" in capsys.readouterr().err


def test_memory_is_told_in_megabytes() -> None:
    line = memory.measure(24, 128).to_json("memory")
    assert line["baseline"]["median_mb"] > 100 and "MB" in line["ratio_means"]
    assert 0.5 < line["ratio"] < 1.5


def test_classify_times_both_ways_and_says_where_the_time_goes() -> None:
    measured = classify.measure(4, 256)
    facts, steps = measured.facts, {"decoding", "preparing", "transfer", "compute"}
    assert facts["films"] == 4 and set(facts["share"]) == set(facts["step_ms"]) == steps
    assert abs(sum(facts["share"].values()) - 1) < 0.01
    assert facts["limit_films_per_s"]["all_steps"] <= min(facts["limit_films_per_s"].values())
    assert set(facts["ms_per_film"]) == {"loop", "loop_one_thread", "pool"} and facts["ratio_cpu"] > 0
    assert all(seconds > 0 for seconds in (*measured.baseline.seconds, *measured.candidate.seconds))


def test_a_size_that_a_bench_does_not_know_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "--films", "3"]) == 2
    assert "leave --films out" in capsys.readouterr().err


def test_retrieval_is_sized_in_vectors_and_tells_its_recall(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retrieval", "--vectors", "3000", "--json"]) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (line["vectors"], line["index"]["kind"], line["recall_at_10"]) == (3000, "exact", 1.0)
    assert line["ratio"] > 0 and line["p95_ms"] >= line["p50_ms"] > 0
    assert main(["retrieval", "--films", "3"]) == 2
    assert "leave --films out" in capsys.readouterr().err


def test_suite_keeps_what_it_does_not_run_and_says_what_it_cannot(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "bench.json"
    out.write_text('{"ask": {"ratio": 9}}')
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    caplog.set_level("INFO")
    ran = run_suite(["retrieval", "gpu_memory"], out, {"retrieval": ("--vectors", "2000"), "gpu_memory": ()})
    kept = json.loads(out.read_text())
    assert ran == ["retrieval"] and set(kept) == {"ask", "retrieval"} and kept["ask"] == {"ratio": 9}
    assert kept["retrieval"]["date"] and kept["retrieval"]["machine"]["cores"] >= 1
    assert "gpu_memory left out" in caplog.text


def test_suite_runs_every_bench_and_refuses_others(tmp_path: Path) -> None:
    assert set(SIZES) == set(benches())
    with pytest.raises(BadArguments, match="no asks"):
        run_suite(["asks"], tmp_path / "bench.json")
