"""Requests for a report: what they give and how they want it written reaches the tool, and nothing else does."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from agent_stubs import OneFilm, Said, StubTools, Truth, film, stub_agent
from pydantic import Field

from agent.answer import Answer
from agent.planner.reporting import manner, told_with
from tools.contract import Registry, Result, Tool, ToolArguments, ToolContext


class Arguments(OneFilm):
    indication: str | None = Field(default=None, description="why")
    technique: str | None = Field(default=None, description="how")
    prior_report: str | None = Field(default=None, description="before")
    style: str = Field(default="template", description="style")
    language: str = Field(default="en", description="language")
    longest: int = Field(default=4000, description="length")


class Reporting(StubTools):
    """The stub tools, and a report that notes what it was given."""

    def __init__(self) -> None:
        super().__init__(Truth(scores={"effusion": 0.9}))
        self.asked: list[dict[str, Any]] = []

    def registry(self) -> Registry:
        kept = [tool for tool in super().registry() if tool.name != "report"]
        return Registry([*kept, Tool("report", "Stub report", Arguments, Said, (), "stub", self._run, prompt="Stub.")])

    def _run(self, context: ToolContext, given: ToolArguments) -> Result:
        asked = given.model_dump(exclude_none=True, exclude_defaults=True)
        self.asked.append({key: value for key, value in asked.items() if key != "image_id"})
        sentence = {"text": "Derrame pleural: presente.", "basis": ["classify"], "finding": "effusion"}
        said = Said(sections=[{"title": "Findings", "heading": "Hallazgos", "sentences": [sentence]}])
        return Result(summary="Drafted.", data=said, image_ids=[asked["image_id"]])


def ask(question: str) -> tuple[Answer, list[dict[str, Any]]]:
    tools = Reporting()
    return stub_agent(tools).session().ask(question, films=[film(1)]), tools.asked


@pytest.mark.parametrize(
    ("question", "given"),
    [
        ("Draft the report", {}),
        ("Write a structured report", {"style": "template"}),
        ("Draft the report in prose please", {"style": "prose"}),
        ("Write the report in Spanish", {"language": "es"}),
        ("A narrative report, in French", {"style": "prose", "language": "fr"}),
        ("Draft the report. Indication: cough and fever for 3 days", {"indication": "cough and fever for 3 days"}),
        (
            "Write up this film in German. Clinical history: chest pain. Technique: portable, supine.",
            {"indication": "chest pain.", "technique": "portable, supine.", "language": "de"},
        ),
        (
            "Draft the report. Indication: rule out pneumonia\nPrior report: Findings: Left effusion.\n"
            "Impression: Effusion.",
            {
                "indication": "rule out pneumonia",
                "prior_report": "Findings: Left effusion.\nImpression: Effusion.",
            },
        ),
        (
            'Draft the report. Previous report: "No effusion. Heart normal."',
            {"prior_report": "No effusion. Heart normal."},
        ),
        ("Draft the report. Indication: symptoms of heart failure", {"indication": "symptoms of heart failure"}),
    ],
)
def test_what_a_request_gives_reaches_the_tool(question: str, given: dict[str, Any]) -> None:
    _, asked = ask(question)
    assert asked == [{key: value for key, value in given.items() if (key, value) != ("style", "template")}]


def test_headings_are_the_drafts_own() -> None:
    answer, _ = ask("Draft the report in Spanish")
    assert "Hallazgos:\n- Derrame pleural: presente [E1]." in answer.text
    assert [claim.verdict.value for claim in answer.claims if "Derrame" in claim.text] == ["supported"]


@pytest.mark.parametrize(
    "text",
    [
        "Findings: no effusion. Indication: cough.",
        "Label this report: Indication: cough. Findings: effusion.",
        "What do you see?",
    ],
)
def test_pasted_report_is_no_request(text: str) -> None:
    assert told_with(text) == ({}, text)


def test_nothing_named_leaves_the_tools_own_manner() -> None:
    assert manner("Draft the report") == {} and manner("a bulleted structured report") == {"style": "template"}


def test_report_is_written_again_another_way_with_what_it_was_given() -> None:
    tools = Reporting()
    session = stub_agent(tools).session()
    for question in ("Draft the report. Indication: cough", "In German", "Shorter please", "As prose, in French"):
        session.ask(question, films=[film(1)])
    assert tools.asked[1:] == [
        {"indication": "cough", "language": "de"},
        {"indication": "cough", "language": "de", "longest": 600},
        {"indication": "cough", "language": "fr", "longest": 600, "style": "prose"},
    ]


def test_another_language_takes_the_template_unless_prose_is_named_with_it() -> None:
    tools = Reporting()
    session = stub_agent(tools).session()
    for question in ("Draft the report in prose", "The report in German"):
        session.ask(question, films=[film(1)])
    assert tools.asked == [{"style": "prose"}, {"language": "de"}]


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("a report under 200 words", 1400),
        ("keep the report to at most 900 characters", 900),
        ("in 20 words", 600),
        ("no more than 5000 words", 4000),
    ],
)
def test_named_length_bounds_the_draft_within_what_the_tool_takes(text: str, longest: int) -> None:
    assert manner(text) == {"longest": longest}


def test_prior_that_comes_later_is_compared_with_and_not_reported() -> None:
    """Two films of one patient, a year apart, the earlier one given after the first draft."""
    current, prior = (
        replace(film(seed), patient_key="p", study_key=f"s{seed}", acquired=dt.date(2020 + seed, 1, 1))
        for seed in (2, 1)
    )
    tools = Reporting()
    session = stub_agent(tools).session()
    session.ask("Draft the report", films=[current])
    again = session.ask("Draft the report with this prior", films=[prior])
    session.ask("Is there an effusion on the prior film?")
    shorter = session.ask("Draft the report again")
    for answer in (again, shorter):
        drafts = [record for record in answer.evidence if record.tool == "report"]
        assert [record.image_ids for record in drafts] == [[current.id]]
