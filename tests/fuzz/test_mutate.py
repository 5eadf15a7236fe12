"""A short run of the fuzzer in the suite; the long one is run by hand and its figures stand in docs/films.md."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

RUNNER = Path(__file__).with_name("mutate.py")
CASES = 400


def test_damaged_films_open_or_are_refused_in_time() -> None:
    command = [sys.executable, str(RUNNER), "--count", str(CASES), "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    figures = json.loads(done.stdout)
    assert done.returncode == 0 and figures["failed"] == 0, figures["failures"]
    assert sum(figures["outcomes"].values()) == CASES and figures["slowest_cpu_s"] < figures["limit_s"]


def test_a_case_is_made_again_alike(tmp_path: Path) -> None:
    said = []
    for name in ("a", "b"):
        command = [sys.executable, str(RUNNER), "--only", "17", "--out", str(tmp_path / name)]
        said.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert said[0] == said[1] and (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
