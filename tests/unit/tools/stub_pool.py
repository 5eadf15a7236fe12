"""A pool whose models answer with given arrays, and the films, masks and cards that the tool tests share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.radiograph import Radiograph, View
from imaging.store import ImageStore
from models.card import FindingCard, Interval, ModelCard
from models.locator import CLASSES, OBJECTS
from models.outputs import (
    Attributes,
    Heatmaps,
    Masks,
    Output,
    Picture,
    Quality,
    ScoreKind,
    Scores,
    Task,
    Text,
    Unusual,
)
from models.pool import ModelPool
from models.predictions import Prediction
from models.request import Question
from tools.contract import ToolContext

STRUCTURES = ("left_lung", "right_lung", "heart", "left_clavicle", "right_clavicle")
FILM_SIZE = 384

SCORES = {"effusion": 0.8, "pneumothorax": 0.1, "cardiomegaly": 0.2, "nodule": 0.52, "hernia": 0.9}


def card(task: Task, **changes: Any) -> ModelCard:
    findings = [
        FindingCard(code=code, label=code, threshold=0.5, uncertain_low=0.45, uncertain_high=0.55,
                    auroc=Interval(value=0.8, low=0.7, high=0.9), positives=40)
        for code in SCORES if code != "hernia"
    ]  # fmt: skip
    findings.append(FindingCard(code="tuberculosis", label="Tuberculosis", threshold=0.5))
    findings.append(FindingCard(code="hernia", label="Hernia", usable=False, reason="only 3 positive films."))
    facts: dict[str, Any] = {
        "id": f"stub-{task.value}", "title": f"Stub {task.value}", "task": task, "revision": "r1",
        "licence": "Apache-2.0", "source": "tests", "training_data": "none",
        "score_kind": ScoreKind.CALIBRATED_PROBABILITY,
        "score_meaning": "made up for a test.", "limits": ["It is a stub."], "findings": findings,
    }  # fmt: skip
    return ModelCard(**(facts | changes))


@dataclass
class StubPool:
    """Answers every film with the same outputs; `calls` records what was asked."""

    outputs: Mapping[Task, Output]
    cards: Mapping[Task, ModelCard]
    calls: list[Task]
    gives_gradients: bool = True

    def predict(
        self,
        task: Task,
        films: Sequence[Radiograph],
        *,
        model_id: str | None = None,
        question: Question | None = None,
    ) -> list[Prediction]:
        self.calls.append(task)
        made = self.cards[task]
        return [Prediction(self.outputs[task], made, made.id, made.revision, False, 1.0) for _ in films]

    @property
    def catalog(self) -> Any:
        tasks = (Task.CLASSIFY, Task.GROUND, *([Task.EXPLAIN] if self.gives_gradients else []))
        entry = SimpleNamespace(id="stub-classify", tasks=tasks, members=(), on_request=False)
        return SimpleNamespace(get=lambda _: entry, serving=lambda task: [entry] if self.serves(task) else [])

    def resolve(self, task: Task, model_id: str | None = None) -> Any:
        return self.catalog.get(model_id)

    def card(self, model_id: str) -> ModelCard:
        return next(made for made in self.cards.values() if made.id == model_id)

    def serves(self, task: Task) -> bool:
        return task in self.outputs


def masks_of(film: PhantomFilm, quality: float = 0.95, **changed: Any) -> Masks:
    """The phantom's true masks as a segmenter's output; `changed` replaces some."""
    stack = np.stack([changed.get(code, film.masks[code]) for code in STRUCTURES])
    return Masks(STRUCTURES, stack, np.full(len(STRUCTURES), quality, dtype=np.float32))


def heat_of(film: PhantomFilm, code: str, spot: Any) -> Heatmaps:
    """A heat map that glows on a mask and is dark elsewhere, at a thirty-second of the film's resolution."""
    step = FILM_SIZE // 32
    grid = spot.reshape(32, step, 32, step).mean(axis=(1, 3)).astype(np.float32)
    extent = (0.0, 0.0, float(FILM_SIZE), float(FILM_SIZE))
    return Heatmaps((code,), np.array([0.8], dtype=np.float32), grid[None], extent)


def sights_of(film: PhantomFilm, masks: Mapping[str, Any], codes: Sequence[str] = CLASSES) -> Heatmaps:
    """A locator's output: sure of every class that has a mask, and just there; nothing else is seen."""
    grids = np.zeros((len(codes), FILM_SIZE // 2, FILM_SIZE // 2), dtype=np.float32)
    for code, mask in masks.items():
        grids[list(codes).index(code)] = 0.95 * mask.reshape(FILM_SIZE // 2, 2, -1, 2).any(axis=(1, 3))
    values = np.array([0.9 if code in masks else 0.05 for code in codes], dtype=np.float32)
    return Heatmaps(tuple(codes), values, grids, (0.0, 0.0, float(FILM_SIZE), float(FILM_SIZE)))


def locator_card(*unfit: str, tips: bool = True, **changes: Any) -> ModelCard:
    """The card of a locator that knows every class and is fit for all but the `unfit` ones."""
    rows = [
        FindingCard(
            code=code,
            label=code,
            usable=code not in unfit,
            threshold=0.5,
            uncertain_low=0.4,
            uncertain_high=0.5,
            **{"tip_usable": tips},
        )
        for code in CLASSES
    ]
    return card(Task.DETECT, **({"findings": rows, "score_kind": ScoreKind.SIGMOID} | changes))


@cache
def phantom(seed: int = 3, *findings: str, view: View = View.PA) -> PhantomFilm:
    return make_phantom(
        PhantomSpec(seed=seed, view=view, size=FILM_SIZE, findings=tuple(parse_finding(text) for text in findings))
    )


def quality_of_picture(**changes: Any) -> Quality:
    """An upright whole PA film, as a quality model would see it; `changes` replaces some verdicts."""
    views, cuts = np.array([0.9, 0.08, 0.02], dtype=np.float32), np.full(4, 0.05, dtype=np.float32)
    usual: dict[str, Any] = {
        "is_chest": True, "is_chest_score": 0.99, "turned_deg": 0, "turned_score": 0.99, "mirrored": False,
        "mirrored_score": 0.02, "inverted": False, "inverted_score": 0.01, "view": "PA", "view_scores": views,
        "cut_edges": (), "cut_scores": cuts, "inspiration": 0.8,
    }  # fmt: skip
    return Quality(**(usual | changes))


def context_of(
    film: PhantomFilm, *, radiograph: Radiograph | None = None, masks: Masks | None = None,
    heat: Heatmaps | None = None, quality: Quality | None = None, sights: Heatmaps | None = None,
    scores: Mapping[str, float] = SCORES, cards: Mapping[Task, ModelCard] | None = None,
) -> tuple[ToolContext, str, StubPool]:  # fmt: skip
    """A context that holds one film, its id, and the stub pool behind it."""
    codes = tuple(scores)
    classified = Scores(codes, np.array([scores[code] for code in codes], dtype=np.float32))
    outputs: dict[Task, Output] = {Task.CLASSIFY: classified, Task.SEGMENT: masks or masks_of(film)}
    lesion = film.masks.get("effusion_left", film.masks["left_lung"])
    outputs[Task.DETECT] = sights or sights_of(film, {}, OBJECTS)
    outputs[Task.QUALITY] = quality or quality_of_picture()
    outputs[Task.GROUND] = heat or heat_of(film, "effusion", lesion)
    outputs[Task.TB_SCREEN] = Scores(("tuberculosis",), np.array([0.8], dtype=np.float32))
    outputs[Task.COVID_SEVERITY] = Attributes(
        "covid_severity", ("geographic_extent", "opacity"), np.array([5.98, 4.17], dtype=np.float32)
    )
    ratio = np.ones((16, 16), dtype=np.float32)
    ratio[12:15, 11:14] = 2.0
    extent = (0.0, 0.0, float(FILM_SIZE), float(FILM_SIZE))
    outputs[Task.ANOMALY] = Unusual(1.4, 0.95, "stub films", ratio, extent)
    outputs[Task.EXPLAIN] = outputs[Task.GROUND]
    outputs[Task.ENHANCE] = Picture(film.bone_free, "bone suppressed")
    outputs[Task.ANSWER] = Text("There is a left pleural effusion. No pneumothorax.")
    made = {task: locator_card() if task is Task.DETECT else card(task) for task in Task}
    pool = StubPool(outputs, made | dict(cards or {}), [])
    films = ImageStore()
    shown = films.add(radiograph or film.radiograph)
    return ToolContext(films=films, models=cast(ModelPool, pool)), shown.id, pool


def as_view(film: PhantomFilm, view: View, **changes: Any) -> Radiograph:
    return replace(film.radiograph, view=view, **changes)
