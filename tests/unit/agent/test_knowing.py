"""Which questions are about a finding in general and are looked up, and which are about the film."""

from __future__ import annotations

from typing import Any

import pytest
from test_asked_by_words import FILM, FILMS, offered

from agent.answer import Evidence, EvidenceStatus
from agent.planner.facts import Facts
from agent.planner.knowing import KNOWLEDGE
from agent.planner.plan import wanted
from agent.planner.question import Kind
from agent.planner.reading import read
from agent.planner.sentences import Teller
from models.outputs import ScoreKind
from tools.contract import Finding, Status

LOOKED_UP = [
    "What is a pneumothorax?",
    "What are the signs of a pleural effusion?",
    "What is the difference between consolidation and atelectasis?",
    "How do I recognise emphysema?",
    "What can be mistaken for a nodule?",
    "What do the guidelines say about a 7 mm nodule?",
    "Define atelectasis",
    "¿Qué es un neumotórax?",
    "Was ist eine Atelektase?",
    "Mimics of pneumonia",
]
OF_THE_FILM = [
    "Is there a pneumothorax?",
    "Any signs of pneumothorax?",
    "What are the signs of effusion on this film?",
    "Does this patient have emphysema?",
    "What is the heart size?",
    "What is seen here?",
    "effusion",
    "Is it consolidation or atelectasis here?",
]


@pytest.mark.parametrize("text", LOOKED_UP)
def test_general_questions_are_looked_up_without_a_film(text: str) -> None:
    tools = offered()
    [question] = read(text, [], [], tools=tools)
    [call] = wanted(question, Facts([]), tools)
    assert call.tool == KNOWLEDGE
    assert call.args["question"] == text


@pytest.mark.parametrize("text", OF_THE_FILM)
def test_questions_about_the_film_are_not(text: str) -> None:
    [question] = read(text, FILMS, [FILM], tools=offered())
    assert question.tool != KNOWLEDGE


def test_a_source_is_asked_for_what_was_asked_before() -> None:
    tools = offered()
    first, second = read("Is there an effusion? Give a source.", FILMS, [FILM], tools=tools)
    assert first.kind is Kind.PRESENCE
    [call] = wanted(second, Facts([]), tools)
    expected: dict[str, Any] = {"question": "Give a source.", "findings": ["effusion"]}
    assert (call.tool, call.args) == (KNOWLEDGE, expected)
    assert not second.by_default


def test_more_of_the_patient_is_weighed_with_what_was_told_before() -> None:
    tools = offered()
    [first] = read("65-year-old man, fever. Differential diagnosis?", FILMS, [FILM], tools=tools)
    [second] = read("CRP 180, no cough", FILMS, [], first, tools)
    [call] = wanted(second, Facts([]), tools)
    assert call.tool == "fuse"
    assert call.args["question"] == "CRP 180, no cough\n65-year-old man, fever. Differential diagnosis?"
    [other] = read("Is there an effusion?", FILMS, [], second, tools)
    assert other.tool != "fuse"


def mass_by(number: str, tool: str, status: Status, score: float, **data: bool) -> Evidence:
    """A run that says so of a mass; only the classifier gives probabilities."""
    kind = ScoreKind.CALIBRATED_PROBABILITY if tool == "classify" else ScoreKind.SIGMOID
    found = Finding(
        code="mass", image_id="f1", status=status, score=score, score_kind=kind, threshold=0.1, evidence=[number]
    )
    return Evidence(
        id=number, tool=tool, title=tool, image_ids=["f1"], args={}, status=EvidenceStatus.OK, summary="",
        data=data, findings=[found],
    )  # fmt: skip


@pytest.mark.parametrize(("tried", "only"), [(True, False), (False, True)])
def test_a_model_never_tried_on_real_films_makes_a_small_probability_no_surer(tried: bool, only: bool) -> None:
    """A mass flagged at 0.15; the locator that sees it, too, confirms it only where its card has real films with it."""
    seen = mass_by("E1", "classify", Status.PRESENT, 0.15)
    outlined = mass_by("E2", "ground", Status.PRESENT, 0.9, tried_on_real_films=tried)
    assert Teller(Facts([seen, outlined]), [], {}).only_flagged("mass", "f1") is only


@pytest.mark.parametrize(("tried", "said"), [(True, "Yes"), (False, "Possibly")])
def test_a_model_never_tried_on_real_films_does_not_decide_what_is_left_open(tried: bool, said: str) -> None:
    open_now = mass_by("E1", "classify", Status.UNCERTAIN, 0.04)
    outlined = mass_by("E2", "ground", Status.PRESENT, 0.6, tried_on_real_films=tried)
    told = Teller(Facts([open_now, outlined]), [], {}).presence("mass", "f1", None, plain=False)
    assert told.startswith(f"{said}: mass") and "E2" in told
