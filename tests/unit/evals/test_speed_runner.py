"""The runner's bench, small: what it times, and what it leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals import benchmarks
from evals.speed import runner


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "WAITING", 12)
    monkeypatch.setattr(runner, "WAIT_S", 0.1)
    monkeypatch.setattr(runner, "WORKERS", (1, 4))


@pytest.mark.usefixtures("small")
def test_every_run_asks_all_questions_and_leaves_no_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[tuple[int, int, int]] = []
    real = runner.run_task

    def noting(task: str, *, workers: int, log_dir: Path, agent: object, **more: object) -> object:
        summary = real(task, workers=workers, log_dir=log_dir, agent=agent, **more)  # type: ignore[arg-type]
        runs.append((workers, summary.asked, summary.scores.overall.n))
        return summary

    monkeypatch.setattr(runner, "run_task", noting)
    before = dict(benchmarks.BENCHMARKS)
    measured = runner.measure(24)
    assert runs == [(1, 1, 1), (1, 12, 12), (4, 12, 12), (1, 24, 24), (4, 24, 24)]
    assert before == benchmarks.BENCHMARKS
    facts = measured.facts
    assert facts["efficiency"][1] == 1 and set(facts["scaling"]) == set(facts["overhead_ms"]) == {1, 4}
    assert facts["scaling"][1] < 10, "a question takes 0.1 s of waiting at least"
    assert measured.baseline.seconds[0] > 1.2 and measured.candidate.seconds[0] > 0.3, "so long the planner sleeps"
    assert facts["efficiency"][4] == pytest.approx(measured.ratio / 4, abs=0.01)


def test_options_are_balanced_and_two_questions_make_a_case() -> None:
    made = runner._questions(12).items
    assert [question.target for question in made] == list("ABCDEFABCDEF")
    assert len({question.id for question in made}) == 12 and len({question.case_id for question in made}) == 6
