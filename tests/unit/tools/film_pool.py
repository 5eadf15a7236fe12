"""A pool that answers each film with what a test says of that film, for tools that read several."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from stub_pool import FILM_SIZE, card, heat_of, masks_of, quality_of_picture

from imaging.phantom import PhantomFilm, PhantomSpec, progression
from imaging.radiograph import Radiograph, View
from imaging.store import ImageStore
from models.outputs import Output, Quality, Scores, Task
from models.pool import ModelPool
from models.predictions import Prediction
from tools.contract import ToolContext

FIRST_DAY = dt.date(2026, 1, 5)

CLEAR = {"effusion": 0.1, "pneumothorax": 0.1, "cardiomegaly": 0.1, "nodule": 0.1, "consolidation": 0.1}


@cache
def visits(seed: int, *changes: str, view: View = View.PA) -> tuple[PhantomFilm, ...]:
    """One phantom film per change, in order; a change is what it shows, findings separated by spaces."""
    dates = [FIRST_DAY + dt.timedelta(days=day) for day in range(len(changes))]
    spec = PhantomSpec(seed=seed, size=FILM_SIZE, view=view)
    return progression(spec, dates, [change.split() for change in changes])


@dataclass
class FilmPool:
    """Masks are the phantoms' own, scores as given per film."""

    films: Mapping[str, PhantomFilm]
    scores: Mapping[str, Mapping[str, float]]
    quality: Quality = field(default_factory=quality_of_picture)

    def predict(self, task: Task, films: Sequence[Radiograph], *, model_id: str | None = None) -> list[Prediction]:
        """Per film."""
        made = card(task)
        return [Prediction(self._output(task, film), made, made.id, made.revision, False, 1.0) for film in films]

    def _output(self, task: Task, film: Radiograph) -> Output:
        if task is Task.SEGMENT:
            return masks_of(self.films[film.id])
        if task is Task.CLASSIFY:
            told = self.scores[film.id]
            return Scores(tuple(told), np.array(list(told.values()), dtype=np.float32))
        if task is Task.GROUND:
            phantom = self.films[film.id]
            return heat_of(phantom, "effusion", phantom.masks.get("effusion_left", phantom.masks["left_lung"]))
        return self.quality

    @property
    def catalog(self) -> Any:
        """No model grounds."""
        return SimpleNamespace(get=lambda _: SimpleNamespace(tasks=(Task.CLASSIFY,)))

    def serves(self, task: Task) -> bool:
        """What the outputs above are of."""
        return task in (Task.SEGMENT, Task.CLASSIFY, Task.QUALITY)


def dated_context(
    films: Sequence[PhantomFilm],
    scores: Sequence[Mapping[str, float]] = (),
    patients: Sequence[str | None] = (),
    days: Sequence[int] = (0, 7, 40),
    **changes: Any,
) -> tuple[ToolContext, list[str]]:
    """A context with these films of one patient, taken on these days, in order, and their ids.

    `scores` of each film over CLEAR; `patients` in place of one; `changes` replace fields of every radiograph.
    """
    store = ImageStore()
    keys = patients or ["patient"] * len(films)
    shown = []
    for film, key, day in zip(films, keys, days, strict=False):
        facts: dict[str, Any] = {
            "patient_key": key,
            "study_key": str(day),
            "acquired": FIRST_DAY + dt.timedelta(days=day),
        }
        shown.append(store.add(replace(film.radiograph, **(facts | changes))))
    told = scores or [{}] * len(films)
    pool = FilmPool(
        {film.id: phantom for film, phantom in zip(shown, films, strict=True)},
        {film.id: {**CLEAR, **each} for film, each in zip(shown, told, strict=True)},
    )
    return ToolContext(films=store, models=cast(ModelPool, pool)), [film.id for film in shown]
