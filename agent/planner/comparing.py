"""What a comparison over time says: the direct answer, then each finding's verdict with what it rests on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agent.answer import Evidence
from agent.mentions import has_any, name_of, tokens
from agent.planner.facts import cite
from agent.planner.focus import film_list
from agent.planner.naming import frontals, vocabulary
from agent.planner.plan import COMPARE
from agent.planner.question import Question
from agent.planner.sentences import CAVEATS_MAX, Teller
from agent.planner.wording import say
from tools.contract import Status
from tools.contract.wording import listed, sentence_case

MEANS = {
    "better": {"improved", "resolved"},
    "worse": {"worsened", "new"},
    "resolved": {"resolved"},
    "new": {"new"},
    "same": {"unchanged"},
    "changed": {"new", "worsened", "improved", "resolved"},
}
"""Verdicts of the compare tool that answer yes, by what the question expects (vocabulary's asks_change)."""


def compose_comparison(question: Question, teller: Teller) -> list[str]:
    """What changed between the question's films; why that is not assessed where the tool could not say."""
    if len(question.films) < 2:
        there = frontals(teller.films)
        why = say("compare.patients" if len(there) > 1 and not question.films else "compare.one_film", count=len(there))
        teller.miss(why)
        return [why]
    runs = [run for run in teller.facts.of(COMPARE) if set(run.image_ids) == set(question.films)]
    good = next((run for run in runs if run.failure is None), None)
    if good is None:
        return _each_on_its_own(question, teller, next((run for run in runs if run.failure is not None), None))
    lines = [line for pair in good.data["pairs"] for line in _interval(question, pair, good)]
    lines = [*_direct(question, good), *lines, *_courses(good)]
    first = [caveat for caveat in good.caveats if caveat not in good.summary][:CAVEATS_MAX]
    return [
        *lines,
        *(say("confidence.caveat", caveat=caveat.rstrip("."), cite=cite([good.id])) for caveat in first),
    ]


def _direct(question: Question, run: Evidence) -> list[str]:
    """Yes or no, for a question on one finding over one interval that expects a kind of change."""
    expected = next(
        (key for key, words in vocabulary()["asks_change"].items() if has_any(tokens(question.text), words)), ""
    )
    [pair, *more] = run.data["pairs"]
    rows = [row for row in pair["changes"] if row["finding"] in question.findings]
    if not expected or more or len(question.findings) != 1 or not rows:
        return []
    verdicts = {row["verdict"] for row in rows}
    if verdicts == {"not comparable"}:
        return []
    yes = bool(verdicts & MEANS[expected])
    told = listed(sorted(verdicts))
    key = "compare.yes" if yes else "compare.no"
    return [say(key, name=name_of(question.findings[0]), verdict=told, cite=cite([run.id]))]


def _interval(question: Question, pair: dict[str, Any], run: Evidence) -> list[str]:
    """The films and the days between, then a line per finding; of findings with one reason, one line."""
    ids = cite([run.id])
    days = pair["days"]
    words = {
        "Film": sentence_case(pair["current_name"]),
        "current": _dated(pair["current_date"]),
        "prior": f"{pair['prior_name']}{_dated(pair['prior_date'])}",
        "days": f"{days} day{'' if days == 1 else 's'}",
    }
    lines = [say("compare.between", cite=ids, **words)]
    rows = pair["changes"]
    for key in dict.fromkeys((row["verdict"], row["reason"]) for row in sorted(rows, key=_rank)):
        alike = [row for row in rows if (row["verdict"], row["reason"]) == key]
        names = sentence_case(listed(row["name"] for row in alike))
        lines.append(f"- {say('compare.verdict', Names=names, verdict=key[0], reason=key[1], cite=ids)}")
    if pair["absent_on_both"]:
        lines.append(f"- {say('compare.neither', names=listed(map(name_of, pair['absent_on_both'])), cite=ids)}")
    if not any(row["verdict"] in MEANS["changed"] for row in rows) and not question.findings:
        lines.insert(1, say("compare.nothing", cite=ids))
    return lines


def _rank(row: dict[str, Any]) -> int:
    order = ("new", "worsened", "resolved", "improved", "not comparable", "unchanged")
    return order.index(row["verdict"])


def _dated(date: str | None) -> str:
    return f" ({date})" if date else ""


def _courses(run: Evidence) -> list[str]:
    """The course of each finding that changed, over three films and more."""
    pairs = run.data["pairs"]
    if len(pairs) < 2:
        return []
    films = [pair["current_name"] for pair in pairs]
    return [
        say("compare.course", name=name_of(code), cite=cite([run.id]),
            steps=listed(f"{verdict} on {film}" for verdict, film in zip(verdicts, films, strict=True)))
        for code, verdicts in run.data["course"].items() if set(verdicts) & MEANS["changed"]
    ]  # fmt: skip


def _each_on_its_own(question: Question, teller: Teller, failed: Evidence | None) -> list[str]:
    """Why there is no comparison, then what each film shows by itself."""
    films = film_list([film for film in teller.films if film["id"] in question.films])
    if failed is not None and failed.failure is not None:
        lead = say("compare.refused", reason=failed.failure.message, hint=failed.failure.hint, cite=cite([failed.id]))
        teller.miss(say("compare.missed", films=films, reason=failed.failure.message))
    else:
        lead = say("compare.no_tool", films=films)
        teller.miss(lead)
    codes: Iterable[str] = question.findings or dict.fromkeys(c for film in question.films for c in teller.codes(film))
    lines = [line for code in codes if (line := _standing(code, question, teller))]
    return [lead, *([say("compare.on_its_own"), *lines] if lines else [])]


def _standing(code: str, question: Question, teller: Teller) -> str:
    """Where one finding stands on each film."""
    told = {film: teller.facts.status(code, film) for film in question.films}
    if None in told.values():
        return ""
    name, films = sentence_case(name_of(code)), [teller.film_name(film).lower() for film in question.films]
    if len(set(told.values())) == 1:
        status = next(iter(told.values())) or Status.NOT_ASSESSED
        ids = cite(e for film in question.films for f in teller.facts.about(code, film) for e in f.evidence)
        return f"- {say('compare.same', Name=name, status=say(f'status.{status}'), films=listed(films), cite=ids)}"
    parts = [
        say("compare.part", status=say(f"status.{status}"), film=film, cite=teller.facts.cite(code, key))
        for (key, status), film in zip(told.items(), films, strict=True)
    ]
    return f"- {say('compare.differs', Name=name, parts=listed(parts))}"
