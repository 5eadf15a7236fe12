"""Options that are ranges of a measured number, and those that say that a finding is nowhere."""

from __future__ import annotations

import math

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent

from agent.planner.ranges import range_in

TRUTH = Truth(
    scores={"effusion": 0.9, "pneumothorax": 0.05, "cardiomegaly": 0.7}, sides={"effusion": "left"}, ratio=0.56
)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("0.46 to 0.50", (0.46, 0.50)),
        ("between 0.46 and 0.50", (0.46, 0.50)),
        ("0.46–0.50", (0.46, 0.50)),
        ("below 0.42", (-math.inf, 0.42)),
        ("normal (below 0.50)", (-math.inf, 0.50)),
        ("< 0.5", (-math.inf, 0.5)),
        ("above 0.60", (0.60, math.inf)),
        ("over 800 ml", (800, math.inf)),
        (">= 3", (3, math.inf)),
        ("1 to 3 cm", (1, 3)),
        ("a mass", None),
        ("film 2", None),
        ("5 to 2", None),
    ],
)
def test_ranges(text: str, held: tuple[float, float] | None) -> None:
    assert range_in(text) == held


@pytest.mark.parametrize(
    ("question", "choice"),
    [
        ("What is the cardiothoracic ratio?\nA) below 0.50\nB) 0.50 to 0.60\nC) above 0.60", "B"),
        ("What is the cardiothoracic ratio?\nA) above 0.55\nB) 0.50 to 0.55\nC) below 0.50", "A"),
        (
            "How is the heart's size to be classed by the cardiothoracic ratio?\nA) normal (below 0.50)\n"
            "B) borderline (0.50 to 0.55)\nC) enlarged (above 0.55)",
            "C",
        ),
        (
            "On which side is the pneumothorax?\nA) on the left only\nB) nowhere: there is none\nC) on the right only",
            "B",
        ),
        (
            "On which side is the effusion?\nA) on the left only\nB) nowhere: there is none\nC) on the right only",
            "A",
        ),
        ("What is the diameter of the mass?\nA) 1 to 2 cm\nB) 2 to 4 cm", None),
    ],
)
def test_choices(question: str, choice: str | None) -> None:
    answer = stub_agent(StubTools(TRUTH)).session().ask(question, films=[film(1)])
    assert answer.choice == choice, answer.text
