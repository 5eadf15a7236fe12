"""Options about what became of something between two films, weighed by the verdicts of the comparison."""

from __future__ import annotations

import re
from typing import Any

from agent.answer import Evidence
from agent.mentions import codes_of, has_any, name_of, tokens
from agent.planner.choosing.beliefs import belief
from agent.planner.choosing.weights import Weighed, one
from agent.planner.facts import Facts, cite
from agent.planner.naming import vocabulary
from agent.planner.options import Option
from agent.planner.question import Question
from agent.planner.sentences import Teller
from agent.planner.wording import say
from tools.contract import Status
from tools.contract.wording import listed
from tools.knowledge import with_signs

COMPARE = "compare"
"""The tool that compares films over time."""
COURSE = ("resolved", "better", "same", "worse", "new")
"""What may become of a finding, from less to more."""
ABSENT = "absent"
"""On neither film."""
OF_VERDICT = {"new": "new", "worsened": "worse", "unchanged": "same", "improved": "better", "resolved": "resolved"}
WHO = "patient|person|man|woman|child"
"""Behind "the same": these words say who is on the films and not what became of anything."""
BY_STEPS = (2.0, 0.0, -1.0, -1.5, -2.0)
"""Weight of a stated course by how many steps of COURSE it lies from the verdict: neighbours are easily confused."""
OTHERWISE = -1.5
"""Weight of "on neither film" where the verdict is a change, and of a change where a finding is on neither film."""
THERE = {"resolved": (1, -1), "better": (1, 1), "same": (1, 1), "worse": (1, 1), "new": (-1, 1), ABSENT: (-1, -1)}
"""Whether a course has the finding on the prior and on the current film."""


def course_in(text: str) -> str:
    """What a text says became of something: one of COURSE, ABSENT, or "" where it says nothing of it."""
    words = tokens(re.sub(rf"\b(?:the\s+)?same\s+(?:{WHO})\b", " ", text, flags=re.IGNORECASE))
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
    runs = [run for run in teller.facts.of(COMPARE) if run.failure is None]
    runs = [run for run in runs if set(run.image_ids) == set(question.films)]
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
    """By the best of the finding's rows (one per side), or of its signs' where the comparison has none of its own, and
    by what either film shows of it by itself."""
    pair = run.data["pairs"][-1]
    for each in with_signs([code]):
        rows = [row for row in pair["changes"] if row["finding"] == each]
        if not rows and each not in pair["absent_on_both"]:
            continue
        verdicts = list(dict.fromkeys(row["verdict"] for row in rows)) or [say("choice.on_neither")]
        by_verdict = max((_between(course, _state(row)) for row in rows), default=_between(course, ABSENT))
        words = say("choice.change", name=name_of(each), verdict=listed(verdicts), cite=cite([run.id]))
        return one(by_verdict + _by_films(each, course, pair, run), words)
    return None


def _state(row: dict[str, Any]) -> str:
    """What the row's verdict makes of the finding; "" where it could not be compared."""
    state = OF_VERDICT.get(row["verdict"], "")
    there = {Status.PRESENT, Status.UNCERTAIN} & {Status(row["prior_status"]), Status(row["current_status"])}
    return ABSENT if state == "same" and not there else state


def _by_films(code: str, course: str, pair: dict[str, Any], run: Evidence) -> float:
    """How far the films, each by itself, show the finding where this course has it, and not where it has not."""
    facts = Facts([run])
    there = [belief(code, pair[key], facts) for key in ("prior_id", "current_id")]
    return sum(sign * (weight or 0.0) for sign, weight in zip(THERE[course], there, strict=True))


def _between(stated: str, found: str) -> float:
    """Weight of a stated course against the one found."""
    if not found:
        return 0.0
    if stated == found:
        return BY_STEPS[0]
    if ABSENT in {stated, found}:
        return 0.0 if "same" in {stated, found} else OTHERWISE
    return BY_STEPS[abs(COURSE.index(stated) - COURSE.index(found))]
