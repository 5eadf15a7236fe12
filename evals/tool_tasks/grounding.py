"""Where findings are drawn against the boxes of a set: AP50, intersection over union, the pointing game."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evals.formats import boxes
from evals.metrics.boxes import Predicted, average_precision, centre, iou, points_inside
from evals.stats import accuracy
from evals.tool_tasks.kind import DIGITS, Choice, Items, Kind
from evals.tool_tasks.labels import code_of
from evals.tool_tasks.runner import Runner
from imaging.radiograph import Radiograph
from tools.contract import Result

Asked = tuple[tuple[str, str], list[boxes.LabelledBox]]
"""A film and a label, with the boxes of that label on it."""

CELLS = 200
"""Along each side of the grid on which boxes' share of a film is counted."""


def _load(name: str, data: Path | None) -> Items:
    pairs: dict[tuple[str, str], list[boxes.LabelledBox]] = {}
    for box in boxes.load(name, data):
        pairs.setdefault((box.name, box.label), []).append(box)
    return Items(list(pairs.items()))


def _score(asked: Sequence[Asked], runner: Runner, choice: Choice) -> dict[str, Any]:
    del choice
    runner.begin(len(asked))
    by_label: dict[str, list[dict[str, Any]]] = {}
    unknown = set()
    for (film, label), truth in asked:
        code = code_of(label)
        if code is None:
            unknown.add(label)
            runner.skip("label unknown")
            continue
        ran = runner.run(f"{film} {label}", truth[0].film, finding=code)
        by_label.setdefault(label, []).append(_grounded(film, truth, ran))
    return {
        "n": sum(map(len, by_label.values())),
        "labels": {label: _pointed(rows) for label, rows in sorted(by_label.items())},
        "unknown_labels": sorted(unknown),
    }


def _grounded(film: str, truth: list[boxes.LabelledBox], ran: tuple[Radiograph, Result] | None) -> dict[str, Any]:
    height, width = ran[0].shape if ran else (1, 1)
    scale = np.array([height, width, height, width]) if truth[0].unit == "share" else np.ones(4)
    places = [tuple(np.array(box.box) * scale) for box in truth]
    drawn = [] if ran is None else [o.as_box() for o in ran[1].overlays if o.kind == "box"]
    scores = [row.score or 0.0 for row in ran[1].findings] if ran else []
    covered = _covered(places, height, width)
    return {"film": film, "truth": places, "drawn": drawn, "score": max(scores, default=0.0), "covered": covered}


def _covered(places: Sequence[Sequence[float]], height: int, width: int) -> float | None:
    """Share of the film in its true boxes: how often a point drawn at random hits; None where its size is not known."""
    if max(place[2] for place in places) > height or max(place[3] for place in places) > width:
        return None
    rows, columns = np.mgrid[0.5:CELLS, 0.5:CELLS] / CELLS
    inside = [(rows >= b[0] / height) & (rows < b[2] / height) & (columns >= b[1] / width) & (columns < b[3] / width)
              for b in places]  # fmt: skip
    return float(np.logical_or.reduce(inside).mean())


def _pointed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    said = [Predicted(row["film"], row["score"], box) for row in rows for box in row["drawn"]]
    best = [max((iou(b, t) for b in row["drawn"] for t in row["truth"]), default=0.0) for row in rows]
    hits = [any(points_inside(centre(b), row["truth"]) for b in row["drawn"]) for row in rows]
    covered = [row["covered"] for row in rows if row["covered"] is not None]
    precision = average_precision(said, {row["film"]: row["truth"] for row in rows})
    shown = accuracy(hits, [row["film"] for row in rows])
    return {
        "n": len(rows),
        "drawn": sum(bool(row["drawn"]) for row in rows),
        "mean_iou": round(statistics.fmean(best), DIGITS),
        "ap50": None if precision is None else round(precision, DIGITS),
        "pointing_by_chance": round(statistics.fmean(covered), DIGITS) if covered else None,
        "pointing": round(shown.value or 0.0, DIGITS),
        "pointing_interval": [round(end or 0.0, DIGITS) for end in (shown.low, shown.high)],
    }


GROUNDING = Kind("grounding", "ground", tuple(boxes.LAYOUTS), _load, lambda item: str(item[0][0]), _score)
