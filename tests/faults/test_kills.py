"""kill -9 at each step of ask, batch and pull: what was told to be kept is there, and the same call comes to its end.

Watch and eval are killed in tests/unit/ui/test_watch_queue.py and tests/unit/evals/test_resume.py.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from noise import noise_films
from safetensors.torch import save
from unkind_server import Behaviour, serving

pytestmark = pytest.mark.timeout(900)  # a child per step: long by the clock where the machine does other work

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def killed(what: str, folder: Path, **variables: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What came after each kill, and of the run that was not killed."""
    folder.mkdir(exist_ok=True)
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    environment = {**os.environ, "PYTHONPATH": path, **variables}
    command = [sys.executable, str(HERE / "killed.py"), what, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *after, whole = [json.loads(line) for line in done.stdout.splitlines()]
    assert whole["killed_at"] is None
    return after, whole


def test_a_question_killed_at_any_step_is_answered_once(tmp_path: Path) -> None:
    after, whole = killed("ask", tmp_path / "asked")
    assert len(after) >= 10, "steps of a turn"
    for each in after:
        assert re.sub(r"\[E[\d, E]*\]", "", each["text"]) == re.sub(r"\[E[\d, E]*\]", "", whole["text"]), each
        assert (each["sessions"], each["answers"], each["films"]) == (1, 1, 1), each
        assert not set(each["known"]) & set(each["ran"]), f"a tool whose result was kept ran again: {each}"
    assert any(each["known"] and each["ran"] for each in after), "one was killed between two tools"


def test_a_batch_killed_at_any_step_has_every_film_once(tmp_path: Path) -> None:
    noise_films(tmp_path / "films", 5)
    after, whole = killed("batch", tmp_path / "work")
    assert len(whole["text"].splitlines()) == 6 and len(after) == 2 * 5 + 2
    for each in after:
        assert each["text"] == whole["text"], each
        assert len(each["ran"]) + each["before"] == 5, "a row that was written is not made again"
        assert "t.csv" in each["left"] and not [name for name in each["left"] if name.endswith(".part")], each


def test_a_pull_killed_at_any_step_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = save({"a": torch.from_numpy(np.random.default_rng(0).random(200_000, np.float32))})
    behaviour = Behaviour(files={})
    behaviour.repository("lab/model", "ab" * 20, {"config.json": b"{}", "model.safetensors": content})
    with serving(behaviour) as url:
        after, whole = killed("pull", tmp_path / "models", HF_ENDPOINT=url, HF_HUB_DISABLE_TELEMETRY="1")
        resumed = [wanted for _, wanted in behaviour.asked if wanted]
    assert resumed, "what had come was not asked for again"
    assert len(after) >= 6
    for each in after:
        assert each["wrong"] == [] and each["left"] == whole["left"], each
    assert not whole["whole_before"]
