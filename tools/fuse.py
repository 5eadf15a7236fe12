"""fuse: what the patient's history, symptoms, laboratory, ECG and drugs, and the film, make of a ranked differential.

Each fact moves the diagnoses that its source says it moves: by the likelihood ratio that the source gives, or by an
ordinal weight where it gives none (tools/knowledge/differential.toml). Points are ten times the logarithm of the
ratios, added up as if the facts were independent. A rank is no probability and no diagnosis. It works with any of the
facts absent, and with or without a film, and asks for what would part the leading diagnoses most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from imaging.failures import HilumFailure
from models.outputs import Task
from tools.classify import ClassifyArguments, classify
from tools.contract import BadArguments, NotApplicable, Result, Status, ToolArguments, ToolContext, tool
from tools.contract.films import ADULT_YEARS, OLDEST_TOLD_YEARS, film_caveats, frontal_film
from tools.contract.wording import listed, sentence_case, summarise
from tools.knowledge import finding as known_finding
from tools.library.passages import sources as published
from tools.weighing import Fact, Ranked, facts_in, missing, ranked, weights
from tools.weighing.facts import age_fact, film_fact, sex_fact
from tools.weighing.ranking import Weighed

TEXT_MAX_CHARACTERS = 20_000
SHOWN_DIAGNOSES = 5
ASKED_MAX = 5
BEHIND_MAX_POINTS = 15.0
"""A diagnosis that lies further behind the first is not told in the summary: a likelihood ratio of about 30."""
LEADING = 3
"""Diagnoses that what is asked for should part."""

NO_PROBABILITY = (
    "Points rank; they are no probabilities: facts are added up as if independent, and how frequent a disease is where "
    "you are is not known here."
)
ORDINAL = (
    "Weights without a likelihood ratio are our steps (weak 2, moderate 5, strong 10), read from the source cited."
)
BY_CLASSIFIER = "The ratios are of readers' findings; here a classifier's stand in for them, with its errors."
CLOSED_LIST = "Only {count} chest diseases are weighed: {names}. What is not among them is not thereby excluded."


class FuseArguments(ToolArguments):
    """What is known of the patient."""

    text: str = Field(
        default="",
        description="Age, sex, history, symptoms, signs, laboratory values, ECG and drugs in the user's own words; "
        "leave out for the film alone.",
        max_length=TEXT_MAX_CHARACTERS,
    )
    question: str = Field(
        default="",
        description="The whole message, where more of it tells of the patient.",
        max_length=TEXT_MAX_CHARACTERS,
    )
    image_id: str | None = Field(default=None, description="Id of one frontal film of this session, if there is one.")


class Effect(BaseModel):
    """What one fact does to one diagnosis; not `counted` where a fact that says much the same does more."""

    fact: str
    diagnosis: str
    points: float
    weight: str
    source: int
    counted: bool


class Diagnosis(BaseModel):
    """One line of the differential; `rank_by_film` is its rank by the film alone, None without one."""

    rank: int
    code: str
    name: str
    points: float
    start: float
    rank_by_film: int | None
    supported: bool


class GivenFact(BaseModel):
    """One fact as understood, with the words that say it."""

    key: str
    kind: str
    name: str
    told: Literal["present", "absent", "uncertain"]
    quote: str


class FuseData(BaseModel):
    """The differential, what moved it, what is missing, and the sources by number; `document` tells it in lines."""

    facts: list[GivenFact]
    diagnoses: list[Diagnosis]
    effects: list[Effect]
    missing: list[str]
    film_used: bool
    film_not_used: str = ""
    sources: list[str]
    document: str


@tool(
    name="fuse",
    title="Weigh the clinic with the film",
    arguments=FuseArguments,
    result=FuseData,
    answers="A ranked differential from age, sex, history, symptoms, signs, laboratory, ECG and drugs that the user "
    "tells, with the film where there is one: how each fact moved it, by which source, and what is missing.",
    asked_by=(
        "differential",
        "differentials",
        "the differential",
        "differential diagnosis",
        "differential diagnoses",
        "what is the differential",
        "whats the differential",
        "what is the differential diagnosis",
        "give me a differential",
        "give a differential",
        "ranked differential",
        "rank the diagnoses",
        "ddx",
        "most likely diagnosis",
        "what is the most likely diagnosis",
        "which diagnosis is most likely",
        "likely diagnoses",
        "what diagnosis fits",
        "which diagnoses fit",
        "what fits the clinical picture",
        "clinical picture",
        "what could explain this",
        "combine the film with the clinical information",
        "combine with the clinical information",
        "clinical information",
        "with these labs",
        "given these labs",
        "given the labs",
        "in light of the labs",
        "in the light of the history",
        "in light of the history",
        "given this history",
        "given the history",
        "what does the clinical history change",
        "how do the labs change the reading",
        "how does this change the reading",
        "how does the history change the reading",
        "weigh the clinical information",
        "diagnostico diferencial",
        "diagnostic differentiel",
        "differentialdiagnose",
        "differentialdiagnosen",
    ),
)
def fuse(context: ToolContext, arguments: FuseArguments) -> Result:
    """The ranked differential; see the module."""
    words = arguments.question if arguments.text in arguments.question else f"{arguments.text}\n{arguments.question}"
    told = facts_in(words)
    seen = _Film(context, arguments.image_id, told)
    facts = [*told, *seen.facts]
    if not told and not seen.used:
        raise seen.failure or BadArguments(
            "The text tells nothing of a patient that I know.",
            f"Tell age, sex, symptoms, history, values or ECG, for example fever, CRP 180, {_examples()}.",
        )
    age = next((fact for fact in facts if fact.key == "age"), None)
    if age is not None and float(age.name.split()[1]) < ADULT_YEARS:
        raise NotApplicable(
            f"The patient is {age.name.split()[1]} years old, and the weights are those of adults.",
            "Ask what the film shows instead.",
        )
    rows = ranked(facts)
    by_film = ranked(seen.facts) if seen.used else []
    data = _data(facts, rows, by_film, seen)
    names = listed(known_finding(code).name for code in weights().start)
    caveats = [NO_PROBABILITY, ORDINAL, *([BY_CLASSIFIER] if seen.used else []), *seen.caveats]
    caveats.append(CLOSED_LIST.format(count=len(weights().start), names=names))
    doubted = [fact.name for fact in facts if fact.told == "uncertain"]
    caveats += [f"What is doubted moves nothing: {listed(doubted)}."] if doubted else []
    image_ids = [arguments.image_id] if arguments.image_id and seen.used else []
    return Result(
        image_ids=image_ids, summary=summarise(_sentences(data, rows)), data=data, caveats=caveats, **seen.answered
    )


class _Film:
    """What the film adds: facts where it can be read, else why not."""

    def __init__(self, context: ToolContext, image_id: str | None, told: Sequence[Fact]) -> None:
        self.facts: list[Fact] = []
        self.caveats: list[str] = []
        self.used = False
        self.failure: HilumFailure | None = None
        self.answered: dict[str, Any] = {}
        if image_id is None:
            return
        film = context.films.get(image_id)
        try:
            film = frontal_film(context, image_id, "weighing it with the clinic")
        except HilumFailure as failure:
            self.failure = failure
            return
        known = {fact.key for fact in told}
        if "age" not in known and film.age_years is not None and film.age_years <= OLDEST_TOLD_YEARS:
            self.facts.append(age_fact(round(film.age_years), "the film's record"))
        if "sex" not in known and film.sex in ("F", "M"):
            self.facts.append(sex_fact(film.sex, "the film's record"))
        if not context.models.serves(Task.CLASSIFY):
            self.failure = NotApplicable("No classifier is present here.", "See `hilum doctor`.")
            return
        result = classify.run(context, ClassifyArguments(image_id=image_id))
        if result.failure is not None:
            self.failure = NotApplicable(result.failure.message, result.failure.hint)
            return
        self.used = True
        self.answered = {"model": result.model, "revision": result.revision, "card": result.card}
        self.caveats = film_caveats(film)
        for item in result.findings:
            if item.status in (Status.PRESENT, Status.ABSENT):
                name, there = known_finding(item.code).name, item.status is Status.PRESENT
                fact = film_fact(item.code, name, there, item.only_flagged)
                self.facts += [fact] if fact is not None else []


def _data(facts: Sequence[Fact], rows: Sequence[Ranked], by_film: Sequence[Ranked], seen: _Film) -> FuseData:
    keys = list(dict.fromkeys(item.move.source for row in rows for item in row.by))
    ranks = {row.code: rank for rank, row in enumerate(by_film, start=1)}
    diagnoses = [
        Diagnosis(
            rank=rank, code=row.code, name=known_finding(row.code).name, points=row.points, start=row.start,
            rank_by_film=ranks.get(row.code), supported=row.supported,
        )
        for rank, row in enumerate(rows, start=1)
    ]  # fmt: skip
    effects = [
        Effect(
            fact=item.fact.name, diagnosis=row.code, points=round(item.move.points, 1), weight=item.move.told(),
            source=keys.index(item.move.source) + 1, counted=item.counted,
        )
        for row in rows for item in row.by
    ]  # fmt: skip
    leading = [row.code for row in rows if row.supported][:LEADING] or [row.code for row in rows][:LEADING]
    sources = [published()[key].cited() for key in keys]
    numbered = [f"[{number}] {source}" for number, source in enumerate(sources, start=1)]
    return FuseData(
        facts=[GivenFact(key=f.key, kind=f.kind, name=f.name, told=f.told, quote=f.quote) for f in facts],
        diagnoses=diagnoses,
        effects=effects,
        missing=missing(facts, leading or list(weights().start)[:LEADING], ASKED_MAX),
        film_used=seen.used,
        film_not_used=seen.failure.message if seen.failure is not None else "",
        sources=sources,
        document="\n".join([*_told_facts(facts, rows, keys), "", "Sources:", *numbered]),
    )


def _told_facts(facts: Sequence[Fact], rows: Sequence[Ranked], keys: Sequence[str]) -> list[str]:
    """A line on each fact: what it moved and by how much."""
    lines = ["How each fact moved it:"]
    for fact in facts:
        moved = [(row, item) for row in rows for item in row.by if item.fact is fact]
        moved.sort(key=lambda pair: -abs(pair[1].move.points))
        told = "; ".join(_effect(row, item, keys.index(item.move.source) + 1) for row, item in moved)
        why = "doubted, so nothing" if fact.told == "uncertain" else "nothing in this list"
        lines.append(f"- {sentence_case(fact.name)}: {told or why}.")
    return lines


def _effect(row: Ranked, item: Weighed, source: int) -> str:
    """ "pneumonia +7 (moderately for, [2])"."""
    beside = "" if item.counted else ", not counted beside a like fact"
    return f"{known_finding(row.code).name} {item.move.points:+.0f} ({item.move.told()}, [{source}]{beside})"


def _sentences(data: FuseData, rows: Sequence[Ranked]) -> list[str]:
    given = [fact for fact in data.facts if fact.kind != "film"]
    basis = ["the film"] if data.film_used else []
    basis += [listed(fact.name for fact in given)] if given else []
    supported = [row for row in rows if row.supported]
    shown = [row for row in supported if row.points > supported[0].points - BEHIND_MAX_POINTS][:SHOWN_DIAGNOSES]
    said = [f"Ranked by {' and by '.join(basis)} (points, not probabilities):"] if shown else []
    said += [f"({n}) {_told(row)}." for n, row in enumerate(shown, start=1)]
    if not shown:
        said.append(f"Nothing in {' and '.join(basis)} speaks for one of the diseases that are weighed here.")
    if data.film_used and given and shown:
        said.append(_against_film(data, shown))
    against = [row for row in rows if row.moved < 0]
    if against:
        said.append(f"Made less likely: {listed(known_finding(row.code).name for row in against[-3:])}.")
    if data.film_not_used:
        said.append(f"The film was not used: {data.film_not_used}")
    if data.missing:
        said.append(f"Not told, and it would part these most: {listed(data.missing)}.")
    return said


def _against_film(data: FuseData, shown: Sequence[Ranked]) -> str:
    """How what was told changed the film's own order."""
    first = next((d for d in data.diagnoses if d.rank_by_film == 1), None)
    leader = known_finding(shown[0].code).name
    if first is None or first.code == shown[0].code:
        return f"By the film alone {leader} leads, too."
    return f"By the film alone {first.name} leads."


def _told(row: Ranked) -> str:
    """ "pneumonia (+17): consolidation on the film, fever, CRP 180 mg/l; against it no cough"."""
    speaking = [item for item in row.by if item.move.ratio > 1 and item.counted]
    against = [item for item in row.by if item.move.ratio < 1 and item.counted]
    told = f"{known_finding(row.code).name} ({row.points + 0.0:+.0f}): {_names(speaking)}"
    return told + (f"; against it {_names(against)}" if against else "")


def _names(items: Iterable[Weighed]) -> str:
    return listed([item.fact.name for item in items][:4])


def _examples() -> str:
    return "orthopnoea, BNP 900, smoker"
