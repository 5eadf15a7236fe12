"""`hilum eval`: what stands before and after a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.settings import Settings
from evals import commands
from imaging.failures import BadArguments


def test_questions_of_the_planner_are_scored_without_a_film(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.evaluate_planning(Settings(planner="embedded"), "open", 3, as_json=False) == 0
    told = capsys.readouterr()
    assert json.loads(told.out.splitlines()[-1])["n"] == 3
    assert "answers" in told.err


def test_report_and_comparison_need_runs(tmp_path: Path) -> None:
    with pytest.raises(BadArguments, match="no run to report"):
        commands.report([], tmp_path)
    with pytest.raises(BadArguments, match="1 runs were given"):
        commands.compare([tmp_path], as_json=True)


def test_audit_needs_labels(tmp_path: Path) -> None:
    with pytest.raises(BadArguments, match="needs labels"):
        commands.audit(Settings(), None, None, None, None, tmp_path, as_json=True)
