"""Real interruptions of a real process: kill -9 and Ctrl-C. No question is asked twice but those in flight."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from published import QUESTION, row, write

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).with_name("killed_run.py")
QUESTIONS = 12
ASKED_BEFORE_THE_KILL = 5


def start(tmp_path: Path, delay: float, workers: int) -> subprocess.Popen[str]:
    arguments = [tmp_path / "data", tmp_path / "logs", tmp_path / "asked", delay, workers]
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        # A suite run in the background ignores Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def asked(tmp_path: Path) -> Counter[str]:
    path = tmp_path / "asked"
    return Counter(path.read_text().splitlines()) if path.exists() else Counter()


def wait_until_asked(tmp_path: Path, process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + 200
    while asked(tmp_path).total() < ASKED_BEFORE_THE_KILL:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < limit, "the run did not come to its questions in 200 s"
        time.sleep(0.02)


@pytest.mark.parametrize(("how", "workers"), [(signal.SIGKILL, 2), (signal.SIGINT, 1)], ids=["kill -9", "Ctrl-C"])
def test_interrupted_run_goes_on_without_asking_again(tmp_path: Path, how: signal.Signals, workers: int) -> None:
    write(tmp_path / "data", [row(n, question=f"Question {n}. {QUESTION}", answer="B") for n in range(QUESTIONS)])
    process = start(tmp_path, 0.2, workers)
    wait_until_asked(tmp_path, process)
    process.send_signal(how)
    process.communicate(timeout=200)
    assert process.returncode != 0
    before = asked(tmp_path)
    assert ASKED_BEFORE_THE_KILL <= before.total() < QUESTIONS

    process = start(tmp_path, 0.0, workers)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    summary = json.loads(out.splitlines()[-1])
    assert (summary["n"], summary["answered"], summary["accuracy"]) == (QUESTIONS, QUESTIONS, 1.0)

    after = asked(tmp_path)
    assert len(after) == QUESTIONS
    in_flight = workers if how is signal.SIGKILL else 0
    assert after.total() <= QUESTIONS + in_flight
    assert summary["resumed"] >= before.total() - in_flight
    assert summary["asked"] + summary["resumed"] == QUESTIONS
