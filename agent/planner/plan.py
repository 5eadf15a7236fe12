"""Question and what is known so far → the tool calls still needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agent.mentions import codes_of, mentions
from agent.planner.calls import Call, sideless
from agent.planner.choosing import choice_calls
from agent.planner.facts import Facts
from agent.planner.marks import marks_in
from agent.planner.measuring import MEASURE, heart_arguments, of_a_number, seen_beside
from agent.planner.offers import Offer, Offers
from agent.planner.particulars import edits, particulars
from agent.planner.placing import place_in
from agent.planner.question import OBJECTS, OUT_OF_SCOPE, Kind, Question
from tools.contract import Status
from tools.knowledge import with_signs

COMPARE = "compare"
"""The tool that compares films over time."""

LOCATED_MAX = 3
"""Findings per film that are located unasked; more would bury the answer."""

LOCATED_MAX_AT_A_PLACE = 6
"""Findings that are located where it is asked what lies at a place."""

EXPLAINED_MAX = 2
"""Findings whose reasons are shown where none was named."""

BY_WORDS = "zero_shot"
"""The tool that looks for any phrase, and for findings that no trained model assesses."""

UNTOOLED = OUT_OF_SCOPE | {Kind.NO_SUCH_FILM}
"""Kinds that are answered without a tool."""
LOOKS_AT_ALL = {Kind.OVERVIEW, Kind.NORMAL, Kind.REPORT}


def wanted(question: Question, facts: Facts, tools: Offers) -> list[Call]:
    """Everything the question needs, as far as what is known tells: first whether its films can be read at all."""
    if _beyond_ontology(question, tools):
        question = replace(question, kind=Kind.TOOL, tool=BY_WORDS)
    if of_a_number(question, tools):
        question = replace(question, kind=Kind.TOOL, tool=MEASURE, findings=())
    if question.kind in UNTOOLED or (question.kind is Kind.COMPARE and len(question.films) < 2):
        return []
    if question.kind is Kind.TOOL and not tools[question.tool].reads_films:
        return _by_words(question, tools[question.tool])
    unchecked = [film for film in question.films if not facts.of("quality", film)]
    if "quality" in tools and unchecked:
        return [Call("quality", {"image_id": film}) for film in unchecked]
    readable = replace(question, films=tuple(film for film in question.films if not facts.unusable(film)))
    if question.kind is Kind.CHOICE:
        return choice_calls(readable, facts, tools, _point(question, tools)) if readable.films else []
    return [*first_round(readable, tools), *second_round(readable, facts, tools)] if readable.films else []


def first_round(question: Question, tools: Offers) -> list[Call]:
    """What a question needs before anything is known of its films but that they can be read."""
    if question.kind is Kind.FILM_FACTS:
        return []
    if question.kind is Kind.TOOL:
        return [*_by_words(question, tools[question.tool]), *_beside(question, tools)]
    if question.kind is Kind.COMPARE and COMPARE in tools:
        return [_comparison(question)]
    return [call for film in question.films for call in _for_film(question, film, tools) if call.tool in tools]


def _comparison(question: Question) -> Call:
    told = {"same_patient": True} if question.same_patient else {}
    days = {"days": list(question.days)} if question.days else {}
    findings = {"findings": list(question.findings)} if question.findings else {}
    return Call(COMPARE, {"image_ids": list(question.films)} | findings | told | days)


def second_round(question: Question, facts: Facts, tools: Offers) -> list[Call]:
    """What is worth asking once the findings are known: where they are, or what the classifier went by; each film alone
    where none can be compared.

    No side is passed on: the tool is to say where a finding is, not to confirm where it was asked for.
    """
    if question.kind is Kind.COMPARE and any(record.failure for record in facts.of(COMPARE)):
        return [call for film in question.films for call in _for_film(question, film, tools) if call.tool in tools]
    if question.kind in {Kind.FILM_FACTS, Kind.TOOL}:
        return []
    calls = []
    for film in question.films:
        if question.kind is Kind.WHY:
            calls += [Call("explain", {"image_id": film, "finding": code}) for code in explained(question, facts, film)]
        calls += [Call("ground", {"image_id": film, "finding": c}) for c in _to_locate(question, facts, film)]
        calls += [Call(BY_WORDS, {"image_id": film, "finding": code}) for code in _unknown(question, facts, film)]
    return [call for call in calls if call.tool in tools]


def _unknown(question: Question, facts: Facts, film: str) -> list[str]:
    """The findings asked about that no trained model here assesses: they are looked for by words and signs."""
    if question.kind is not Kind.PRESENCE:
        return []
    return [code for code in question.findings if facts.status(code, film) is Status.NOT_ASSESSED]


def _beyond_ontology(question: Question, tools: Offers) -> bool:
    """Whether something is asked about that the ontology has no word for, and a tool looks for any phrase."""
    return question.kind is Kind.UNKNOWN_FINDING and bool(question.films) and BY_WORDS in tools


def explained(question: Question, facts: Facts, film: str) -> list[str]:
    """Findings to give the reasons for: those asked about that are called present or uncertain, as only they have any;
    where none is named, the surest that are present."""
    if question.findings:
        return [code for code in question.findings if facts.status(code, film) in {Status.PRESENT, Status.UNCERTAIN}]
    present = [code for code in _ranked(facts, film) if facts.status(code, film) is Status.PRESENT]
    return present[:EXPLAINED_MAX]


def _by_words(question: Question, offer: Offer) -> list[Call]:
    """Calls of a tool that was asked for by its own words: one for each film and finding where it takes one each.

    Arguments are filled by their names, see Tool.asked_by; none where a required one is not known.
    """
    known: dict[str, Any] = {
        "image_ids": list(question.films),
        "findings": list(question.findings),
        "structures": list(question.structures),
        "tasks": list(question.tasks),
        "side": question.side,
        "question": question.text,
        "prompt": question.text,
        **dict(question.given),
        **particulars(question.text),
        **(edits(question.text)[1] if "without" in offer.arguments else {}),
    }
    if question.topic and "phrase" in offer.arguments and not question.findings:
        known["phrase"] = question.topic
    lacking = _denied(question) if "without_finding" in offer.arguments else ()
    findings = [code for code in question.findings if code not in lacking]
    known |= {"without_finding": lacking[0]} if lacking else {}
    given = {name: value for name, value in known.items() if name in offer.arguments and value}
    each = [given]
    for name, values in (("image_id", question.films), ("finding", findings)):
        if name in offer.arguments and (values or name in offer.required):
            each = [{name: value, **args} for value in values for args in each]
    return [Call(offer.name, args) for args in each if offer.required <= set(args)]


def _denied(question: Question) -> tuple[str, ...]:
    """The findings that its words deny ("without pneumothorax")."""
    return codes_of([mention for mention in mentions(question.text) if mention.denied], "finding")


def _beside(question: Question, tools: Offers) -> list[Call]:
    """What is asked of the classifier beside a measurement: the findings that the question names."""
    findings = seen_beside(question)
    if not findings or "classify" not in tools:
        return []
    return [Call("classify", {"image_id": film, "findings": list(findings)}) for film in question.films]


def merged_calls(calls: list[Call]) -> list[Call]:
    """Without repeats, and one classify call per film and operating point: the broadest."""
    broadest: dict[str, list[str] | None] = {}
    for call in calls:
        if call.tool == "classify":
            key, codes = _but_findings(call), call.args.get("findings")
            known = broadest.get(key, [])
            broadest[key] = None if codes is None or known is None else list(dict.fromkeys([*known, *codes]))
    result: list[Call] = []
    for call in calls:
        if call.tool == "classify":
            codes = broadest[_but_findings(call)]
            rest = {name: value for name, value in call.args.items() if name != "findings"}
            call = Call("classify", rest | ({"findings": codes} if codes is not None else {}))
        if call not in result:
            result.append(call)
    return result


def _but_findings(call: Call) -> str:
    """A call's film and operating point, as one word."""
    return repr(sorted((name, repr(value)) for name, value in call.args.items() if name != "findings"))


def _for_film(question: Question, film: str, tools: Offers) -> list[Call]:
    codes = with_signs(question.findings)
    everything = Call("classify", {"image_id": film, **_point(question, tools)})
    look = Call("classify", everything.args | ({"findings": codes} if codes else {}))
    measure = Call(MEASURE, {"image_id": film} | heart_arguments(tools))
    if question.kind is Kind.SEGMENT:
        return [Call("segment", {"image_id": film} | _outlined(question, tools))]
    if question.kind is Kind.HEART_SIZE:
        return [measure, Call("classify", everything.args | {"findings": ["cardiomegaly"]})]
    devices = Call(OBJECTS, {"image_id": film})
    if question.kind is Kind.REPORT:
        return [everything, measure, devices, Call("report", {"image_id": film, **_written_as(question, tools)})]
    if question.kind in LOOKS_AT_ALL:
        return [everything, measure, *([] if place_in(question) else [devices])]
    return [look, measure] if not codes or "cardiomegaly" in codes else [look]


def _point(question: Question, tools: Offers) -> dict[str, Any]:
    """Where the question wants the classifier's thresholds, as far as the classifier offered can move them."""
    taken = tools["classify"].arguments if "classify" in tools else frozenset()
    return {name: value for name, value in question.point if name in taken}


def _written_as(question: Question, tools: Offers) -> dict[str, Any]:
    """What the question gives for a report, as far as the tool offered takes it."""
    taken = tools["report"].arguments if "report" in tools else frozenset()
    return {name: value for name, value in question.given if name in taken}


def _outlined(question: Question, tools: Offers) -> dict[str, Any]:
    """Which structures to outline, or which one to correct by the marks that the question gives."""
    marks = marks_in(question.text) if "segment" in tools and "structure" in tools["segment"].arguments else {}
    if marks and len(question.structures) == 1:
        return {"structure": question.structures[0], **marks}
    return {"structures": list(question.structures)} if question.structures else {}


def _to_locate(question: Question, facts: Facts, film: str) -> list[str]:
    """Codes to ground on one film, as grounding is also a second opinion.

    Asked for by name: whatever was said of it where the place is asked, else present and uncertain ones and those that
    nobody assessed; unasked: the surest present ones.
    """
    if question.kind in {Kind.HEART_SIZE, Kind.SEGMENT, Kind.REPORT, Kind.CONFIDENCE, Kind.COMPARE, Kind.WHICH_FILM}:
        return []
    present, uncertain = (
        [code for code in _candidates(question, facts, film) if facts.status(code, film) is status]
        for status in (Status.PRESENT, Status.UNCERTAIN)
    )
    if place_in(question) is not None:
        return [*present, *uncertain][:LOCATED_MAX_AT_A_PLACE]
    if question.kind is Kind.NORMAL:
        return []
    if question.findings and question.kind in {Kind.WHERE, Kind.SIDE}:
        return _candidates(question, facts, film)
    named = question.findings if question.kind is Kind.PRESENCE else ()
    unknown = [code for code in named if facts.status(code, film) is Status.NOT_ASSESSED]
    if question.findings and question.side is not None:
        return [*present, *uncertain, *unknown]
    unsure = [code for code in named if code in uncertain]
    return [*[code for code in [*present, *unsure] if code not in sideless()][:LOCATED_MAX], *unknown]


def _candidates(question: Question, facts: Facts, film: str) -> list[str]:
    if question.findings:
        return [c for c in with_signs(question.findings) if c not in sideless() or question.kind is Kind.WHERE]
    return [code for code in _ranked(facts, film) if code not in sideless()]


def _ranked(facts: Facts, film: str) -> list[str]:
    """Codes of a film's findings, the one furthest above its threshold first."""
    rows = sorted(facts.rows(film), key=lambda row: -((row.score or 0.0) - (row.threshold or 0.0)))
    return list(dict.fromkeys(row.code for row in rows))
