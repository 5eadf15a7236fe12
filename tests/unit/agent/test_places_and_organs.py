"""A place or an organ named alone, how a number came about, what cannot wait: the answer is about just that."""

from __future__ import annotations

from typing import Any

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent
from pydantic import BaseModel

from agent.answer import Answer
from tools.contract import Result
from tools.knowledge import findings

FILM = film(1)
TRUTH = Truth(
    scores={"effusion": 0.81, "pneumonia": 0.7, "cardiomegaly": 0.7, "pneumothorax": 0.1},
    sides={"effusion": "left"},
    ratio=0.56,
)
STEPS = ["Outlined by the stub.", "0.56 is above 0.50: the heart is enlarged."]


class Chained(BaseModel):
    """What `measure` tells of how it measured."""

    measurements: list[dict[str, Any]]


class Chaining(StubTools):
    """The stub tools with a `measure` that tells its steps."""

    def _measure(self, image_id: str, asked: dict[str, Any], truth: Truth) -> Result:
        kinds = zip(("region", "conclusion"), STEPS, strict=True)
        steps = [{"kind": kind, "text": text} for kind, text in kinds]
        made = super()._measure(image_id, asked, truth)
        return made.model_copy(update={"data": Chained(measurements=[{"chain": steps}])})


def asked(*questions: str) -> Answer:
    """The answer to the last of several questions about the film."""
    session = stub_agent(StubTools(TRUTH)).session()
    return [session.ask(question, films=[FILM]) for question in questions][-1]


@pytest.mark.parametrize(
    ("questions", "says"),
    [
        (("Anything in the left lung?",), "In the left lung: pleural effusion on the left"),
        (("Is the left base clear?",), "In the left lower zone: pleural effusion on the left"),
        (("Is the right lung normal?",), "Nothing that is called present was localised in the right lung"),
        (("Is this film normal?", "What about the right upper lobe?"), "was localised in the right upper zone"),
        (("Is this film normal?", "What about the right upper lobe?"), "which lobe something lies in cannot be told"),
        (("Is the left upper zone clear?",), "Elsewhere: pleural effusion (left lower zone)"),
        (("Is the left upper zone clear?",), "with no place told: pneumonia"),
    ],
)
def test_place_named_alone_gets_what_was_localised_there(questions: tuple[str, ...], says: str) -> None:
    assert says in asked(*questions).text


@pytest.mark.parametrize(
    ("question", "finding"),
    [
        ("Are the hila enlarged?", "hilar_enlargement"),
        ("Are the ribs ok?", "fracture"),
        ("How is the pleura?", "effusion"),
    ],
)
def test_organ_named_alone_is_asked_of_its_findings_and_of_no_other(question: str, finding: str) -> None:
    text = asked(question).text
    assert findings()[finding].name in text.lower()
    assert "Not normal" not in text and "pneumonia" not in text


def test_how_a_number_was_measured_is_told_step_by_step() -> None:
    session = stub_agent(Chaining(TRUTH)).session()
    session.ask("Is the heart enlarged?", films=[FILM])
    for question in ("How did you measure that?", "Explain how you measured the cardiothoracic ratio"):
        text = session.ask(question).text
        assert "How it was measured, step by step" in text
        assert all(step.rstrip(".") in text for step in STEPS)


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("thanks", "You are welcome"),
        ("Would you recommend a CT?", "I do not advise"),
        ("Is this urgent?", "for the treating clinician"),
        ("What is the most important finding?", "Present: pleural effusion"),
        ("Explain it to the patient in plain words", "Present: pleural effusion"),
        ("How accurate are you?", "research software and no medical device"),
        ("Measure the distance between the clavicles", "no tool here makes that measurement"),
    ],
)
def test_what_a_reader_says_besides(question: str, says: str) -> None:
    assert says in asked("Is there an effusion?", question).text
