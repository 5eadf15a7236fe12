"""Options that are ranges of a measured number, and those that say that a finding is nowhere."""

from __future__ import annotations

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent

from agent.answer import Evidence, EvidenceStatus
from agent.planner.choosing.numbers import distances
from agent.planner.options import Option

TRUTH = Truth(
    scores={"effusion": 0.9, "pneumothorax": 0.05, "cardiomegaly": 0.7}, sides={"effusion": "left"}, ratio=0.56
)

CODE = "asked"
"""A measurement that the question is about."""
SIZE = "How is the heart's size to be classed by the cardiothoracic ratio?"


@pytest.mark.parametrize(
    ("texts", "value", "unit", "nearest"),
    [
        (("0.42", "0.58", "0.71"), 0.56, "", 1),
        (("40%", "58 %", "75 percent"), 0.56, "", 1),
        (("below 0.42", "between 0.42 and 0.50", "above 0.50"), 0.56, "", 2),
        (("0.46 to 0.50", "0.50 to 0.56"), 0.50, "", 1),
        (("under 5 cm", "5 to 8 cm", "over 8 cm"), 61.0, "mm", 1),
        (("20 degrees", "60°"), 55.0, "deg", 1),
        (("under a quarter of that side", "a quarter to a half of that side", "over half"), 0.4, "", 1),
        (("less than 300 ml", "0.3 to 0.8 litres", "over 800 ml"), 900.0, "ml", 2),
    ],
)
def test_the_option_that_holds_the_value_is_nearest(
    texts: tuple[str, ...], value: float, unit: str, nearest: int
) -> None:
    """Truth: by reading."""
    options = [Option(letter, text, ()) for letter, text in zip("ABC", texts, strict=False)]
    found = distances(options, [measured(value, unit)], (CODE,))
    assert min(found, key=lambda letter: found[letter]) == options[nearest].letter and found["ABC"[nearest]] < 6


@pytest.mark.parametrize("texts", [("a mass", "film 2"), ("1 to 2 cm", "2 to 4 cm")])
def test_other_options_and_units_are_left_to_other_evidence(texts: tuple[str, ...]) -> None:
    options = [Option(letter, text, ()) for letter, text in zip("AB", texts, strict=True)]
    assert distances(options, [measured(0.5, "")], (CODE,)) == {}


@pytest.mark.parametrize(
    ("right_higher_mm", "letter"), [(-9.0, "A"), (2.0, "B"), (-2.0, "B"), (12.0, "C"), (41.0, "D")]
)
def test_options_on_which_dome_is_higher_have_a_direction(right_higher_mm: float, letter: str) -> None:
    texts = ("the left dome is higher by more than 5 mm", "the domes are level within 5 mm",
             "the right dome is higher by 5 to 20 mm", "the left dome is lower by more than 20 mm")  # fmt: skip
    options = [Option(mark, text, ()) for mark, text in zip("ABCD", texts, strict=True)]
    run = measured(right_higher_mm, "mm")
    run.data["measurements"][0]["code"] = "diaphragm_levels"
    found = distances(options, [run], ("diaphragm_levels",))
    assert min(found, key=lambda each: found[each]) == letter


def test_a_number_that_the_question_is_not_about_is_no_answer() -> None:
    options = [Option(letter, text, ()) for letter, text in zip("AB", ("0.4", "0.6"), strict=True)]
    assert distances(options, [measured(0.5, "")], ("another",)) == {}


def test_a_diameter_on_the_film_is_turned_into_the_patients() -> None:
    """Expected: a mean diameter of 54 mm on the film is 46 mm in the patient by the table's 1.17."""
    quantity = {"code": "lesion_mean_mm", "name": "", "value": 54.0, "unit": "mm"}
    made = {"code": "lesion_diameter", "measured": True, "index": 60.0, "unit": "mm", "quantities": [quantity]}
    run = measured(0, "").model_copy(update={"data": {"measurements": [made]}})
    texts = ("3 to 4 cm", "4 to 5 cm", "5 to 6 cm", "over 6 cm")
    far = distances([Option(*pair, ()) for pair in zip("ABCD", texts, strict=True)], [run], ("lesion_diameter",))
    assert min(far, key=lambda letter: far[letter]) == "B" and far["B"] == 0


def measured(value: float, unit: str) -> Evidence:
    """A run of the measuring tool with one number."""
    made = {"code": CODE, "measured": True, "index": value, "unit": unit, "quantities": []}
    return Evidence(
        id="E1", tool="measure", title="Measure", image_ids=["f"], args={}, status=EvidenceStatus.OK, summary="",
        data={"measurements": [made]},
    )  # fmt: skip


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
    assert (max(answer.option_scores, key=lambda each: answer.option_scores[each], default=None)) == choice
    assert not choice or sum(answer.option_scores.values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("score", "question", "choice"),
    [
        (0.9, f"{SIZE}\nA) normal (below 0.50)\nB) enlarged (above 0.55)", "B"),
        (0.05, f"{SIZE}\nA) enlarged (above 0.55)\nB) normal (below 0.50)", "B"),
        (0.05, "What is the cardiothoracic ratio?\nA) 0.56 to 0.60\nB) 0.50 to 0.55\nC) 0.45 to 0.49", "C"),
        (0.9, "How large is the pleural effusion?\nA) under 600 ml\nB) over 600 ml", None),
    ],
)
def test_a_ratio_that_cannot_be_measured_is_told_by_the_finding_at_its_limit(
    score: float, question: str, choice: str | None
) -> None:
    """The classifier's word on cardiomegaly says on which side of 0.50 the ratio lies, and nothing on other numbers."""
    truth = Truth(scores={"cardiomegaly": score, "effusion": 0.9}, sides={}, ratio=None)
    answer = stub_agent(StubTools(truth)).session().ask(question, films=[film(1)])
    assert answer.choice == choice, answer.text
