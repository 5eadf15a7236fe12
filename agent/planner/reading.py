"""A question in words → Question: what is asked, of which findings, side and films."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from agent.mentions import codes_of, has_any, mentions, side_of, structures_of, words_outside
from agent.planner.choosing import as_choice
from agent.planner.focus import subject
from agent.planner.knowing import KNOWLEDGE, asks_knowledge
from agent.planner.marks import marked_structure, marks_in
from agent.planner.measuring import HEART, asks_a_measurement, takes_tasks
from agent.planner.naming import (
    Films,
    acquired,
    asks_for_a_report,
    comparable,
    compares_processed,
    film_numbers,
    frontals,
    in_full,
    longest_intent,
    role_named,
    vocabulary,
    with_originals,
    with_role,
    words_of,
)
from agent.planner.offers import Offers, addressed, asked_for
from agent.planner.operating import point_in, without_point
from agent.planner.options import options_in
from agent.planner.organs import about_an_organ
from agent.planner.particulars import edits
from agent.planner.parts import parts_of
from agent.planner.pasted import TextAsked, asked_of_text
from agent.planner.question import (
    ABOUT_A_FINDING,
    BESIDE_A_FINDING,
    FREE_AIR,
    FREE_AIR_SIZE,
    LESION_DIAMETER,
    LESIONS,
    MEASURE,
    NOT_DOUBLED,
    OUT_OF_SCOPE,
    Kind,
    Question,
)  # fmt: skip
from agent.planner.reporting import another_way, manner, told_with
from agent.planner.telling import tells_more
from agent.planner.timing import days_told, same_patient, told_of
from imaging.radiograph import DerivedKind
from tools.knowledge import structures
from tools.knowledge.measured import asked_of

SIZE = re.compile(r"\bthan\b[^.?]*\d\s*(?:mm|cm|millimet|centimet)", re.IGNORECASE)
"""A size that something is held against."""
READ_AS_WORDED = {Kind.TOOL, Kind.OVERVIEW}
"""Kinds whose answer goes by the words themselves."""


def read(
    text: str, films: Films, added: list[str], previous: Question | None = None, tools: Offers | None = None
) -> list[Question]:
    """The questions in one message, each read after the one before it.

    Args:
        text: the user's words.
        films: facts of the session's films, in order.
        added: ids of the films that came with this message and that it is about when it names none.
        previous: the last question of the turn before.
        tools: those that may be called; a question that uses a tool's own words is of kind TOOL.
    """
    offered = tools or {}
    with_report, rest = told_with(text)
    if with_report and _kind(words_of(rest), (), offered)[0] is Kind.REPORT:
        told = read(rest, films, added, previous, offered)
        return [_with(question, with_report) if question.kind is Kind.REPORT else question for question in told]
    if previous is not None and previous.kind is Kind.REPORT and (again := _written_again(text, previous)):
        return [again]
    if "language" in manner(text) and has_any(words_of(text), vocabulary()["translating"]):
        return [
            replace(_read_one("Draft a report", films, added, previous, offered), given=tuple(manner(text).items()))
        ]
    stem, options = options_in(text)
    if not options and previous is not None and tells_more(text, previous.tool, offered):
        return [replace(previous, text=f"{text}\n{previous.text}", given=())]
    asked = None if options else asked_of_text(text, offered, longest_intent(words_of(text)))
    if asked is not None:
        return [_of_text(asked, text, films, added, previous, offered)]
    if options:
        return [as_choice(_read_one(stem or text, films, added, previous, {}), stem, options, films)]
    questions: list[Question] = []
    for part in _parts(text):
        previous = _read_one(part, films, added, previous, offered)
        questions.append(previous)
    if len(questions) > 1:
        questions = _once([q for q in questions if q.kind is not Kind.UNCLEAR]) or questions[:1]
    questions = [_with(each, manner(text)) if each.kind is Kind.REPORT else each for each in questions]
    point = tuple(point_in(text).items())
    return [replace(question, point=point) for question in questions] or [Question(Kind.UNCLEAR, text)]


def _once(questions: list[Question]) -> list[Question]:
    """Each question once: "How sure are you, and what makes you so?" asks the same twice. A tool may read the words."""
    kept: dict[Question, Question] = {}
    for question in questions:
        kept.setdefault(question if question.kind in READ_AS_WORDED else replace(question, text=""), question)
    return list(kept.values())


def _with(question: Question, given: Mapping[str, str]) -> Question:
    """A question with more that the user gave."""
    return replace(question, given=(*question.given, *given.items()))


def _written_again(text: str, report: Question) -> Question | None:
    """ "Shorter, please", "in German": the report before, written so; None where something else is asked."""
    so = manner(text)
    asks = _kind([word for word in words_of(text) if word not in vocabulary()["translating"]], (), {})[0]
    if not so or mentions(text) or asks not in {Kind.UNCLEAR, Kind.REPORT}:
        return None
    return replace(report, given=tuple(another_way(dict(report.given), so).items()))


def _parts(text: str) -> list[str]:
    """What a message asks, one question each; a part that only moves the thresholds belongs to all of them."""
    parts = parts_of(text)
    asking = [p for p in parts if not point_in(p) or mentions(p) or _kind(words_of(p), (), {})[0] is not Kind.UNCLEAR]
    return asking or parts


def _of_text(
    asked: TextAsked, message: str, films: Films, added: list[str], previous: Question | None, tools: Offers
) -> Question:
    """A question that is put to a tool that works on a text; it is about films only where that tool takes one."""
    question = Question(Kind.TOOL, message, tool=asked.tool, given=tuple(asked.texts.items()))
    takes_films = tools[asked.tool].takes_films
    return _about_films(question, words_of(message), films, added, previous) if takes_films else question


def _read_one(text: str, films: Films, added: list[str], previous: Question | None, tools: Offers) -> Question:
    role, text = _role(text, films)
    words = words_of(text)
    named = mentions(text)
    findings = codes_of(named, "finding")
    longest_name = max((len(m.places) for m in named if m.kind == "finding"), default=0)
    kind, tool = _kind(words_of(without_point(text)), findings, tools, in_full(words_outside(text)), longest_name)
    if tool and "without" in tools[tool].arguments:
        named = mentions(edits(text)[0])
        findings = codes_of(named, "finding")
    question = Question(
        kind=kind,
        tool=tool,
        text=text,
        findings=findings,
        structures=structures_of(named),
        side=side_of(text),
        denied=bool(findings)
        and all(m.denied for m in named if m.kind == "finding")
        and not has_any(words, ["rule out"]),
        degree=has_any(words, vocabulary()["degree"]),
        tasks=asked_of(" ".join(words)),
        same_patient=same_patient(text),
    )
    if tool and not findings and "phrase" in tools[tool].arguments:
        question = replace(question, topic=_looked_for(words))
    question = _within_a_film(_against_prior(question, words, films), films, tools)
    question = about_an_organ(_of_size(question, words, tools), words, tools)
    marked = marked_structure(question.structures, question.findings, question.side) if marks_in(text) else None
    if marked:
        question = replace(question, kind=Kind.SEGMENT, tool="", structures=(marked,), findings=())
    question = _followed_up(question, words, previous, bool(role), tools)
    if question.kind is Kind.UNCLEAR and point_in(text):
        question = replace(question, kind=Kind.OVERVIEW)
    if question.kind is Kind.UNCLEAR:
        question = _named_unknown(question, words)
    if role and (role in list(DerivedKind) or not _of_several(question, words)):
        named_films = with_role(role, films)
        if not named_films:
            return replace(question, kind=Kind.NO_SUCH_FILM, topic=role)
        return _beside_originals(replace(question, films=named_films), films)
    about = _about_films(question, [*words, role] if role else words, films, added, previous)
    reads_none = question.kind is Kind.TOOL and not tools[question.tool].takes_films
    return replace(about, by_default=False) if reads_none else about


def _role(text: str, films: Films) -> tuple[str, str]:
    """The role of the films that a text names, and the text without it.

    "The soft tissue film" names one only where there is one and something is asked of it; it asks for one otherwise.
    """
    role, rest = role_named(text)
    if role not in list(DerivedKind):
        return role, rest
    asks = bool(mentions(rest)) or _kind(words_of(rest), (), {})[0] not in {Kind.UNCLEAR, Kind.WHERE}
    return (role, rest) if asks and with_role(role, films) else ("", text)


def _beside_originals(question: Question, films: Films) -> Question:
    """A question that names processed films is asked of the films they were computed from, too."""
    both = question.films or has_any(words_of(question.text), vocabulary()["with_original"])
    if question.kind is Kind.COMPARE and both and (pair := compares_processed(question.films, films)):
        return replace(question, kind=Kind.PRESENCE if question.findings else Kind.OVERVIEW, films=pair)
    if question.kind in NOT_DOUBLED:
        return question
    return replace(question, films=with_originals(question.films, films))


def _kind(
    words: list[str],
    findings: tuple[str, ...],
    tools: Offers,
    unnamed: list[str] | None = None,
    name_length: int = 0,
) -> tuple[Kind, str]:
    """What is asked, and the tool whose words were used if those say more than the words of every other intent.

    Words in the name of a finding ("fibrotic change") do not ask for a comparison, nor for a tool by a shorter phrase
    than that name ("lines" in "Kerley B lines"); `unnamed` are the others.
    """
    if asks_knowledge(words, len(findings), tools):
        return Kind.TOOL, KNOWLEDGE
    if asks_for_a_report(words):
        return Kind.REPORT, ""
    if told := addressed(words, tools):
        return Kind.TOOL, told
    tool, length = asked_for(words, tools)
    inside_a_name = unnamed is not None and findings and length < name_length and not asked_for(unnamed, tools)[1]
    if length > longest_intent(words) and not inside_a_name:
        return Kind.TOOL, tool
    outside = {Kind.COMPARE: words if unnamed is None else unnamed}
    kinds = ((Kind(i["kind"]), i["phrases"]) for i in vocabulary()["intent"])
    found = next((kind for kind, phrases in kinds if has_any(outside.get(kind, words), phrases)), None)
    if findings and found in {None, *BESIDE_A_FINDING}:
        return Kind.PRESENCE, ""
    return found or Kind.UNCLEAR, ""


def _against_prior(question: Question, words: list[str], films: Films) -> Question:
    """ "Is it bigger?" compares where there is a prior film."""
    compares = question.kind in {Kind.PRESENCE, Kind.HEART_SIZE} or (
        question.kind in {Kind.UNCLEAR, Kind.NORMAL} and "heart" in question.structures
    )
    if compares and has_any(words, vocabulary()["comparatives"]) and with_role("prior", films):
        question = replace(question, kind=Kind.COMPARE)
    of_the_heart = question.kind is Kind.COMPARE and question.structures == ("heart",) and not question.findings
    return replace(question, findings=("cardiomegaly",)) if of_the_heart and len(frontals(films)) > 1 else question


def _within_a_film(question: Question, films: Films, tools: Offers) -> Question:
    """Comparisons that need no prior film: with a size ("bigger than 3 cm"), of the heart or the lungs on one film."""
    if question.kind is not Kind.COMPARE:
        return question
    measures = takes_tasks(tools)
    if measures and LESIONS & set(question.findings) and SIZE.search(question.text):
        return replace(question, kind=Kind.TOOL, tool=MEASURE, tasks=(LESION_DIAMETER,))
    if question.findings or not question.structures or len(frontals(films)) > 1:
        return question
    if "heart" in question.structures:
        return replace(question, kind=Kind.HEART_SIZE)
    return replace(question, kind=Kind.TOOL, tool=MEASURE) if measures and question.tasks else question


def _of_size(question: Question, words: list[str], tools: Offers) -> Question:
    """A heart's size is measured whatever words ask for it, and so is free air; a side belongs to the lungs."""
    if question.degree and question.findings == (FREE_AIR,) and takes_tasks(tools):
        return replace(question, kind=Kind.TOOL, tool=MEASURE, tasks=(FREE_AIR_SIZE,))
    asks_size = "heart" in question.structures and (question.degree or has_any(words, vocabulary()["large"]))
    normal_heart = question.kind is Kind.NORMAL and question.structures == ("heart",)
    if (asks_size or normal_heart or has_any(words, ["heart size"])) and question.kind in {
        Kind.PRESENCE,
        Kind.NORMAL,
        Kind.UNCLEAR,
        Kind.HEART_SIZE,
        Kind.OVERVIEW,
        Kind.WHERE,
    }:
        return replace(question, kind=Kind.HEART_SIZE, findings=("cardiomegaly",), degree=False)
    if question.kind is Kind.HEART_SIZE:
        return replace(question, findings=("cardiomegaly",), degree=False)
    shows_structure = question.kind is Kind.WHERE and question.structures and not question.findings
    return replace(question, kind=Kind.SEGMENT) if shows_structure and not has_any(words, ["abnormality"]) else question


def _followed_up(
    question: Question, words: list[str], previous: Question | None, names_film: bool, tools: Offers
) -> Question:
    """Fill what an elliptic question leaves out with the last question's."""
    if previous is None:
        return question
    if previous.kind is Kind.UNKNOWN_FINDING and question.kind is Kind.TOOL and not question.findings:
        question = replace(question, topic=question.topic or previous.topic)
    if previous.kind in OUT_OF_SCOPE:
        return question
    if question.kind is Kind.TOOL and not question.findings and not tools[question.tool].takes_films:
        return replace(question, findings=previous.findings)
    told = question.same_patient or days_told(question.text, 2) is not None
    if previous.kind is Kind.COMPARE and question.kind in {Kind.UNCLEAR, Kind.COMPARE}:
        question = replace(question, same_patient=question.same_patient or previous.same_patient)
        if question.kind is Kind.UNCLEAR and told:
            return replace(previous, text=question.text, same_patient=question.same_patient)
    if question.kind is Kind.ABOUT and has_any(words, vocabulary()["of_an_answer"]):
        question = replace(question, kind=Kind.CONFIDENCE)
    if question.kind is Kind.WHY and not question.findings and has_any(words, vocabulary()["measuring"]):
        heart = (HEART,) if previous.findings == ("cardiomegaly",) else ()
        return replace(question, tasks=question.tasks or previous.tasks or heart)
    opens = has_any(words[:3], vocabulary()["follow_up"])
    if question.kind is Kind.PRESENCE and opens and previous.kind in ABOUT_A_FINDING - {Kind.CONFIDENCE, Kind.WHY}:
        return replace(question, kind=previous.kind)
    bare = not question.findings and not question.structures
    takes_finding = question.kind is Kind.TOOL and "finding" in tools[question.tool].arguments
    if takes_finding and bare and previous.kind in {*ABOUT_A_FINDING, Kind.TOOL}:
        return replace(question, findings=previous.findings)
    general = question.kind is Kind.COMPARE and not has_any(words, vocabulary()["pronouns"])
    if question.kind in ABOUT_A_FINDING and bare and not general:
        return replace(
            question, findings=previous.findings, side=question.side or previous.side, denied=previous.denied
        )
    known = [structures().get(code) for code in question.structures]
    sided_structure = known and all(one is not None and one.side for one in known)
    elliptic = bare or bool(sided_structure and question.side and previous.kind is not Kind.HEART_SIZE)
    names_something = (
        names_film
        or question.side
        or question.degree
        or film_numbers(words)
        or has_any(words, vocabulary()["both_films"])
        or point_in(question.text)
    )
    if question.kind is Kind.UNCLEAR and elliptic and names_something:
        previous = replace(previous, kind=Kind.OVERVIEW) if previous.kind is Kind.REPORT else previous
        return replace(previous, text=question.text, side=question.side or previous.side, degree=question.degree)
    return question


def _named_unknown(question: Question, words: list[str]) -> Question:
    """An unclear question that asks whether something is there names a thing we do not know."""
    if topic := _looked_for(words):
        return replace(question, kind=Kind.UNKNOWN_FINDING, topic=topic)
    if question.structures and not question.findings and not asks_a_measurement(question):
        return replace(question, kind=Kind.NORMAL)
    return question


def _looked_for(words: list[str]) -> str:
    """What stands behind "is there", "look for" and the like; empty where nothing does."""
    stop = set(vocabulary()["stop_words"])
    line = f" {' '.join(words)} "
    behind = (line.split(f" {cue} ", 1)[1].split() for cue in vocabulary()["asks_presence"] if f" {cue} " in line)
    topics = (" ".join(word for word in rest if word not in stop) for rest in behind)
    return next((topic for topic in topics if topic), "")


def _about_films(
    question: Question, words: list[str], facts: Films, added: list[str], previous: Question | None
) -> Question:
    films = [film["id"] for film in facts]
    numbers = film_numbers(words)
    wrong = [n for n in numbers if not 1 <= n <= len(films)]
    if wrong:
        return replace(question, kind=Kind.NO_SUCH_FILM, topic=str(wrong[0]))
    by_id = [film for film in films if film in question.text.lower()]
    patients = [film["id"] for film in acquired(facts)]
    chosen = tuple(dict.fromkeys([*(films[n - 1] for n in numbers), *by_id]))
    by_default = False
    beside = _beside_originals(replace(question, films=chosen), facts)
    if beside.films and beside.kind is not Kind.COMPARE:
        return replace(beside, topic=question.topic or _topic(question, words))
    if question.kind is Kind.COMPARE:
        chosen = comparable(facts, words, chosen)
        days = told_of(question.text, chosen, facts, previous.days if previous is not None else ())
        return replace(question, films=chosen, days=days)
    if question.kind is Kind.WHICH_FILM or has_any(words, vocabulary()["both_films"]):
        chosen = tuple(patients)
    elif _of_several(question, words) and (current := with_role("current", facts)):
        chosen = current[-1:]
    elif added:
        chosen, by_default = subject(question, tuple(dict.fromkeys(added)), facts), True
    elif previous is not None and (before := tuple(film for film in previous.films if film in patients)):
        chosen = subject(question, before, facts)
    else:
        chosen = tuple(patients[-1:])
    topic = question.topic or _topic(question, words)
    return replace(question, films=chosen, by_default=by_default, topic=topic)


def _of_several(question: Question, words: list[str]) -> bool:
    """Whether an earlier film that it names is one beside another: of a comparison, and of a report with one."""
    with_one = question.kind is Kind.REPORT and has_any(words, vocabulary()["report"]["compares"])
    return with_one or question.kind in {Kind.COMPARE, Kind.WHICH_FILM}


def _topic(question: Question, words: list[str]) -> str:
    if question.kind is not Kind.OTHER_BODY:
        return ""
    phrases = next(i["phrases"] for i in vocabulary()["intent"] if i["kind"] == Kind.OTHER_BODY)
    return next((phrase for phrase in phrases if has_any(words, [phrase])), "")
