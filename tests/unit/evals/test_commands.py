"""`hilum eval`: what stands before and after a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from published import row, write

from agent.settings import Settings
from evals import commands, identity
from evals.tasks import RunOptions
from evals.tool_tasks import running
from evals.tool_tasks.kind import Choice
from imaging.failures import BadArguments
from tools.audits import kept_at


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


RUNS = Path(__file__).resolve().parents[3] / "docs/runs"
"""Runs of single tools that are kept."""


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_what_is_supplied_is_told_by_name() -> None:
    assert commands.OfTools(supply=("bert=/weights", "scale=a=b")).supplied() == {"bert": "/weights", "scale": "a=b"}
    with pytest.raises(BadArguments, match="'bert' has no '='"):
        commands.OfTools(supply=("bert",)).supplied()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Others may edit the working tree while a test runs; that must not start another run."""
    monkeypatch.setattr(identity, "code_digest", lambda: "fixed")
    return Settings(planner="embedded", profile="embedded", state_dir=tmp_path / "state")


def test_runs_of_questions_and_of_tools_are_told_apart(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two baselines' runs, compared and reported beside a kept run of a tool; a dry run asks nothing."""
    data = write(tmp_path / "data", [row(number) for number in range(4)])
    folders = []
    for baseline in ("chance", "majority"):
        options = RunOptions(data=data, log_dir=tmp_path / "logs", baseline=baseline)
        assert commands.evaluate_benchmark("chestagentbench", settings, options, commands.OfTools(), False, False) == 0
        told = capsys.readouterr()
        line = json.loads(told.out.splitlines()[-1])
        assert (line["n"], line["baseline"]) == (4, baseline) and "chestagentbench" in told.err
        folders.append(Path(line["log_dir"]))
    assert commands.evaluate_benchmark("chestagentbench", settings, options, commands.OfTools(), True, True) == 0
    dry = last_line(capsys)
    assert (dry["n"], dry["to_ask"]) == (4, 0), "the second run is whole"
    assert commands.compare(folders, as_json=False) == 0
    compared = last_line(capsys)
    assert (compared["overall"]["n"], compared["differs_in"]) == (4, ["planner", "baseline"])
    assert commands.report([*folders, next(RUNS.glob("kermany-*"))], tmp_path / "out") == 0
    written = last_line(capsys)
    pages = {name: Path(path).read_text() for name, path in written.items() if name != "task"}
    assert "kermany" in pages["films"].lower() and "chance" not in pages["films"]
    assert all("kermany" not in text.lower() for name, text in pages.items() if name != "films")
    assert sum("majority" in text for text in pages.values()) >= 2


def test_a_tools_benchmark_is_told_all_that_was_said(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[Any] = []

    def run_tool_task(task: str, choice: Choice, settings: Settings, progress: object, log_dir: Path) -> dict[str, Any]:
        given.append((task, choice, log_dir))
        return {"task": task}

    monkeypatch.setattr(running, "run_tool_task", run_tool_task)
    options = RunOptions(data=tmp_path, limit=7, seed=3, log_dir=tmp_path / "logs")
    more = commands.OfTools(tmp_path / "only", "said", ("bleu",), ("bert=x",))
    assert commands.evaluate_benchmark("kermany", settings, options, more, dry_run=False, as_json=True) == 0
    assert last_line(capsys) == {"task": "kermany"}
    choice = Choice(tmp_path, tmp_path / "only", 7, 3, "said", ("bleu",), {"bert": "x"})
    assert given == [("kermany", choice, tmp_path / "logs")]


def test_an_audit_is_kept_where_the_tool_looks(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, scores = tmp_path / "labels.csv", tmp_path / "scores.csv"
    films = [(number, number % 2) for number in range(60)]
    rows = [f"{n}.png,{n},{20 + n},{'FM'[n % 3 == 0]},PA,{there}" for n, there in films]
    labels.write_text("\n".join(["file,patient,age,sex,view,Effusion", *rows]))
    scores.write_text("\n".join(["file,effusion", *(f"{n}.png,{there * 0.5 + n / 200}" for n, there in films)]))
    model = "embedded-classifier"
    assert commands.audit(settings, None, labels, model, scores, tmp_path / "logs", as_json=False) == 0
    told = capsys.readouterr()
    line = json.loads(told.out.splitlines()[-1])
    assert Path(line["report"]) == kept_at(settings.state_dir, model) and Path(line["report"]).is_file()
    assert "60 films of 60 pa" in told.err
