"""Phantom cases: drawn alike from a seed, judged by what the answer says, and run through an agent."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from agent_stubs import StubTools, Truth, stub_agent

from agent.answer import Answer, Claim, Verdict
from evals.phantom import run_phantom
from evals.phantom_cases import reported, seen
from evals.phantom_cases.case import Case, Draw, Outcome
from evals.phantom_cases.drawn import drawn
from evals.phantom_cases.judging import claims_hold, overlap, status_of, worth_of
from evals.progress import Silent
from imaging.phantom import PhantomSpec
from imaging.radiograph import View
from tools.contract import Finding, Status

MIN_CASES = 180


def answer(*rows: Finding, claims: tuple[Claim, ...] = ()) -> Answer:
    return Answer(
        question="q", text="t", claims=list(claims), findings=list(rows), evidence=[], images=[], planner="embedded"
    )


def row(code: str, status: Status, **more: Any) -> Finding:
    return Finding(code=code, image_id="f", status=status, **more)


def test_seed_gives_the_same_cases_and_another_seed_others() -> None:
    first, again, other = drawn(3), drawn(3), drawn(4)
    facts = [[(case.id, case.films, case.turns) for case in cases] for cases in (first, again, other)]
    assert facts[0] == facts[1] != facts[2]


def test_cases_are_enough_and_named_apart() -> None:
    cases = drawn(0)
    assert len(cases) >= MIN_CASES and len({case.id for case in cases}) == len(cases)


def test_limit_takes_from_every_capability_in_turn() -> None:
    names = [case.capability for case in drawn(0)]
    every = list(dict.fromkeys(names))
    assert [case.capability for case in drawn(0, len(every))] == every


def test_presence_cases_are_balanced() -> None:
    cases = list(seen.cases(Draw(0, "x")))
    with_it = [case for case in cases if case.id.rsplit("-", 1)[1] in {spec.code for spec in case.films[0].findings}]
    assert len(with_it) * 2 == len(cases)


@pytest.mark.parametrize(
    ("rows", "worth"),
    [
        ((row("mass", Status.PRESENT),), 1.0),
        ((row("mass", Status.ABSENT),), 0.0),
        ((row("mass", Status.UNCERTAIN),), 0.5),
        ((row("mass", Status.NOT_ASSESSED),), 0.0),
        ((row("mass", Status.PRESENT), row("mass", Status.ABSENT)), 0.5),
        ((row("nodule", Status.PRESENT),), 0.0),
        ((), 0.0),
    ],
)
def test_presence_is_worth(rows: tuple[Finding, ...], worth: float) -> None:
    assert worth_of(status_of(answer(*rows), "mass"), present=True) == worth


def test_overlap_of_boxes_worked_by_hand() -> None:
    assert overlap((0, 0, 2, 2), (0, 1, 2, 3)) == pytest.approx(2 / 6)
    assert overlap((0, 0, 2, 2), (2, 2, 4, 4)) == 0.0


def test_claim_that_cites_nothing_or_what_is_not_there_does_not_hold() -> None:
    bare = Claim(text="a", evidence=[], verdict=Verdict.NOT_ASSESSED)
    gone = Claim(text="b", evidence=["E9"], verdict=Verdict.NOT_ASSESSED)
    assert claims_hold(answer(claims=(bare, gone))) == 0.0 == claims_hold(answer())


def test_case_runs_through_an_agent_and_a_fault_scores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(outcome: Outcome) -> float:
        assert outcome.films[0].masks["effusion_left"].any() and len(outcome.answers) == 2
        return worth_of(status_of(outcome.last, "effusion"), present=True)

    def crash(_: Outcome) -> float:
        raise ZeroDivisionError("a judge's bug")

    film = Draw(0, "t").film("effusion:left:900ml", size=128)
    turns = ("Is there a mass?", "And an effusion?")
    cases = [Case("good", "C2", (film,), turns, judge), Case("bad", "C9", (film,), turns, crash)]
    monkeypatch.setattr("evals.phantom.drawn", lambda seed, limit: cases)
    agent = stub_agent(StubTools(Truth(scores={"effusion": 0.9, "mass": 0.1})))
    summary = run_phantom(agent, seed=0, limit=None, progress=Silent())
    line = json.loads(summary.to_json_line())
    assert line["scores"] == {"C2": 1.0, "C9": 0.0} and line["n"] == 2 and line["errored"] == 1
    assert "a judge's bug" in line["faults"]["bad"]


@pytest.mark.parametrize(
    ("ratio", "told", "worth"),
    [(0.6, True, 1.0), (0.6, False, 0.0), (0.52, True, 1.0), (0.52, False, 1.0), (0.4, True, 0.0), (0.4, False, 1.0)],
)
def test_a_reports_heart_is_judged_by_its_true_ratio(ratio: float, told: bool, worth: float) -> None:
    """On a PA film 0.5 is the limit; a little above it either is right. The film shows nothing else."""
    case = next(case for case in reported.cases(Draw(0, "reported")) if not case.films[0].findings)
    rows = [row("cardiomegaly", Status.PRESENT)] if told else []
    film: Any = SimpleNamespace(measures={"cardiothoracic_ratio": ratio}, radiograph=SimpleNamespace(view=View.PA))
    session: Any = None
    score = case.judge(Outcome([answer(*rows)], [film], session))
    assert score == pytest.approx(worth * (1 - reported.FORM_WORTH))


THEMES = ["seen", "measured", "located", "reported", "talked", "checked", "planned"]
MORE_THEMES = ["compared", "written", "processed", "generated", "retrieved"]


@pytest.mark.parametrize("theme", [*THEMES, *MORE_THEMES])
def test_judge_gives_nothing_to_an_answer_that_says_nothing(theme: str, tmp_path: Path) -> None:
    module = __import__(f"evals.phantom_cases.{theme}", fromlist=["cases"])
    seen_capability: set[str] = set()
    for case in module.cases(Draw(0, theme)):
        if "none" in case.id or case.capability in seen_capability or case.id.endswith("reported-0"):
            continue
        seen_capability.add(case.capability)
        masks: Any = dict.fromkeys(("left_lung",))
        film: Any = SimpleNamespace(
            measures={"cardiothoracic_ratio": 0.6}, masks=masks, boxes=dict.fromkeys(_boxes(case), (0, 0, 9, 9)),
            radiograph=SimpleNamespace(view=View.PA),
        )  # fmt: skip
        session: Any = None
        assert case.judge(Outcome([answer()], [film], session)) == 0.0
    assert seen_capability


def _boxes(case: Case) -> list[str]:
    specs: tuple[PhantomSpec, ...] = case.films
    return [f"{finding.code}_{finding.side}" for spec in specs for finding in spec.findings]
