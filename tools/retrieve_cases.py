"""retrieve_cases: which past films look most like this one, and why?

Answers the nearest films of other patients in the index that `hilum index cases` made on this machine: thumbnail, view,
age, sex, excerpt of the report, similarity, and the findings both share. It can be restricted by finding, zone of the
lung, view, age, sex and date. Films with the clear findings of the film come first. Similarity is of models' features
and scores: it is no probability, and no diagnosis of either.
"""

from __future__ import annotations

import base64
import datetime as dt
from typing import Literal

from pydantic import BaseModel, Field

from imaging.failures import BadArguments, NotApplicable, Unavailable
from imaging.radiograph import Radiograph
from models.outputs import Task
from tools.cases.library import CaseLibrary, Match, Wanted
from tools.cases.looks import FILM, looks_of, scored, statuses
from tools.cases.ranking import limits_of
from tools.contract import Result, Status, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats, frontal_film, unreadable
from tools.contract.pictures import Shown
from tools.contract.quality import film_quality, quality_of
from tools.contract.wording import listed, summarise
from tools.knowledge import finding as known_finding

Zone = Literal[
    "left_upper_zone",
    "left_middle_zone",
    "left_lower_zone",
    "right_upper_zone",
    "right_middle_zone",
    "right_lower_zone",
]
"""tools.cases.parts.ZONES, spelled out for the planner."""

MOST_CASES = 20

EXCERPT_CHARACTERS = 280

OLDEST_TOLD_YEARS = 89
"""Ages above are told as "90 or older": 45 CFR 164.514(b)(2)(i)(C) counts them as identifying."""

NO_PROBABILITY = (
    "Similarity compares two films by models' features and scores, and by the findings that are clear on this one; it "
    "is no probability that they share a disease."
)
BY_CLASSIFIER = "Shared findings are what the classifier calls present on both films, or a label given with the index."
NO_PATIENT = "This film names no patient: films of the same patient could not be left out."


class RetrieveCasesArguments(ToolArguments):
    """Which film to compare, and what the past films must be."""

    image_id: str = Field(description="Id of one film of this session.")
    k: int = Field(default=5, ge=1, le=MOST_CASES, description="How many cases.")
    finding: str | None = Field(default=None, description="Only cases with this finding, a code such as effusion.")
    without_finding: str | None = Field(default=None, description="Only cases on which this finding is absent, a code.")
    anatomy: Zone | None = Field(
        default=None, description="Compare this zone of the lung (the patient's side) and not the whole film."
    )
    view: Literal["PA", "AP", "LATERAL"] | None = Field(default=None, description="Only cases of this view.")
    sex: Literal["F", "M"] | None = Field(default=None, description="Only cases of this sex.")
    age_from: float | None = Field(default=None, ge=0, le=150, description="Only patients of at least this age, years.")
    age_to: float | None = Field(default=None, ge=0, le=150, description="Only patients of at most this age, years.")
    acquired_from: dt.date | None = Field(default=None, description="Only films of this day or later.")
    acquired_to: dt.date | None = Field(default=None, description="Only films of this day or earlier.")


class Case(Shown):
    """One past film."""

    number: int = Field(description="of the index")
    similarity: float
    view: str
    age: str | None
    sex: str | None
    acquired: dt.date | None
    findings: list[str] = Field(description="codes present on it")
    shared: list[str] = Field(description="codes present on both films")
    why: str


class RetrieveCasesData(BaseModel):
    """The cases, and what was searched."""

    compared: str = Field(description="the film, or a zone of the lung")
    searched: int = Field(description="films of the index that were as wanted")
    films: int = Field(description="films in the index")
    model: str
    restricted_to: dict[str, str]
    cases: list[Case]


@tool(
    name="retrieve_cases",
    title="Find similar cases",
    arguments=RetrieveCasesArguments,
    result=RetrieveCasesData,
    needs=(Task.EMBED,),
    answers="Past films of other patients that look most like a film, from the index on this machine, with thumbnails, "
    "report excerpts, similarity and why they match; any view.",
    asked_by=(
        "similar case",
        "anything like this",
        "something like this",
        "past patients",
        "earlier patients",
        "cases with",
        "films with the same",
        "comparable films",
        "comparable patients",
        "retrieve comparable",
        "similar cases",
        "similar film",
        "similar films",
        "similar image",
        "similar images",
        "similar x rays",
        "similar patients",
        "similar studies",
        "find similar",
        "find similar cases",
        "show similar cases",
        "show me similar",
        "any similar cases",
        "cases like this",
        "cases like this one",
        "case like this",
        "films like this",
        "films like this one",
        "patients like this",
        "look like this one",
        "looks like this one",
        "look alike",
        "look most like",
        "most alike",
        "nearest cases",
        "nearest films",
        "comparable cases",
        "past cases",
        "previous cases",
        "earlier cases",
        "other cases",
        "other patients",
        "reference cases",
        "seen before",
        "retrieve cases",
        "retrieve similar cases",
        "search the archive",
        "in the archive",
        "search the index",
        "only those with",
        "only those without",
        "only cases",
        "only films",
        "restrict them to",
        "restrict it to",
        "narrow it down to",
    ),
)
def retrieve_cases(context: ToolContext, arguments: RetrieveCasesArguments) -> Result:
    """The most alike past films; see the module."""
    for code in filter(None, (arguments.finding, arguments.without_finding)):
        known_finding(code)
    if _crossed(arguments.age_from, arguments.age_to) or _crossed(arguments.acquired_from, arguments.acquired_to):
        raise BadArguments("A range ends before it begins.", "Give its lower end first.")
    film = context.films.get(arguments.image_id)
    library = CaseLibrary.at(context.home)
    part = arguments.anatomy or FILM
    _check(context, film, part, library)
    [look] = looks_of([film], context.models, library.making)
    if part not in look:
        raise NotApplicable(f"The {part.replace('_', ' ')} could not be outlined.", "Compare the whole film.")
    wanted = Wanted(
        finding=arguments.finding,
        without_finding=arguments.without_finding,
        view=arguments.view,
        sex=arguments.sex,
        age_from=arguments.age_from,
        age_to=arguments.age_to,
        acquired_from=arguments.acquired_from,
        acquired_to=arguments.acquired_to,
    )
    answer = scored(film, context.models, library.making)
    found = library.search(film, look, part, wanted, arguments.k, limits_of(answer))
    judged = statuses(film, answer)
    present = {code for code, status in judged.items() if status == Status.PRESENT}
    data = RetrieveCasesData(
        compared=part.replace("_", " "),
        searched=library.allowed(film, wanted),
        films=library.films,
        model=library.making.title,
        restricted_to=_restrictions(arguments),
        cases=[_case(match, film, part, present) for match in found],
    )
    caveats = [NO_PROBABILITY, BY_CLASSIFIER, *([] if library.patient_of(film) else [NO_PATIENT]), *film_caveats(film)]
    return Result(
        image_ids=[film.id],
        summary=summarise(_sentences(data)),
        data=data,
        caveats=caveats,
        model=library.making.model,
        revision=library.making.revision,
        card=card_facts(context.models.card(library.making.model)),
    )


def _crossed(low: float | dt.date | None, high: float | dt.date | None) -> bool:
    return low is not None and high is not None and low > high  # type: ignore[operator]


def _check(context: ToolContext, film: Radiograph, part: str, library: CaseLibrary) -> None:
    """Raise where the film cannot be compared, or not by that part."""
    if part == FILM:
        quality = quality_of(film_quality(context.models, film))
        refusal = unreadable(film, quality, "comparing it with others") if quality is not None else None
        if refusal is not None:
            raise refusal
        return
    if part not in library.parts:
        raise Unavailable(
            "The index of cases holds whole films only.", "Make it with zones: hilum index cases FOLDER --zones --anew."
        )
    frontal_film(context, film.id, "comparing a zone of the lung")


def _case(match: Match, film: Radiograph, part: str, present: set[str]) -> Case:
    record = match.record
    there = [code for code, status in record.findings.items() if status == Status.PRESENT]
    shared = [code for code in there if code in present]
    reasons = [f"similar {'film' if part == FILM else part.replace('_', ' ')}"]
    reasons += [f"both with {listed(known_finding(code).name for code in shared)}"] if shared else []
    reasons += [f"both {record.view}"] if record.view == film.view and record.view != "UNKNOWN" else []
    about = [record.view if record.view != "UNKNOWN" else "view not stated", _age(record.age_years), record.sex]
    told = ", ".join(part for part in about if part)
    return Case(
        png=base64.b64encode(record.thumbnail).decode("ascii"),
        caption=f"Case {record.number}: similarity {match.similarity:.2f}, {told}",
        quoted=_excerpt(record.report),
        number=record.number,
        similarity=round(match.similarity, 4),
        view=record.view,
        age=_age(record.age_years),
        sex=record.sex,
        acquired=record.acquired,
        findings=there,
        shared=shared,
        why="; ".join(reasons),
    )


def _age(years: float | None) -> str | None:
    if years is None:
        return None
    return "90 or older" if years > OLDEST_TOLD_YEARS else f"{years:.0f} years"


def _excerpt(report: str) -> str:
    plain = " ".join(report.split())
    return plain if len(plain) <= EXCERPT_CHARACTERS else f"{plain[:EXCERPT_CHARACTERS].rsplit(' ', 1)[0]} …"


def _restrictions(arguments: RetrieveCasesArguments) -> dict[str, str]:
    given = arguments.model_dump(mode="json", exclude_none=True, exclude={"image_id", "k", "anatomy"})
    return {name: str(value) for name, value in given.items()}


def _sentences(data: RetrieveCasesData) -> list[str]:
    where = "the whole film" if data.compared == FILM else f"what sets the {data.compared} apart from the other side's"
    only = listed(f"{name.replace('_', ' ')} {value}" for name, value in data.restricted_to.items())
    searched = f"{data.searched:,} of the index's {data.films:,} films{f' ({only})' if only else ''}"
    if not data.cases:
        return [f"No past case was found: {searched} could be compared."]
    lead = f"The {len(data.cases)} past films most like this one, by {where}, of {searched}"
    return [f"{lead}:", *(f"{case.caption}: {case.why}." for case in data.cases)]
