"""classify: which findings does a classifier see on one frontal film?

Answers presence per finding, with the model's score, its threshold and the band around it in which the answer is
"uncertain"; the user may move the thresholds, or ask several models at once. Frontal films only. It cannot say where a
finding is (ground), how large it is (measure), or anything on a finding its model was not trained on or is not good
enough at: those come back "not assessed" with the card's reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from imaging.radiograph import Radiograph
from models.card import ModelCard
from models.outputs import ScoreKind, Scores, Task
from tools.classifiers import Wish, ensemble_here, moved, shortcut_warnings, worth_warnings
from tools.classifiers.operating import MORE
from tools.contract import Finding, Result, Status, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.films import film_caveats, frontal_film
from tools.contract.wording import listed, summarise
from tools.knowledge import finding, findings

SCORE_WORDS = {
    ScoreKind.CALIBRATED_PROBABILITY: "probability",
    ScoreKind.OPERATING_POINT: "score scaled to the operating point",
    ScoreKind.SIGMOID: "uncalibrated score",
    ScoreKind.SIMILARITY: "similarity",
}
"""What a score is called; only a calibrated one is a probability."""


class ClassifyArguments(ToolArguments):
    """What to look for, and by which model."""

    image_id: str = Field(description="Id of one frontal film of this session.")
    findings: list[str] | None = Field(
        default=None,
        description="Finding codes to report, e.g. ['effusion', 'cardiomegaly']; leave out for all of the model's.",
    )
    model: str | None = Field(
        default=None, description="Catalog id of the classifier; leave out for the session's own choice."
    )
    ensemble: bool | None = Field(
        default=None, description="Ask several classifiers, answer with their mean and show how far they differ."
    )
    operating_point: Literal["card", "sensitive", "specific"] | None = Field(
        default=None,
        description=f"Where the thresholds lie: the card's own, or those with {MORE:.0%} sensitivity or specificity.",
    )
    sensitivity: float | None = Field(
        default=None, gt=0, lt=1, description="Move the thresholds to at least this sensitivity, e.g. 0.95."
    )
    specificity: float | None = Field(
        default=None, gt=0, lt=1, description="Move the thresholds to at least this specificity, e.g. 0.9."
    )
    threshold: float | None = Field(
        default=None, ge=0, le=1, description="One threshold for every finding asked for, e.g. 0.3."
    )
    thresholds: dict[str, float] | None = Field(
        default=None, description="Threshold per finding code, e.g. {'effusion': 0.2}; the others stay."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = (self.operating_point, self.sensitivity, self.specificity, self.threshold, self.thresholds)
        if sum(way is not None for way in ways) > 1:
            raise ValueError(
                "operating_point, sensitivity, specificity, threshold and thresholds: give one of them, not several"
            )
        if self.ensemble and self.model:
            raise ValueError("ensemble and model: give one of them; an ensemble of your own is model ensemble:ID+ID")
        return self

    @property
    def wish(self) -> Wish:
        """Where the thresholds are wanted; an empty Wish where the card's own will do."""
        for rate, at_least in (("sensitivity", self.sensitivity), ("specificity", self.specificity)):
            if at_least is not None:
                return Wish(rate, at_least)
        if self.operating_point in ("sensitive", "specific"):
            return Wish("sensitivity" if self.operating_point == "sensitive" else "specificity", MORE)
        return Wish(threshold=self.threshold, thresholds=self.thresholds or {})


class FindingRow(BaseModel):
    """One line of the findings table."""

    code: str
    name: str
    status: Status
    score: float | None
    threshold: float | None
    uncertain_low: float | None
    uncertain_high: float | None
    auroc: str = ""
    sensitivity: float | None = None
    specificity: float | None = None
    reason: str = ""
    spread: float | None = Field(default=None, description="Largest less smallest score among an ensemble's members.")
    card_threshold: float | None = Field(default=None, description="The card's own threshold where it was moved.")
    card_status: Status | None = Field(default=None, description="The status at that threshold.")


class ClassifyData(BaseModel):
    """The findings table, who made it, and what its scores mean."""

    model_title: str
    labels: list[str] = Field(description="Every finding the model has a score for, by its own names.")
    training_data: str
    members: list[str] = Field(default_factory=list, description="The classifiers of an ensemble, by catalog id.")
    operating_point: str = Field(default="the card's own", description="Where the thresholds lie, in words.")
    moved: str = Field(default="", description="What moving the thresholds did, in a sentence or two; empty if none.")
    score_kind: ScoreKind
    score_word: str
    score_meaning: str
    rows: list[FindingRow]


@dataclass(frozen=True)
class Assessment:
    """What one classifier says of one film: a Finding per code asked for, in that order."""

    findings: list[Finding]
    card: ModelCard
    model: str
    revision: str
    values: Mapping[str, float] = field(default_factory=dict)
    spreads: Mapping[str, float] = field(default_factory=dict)

    def get(self, code: str) -> Finding:
        """The Finding of a code that was asked for; KeyError otherwise."""
        for item in self.findings:
            if item.code == code:
                return item
        raise KeyError(code)


def assess(
    context: ToolContext, film: Radiograph, codes: Iterable[str] | None = None, model: str | None = None
) -> Assessment:
    """Run the classifier on a frontal film and judge each code by its card; all the model's codes when none given."""
    [prediction] = context.models.predict(Task.CLASSIFY, [film], model_id=model)
    scores = prediction.output
    if not isinstance(scores, Scores):
        raise TypeError(f"{prediction.model_id} serves classify but returned {type(scores).__name__}")
    values = dict(zip(scores.codes, scores.values.tolist(), strict=True))
    spreads = dict(zip(scores.codes, scores.spread.tolist(), strict=True)) if scores.spread is not None else {}
    wanted = list(dict.fromkeys(scores.codes if codes is None else codes))
    card = prediction.card
    judged = [judge(film.id, card, code, values, spreads.get(code, 0.0)) for code in wanted]
    return Assessment(judged, card, prediction.model_id, prediction.revision, values, spreads)


def judge(image_id: str, card: ModelCard, code: str, values: Mapping[str, float], spread: float = 0.0) -> Finding:
    """Turn a score into a status by the card: threshold, uncertain band, and whether the model is usable for it.

    Args:
        image_id: the film.
        card: of the model, with the thresholds in force.
        code: the finding.
        values: the model's scores by code.
        spread: of a mean over models, its largest less its smallest score: members on both sides of the threshold,
            as far as half the spread tells, leave it undecided.
    """
    known = card.finding(code)
    score = values.get(code, math.nan)
    reason = ""
    if code not in values or known is None:
        reason = f"{card.title} was not trained on it.{_related(code, card, values)}"
    elif not known.usable:
        reason = known.reason or f"{card.title} is not good enough at it."
    elif not math.isfinite(score):
        reason = f"{card.title} gave no score for it on this film."
    if reason or known is None:
        return Finding(code=code, image_id=image_id, status=Status.NOT_ASSESSED, reason=reason)
    band = known.uncertain_low < known.uncertain_high and known.uncertain_low <= score <= known.uncertain_high
    split = spread > 0 and abs(score - known.threshold) <= spread / 2
    status = Status.UNCERTAIN if band or split else Status.PRESENT if score >= known.threshold else Status.ABSENT
    relation = "within the uncertain band" if band else "at or above" if status is Status.PRESENT else "below"
    where = f"{known.uncertain_low:.2f}–{known.uncertain_high:.2f}" if band else f"the threshold {known.threshold:.2f}"
    if split and not band:
        relation, where = "which the models asked put on both sides of", f"the threshold {known.threshold:.2f}"
    return Finding(
        code=code,
        image_id=image_id,
        status=status,
        score=round(score, 4),
        score_kind=card.score_kind,
        threshold=known.threshold,
        reason=f"{SCORE_WORDS.get(card.score_kind, 'score')} {score:.2f}, {relation} {where}",
    )


def display_name(code: str) -> str:
    """The ontology's name of a code; a model's own label stands for itself."""
    return findings()[code].name if code in findings() else code


def _related(code: str, card: ModelCard, values: Mapping[str, float]) -> str:
    """Codes the model does assess that are broader or narrower than this one, as a sentence; empty when none."""
    concept = findings().get(code)
    near = [
        other.code
        for other in findings().values()
        if concept is not None and (other.parent == code or other.code == concept.parent)
    ]
    usable = [name for name in near if name in values and (known := card.finding(name)) and known.usable]
    return f" Related findings it does assess: {', '.join(usable)}." if usable else ""


def _at_thresholds(told: Assessment, wish: Wish) -> tuple[Assessment, str]:
    """The assessment at moved thresholds, and what that changed, in words."""
    codes = [item.code for item in told.findings]
    there = moved(told.card, wish, codes)
    judged = [
        judge(item.image_id, there.card, item.code, told.values, told.spreads.get(item.code, 0.0))
        for item in told.findings
    ]
    changed = [
        f"{display_name(new.code)} from {_said(old.status)} to {_said(new.status)}"
        for old, new in zip(told.findings, judged, strict=True)
        if new.status is not old.status
    ]
    kept = [display_name(code) for code in there.kept if code in codes]
    sentences = [
        f"Thresholds are at {wish.words}, without an uncertain band.",
        f"Against the card's own thresholds this changes {listed(changed)}." if changed else "This changes no status.",
        f"Not moved, as it was not measured: {listed(kept)}." if kept else "",
    ]
    return replace(told, findings=judged, card=there.card), " ".join(part for part in sentences if part)


def _said(status: Status) -> str:
    return status.value.replace("_", " ")


def _row(item: Finding, told: Assessment, before: Assessment) -> FindingRow:
    """One line of the table; `before` has the card's own thresholds."""
    known, own = told.card.finding(item.code), before.card.finding(item.code)
    scored = known if item.threshold is not None else None
    changed = own is not None and scored is not None and own.threshold != scored.threshold
    return FindingRow(
        code=item.code,
        name=display_name(item.code),
        status=item.status,
        score=item.score,
        threshold=item.threshold,
        uncertain_low=scored.uncertain_low if scored else None,
        uncertain_high=scored.uncertain_high if scored else None,
        auroc=str(known.auroc) if known and known.auroc else "",
        sensitivity=known.sensitivity if known else None,
        specificity=known.specificity if known else None,
        reason=item.reason,
        spread=round(told.spreads[item.code], 4) if item.code in told.spreads else None,
        card_threshold=own.threshold if own and changed else None,
        card_status=before.get(item.code).status if changed else None,
    )


def _sentences(told: Assessment, change: str) -> list[str]:
    """The summary's sentences, what was found first."""
    word = SCORE_WORDS.get(told.card.score_kind, "score")

    def scored(status: Status) -> list[str]:
        ranked = sorted((f for f in told.findings if f.status is status), key=lambda f: -(f.score or 0.0))
        return [f"{display_name(f.code)} {f.score:.2f} ({_beside(f, told)})" for f in ranked]

    sentences = [f"{told.card.title}; numbers are each finding's {word}.", change]
    for status, title in ((Status.PRESENT, "Present"), (Status.UNCERTAIN, "Uncertain"), (Status.ABSENT, "Absent")):
        if items := scored(status):
            sentences.append(f"{title}: {', '.join(items)}.")
    skipped = [item for item in told.findings if item.status is Status.NOT_ASSESSED]
    if len(skipped) == 1:
        sentences.append(f"Not assessed: {display_name(skipped[0].code)}: {skipped[0].reason}")
    elif skipped:
        sentences.append(f"Not assessed: {listed([display_name(item.code) for item in skipped])}.")
    return sentences


def _beside(item: Finding, told: Assessment) -> str:
    """ "threshold 0.12", and how far an ensemble's members differ."""
    differ = f", members differ by {told.spreads[item.code]:.2f}" if item.code in told.spreads else ""
    return f"threshold {item.threshold:.2f}{differ}"


def _caveats(film: Radiograph, told: Assessment) -> list[str]:
    caveats = film_caveats(film)
    if told.card.score_kind is not ScoreKind.CALIBRATED_PROBABILITY:
        caveats.append(f"Scores are no probabilities: {told.card.score_meaning}")
    if any(item.status is Status.ABSENT for item in told.findings):
        caveats.append("Absent means below this model's threshold; it does not exclude the finding.")
    return caveats


@tool(
    name="classify",
    title="Classify findings",
    arguments=ClassifyArguments,
    result=ClassifyData,
    needs=(Task.CLASSIFY,),
    answers="Which findings are present, absent, uncertain or not assessed on a frontal film (PA or AP), at the "
    "thresholds of the model's card or at moved ones, by one model or the mean of several.",
)
def classify(context: ToolContext, arguments: ClassifyArguments) -> Result:
    """Findings with scores and statuses; see the module."""
    for code in [*(arguments.findings or []), *(arguments.thresholds or {})]:
        finding(code)
    film = frontal_film(context, arguments.image_id, "classification")
    model = ensemble_here(context.models) if arguments.ensemble else arguments.model
    before = assess(context, film, arguments.findings, model)
    told, change = _at_thresholds(before, arguments.wish) if arguments.wish else (before, "")
    card = told.card
    return Result(
        image_ids=[film.id],
        summary=summarise(_sentences(told, change)),
        findings=told.findings,
        data=ClassifyData(
            model_title=card.title,
            labels=[item.label for item in card.findings],
            training_data=card.training_data,
            members=list(context.models.catalog.get(told.model).members) if told.spreads else [],
            operating_point=arguments.wish.words if arguments.wish else "the card's own",
            moved=change,
            score_kind=card.score_kind,
            score_word=SCORE_WORDS.get(card.score_kind, "score"),
            score_meaning=card.score_meaning,
            rows=[_row(item, told, before) for item in told.findings],
        ),
        caveats=[
            *shortcut_warnings(context, film, told.findings, arguments.findings),
            *worth_warnings(before.card, told.findings, arguments.findings),
            *_caveats(film, told),
        ],
        model=told.model,
        revision=told.revision,
        card=card_facts(card, [item.code for item in told.findings]),
    )
