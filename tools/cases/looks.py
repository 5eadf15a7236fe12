"""What films are compared by: vectors of a film by an index's models, and how they are put on one scale.

The whole film is compared by two things in equal parts, an encoder's features and the classifier's scores. On 1,318 NIH
films, patients left out and scores out of fold, the five nearest shared a label with the film in 27.9 % by both, 24.8 %
by features alone (paired difference 2.0 to 4.2) and 16.9 % by chance; scaling the features added 0.7 (-0.1 to 1.5).
Of the nearest films, those with the film's clear findings come first: see tools.cases.ranking.

A zone of a lung is compared by what sets it apart from the same zone of the other lung: the difference of the encoder's
vectors of both. On 108 phantoms with one lesion each, 31 % of the five nearest (26 to 37) had theirs in the same zone
so, 25 % (21 to 29) by the zone's own vector, 16 % by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from models.outputs import Embedding, Masks, Scores, Task
from models.pool import ModelPool
from models.predictions import Prediction
from tools.cases.parts import zones_of
from tools.classify import judge

Vector = npt.NDArray[np.float32]

FILM = "film"
"""The encoder's vector of the whole film; also what the comparison of whole films is called."""

FINDINGS = "findings"
"""The classifier's scores, as logits."""

SCORE_FLOOR = 1e-4
"""Scores are held this far from 0 and 1 before their logit is taken."""

SPREAD_FLOOR = 1e-6
"""Of a component that is the same on all films."""

REMEDY = "Make it again: hilum index cases FOLDER --anew."


class Making(BaseModel):
    """With what an index is made; all its films alike.

    Attributes:
        model, revision, title: the encoder.
        classifier, classifier_revision: whose scores are compared, too; None where there was none.
        zones: whether the zones of the lungs are compared.
    """

    model: str
    revision: str
    title: str
    classifier: str | None = None
    classifier_revision: str | None = None
    zones: bool = False


@dataclass(frozen=True)
class Scale:
    """How vectors of one kind are made comparable: centred, scaled, and of length 1 again.

    Attributes:
        mean, spread: float32 [d], over the indexed films.
    """

    mean: Vector
    spread: Vector

    def __call__(self, vectors: Vector) -> Vector:
        """Vectors [..., d] of length 1 on this scale; a vector that is not known (all 0) stays so."""
        known = np.any(vectors != 0, axis=-1, keepdims=True)
        scaled = np.where(known, (vectors - self.mean) / self.spread, 0)
        length = np.linalg.norm(scaled, axis=-1, keepdims=True)
        return (scaled / np.maximum(length, 1e-12)).astype(np.float32)


def making(models: ModelPool, zones: bool, like: Making | None = None) -> Making:
    """With what an index would be made now, with the models of `like` where it is given.

    Raises:
        Unavailable: no model embeds films, or the one that is asked for is not here.
    """
    encoder = models.resolve(Task.EMBED, like.model if like else None)
    card = models.card(encoder.id)
    classifier = like.classifier if like else models.resolve(Task.CLASSIFY).id if _classifies(models) else None
    return Making(
        model=encoder.id,
        revision=card.revision,
        title=card.title,
        classifier=classifier,
        classifier_revision=models.card(classifier).revision if classifier else None,
        zones=zones,
    )


def _classifies(models: ModelPool) -> bool:
    return models.serves(Task.CLASSIFY)


def looks_of(films: Sequence[Radiograph], models: ModelPool, made: Making) -> list[dict[str, Vector]]:
    """Of each film every vector the index keeps, by kind: the film, its findings, its zones.

    Raises:
        Unavailable: a model of the index is not here, or not as it was.
    """
    pictures = [{FILM: film, **(zones(film, models) if made.zones else {})} for film in films]
    flat = [(number, kind, picture) for number, kinds in enumerate(pictures) for kind, picture in kinds.items()]
    vectors: list[dict[str, Vector]] = [{} for _ in films]
    for (number, kind, _), vector in zip(flat, embedded([p for _, _, p in flat], models, made), strict=True):
        vectors[number][kind] = vector
    for film, kinds in zip(films, vectors, strict=True):
        kinds.update(set_apart(kinds))
        if (scores := scored(film, models, made)) is not None:
            kinds[FINDINGS] = _logits(scores.output)
    return vectors


def set_apart(kinds: dict[str, Vector]) -> dict[str, Vector]:
    """Each zone's vector less that of the same zone of the other lung; 0, for not known, where there is none."""
    found = {}
    for zone in (kind for kind in kinds if kind != FILM):
        side, _, third = zone.partition("_")
        other = kinds.get(f"{'right' if side == 'left' else 'left'}_{third}")
        found[zone] = np.zeros_like(kinds[zone]) if other is None else kinds[zone] - other
    return found


def embedded(pictures: Sequence[Radiograph], models: ModelPool, made: Making) -> list[Vector]:
    """The encoder's vector of each picture."""
    answers = models.predict(Task.EMBED, pictures, model_id=made.model)
    return [_vector(_as_made(answer, made.revision)) for answer in answers]


def scored(film: Radiograph, models: ModelPool, made: Making) -> Prediction | None:
    """What the index's classifier says of a frontal film; None of a lateral one, or without a classifier."""
    if made.classifier is None or not film.is_frontal:
        return None
    [answer] = models.predict(Task.CLASSIFY, [film], model_id=made.classifier)
    return _as_made(answer, made.classifier_revision)


def statuses(film: Radiograph, answer: Prediction | None) -> dict[str, str]:
    """Code -> status of each finding the classifier knows; nothing without its answer."""
    if answer is None or not isinstance(answer.output, Scores):
        return {}
    values = dict(zip(answer.output.codes, map(float, answer.output.values), strict=True))
    return {code: judge(film.id, answer.card, code, values).status.value for code in values}


def zones(film: Radiograph, models: ModelPool) -> dict[str, Radiograph]:
    """The zones of a frontal film's lungs as pictures of their own; none where they cannot be outlined."""
    if not film.is_frontal or not models.serves(Task.SEGMENT):
        return {}
    [answer] = models.predict(Task.SEGMENT, [film])
    return dict(zones_of(film, answer.output)) if isinstance(answer.output, Masks) else {}


def joined(blocks: Sequence[Vector]) -> Vector:
    """Vectors [..., d] of several kinds, each of length 1 or 0, side by side; an inner product is their mean."""
    return np.concatenate(blocks, axis=-1) / np.float32(np.sqrt(len(blocks)))


def _as_made(answer: Prediction, revision: str | None) -> Prediction:
    if answer.revision != revision:
        raise Unavailable(
            f"The index was made with {answer.model_id} at {revision}; it is at {answer.revision} now.", REMEDY
        )
    return answer


def _vector(answer: Prediction) -> Vector:
    if not isinstance(answer.output, Embedding):
        raise TypeError(f"{answer.model_id} serves embed but returned {type(answer.output).__name__}")
    return np.asarray(answer.output.values, dtype=np.float32)


def _logits(output: object) -> Vector:
    if not isinstance(output, Scores):
        raise TypeError(f"a model serves classify but returned {type(output).__name__}")
    return logit(np.nan_to_num(output.values, nan=0.5))


def logit(scores: npt.ArrayLike) -> Vector:
    """log(p / (1 - p)) of scores in 0..1, held SCORE_FLOOR away from both ends."""
    held = np.clip(scores, SCORE_FLOOR, 1 - SCORE_FLOOR)
    return np.asarray(np.log(held / (1 - held)), dtype=np.float32)
