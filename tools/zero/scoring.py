"""What each concept scores on a film: by a zero-shot model, or by the classifier's findings in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imaging.radiograph import Radiograph
from models.card import ModelCard
from models.outputs import Scores, Task
from models.predictions import Prediction
from models.request import Question
from tools.classify import Assessment, assess, display_name
from tools.contract import Finding, Status, ToolContext
from tools.zero.checklist import Item

SEEN_FROM = 0.5
"""A phrase's share against its denial from which it is called seen: the words fit the film better than their denial."""


@dataclass(frozen=True)
class Scored:
    """One concept on one film.

    Attributes:
        item: the concept.
        score: in [0, 1]; None where nothing here can score it.
        threshold: from which it counts as seen.
        status: present, absent or uncertain; not assessed where there is no score or it does not count.
        by: how it was scored, or why it was not.
        read_as: the finding that was assessed in its place; empty where the concept itself was.
        only_flagged: present at a probability under one half (tools.contract.Finding).
    """

    item: Item
    score: float | None
    threshold: float | None
    status: Status
    by: str
    read_as: str = ""
    only_flagged: bool = False


def by_words(
    context: ToolContext, film: Radiograph, items: Sequence[Item], phrase: str, model: str | None
) -> tuple[list[Scored], float, Prediction]:
    """Each enabled concept by a zero-shot model; the score of the phrase itself; the model's prediction."""
    asked = tuple(dict.fromkeys([phrase, *(item.words for item in items if item.enabled)]))
    [prediction] = context.models.predict(Task.ZERO_SHOT, [film], model_id=model, question=Question(phrases=asked))
    output = prediction.output
    if not isinstance(output, Scores):
        raise TypeError(f"{prediction.model_id} serves zero_shot but returned {type(output).__name__}")
    values = dict(zip(output.codes, output.values.tolist(), strict=True))
    scored = []
    for item in items:
        if not item.enabled:
            scored.append(Scored(item, None, None, Status.NOT_ASSESSED, "left out"))
            continue
        score = values[item.words]
        status = Status.PRESENT if score >= SEEN_FROM else Status.ABSENT
        scored.append(Scored(item, round(score, 4), SEEN_FROM, status, "compared with its denial"))
    return scored, round(values[phrase], 4), prediction


def stands_for(items: Sequence[Item], card: ModelCard) -> list[str]:
    """Codes of the findings that can stand for enabled concepts, as the classifier is good enough at them."""
    able = {known.code for known in card.findings if known.usable}
    return list(dict.fromkeys(item.sign for item in items if item.enabled and item.sign in able))


def by_findings(
    context: ToolContext, film: Radiograph, items: Sequence[Item], codes: Sequence[str]
) -> tuple[list[Scored], Assessment]:
    """Each enabled concept by the classifier's finding that stands for it."""
    told = assess(context, film, codes)
    return [_in_place(item, told, codes) for item in items], told


def _in_place(item: Item, told: Assessment, codes: Sequence[str]) -> Scored:
    if not item.enabled:
        return Scored(item, None, None, Status.NOT_ASSESSED, "left out")
    if item.sign not in codes:
        return Scored(item, None, None, Status.NOT_ASSESSED, "nothing here scores it")
    seen: Finding = told.get(item.sign)
    name = display_name(item.sign)
    return Scored(item, seen.score, seen.threshold, seen.status, "by the classifier", name, seen.only_flagged)
