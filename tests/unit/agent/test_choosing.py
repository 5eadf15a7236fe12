"""Multiple choice: statements with sides, diseases by their signs, changes, shifts, organs, devices, and guesses."""

from __future__ import annotations

from typing import Any

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent

from agent.answer import Evidence, EvidenceStatus
from agent.planner.choosing import compose_choice
from agent.planner.choosing.changes import course_in
from agent.planner.facts import Facts
from agent.planner.reading import read
from agent.planner.sentences import Teller
from models.outputs import ScoreKind
from tools.contract import Finding, Status

TRUTH = Truth(
    scores={"effusion": 0.9, "consolidation": 0.8, "pneumothorax": 0.05, "cardiomegaly": 0.2, "mass": 0.1, "edema": 0.1,
            "nodule": 0.05, "emphysema": 0.1},
    sides={"effusion": "left", "consolidation": "right"},
    ratio=0.45,
)  # fmt: skip


@pytest.mark.parametrize(
    ("question", "choice"),
    [
        # A clinician's own words; truth: by TRUTH.
        ("How do they lie?\nA) the consolidation is on the left, the effusion on the right\n"
         "B) the consolidation is on the right, the effusion on the left\nC) there is no effusion", "B"),
        ("Most likely diagnosis?\nA) congestive heart failure\nB) pneumothorax\n"
         "C) consolidation with a pleural effusion", "C"),
        ("Most likely diagnosis?\nA) heart failure\nB) COPD\nC) pleural effusion", "C"),
        ("Which organ is mainly affected?\nA) the heart\nB) the pleura\nC) nothing: the film is normal", "B"),
        ("In which zone is the effusion?\nA) left upper zone\nB) left lower zone\nC) right lower zone", "B"),
        ("Which is present?\nA) emphysema\nB) pneumothorax\nC) none of these findings", "C"),
        ("Which is NOT present?\nA) effusion\nB) pneumothorax\nC) consolidation", "B"),
        ("Where does the tip of the tube lie?\nA) too high\nB) too low", None),
    ],
)  # fmt: skip
def test_the_option_that_the_evidence_bears_out_is_chosen(question: str, choice: str | None) -> None:
    answer = stub_agent(StubTools(TRUTH)).session().ask(question, films=[film(1)])
    assert answer.choice == choice, answer.text


@pytest.mark.parametrize(
    ("scores", "choice"),
    [
        ({"edema": 0.9, "effusion": 0.8, "cardiomegaly": 0.9}, "A"),
        ({"edema": 0.05, "effusion": 0.9, "cardiomegaly": 0.05}, "B"),
        ({"edema": 0.05, "effusion": 0.1, "cardiomegaly": 0.1}, "C"),
    ],
)
def test_a_disease_is_weighed_by_all_its_signs(scores: dict[str, float], choice: str) -> None:
    question = "Which diagnosis fits best?\nA) congestive heart failure\nB) pleural effusion\nC) no acute disease"
    ratio = 0.58 if scores["cardiomegaly"] > 0.5 else 0.42
    answer = stub_agent(StubTools(Truth(scores=scores, ratio=ratio))).session().ask(question, films=[film(1)])
    assert answer.choice == choice, answer.text


def test_what_cannot_be_parted_is_a_guess_that_says_so() -> None:
    """An effusion whose side no tool tells: "none" is out, left or right is a guess."""
    question = "On which side is the effusion?\nA) there is none\nB) on the left\nC) on the right"
    answer = stub_agent(StubTools(Truth(scores={"effusion": 0.9}))).session().ask(question, films=[film(1)])
    assert answer.choice == "B" and "does not part B and C" in answer.text


@pytest.mark.parametrize(
    ("text", "course"),
    [("new on film 2", "new"), ("larger than before", "worse"), ("has decreased", "better"), ("gone", "resolved"),
     ("no interval change", "same"), ("absent on both films", "absent"), ("on the left", ""),
     ("Film 2 is of the same patient. Which of these is new?", "new")],
)  # fmt: skip
def test_courses(text: str, course: str) -> None:
    assert course_in(text) == course


OPTIONS = "A) new\nB) larger on film 2\nC) smaller on film 2\nD) unchanged\nE) gone\nF) absent on both films"


@pytest.mark.parametrize(
    ("verdict", "before", "after", "letter"),
    [("new", "absent", "present", "A"), ("worsened", "present", "present", "B"),
     ("improved", "present", "present", "C"),
     ("unchanged", "present", "present", "D"), ("resolved", "present", "absent", "E"),
     ("unchanged", "absent", "absent", "F"), ("not comparable", "absent", "present", "A"),
     ("worsened", "absent", "present", "A"), ("improved", "present", "absent", "E")],
)  # fmt: skip
def test_a_course_is_chosen_by_the_verdict_of_the_comparison(
    verdict: str, before: str, after: str, letter: str
) -> None:
    """Where the verdict is a neighbour of what each film shows, these decide: "worsened" from nothing is new."""
    row = {"finding": "effusion", "verdict": verdict, "prior_status": before, "current_status": after}
    seen = tuple(
        Finding(code="effusion", image_id=image, status=Status(status), score=score, threshold=0.1,
                score_kind=ScoreKind.CALIBRATED_PROBABILITY)
        for image, status in (("f1", before), ("f2", after))
        for score in ({"present": 0.4, "absent": 0.02}[status],)
    )  # fmt: skip
    told = chosen(
        f"Compared with film 1, how is the effusion on film 2?\n{OPTIONS}", "compare", pairs(row), seen, films=2
    )
    assert told[-1] == f"ANSWER: {letter}", told


def test_which_of_them_is_new() -> None:
    rows = [
        {"finding": "effusion", "verdict": "unchanged", "prior_status": "present", "current_status": "present"},
        {"finding": "mass", "verdict": "new", "prior_status": "absent", "current_status": "present"},
    ]
    question = (
        "Which of these is new on film 2 against film 1?\nA) effusion\nB) pneumothorax\nC) lung mass\nD) none of these"
    )
    assert chosen(question, "compare", pairs(*rows), films=2)[-1] == "ANSWER: C"


@pytest.mark.parametrize(
    ("ratio", "offset_px", "letter"),
    [(1.6, 20.0, "A"), (1.6, -20.0, "B"), (0.1, 1.0, "C")],
)
def test_a_shift_is_told_by_the_trachea_against_the_findings_side(ratio: float, offset_px: float, letter: str) -> None:
    """The pneumothorax is on the right; a trachea to the left (positive offset) is pushed away from it."""
    item = {
        "code": "tracheal_deviation", "measured": True, "index": ratio, "unit": "", "sentences": ["The trachea."],
        "quantities": [{"code": "tracheal_offset_px", "value": offset_px, "unit": "px"}],
    }  # fmt: skip
    right = Finding(code="pneumothorax", image_id="f1", status=Status.PRESENT, laterality="right", evidence=["E1"])
    question = (
        "How does the mediastinum lie to the pneumothorax?\nA) pushed away from it\nB) drawn towards it\nC) midline"
    )
    assert chosen(question, "measure", {"measurements": [item]}, (right,))[-1] == f"ANSWER: {letter}"


@pytest.mark.parametrize(("status", "letter"), [("present", "A"), ("absent", "B")])
def test_a_device_is_chosen_by_the_tool_that_looks_for_objects(status: str, letter: str) -> None:
    found = [{"code": "pacemaker", "status": status}, {"code": "ett", "status": "absent"}]
    row = Finding(
        code="support_devices", image_id="f1", status=Status(status), score=0.9 if status == "present" else 0.01,
        threshold=0.5, score_kind=ScoreKind.SIGMOID,
    )  # fmt: skip
    question = "Which device does the film show?\nA) a pacemaker\nB) no device\nC) an endotracheal tube"
    assert chosen(question, "detect_objects", {"objects": found}, (row,))[-1] == f"ANSWER: {letter}"


def pairs(*rows: dict[str, Any]) -> dict[str, Any]:
    """Data of a comparison with these rows."""
    return {
        "pairs": [{"changes": list(rows), "absent_on_both": ["pneumothorax"], "prior_id": "f1", "current_id": "f2"}]
    }


def chosen(
    question: str, tool: str, data: dict[str, Any], findings: tuple[Finding, ...] = (), films: int = 1
) -> list[str]:
    """The lines of the answer to a question about films f1, f2 ..., whose only evidence is one run of a tool."""
    facts = [
        {"id": f"f{n}", "number": n, "view": "PA", "role": "", "derived": None, "patient": "p", "day": n}
        for n in range(1, films + 1)
    ]
    ids = [str(item["id"]) for item in facts]
    run = Evidence(
        id="E1", tool=tool, title=tool, image_ids=ids, args={}, status=EvidenceStatus.OK, summary="", data=data,
        findings=list(findings),
    )  # fmt: skip
    [asked] = read(question, facts, ids)
    return compose_choice(asked, Teller(Facts([run]), facts, {}))
