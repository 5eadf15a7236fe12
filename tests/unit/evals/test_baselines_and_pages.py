"""Baselines, subgroups, pairs, budget, dry run, the record of a run, its page, and the comparison of two."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from published import QUESTION, ScriptedAgent, answer, row, write
from rich.console import Console

from agent.answer import Usage
from agent.settings import Settings
from evals import baselines, identity, run_task
from evals.benchmarks import BENCHMARKS, Benchmark
from evals.comparing import compare_runs, show_comparison
from evals.grading import Grade, Outcome, grade
from evals.journal import Record, Step
from evals.pages import failures, write_pages
from evals.progress import Silent
from evals.questions import Question, Questions, options_of, stem_of
from evals.records import read_run
from evals.scores import Graded, score
from evals.summary import Summary, print_summary
from evals.tasks import RunOptions, estimate
from imaging.failures import BadArguments

STEM = "Which side?"
TEXT = f"{STEM}\nA) left\nB) right\nC) both"


@pytest.fixture(autouse=True)
def same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may edit the working tree while a test runs; that must not start another run."""
    monkeypatch.setattr(identity, "code_digest", lambda: "fixed")


def question(number: int, **changes: object) -> Question:
    plain = Question(
        id=f"q{number}", case_id=f"case{number // 2}", text=TEXT, letters="ABC", target="ABC"[number % 3],
        films=(Path(f"film{number // 2}.png"),), categories=("localization",),
        groups={"sex": "FM"[number % 2], "view": "PA"},
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def graded(number: int, right: bool, letter: str = "A", **changes: object) -> Graded:
    asked = question(number, **changes)
    return Graded(asked, Record(id=asked.id), Grade(Outcome.ANSWERED, letter, right, "choice"))


def test_options_and_stem() -> None:
    assert options_of(question(0)) == {"A": "left", "B": "right", "C": "both"}
    assert stem_of(question(0)) == STEM
    assert stem_of(question(0, letters="", text="Is there fluid?")) == "Is there fluid?"


def test_chance_is_uniform_and_repeatable() -> None:
    questions = Questions(tuple(question(number) for number in range(300)), "x")
    said = [baselines._drawn(item, 3) for item in questions.items]
    assert said == [baselines._drawn(item, 3) for item in questions.items] and said != [
        baselines._drawn(item, 4) for item in questions.items
    ]
    assert all(75 <= said.count(letter) <= 125 for letter in "ABC"), "of 300, 100 each; 25 off is three deviations"


def test_majority_learns_from_other_cases_only() -> None:
    items = [question(n, target="B", case_id=f"case{n}", films=(Path(f"f{n}"),)) for n in range(4)]
    alone = question(9, text="Which lobe?\nA) upper\nB) lower", letters="AB", target="A", case_id="other")
    agent = baselines.scripted("majority", Questions((*items, alone), "x"), 0)
    assert agent is not None
    assert agent.session().ask(items[0].text, items[0].films).text == "ANSWER: B"
    # Nothing is known of that stem from other cases: the commonest letter of the set, not its own truth.
    assert agent.session().ask(alone.text, alone.films).text == "ANSWER: B"


def test_majority_sees_through_dates() -> None:
    """Comparisons name the dates of their films: the words beside them are the same in every case."""
    asked = "Taken on 2024-01-{}. What became of it?\nA) gone\nB) new"
    items = [
        question(n, text=asked.format(10 + n), letters="AB", target="A", case_id=f"case{n}", films=(Path(f"f{n}"),))
        for n in range(3)
    ]
    many = [question(n, target="B", case_id=f"x{n}", films=(Path(f"x{n}"),)) for n in range(10, 20)]
    agent = baselines.scripted("majority", Questions((*items, *many), "x"), 0)
    assert agent is not None and agent.session().ask(items[0].text, items[0].films).text == "ANSWER: A"


def test_films_are_taken_away_or_exchanged() -> None:
    questions = Questions(tuple(question(number) for number in range(10)), "x")
    assert all(not item.films for item in baselines.altered("text-only", questions, 0).items)
    exchanged = baselines.altered("shuffled-image", questions, 0)
    pairs = list(zip(questions.items, exchanged.items, strict=True))
    assert all(old.films != new.films and old.text == new.text for old, new in pairs)
    assert exchanged.items[0].films == exchanged.items[1].films, "one case keeps one film"
    assert baselines.altered("no-tools", questions, 0) is questions
    assert baselines.tools_of("no-tools", None) == () and baselines.tools_of("single-tool", None) == ("classify",)
    with pytest.raises(BadArguments, match="There is no baseline 'luck'"):
        baselines.check("luck")


def test_groups_pairs_and_rounds() -> None:
    items = [graded(number, right=number % 2 == 0) for number in range(60)]
    scores = score(items)
    assert scores.groups["sex"]["F"].value == 1.0 and scores.groups["sex"]["M"].value == 0.0
    assert scores.worst == ("sex", "M") and scores.groups["view"]["PA"].n == 60
    assert scores.chance == pytest.approx(1 / 3) and scores.pairs is None and scores.stable is None
    assert score(items[:10]).worst is None, "ten questions a group are too few to call it the worst"

    twins = [
        graded(0, True, "A", pair="p"), graded(1, True, "B", pair="p"),
        graded(2, True, "A", pair="q"), graded(3, False, "A", pair="q"),
        graded(4, False, "C", pair="alone"),
    ]  # fmt: skip
    pairs = score(twins).pairs
    assert pairs is not None and (pairs.both.n, pairs.both.value, pairs.confused) == (2, 0.5, 0.5)

    rounds = [graded(0, True), graded(0, True, id="q0~2"), graded(1, True, "B"), graded(1, False, "C", id="q1~2")]
    assert score(rounds).stable == 0.5


def test_evidence_in_the_right_region() -> None:
    def drew(number: int, *boxes: tuple[float, float, float, float], cited: bool = True) -> Graded:
        item = graded(number, True, regions=((0, 0, 10, 10),))
        step = Step(tool="ground", cited=cited, boxes=list(boxes))
        return replace(item, record=Record(id=item.question.id, steps=[step]))

    found = score([drew(0, (0, 5, 10, 15)), drew(1, (50, 50, 60, 60)), drew(2, (0, 0, 9, 9), cited=False)]).regions
    assert found is not None and (found.n, found.value) == (2, 0.5), "what is not cited, or drew nothing, says nothing"


def test_open_questions_are_graded_by_their_words() -> None:
    asked = question(0, letters="", target="Yes", text="Is there fluid?")
    assert grade(asked, Record(id="q0", text="Yes: there is [E1].")).right
    assert grade(asked, Record(id="q0", text="There is fluid.")).outcome is Outcome.UNPARSED


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path, [row(n, question=f"{QUESTION} {n}", answer="B") for n in range(8)])


def run(data: Path, agent: ScriptedAgent | None, **more: object) -> Summary:
    options = {"data": data, "log_dir": data / "logs", "workers": 1, **more}
    return run_task("chestagentbench", agent=agent, progress=Silent(), settings=Settings(), **options)  # type: ignore[arg-type]


def costing(_number: int, text: str) -> object:
    return answer(text, "ANSWER: B").model_copy(update={"usage": Usage(cost_usd=0.5, input_tokens=10)})


def test_a_budget_ends_the_asking_and_a_larger_one_goes_on(data: Path) -> None:
    agent = ScriptedAgent(costing)  # type: ignore[arg-type]
    short = run(data, agent, budget_usd=1.5)
    assert (short.asked, short.scores.counts[Outcome.ERRORED], short.overall.value) == (3, 5, 3 / 8)
    assert short.usage["cost_usd"] == 1.5 and short.usage["input_tokens"] == 30
    longer = run(data, agent, budget_usd=100.0)
    assert longer.folder != short.folder or (longer.resumed, longer.asked) == (3, 5)
    assert longer.overall.value == 1.0


def test_epochs_ask_again_and_tell_whether_answers_are_stable(data: Path) -> None:
    agent = ScriptedAgent(lambda number, text: answer(text, f"ANSWER: {'B' if number < 12 else 'C'}"))
    summary = run(data, agent, epochs=2)
    assert (summary.overall.n, summary.asked, summary.overall.value) == (16, 16, 0.75)
    assert summary.scores.stable == 0.5


def test_dry_run_asks_nothing_and_learns_from_earlier_runs(data: Path) -> None:
    options = RunOptions(data=data, log_dir=data / "logs", workers=2, baseline="chance")
    first = estimate("chestagentbench", Settings(), options, Silent())
    assert (first["n"], first["to_ask"], first["estimated_seconds"]) == (8, 8, None)
    assert not (data / "logs").exists()
    run(data, None, baseline="chance")
    again = estimate("chestagentbench", Settings(), options, Silent())
    assert (again["to_ask"], again["estimated_from"], again["estimated_seconds"]) == (0, 8, 0.0)


def test_a_run_can_be_read_back_shown_and_compared(data: Path, tmp_path: Path) -> None:
    picture = np.full((40, 60), 128, np.uint8)
    Image.fromarray(picture).save(data / "figures/100/figure_1.jpg")
    good = run(data, ScriptedAgent(lambda number, text: answer(text, "ANSWER: B")))
    poor = run(data, None, baseline="chance", seed=1)
    assert "guessing a letter" in _printed(poor)
    a, b = read_run(poor.folder), read_run(good.folder)
    assert b.scores.overall == good.overall and a.scores.overall == poor.overall
    for name in ("commit", "dirty", "hashes", "options", "ran_on", "dataset_sha256", "settings"):
        assert name in a.record, name
    assert set(a.record["hashes"]) >= {"prompts", "tools", "weights"}
    assert a.title == "chestagentbench · chance"

    written = write_pages([a, b], tmp_path / "pages")
    page = written["html"].read_text()
    assert "data:image/jpeg;base64," in page and "<svg" in page and "http" not in page.replace("http://www.w3.org", "")
    assert "ANSWER:" in page and "localization" in page
    assert "No answer has a confidence" in page and "No answer has a confidence" in written["results"].read_text()
    assert "100.0%" in written["markdown"].read_text() and r"\toprule" in written["latex"].read_text()
    shown = failures(a.graded)
    assert shown and len(shown) == sum(not item.grade.right for item in a.graded)

    compared = compare_runs(a, b)
    assert compared["overall"]["n"] == 8 and compared["overall"]["difference"] > 0
    assert "baseline" in compared["differs_in"] and compared["same_targets"]
    assert compared["overall"]["only_a"] == 0
    console = Console(record=True, width=160)
    show_comparison(compared, console)
    assert "all questions" in console.export_text()
    json.dumps(compared)


def test_confidences_are_in_line_summary_and_page(tmp_path: Path) -> None:
    """Sure answers right, others not: half of the questions, the surest, are all right."""
    items = [graded(number, right=number % 2 == 0) for number in range(8)]
    sure = [replace(i, record=i.record.model_copy(update={"confidence": 0.9 if i.grade.right else 0.3})) for i in items]
    summary = Summary("t", "p", score(sure), 8, 0, 1.0, tmp_path)
    told = json.loads(summary.to_json_line())["calibration"]
    assert told["n"] == 8 and told["error"] == pytest.approx(0.2) and told["accuracy_at_coverage"]["0.5"] == 1
    assert "right in 100.0% of the surest 50%" in _printed(summary)
    assert json.loads(replace(summary, scores=score(items)).to_json_line())["calibration"] is None


def _printed(summary: Summary) -> str:
    console = Console(record=True, width=160)
    print_summary(summary, console)
    return console.export_text()


def test_what_is_no_run_is_refused(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadArguments, match="holds no run"):
        read_run(tmp_path)
    other = Questions((question(1), question(2)), "y")
    monkeypatch.setitem(BENCHMARKS, "two", Benchmark("two", "two questions", lambda wanted: other))
    one = run(data, None, baseline="chance")
    two = run_task("two", baseline="chance", log_dir=data / "logs", progress=Silent(), settings=Settings())
    with pytest.raises(BadArguments, match="share no question"):
        compare_runs(read_run(one.folder), read_run(two.folder))
