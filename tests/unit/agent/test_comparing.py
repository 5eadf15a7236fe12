"""Questions on change: which films the compare tool gets, what is said of its verdicts and of its refusals."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent
from pydantic import BaseModel, Field

from agent.answer import Answer, Verdict
from agent.planner.timing import days_told, same_patient
from imaging.failures import BadArguments
from imaging.radiograph import Radiograph, View
from tools.contract import Finding, Registry, Result, Status, Tool, ToolArguments, ToolContext

DAYS = {1: "2020-01-01", 2: "2021-01-01", 3: "2022-01-01"}
SEEN = Truth(scores={"effusion": 0.81, "nodule": 0.1}, sides={"effusion": "left"})


def visit(number: int, patient: str | None = "p", dated: bool = True) -> Radiograph:
    day = dt.date.fromisoformat(DAYS[number]) if dated else None
    return replace(film(number), acquired=day, patient_key=patient, study_key=f"{patient}{number}")


OLDEST, PRIOR, CURRENT = (visit(number) for number in DAYS)


class Arguments(ToolArguments):
    image_ids: list[str] = Field(default_factory=list, description="films")
    findings: list[str] | None = Field(default=None, description="codes")
    same_patient: bool = Field(default=False, description="user's word")
    days: list[int] | None = Field(default=None, description="days")


class Data(BaseModel):
    pairs: list[dict[str, Any]]
    course: dict[str, list[str]]


class Comparing(StubTools):
    """The stub tools, and a compare that calls every finding asked for by the verdicts given, one per interval."""

    def __init__(self, *verdicts: str) -> None:
        super().__init__(SEEN)
        self.verdicts = verdicts
        self.asked: list[dict[str, Any]] = []

    def registry(self) -> Registry:
        registry = super().registry()
        registry.add(Tool("compare", "Stub compare", Arguments, Data, (), "stub", self._compare, prompt="Stub."))
        return registry

    def _compare(self, context: ToolContext, given: ToolArguments) -> Result:
        asked = given.model_dump(exclude_none=True, exclude_defaults=True)
        self.asked.append(asked)
        ids = asked["image_ids"]
        films = [context.films.get(each) for each in ids]
        if any(each.acquired is None for each in films) and "days" not in asked:
            raise BadArguments("Film 1 and film 2 have no date.", "Say when they were taken.")
        codes = asked.get("findings", ["effusion"])
        names = [context.films.name(each) for each in ids]
        pairs = [
            {
                "prior_name": before, "current_name": after, "days": 366, "prior_date": None, "current_date": None,
                "absent_on_both": [],
                "changes": [
                    {"finding": code, "name": code, "verdict": verdict, "reason": "for a reason"} for code in codes
                ],
            }
            for before, after, verdict in zip(names, names[1:], self.verdicts, strict=False)
        ]  # fmt: skip
        rows = [
            Finding(code=code, image_id=each, status=Status.PRESENT) for code in codes for each in ids
        ]  # fmt: skip
        told = f"{' and '.join(codes)} {' then '.join(self.verdicts)}."
        data = Data(pairs=pairs, course={code: list(self.verdicts) for code in codes})
        return Result(image_ids=ids, summary=told, findings=rows, data=data)


def ask(question: str, tools: Comparing, *films: Radiograph) -> Answer:
    return stub_agent(tools).session().ask(question, films=films or (OLDEST, PRIOR, CURRENT))


@pytest.mark.parametrize(
    ("question", "films"),
    [
        ("What changed since the prior?", (PRIOR, CURRENT)),
        ("Any interval change?", (PRIOR, CURRENT)),
        ("Is the effusion better?", (PRIOR, CURRENT)),
        ("Compare with the previous film", (PRIOR, CURRENT)),
        ("compare film 1 and 2", (OLDEST, PRIOR)),
        ("Is the effusion larger than on film 1?", (OLDEST, CURRENT)),
        ("What changed since film 3?", (PRIOR, CURRENT)),
        ("How did the effusion develop over time?", (OLDEST, PRIOR, CURRENT)),
        ("What is the course of the effusion?", (OLDEST, PRIOR, CURRENT)),
        ("Compare films 1, 2 and 3", (OLDEST, PRIOR, CURRENT)),
        ("What's new?", (PRIOR, CURRENT)),
        ("How many days between the films?", (OLDEST, PRIOR, CURRENT)),
    ],
)
def test_which_films_are_compared(question: str, films: tuple[Radiograph, ...]) -> None:
    tools = Comparing("worsened", "improved")
    ask(question, tools)
    assert [set(call["image_ids"]) for call in tools.asked] == [{each.id for each in films}]


@pytest.mark.parametrize(
    ("question", "verdict", "begins"),
    [
        ("Is the effusion better?", "improved", "Yes: pleural effusion is improved [E1]"),
        ("Is the effusion better?", "worsened", "No: pleural effusion is worsened"),
        ("Is the effusion larger than on the prior?", "worsened", "Yes: pleural effusion is worsened"),
        ("Has the effusion resolved?", "resolved", "Yes: pleural effusion is resolved"),
        ("Has the effusion changed?", "unchanged", "No: pleural effusion is unchanged"),
        ("Is the effusion stable?", "unchanged", "Yes: pleural effusion is unchanged"),
        ("Is the effusion bigger?", "new", "Yes: pleural effusion is new"),
        ("What changed since the prior?", "worsened", "Film 3 against film 2, 366 days earlier [E1]:"),
    ],
)
def test_direct_answer_comes_first(question: str, verdict: str, begins: str) -> None:
    answer = ask(question, Comparing(verdict))
    assert answer.text.startswith(begins), answer.text
    assert f"effusion: {verdict}, for a reason [E1]" in answer.text.lower().replace("[e1]", "[E1]")
    assert {claim.verdict for claim in answer.claims if "because" not in claim.text} <= {
        Verdict.SUPPORTED, Verdict.CONFLICTING
    }  # fmt: skip


def test_a_question_on_no_finding_compares_all_and_a_pronoun_means_the_last_one() -> None:
    tools = Comparing("worsened")
    session = stub_agent(tools).session()
    session.ask("Is there an effusion?", films=[PRIOR, CURRENT])
    session.ask("Is it worse?")
    session.ask("What changed?")
    assert [call.get("findings") for call in tools.asked] == [["effusion"], None]


def test_the_heart_compared_is_the_heart_alone() -> None:
    tools = Comparing("worsened")
    ask("Is the heart bigger than before?", tools)
    assert [call["findings"] for call in tools.asked] == [["cardiomegaly"]]


def test_a_report_with_a_comparison_is_of_the_current_film() -> None:
    for text in ("Write a report with comparison", "Draft a report compared with the prior film"):
        tools = Comparing("worsened")
        session = stub_agent(tools).session()
        session.ask("Describe film 2", films=[PRIOR, CURRENT])
        session.ask(text)
        reported = [args["image_id"] for name, args in tools.runs if name == "report"]
        assert reported == [CURRENT.id], text


def test_three_films_tell_the_course() -> None:
    answer = ask("What is the course of the effusion?", Comparing("worsened", "improved"))
    assert "Course of pleural effusion: worsened on film 2 and improved on film 3" in answer.text


def test_refusal_is_told_with_what_each_film_shows_by_itself() -> None:
    answer = ask("What changed?", Comparing("new"), visit(1, dated=False), visit(2, dated=False))
    assert answer.text.startswith("Not assessed: what changed. Film 1 and film 2 have no date. Say when")
    assert "Each film on its own:" in answer.text and "Pleural effusion: present on film 1 and film 2" in answer.text
    assert any("what changed" in line.lower() for line in answer.not_assessed)


def test_user_may_tell_time_and_person_at_once_or_afterwards() -> None:
    films = visit(1, None, dated=False), visit(2, None, dated=False)
    tools = Comparing("improved")
    session = stub_agent(tools).session()
    session.ask("Compare them", films=films)
    session.ask("They are of the same patient, 14 days apart.")
    assert tools.asked[-1] == {"image_ids": [each.id for each in films], "same_patient": True, "days": [0, 14]}
    tools = Comparing("improved")
    ask("Same patient, film 1 was taken two weeks earlier. What changed?", tools, *films)
    assert tools.asked[0]["same_patient"] and sorted(tools.asked[0]["days"]) == [0, 14]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("film 2 is 3 months later", [0, 90]),
        ("taken 1 day apart", [0, 1]),
        ("film 2 was taken ten days before film 1", [10, 0]),
        ("taken on 2026-01-05 and 2026-02-05", [0, 31]),
        ("taken on 2026-13-05 and 2026-02-05", None),
        ("what changed?", None),
    ],
)
def test_days_are_read(text: str, days: list[int] | None) -> None:
    assert days_told(text, 2) == days
    assert days_told(text, 3) is None and not same_patient(text)


@pytest.mark.parametrize(
    "question", ["What will the next film look like?", "Will it get worse?", "Predict the progression", "Forecast this"]
)
def test_no_forecast_is_made(question: str) -> None:
    tools = Comparing("worsened")
    answer = ask(question, tools)
    assert answer.text.startswith("I make no forecast") and not tools.asked and not tools.runs


def test_lateral_film_that_is_named_is_put_to_the_tool_and_not_passed_over() -> None:
    """compare refuses across views with its reason; the planner does not compare other films in their place."""
    lateral = replace(film(4, View.LATERAL), acquired=CURRENT.acquired, patient_key="p", study_key="p3")
    tools = Comparing("unchanged")
    session = stub_agent(tools).session()
    session.ask("What do you see?", films=[PRIOR, CURRENT, lateral])
    session.ask("Compare with the lateral film")
    assert [set(asked["image_ids"]) for asked in tools.asked] == [{CURRENT.id, lateral.id}]
