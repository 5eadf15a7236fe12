"""Options about what became of something between two films, weighed by the verdicts of the comparison."""

from __future__ import annotations

from typing import Any

from agent.answer import Evidence
from agent.mentions import codes_of, has_any, name_of, tokens
from agent.planner.choosing.weights import Weighed, one
from agent.planner.facts import cite
from agent.planner.naming import vocabulary
from agent.planner.options import Option
from agent.planner.question import Question
from agent.planner.sentences import Teller
from agent.planner.wording import say
from tools.contract import Status
from tools.knowledge import with_signs

COMPARE = "compare"
"""The tool that compares films over time."""
COURSE = ("resolved", "better", "same", "worse", "new")
"""What may become of a finding, from less to more."""
ABSENT = "absent"
"""On neither film."""
OF_VERDICT = {"new": "new", "worsened": "worse", "unchanged": "same", "improved": "better", "resolved": "resolved"}
BY_STEPS = (2.0, 0.0, -1.0, -1.5, -2.0)
"""Weight of a stated course by how many steps of COURSE it lies from the verdict: neighbours are easily confused."""
OTHERWISE = -1.5
"""Weight of a course against a finding that is on neither film, and the other way round."""
STATUSES_ALONE = 0.5
"""Share of their weight for films that could not be compared, where only each film's own status is known."""
SEEN = {Status.PRESENT, Status.UNCERTAIN}


def course_in(text: str) -> str:
    """What a text says became of something: one of COURSE, ABSENT, or "" where it says nothing of it."""
    words = tokens(text)
    if has_any(words, vocabulary()["choice"]["on_neither"]):
        return ABSENT
    told = vocabulary()["asks_change"]
    order = ("same", "resolved", "new", "better", "worse")
    return next((state for state in order if has_any(words, told[state])), "")


def about_change(question: Question) -> bool:
    """Whether the options say what became of something, or the stem asks which of them did."""
    courses = {course_in(option.text) for option in question.options} - {""}
    return len(courses) > 1 or bool(course_in(question.text))


def by_change(question: Question, teller: Teller) -> dict[str, Weighed]:
    """The weight of each option by the last comparison of its films; empty where none was made."""
    runs = [
        run for run in teller.facts.of(COMPARE) if run.failure is None and set(run.image_ids) == set(question.films)
    ]
    if not runs or not about_change(question):
        return {}
    in_options = {mention.code for option in question.options for mention in option.mentions}
    asked = [code for code in question.findings if code not in in_options]
    return {option.letter: _weigh(option, question, asked, runs[-1]) for option in question.options}


def _weigh(option: Option, question: Question, asked: list[str], run: Evidence) -> Weighed:
    course = course_in(option.text) or course_in(question.text)
    codes = codes_of(option.mentions, "finding") or tuple(asked)
    weighed = [found for code in codes if course and (found := _of_finding(code, course, run)) is not None]
    return max(weighed, key=lambda each: each.weight, default=Weighed())


def _of_finding(code: str, course: str, run: Evidence) -> Weighed | None:
    """The best of the finding's rows (one per side), or of its signs' where the comparison has none of its own."""
    rows = run.data["pairs"][-1]["changes"]
    told = next((own for each in with_signs([code]) if (own := [r for r in rows if r["finding"] == each])), [])
    weighed = [
        one(_weight(course, row), say("choice.change", name=name_of(row["finding"]), verdict=row["verdict"],
                                      cite=cite([run.id])))
        for row in told
    ]  # fmt: skip
    if not told and code in run.data["pairs"][-1]["absent_on_both"]:
        words = say("choice.change", name=name_of(code), verdict=say("choice.on_neither"), cite=cite([run.id]))
        return one(_between(course, ABSENT), words)
    return max(weighed, key=lambda each: each.weight, default=None)


def _weight(course: str, row: dict[str, Any]) -> float:
    before, after = (Status(row[key]) in SEEN for key in ("prior_status", "current_status"))
    state = OF_VERDICT.get(row["verdict"])
    if state == "same" and not (before or after):
        return _between(course, ABSENT)
    if state is not None:
        return _between(course, state)
    if Status.NOT_ASSESSED in {row["prior_status"], row["current_status"]}:
        return 0.0
    alone = {(False, True): "new", (True, False): "resolved", (False, False): ABSENT}.get((before, after), "same")
    return STATUSES_ALONE * _between(course, alone)


def _between(stated: str, found: str) -> float:
    if stated == found:
        return BY_STEPS[0]
    if ABSENT in {stated, found}:
        return 0.0 if "same" in {stated, found} else OTHERWISE
    return BY_STEPS[abs(COURSE.index(stated) - COURSE.index(found))]
