"""Questions about sizes, widths, angles and positions: the embedded planner measures just what is asked."""

from __future__ import annotations

from typing import Any

import pytest
from agent_stubs import OneFilm, Said, StubTools, Truth, film, stub_agent
from pydantic import Field

from agent.answer import Answer
from imaging.failures import NotApplicable
from tools.contract import Registry, Result, Tool, ToolArguments, ToolContext
from tools.measure import measure

FILM = film(1)
TRUTH = Truth(scores={"effusion": 0.8, "cardiomegaly": 0.7, "pneumothorax": 0.1}, sides={"effusion": "left"})
HEART = ["cardiothoracic_ratio"]


class Measures(OneFilm):
    tasks: list[str] | None = Field(default=None, description="codes")


class Measuring(StubTools):
    """The stub tools with a `measure` that takes tasks, asked for by the words of ours."""

    def registry(self) -> Registry:
        others = [item for item in super().registry() if item.name != "measure"]
        return Registry([*others, self._measuring()])

    def _measuring(self) -> Tool:
        def run(context: ToolContext, given: ToolArguments) -> Result:
            asked: dict[str, Any] = given.model_dump(exclude_none=True)
            self.runs.append(("measure", asked))
            tasks = asked.get("tasks") or ["everything"]
            if tasks == ["pneumothorax_size"]:
                raise NotApplicable("The pneumothorax size cannot be measured on this film. Nobody outlined it.")
            if tasks == HEART:
                return self._measure(asked["image_id"], asked, self.truth).model_copy(update={"image_ids": [FILM.id]})
            return Result(summary=f"Measured {', '.join(tasks)}. It is usual.", image_ids=[FILM.id], data=Said())

        return Tool("measure", "Measure", Measures, Said, (), "stub", run, prompt="Stub.", asked_by=measure.asked_by)


def ask(question: str) -> tuple[Answer, list[tuple[str, Any]]]:
    tools = Measuring(TRUTH)
    answer = stub_agent(tools).session().ask(question, films=[FILM])
    return answer, [
        (name, args.get("tasks", args.get("findings", args.get("structures")))) for name, args in tools.runs
    ]


def only(*tasks: str) -> list[tuple[str, Any]]:
    return [("measure", list(tasks))]


@pytest.mark.parametrize(
    ("question", "calls"),
    [
        ("Measure the carina angle", only("carina_angle")),
        ("What is the carina angle?", only("carina_angle")),
        ("Is the carina splayed?", only("carina_angle")),
        ("Is the trachea deviated?", only("tracheal_deviation")),
        ("Is the trachea midline?", only("tracheal_deviation")),
        ("Is the patient rotated?", only("rotation")),
        ("Is this film rotated?", only("rotation")),
        ("How wide is the mediastinum?", only("mediastinal_width")),
        ("Mediastinal width?", only("mediastinal_width")),
        ("Is the aortic knob enlarged?", only("aortic_knob")),
        ("How big is the aortic knob?", only("aortic_knob")),
        ("Is the ascending aorta enlarged?", only("ascending_aorta")),
        ("Is the descending aorta dilated?", only("descending_aorta")),
        ("How large are the lungs?", only("lung_areas")),
        ("Are the lungs symmetrical?", only("lung_areas")),
        ("Are the costophrenic angles sharp?", only("costophrenic_angles")),
        ("How many posterior ribs can be counted?", only("inspiration")),
        ("Are both lungs on the film?", only("inclusion")),
        ("Do the scapulae overlap the lungs?", only("projection")),
        ("How far is the tube from the carina?", only("tube_tip")),
        ("Measure the carina angle and the mediastinal width", only("mediastinal_width", "carina_angle")),
    ],
)
def test_measurement_named_in_the_question_is_the_one_made(question: str, calls: list[tuple[str, Any]]) -> None:
    answer, made = ask(question)
    [(name, tasks)] = [call for call in made if call[0] == "measure"]
    assert [(name, sorted(tasks))] == [(name, sorted(tasks)) for name, tasks in calls]
    assert answer.text.startswith("Measured ") and "[E1]" in answer.text


def test_heart_size_is_measured_alone_and_beside_the_classifier() -> None:
    answer, made = ask("How big is the heart?")
    assert ("measure", HEART) in made and ("classify", ["cardiomegaly"]) in made
    assert answer.text.startswith("Cardiothoracic ratio 0.45")


def test_first_look_measures_the_heart_only() -> None:
    assert ("measure", HEART) in ask("What do you see?")[1]


def test_finding_in_the_question_is_asked_of_the_classifier_too() -> None:
    answer, made = ask("How large is the pneumothorax?")
    assert sorted(made) == [("classify", ["pneumothorax"]), ("measure", ["pneumothorax_size"])], "at once, in any order"
    assert "cannot be measured on this film" in answer.text and "Pneumothorax is absent" in answer.text


def test_two_measurements_in_one_question_are_told_apart() -> None:
    answer, made = ask("How big is the heart and is the trachea deviated?")
    assert ("measure", HEART) in made and ("measure", ["tracheal_deviation"]) in made
    assert answer.text.index("Cardiothoracic ratio 0.45") < answer.text.index("Measured tracheal_deviation")
    assert answer.text.count("Measured tracheal_deviation") == 1 and answer.text.count("Cardiothoracic ratio") == 1


def test_outlining_and_measuring_in_one_sentence_are_both_done() -> None:
    answer, made = ask("Outline the lungs and heart and measure the heart")
    assert ("segment", ["heart", "left_lung", "right_lung"]) in made and ("measure", HEART) in made
    assert "Outlined" in answer.text and "Cardiothoracic ratio" in answer.text


def test_follow_up_measures_something_else_on_the_same_film() -> None:
    tools = Measuring(TRUTH)
    session = stub_agent(tools).session()
    session.ask("Is the trachea deviated?", films=[FILM])
    assert session.ask("And the carina angle?").text.startswith("Measured carina_angle")
