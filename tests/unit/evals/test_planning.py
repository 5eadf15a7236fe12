"""The planner's labelled questions: labels name what exists, and the scores count what a planner did."""

from __future__ import annotations

import pytest

from agent.settings import Settings
from evals.planning import scoring
from evals.planning.loading import Group, Labelled, labelled
from evals.planning.patients import SCENES, film
from evals.planning.scoring import run_planning
from evals.progress import Silent
from tools.contract.tool import installed
from tools.knowledge import findings


def test_labels_name_findings_tools_and_arguments_that_exist() -> None:
    tools = {tool.name: tool for tool in installed()}
    for question in labelled():
        group = question.group
        assert {*group.present, *group.absent, *group.uncertain} <= set(findings()), group.name
        for name, args in group.args.items():
            assert name in group.tools, group.name
            if name in tools:
                assert set(args) - {"image"} <= set(tools[name].arguments.model_fields), group.name


def test_there_are_500_questions_and_a_fifth_is_held_out() -> None:
    """The count is what the set promises; the share follows from the hash, give or take two standard errors."""
    texts = [(question.group.name, question.text) for question in labelled()]
    held = sum(question.held_out for question in labelled())
    assert len(texts) >= 500 and len(set(texts)) == len(texts)
    assert 0.17 <= held / len(texts) <= 0.23


def test_scenes_show_the_films_they_name() -> None:
    assert [film(name).acquired for name in SCENES["pair"]] == sorted(film(name).acquired for name in SCENES["pair"])
    assert film("prior").id != film("current").id


def ask_one(monkeypatch: pytest.MonkeyPatch, text: str, **label: object) -> scoring.Scored:
    group = Group(name="g", theme="t", questions=(text,), **label)
    monkeypatch.setattr(scoring, "labelled", lambda: (Labelled(text=text, group=group),))
    return run_planning(Settings(), "all", None, Silent()).scored[0]


def test_a_right_answer_and_a_wrong_one_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    right = ask_one(
        monkeypatch, "Is there a pleural effusion?", tools=("classify",), may=("ground",), present=("effusion",)
    )
    assert right.answer_right and not right.missed and not right.surplus
    wrong = ask_one(monkeypatch, "Is there a pleural effusion?", tools=("segment",), absent=("effusion",))
    assert not wrong.answer_right and wrong.missed == {"segment"} and "classify" in wrong.surplus


def test_arguments_are_compared_with_the_label(monkeypatch: pytest.MonkeyPatch) -> None:
    label = {"tools": ("classify",), "may": ("ground",)}
    for findings_, expected in ((["effusion"], True), (["mass"], False)):
        found = ask_one(monkeypatch, "Any effusion?", args={"classify": {"findings": findings_}}, **label)
        assert found.args_right is expected


def test_refusal_is_right_only_without_a_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask_one(monkeypatch, "Should I drain the effusion?", tools=(), refuses=True).answer_right
    assert not ask_one(monkeypatch, "Any effusion?", tools=(), refuses=True).answer_right
