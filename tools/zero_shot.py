"""zero_shot: does one frontal film show something that no classifier here was trained on?

Answers any phrase by a pair of image and text encoders (the catalog's CLIP family), through a checklist of concepts
that the user may edit and run again. Without such a model the classifier's findings stand for the concepts, as far as
they can, and the answer says so. Frontal films only. Its scores are no probabilities; it cannot say where something is.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from models.outputs import ScoreKind, Task
from tools.contract import Finding, Result, Status, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats, frontal_film
from tools.contract.wording import listed, sentence_case, summarise
from tools.knowledge import finding
from tools.zero import Item, Scored, Verdict, by_findings, by_words, listed_items, stands_for, verdict_of
from tools.zero.checklist import beyond, named, title_of

Label = Literal["zero-shot", "classifier", "signs in place of zero-shot"]

NEEDED = "biomedclip"
"""The smallest zero-shot model of the catalog."""

LEANINGS = {"supported": Status.PRESENT, "not supported": Status.ABSENT, "undecided": Status.UNCERTAIN}

LOW_SUPPORT = (
    "ZERO-SHOT: this model was not trained to find it. A score compares words with the film, depends on how they are "
    "put, and is no probability; the limit of 0.5 was measured on no film."
)
IN_PLACE = (
    "No zero-shot model is here: findings that the classifier knows stand for the concepts. They neither prove nor "
    "exclude what is looked for."
)


QUALIFIED = "Only the finding itself was looked for; {words!r} was not judged."


class ZeroShotArguments(ToolArguments):
    """What to look for, and by which concepts."""

    image_id: str = Field(description="Id of one frontal film of this session.")
    phrase: str = Field(default="", description="What to look for, in words, e.g. 'cavity in the right upper lobe'.")
    finding: str | None = Field(default=None, description="One finding code in place of a phrase, e.g. tuberculosis.")
    concepts: list[str] | None = Field(
        default=None, description="A checklist of your own in place of the finding's, each what a film would show."
    )
    also: list[str] = Field(default_factory=list, description="Concepts to add to the checklist.")
    without: list[str] = Field(default_factory=list, description="Concepts to leave out of the checklist.")
    model: str | None = Field(default=None, description="Catalog id of a zero-shot model; leave out for the first one.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.phrase.strip() and not self.finding:
            raise ValueError("phrase or finding: say what to look for")
        return self


class ConceptRow(BaseModel):
    """One concept of the checklist."""

    concept: str
    enabled: bool
    status: Status
    score: float | None
    threshold: float | None
    by: str = Field(description="how it was scored, or why it was not")
    read_as: str = Field(default="", description="the finding that was assessed in its place, if one was")
    only_flagged: bool = Field(default=False, description="present at a probability under one half")


class ZeroShotData(BaseModel):
    """The verdict, and the checklist behind it."""

    looked_for: str
    finding: str | None = Field(description="code, where the ontology knows it")
    label: Label = Field(description="how the answer was found")
    verdict: Literal["supported", "not supported", "undecided"]
    score: float | None = Field(description="mean over the concepts that count, 0 to 1; no probability")
    phrase_score: float | None = Field(default=None, description="score of the phrase itself, by a zero-shot model")
    assessed: int
    enabled: int
    rows: list[ConceptRow]


def _unavailable(what: str) -> Unavailable:
    return Unavailable(
        f"There is no zero-shot model here, and no finding of the classifier stands for {what}.",
        f"Run: hilum models pull {NEEDED}, and use --profile standard.",
    )


def _rows(scored: list[Scored]) -> list[ConceptRow]:
    return [
        ConceptRow(
            concept=one.item.words, enabled=one.item.enabled, status=one.status, score=one.score,
            threshold=one.threshold, by=one.by, read_as=one.read_as, only_flagged=one.only_flagged,
        )
        for one in scored
    ]  # fmt: skip


def _sentences(data: ZeroShotData, model_title: str) -> list[str]:
    """The summary: the verdict with its label first, then the checklist."""
    name = sentence_case(data.looked_for)
    score = "" if data.score is None else f" (score {data.score:.2f}, no probability)"
    count = f"{data.assessed} of {data.enabled} concepts could be scored"
    lead = {
        "zero-shot": f"{name}: {data.verdict}, zero-shot by {model_title}{score}.",
        "classifier": f"{name}: {data.verdict} by the classifier, which knows it; no zero-shot model is needed.",
        "signs in place of zero-shot": f"{name} itself was not assessed: its signs leave it {data.verdict}{score}; "
        f"{count}.",
    }[data.label]
    groups = [
        (title, [row for row in data.rows if row.enabled and (row.status, row.only_flagged) == (status, flagged)])
        for status, flagged, title in (
            (Status.PRESENT, False, "Seen"), (Status.PRESENT, True, "Flagged, at a probability under one half"),
            (Status.UNCERTAIN, False, "Uncertain"), (Status.ABSENT, False, "Not seen"),
        )
    ]  # fmt: skip
    told = [f"{title}: {listed([_told(row) for row in rows])}." for title, rows in groups if rows]
    left = [row.concept for row in data.rows if not row.enabled]
    unscored = [row.concept for row in data.rows if row.enabled and row.status is Status.NOT_ASSESSED]
    return [
        lead,
        *told,
        f"Nothing here scores: {listed(unscored)}." if unscored else "",
        f"Left out: {listed(left)}." if left else "",
    ]


def _told(row: ConceptRow) -> str:
    """A concept with its score; what was really assessed first where that is not the concept itself."""
    numbers = f"({row.score:.2f}, limit {row.threshold:.2f})"
    if not row.read_as or row.read_as == row.concept:
        return f"{row.concept} {numbers}"
    return f"{row.read_as} {numbers} for {row.concept!r}"


def _zero_shot(
    context: ToolContext, film: Radiograph, arguments: ZeroShotArguments, code: str | None, items: list[Item]
) -> Result:
    """By a zero-shot model."""
    what = title_of(code, arguments.phrase)
    scored, itself, prediction = by_words(context, film, items, arguments.phrase or what, arguments.model)
    verdict = verdict_of(scored, by_words=True)
    data = _data("zero-shot", what, code, verdict, scored, itself)
    seen = []
    if code is not None:
        seen = [
            Finding(
                code=code, image_id=film.id, status=LEANINGS[verdict.leaning], score=verdict.score,
                score_kind=ScoreKind.SIMILARITY, threshold=0.5, reason=f"zero-shot, {verdict.leaning}",
            )
        ]  # fmt: skip
    return Result(
        image_ids=[film.id],
        summary=summarise(_sentences(data, prediction.card.title)),
        findings=seen,
        data=data,
        caveats=[LOW_SUPPORT, *film_caveats(film)],
        model=prediction.model_id,
        revision=prediction.revision,
        card=card_facts(prediction.card),
    )


def _in_its_place(
    context: ToolContext,
    film: Radiograph,
    arguments: ZeroShotArguments,
    code: str | None,
    items: list[Item],
    codes: list[str],
) -> Result:
    """By the classifier's findings."""
    what = title_of(code, arguments.phrase)
    scored, told = by_findings(context, film, items, codes)
    verdict = verdict_of(scored, by_words=False)
    knows = len(items) == 1 and items[0].sign == code and bool(code)
    data = _data("classifier" if knows else "signs in place of zero-shot", what, code, verdict, scored, None)
    caveats = [] if knows else [IN_PLACE]
    if words := beyond(arguments.phrase):
        caveats.insert(0, QUALIFIED.format(words=words))
    findings = list(told.findings)
    if code is not None and not knows:
        reason = f"no model here was trained on it; its signs leave it {verdict.leaning}"
        findings.insert(0, Finding(code=code, image_id=film.id, status=Status.NOT_ASSESSED, reason=reason))
    return Result(
        image_ids=[film.id],
        summary=summarise(_sentences(data, told.card.title)),
        findings=findings,
        data=data,
        caveats=[*caveats, *film_caveats(film)],
        model=told.model,
        revision=told.revision,
        card=card_facts(told.card, codes),
    )


def _data(
    label: Label, what: str, code: str | None, verdict: Verdict, scored: list[Scored], itself: float | None
) -> ZeroShotData:
    return ZeroShotData(
        looked_for=what, finding=code, label=label, verdict=verdict.leaning, score=verdict.score,
        phrase_score=itself, assessed=verdict.assessed, enabled=verdict.enabled, rows=_rows(scored),
    )  # fmt: skip


@tool(
    name="zero_shot",
    title="Look for anything",
    arguments=ZeroShotArguments,
    result=ZeroShotData,
    needs=(Task.CLASSIFY, Task.SEGMENT),
    answers="Whether a frontal film (PA or AP) shows a phrase or finding that no classifier was trained on, by a "
    "checklist of concepts that can be edited; zero-shot, or by the classifier's findings in its place.",
    asked_by=(
        "zero shot",
        "zeroshot",
        "zero shot search",
        "zero shot answer",
        "checklist",
        "concept checklist",
        "concept list",
        "the concept list",
        "show the concept list",
        "show me the concept list",
        "list of concepts",
        "list the concepts",
        "the checklist",
        "run the checklist",
        "run the checklist again",
        "checklist for",
        "checklist of",
        "show the checklist",
        "show me the checklist",
        "which concepts",
        "what concepts",
        "the concepts",
        "concepts behind",
        "show the concepts",
        "show me the concepts",
        "which observations",
        "which signs speak for",
        "signs that speak for",
        "what speaks for",
        "which signs of",
        "what signs of",
        "list the signs of",
        "leave out the concept",
        "without the concept",
        "disable the concept",
        "disable the sign",
        "drop the concept",
        "add the concept",
        "look for any phrase",
    ),
)
def zero_shot(context: ToolContext, arguments: ZeroShotArguments) -> Result:
    """A verdict by concepts; see the module."""
    code = arguments.finding or named(arguments.phrase) or None
    if code is not None:
        finding(code)
    phrase = arguments.phrase.strip() or title_of(code, "")
    items = listed_items(code, phrase, arguments.concepts, arguments.also, arguments.without)
    has_model = arguments.model is not None or context.models.serves(Task.ZERO_SHOT)
    codes: list[str] = []
    if not has_model:
        card = context.models.card(context.models.resolve(Task.CLASSIFY).id)
        codes = stands_for(items, card)
        if not codes:
            raise _unavailable(title_of(code, phrase))
    film = frontal_film(context, arguments.image_id, "a search by words")
    if has_model:
        return _zero_shot(context, film, arguments, code, items)
    return _in_its_place(context, film, arguments, code, items, codes)
