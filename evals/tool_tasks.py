"""Benchmarks of single tools on labelled films: classify, segment, ground and report against a published set's truth.

No planner takes part: the tool runs as `hilum tool` runs it. A film that cannot be read, or that a tool refuses, is
counted, and is worth nothing where the metric allows it (no box is a miss, no mask is a Dice of 0).
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.transform import resize

from agent.core import make_pool
from agent.settings import Settings
from evals.formats import boxes, labels, masks, reports
from evals.metrics.boxes import Predicted, average_precision, centre, iou, points_inside
from evals.metrics.overlap import hd95, mask_iou
from evals.metrics.ranking import ranked
from evals.progress import Progress
from evals.stats import bootstrap_interval
from imaging import open_film
from imaging.failures import BadArguments, HilumFailure
from imaging.geometry import dice
from imaging.radiograph import Radiograph
from imaging.store import ImageStore
from tools.contract import Result, Status, ToolContext
from tools.contract.tool import installed
from tools.knowledge import findings
from tools.knowledge.ontology import normalise

LEAST_POSITIVES = 5
"""Films with a finding below which no figure is given for it."""
DIGITS = 4


class Runner:
    """Runs one tool on films, each in a store of its own, and counts what failed.

    Attributes:
        failed: film -> why it has no result.
    """

    def __init__(self, tool: str, settings: Settings, progress: Progress) -> None:
        """The installed tool of that name, on the models that the settings choose.

        Args:
            tool: its name.
            settings: those in force.
            progress: told of every film.
        """
        self._tool = installed().get(tool)
        self._models = make_pool(settings)
        self._home = settings.state_dir.expanduser()
        self._progress = progress
        self.failed: dict[str, str] = {}

    def run(self, name: str, path: Path | None, **arguments: Any) -> tuple[Radiograph, Result] | None:
        """The film and the tool's result; None where there is none, which is counted.

        Args:
            name: of the film, for the count.
            path: of the film.
            arguments: the tool's others.
        """
        found = self._run(name, path, arguments)
        self._progress.step("failed" if found is None else "done")
        return found

    def _run(self, name: str, path: Path | None, arguments: dict[str, Any]) -> tuple[Radiograph, Result] | None:
        if path is None:
            self.failed[name] = "the film is not there"
            return None
        store = ImageStore()
        try:
            film = store.add(open_film(path))
        except HilumFailure as failure:
            self.failed[name] = str(failure)
            return None
        context = ToolContext(films=store, models=self._models, home=self._home)
        result = self._tool.run(context, {"image_id": film.id, **arguments})
        if result.failure is not None:
            self.failed[name] = result.failure.message
            return None
        return film, result


def names() -> list[str]:
    """Every benchmark of a tool."""
    return [*labels.LAYOUTS, *boxes.LAYOUTS, *masks.LOADERS, *reports.LOADERS]


def run_tool_task(
    name: str, data: Path | None, limit: int | None, seed: int | None, settings: Settings, progress: Progress
) -> dict[str, Any]:
    """The figures of one tool on one set, JSON-ready.

    Args:
        name: one of names().
        data: the set's folder.
        limit: so many films only, drawn from the seed.
        seed: of the draw; the first films without.
        settings: those in force.
        progress: told of every film.
    """
    runs: Mapping[str, Callable[..., dict[str, Any]]] = {
        **dict.fromkeys(labels.LAYOUTS, _classification),
        **dict.fromkeys(boxes.LAYOUTS, _grounding),
        **dict.fromkeys(masks.LOADERS, _segmentation),
        **dict.fromkeys(reports.LOADERS, _reporting),
    }
    found = runs[name](name, data, limit, seed, settings, progress)
    return {"task": name, **found}


def _drawn(items: Sequence[Any], limit: int | None, seed: int | None) -> list[Any]:
    order = list(items)
    if seed is not None:
        random.Random(seed).shuffle(order)
    return order[:limit]


@cache
def _codes() -> dict[str, str]:
    """Every name, synonym and data set label of a finding -> its code."""
    known: dict[str, str] = {}
    for code, concept in findings().items():
        told = (code, concept.name, *concept.synonyms, *(word for words in concept.labels.values() for word in words))
        for word in told:
            known.setdefault(normalise(word), code)
    return known


def code_of(label: str) -> str | None:
    """The ontology's code of a data set's label; None where it has none."""
    return _codes().get(normalise(label))


def _classification(
    name: str, data: Path | None, limit: int | None, seed: int | None, settings: Settings, progress: Progress
) -> dict[str, Any]:
    films, notes = labels.load(name, data)
    films = _drawn(films, limit, seed)
    runner = Runner("classify", settings, progress)
    progress.start(len(films))
    told: dict[str, list[tuple[bool, float, bool, str]]] = {}
    model = ""
    for film in films:
        ran = runner.run(film.name, film.film)
        if ran is None:
            continue
        rows = {row.code: row for row in ran[1].findings if row.score is not None}
        model = str(ran[1].card.get("id", "")) if ran[1].card else model
        for label, present in film.labels.items():
            row = rows.get(code_of(label) or "")
            if row is not None and present is not None:
                called = row.status is Status.PRESENT
                told.setdefault(label, []).append((present, float(row.score or 0.0), called, film.patient))
    figures = {label: _ranked(rows) for label, rows in told.items()}
    areas = [f["auroc"]["value"] for f in figures.values() if f["auroc"]["value"] is not None]
    return {
        "n": len(films),
        "model": model,
        "mean_auroc": round(statistics.fmean(areas), DIGITS) if areas else None,
        "labels_in_mean": len(areas),
        "labels": figures,
        "not_scored": sorted({label for film in films for label in film.labels} - set(figures)),
        **_failed(runner, notes),
    }


def _ranked(rows: list[tuple[bool, float, bool, str]]) -> dict[str, Any]:
    truth, scores, called, patients = (list(column) for column in zip(*rows, strict=True))
    if min(sum(truth), len(truth) - sum(truth)) < LEAST_POSITIVES:
        empty = {"value": None, "low": None, "high": None}
        return {"n": len(rows), "positives": sum(truth), "auroc": empty}
    return asdict(ranked(truth, scores, patients, called))


def _segmentation(
    name: str, data: Path | None, limit: int | None, seed: int | None, settings: Settings, progress: Progress
) -> dict[str, Any]:
    films = _drawn(masks.load(name, data), limit, seed)
    runner = Runner("segment", settings, progress)
    progress.start(len(films))
    told: dict[str, list[tuple[float, float, float | None, str]]] = {}
    for film in films:
        truth = film.read()
        ran = runner.run(film.name, film.film)
        ours = {} if ran is None else {o.label: o.as_mask() for o in ran[1].overlays if o.kind == "mask"}
        if masks.ANY_LUNG in truth and {"left_lung", "right_lung"} <= set(ours):
            ours[masks.ANY_LUNG] = ours["left_lung"] | ours["right_lung"]
        for structure, mask in truth.items():
            drawn = _fitted(ours.get(structure), mask.shape)
            row = (dice(drawn, mask), mask_iou(drawn, mask), hd95(drawn, mask), film.name)
            told.setdefault(structure, []).append(row)
    return {
        "n": len(films),
        "structures": {structure: _overlaps(rows) for structure, rows in told.items()},
        "hd95_unit": "pixels of the set's masks",
        **_failed(runner, ()),
    }


def _fitted(mask: npt.NDArray[np.bool_] | None, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """A mask at the size of the set's; empty where there is none."""
    if mask is None:
        return np.zeros(shape, bool)
    return mask if mask.shape == shape else resize(mask.astype(np.float32), shape, order=1) > 0.5


def _overlaps(rows: list[tuple[float, float, float | None, str]]) -> dict[str, Any]:
    values = [row[0] for row in rows]
    interval = bootstrap_interval(values, [row[3] for row in rows])
    distances = [row[2] for row in rows if row[2] is not None]
    return {
        "n": len(rows),
        "dice": round(statistics.fmean(values), DIGITS),
        "dice_interval": [round(end, DIGITS) for end in interval] if interval else None,
        "iou": round(statistics.fmean(row[1] for row in rows), DIGITS),
        "hd95": round(statistics.fmean(distances), 2) if distances else None,
        "not_drawn": len(rows) - len(distances),
    }


def _grounding(
    name: str, data: Path | None, limit: int | None, seed: int | None, settings: Settings, progress: Progress
) -> dict[str, Any]:
    told = boxes.load(name, data)
    pairs: dict[tuple[str, str], list[boxes.LabelledBox]] = {}
    for box in told:
        pairs.setdefault((box.name, box.label), []).append(box)
    asked = _drawn(list(pairs.items()), limit, seed)
    runner = Runner("ground", settings, progress)
    progress.start(len(asked))
    by_label: dict[str, list[dict[str, Any]]] = {}
    unknown = set()
    for (film, label), truth in asked:
        code = code_of(label)
        if code is None:
            unknown.add(label)
            progress.step("label unknown")
            continue
        ran = runner.run(f"{film} {label}", truth[0].film, finding=code)
        by_label.setdefault(label, []).append(_grounded(film, truth, ran))
    return {
        "n": sum(map(len, by_label.values())),
        "labels": {label: _pointed(rows) for label, rows in sorted(by_label.items())},
        "unknown_labels": sorted(unknown),
        **_failed(runner, ()),
    }


def _grounded(film: str, truth: list[boxes.LabelledBox], ran: tuple[Radiograph, Result] | None) -> dict[str, Any]:
    height, width = ran[0].shape if ran else (1, 1)
    scale = np.array([height, width, height, width]) if truth[0].unit == "share" else np.ones(4)
    places = [tuple(np.array(box.box) * scale) for box in truth]
    drawn = [] if ran is None else [o.as_box() for o in ran[1].overlays if o.kind == "box"]
    scores = [row.score or 0.0 for row in ran[1].findings] if ran else []
    return {"film": film, "truth": places, "drawn": drawn, "score": max(scores, default=0.0)}


def _pointed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    said = [Predicted(row["film"], row["score"], box) for row in rows for box in row["drawn"]]
    best = [max((iou(b, t) for b in row["drawn"] for t in row["truth"]), default=0.0) for row in rows]
    hits = [any(points_inside(centre(b), row["truth"]) for b in row["drawn"]) for row in rows]
    precision = average_precision(said, {row["film"]: row["truth"] for row in rows})
    interval = bootstrap_interval([float(hit) for hit in hits], [row["film"] for row in rows])
    return {
        "n": len(rows),
        "drawn": sum(bool(row["drawn"]) for row in rows),
        "mean_iou": round(statistics.fmean(best), DIGITS),
        "ap50": None if precision is None else round(precision, DIGITS),
        "pointing": round(sum(hits) / len(hits), DIGITS),
        "pointing_interval": [round(end, DIGITS) for end in interval] if interval else None,
    }


def _reporting(
    name: str, data: Path | None, limit: int | None, seed: int | None, settings: Settings, progress: Progress
) -> dict[str, Any]:
    from evals.metrics.text import bleu, cider, label_f1, meteor, rouge_l

    studies = [study for study in reports.load(name, data) if study.films and (study.findings or study.impression)]
    if not studies:
        raise BadArguments(
            f"No study of {name} has a film and a report here.", "Put the films below --data as published."
        )
    studies = _drawn(studies, limit, seed)
    runner = Runner("report", settings, progress)
    progress.start(len(studies))
    drafts = [runner.run(study.name, study.films[0]) for study in studies]
    said = ["" if ran is None else _drafted(ran[1]) for ran in drafts]
    truth = [f"{study.findings} {study.impression}".strip() for study in studies]
    micro, by_label = label_f1(said, truth)
    figures = {"bleu_4": bleu(said, truth), "rouge_l": rouge_l(said, truth), "meteor": meteor(said, truth),
               "cider": cider(said, truth)}  # fmt: skip
    return {
        "n": len(studies),
        **{metric: round(value, DIGITS) for metric, value in figures.items()},
        "label_f1_by_hilums_reader": {
            "micro": None if micro is None else round(micro, DIGITS),
            **{label: round(value, DIGITS) for label, value in by_label.items()},
        },
        **_failed(runner, ()),
    }


def _drafted(result: Result) -> str:
    """The sentences of a draft."""
    return " ".join(line.text for part in getattr(result.data, "sections", []) for line in part.sentences)


def _failed(runner: Runner, notes: Sequence[str]) -> dict[str, Any]:
    first = dict(list(runner.failed.items())[:3])
    return {"failed": len(runner.failed), "failed_first": first, "notes": list(notes)}
