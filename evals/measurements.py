"""How near the tool `measure` comes to the truth: held-out phantoms, and human outlines of real films.

python -m evals.measurements [--films N] [--first-seed S] [--data DIR] [--nih N] [--json FILE]

Phantoms: seeds that no training set uses, PA and AP, normal and ill, with and without devices. The truth of a number is
the phantom's own measure where it has one, else the same geometry on the phantom's exact outlines. Real films (with
--data): numbers from human outlines against those from ours on the held-out fold of JSRT and Montgomery, and the
cardiothoracic ratio of NIH films against their label.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from imaging.phantom import PhantomFilm, make_phantom
from imaging.radiograph import Radiograph
from models.card import ModelCard
from models.outputs import Masks, Task
from models.pool import ModelPool
from tools.anatomy import Outlines
from tools.measurements import Sheet, measured

Mask = npt.NDArray[np.bool_]

FIRST_SEED = 8_000_000
"""First seed of the phantoms measured; no training set begins there."""

FILMS = 60

RENAMED = {
    "left_scapula": "scapula_left", "right_scapula": "scapula_right",
    "left_diaphragm": "diaphragm_left", "right_diaphragm": "diaphragm_right",
}  # fmt: skip
"""Structure codes whose phantom mask is called differently."""

EXACT = (
    "left_lung", "right_lung", "heart", "left_clavicle", "right_clavicle", "mediastinum", "aorta", "trachea", "spine",
    "ascending_aorta", "descending_aorta", "left_scapula", "right_scapula", "left_diaphragm", "right_diaphragm",
)  # fmt: skip
"""Structures whose exact outlines the truth is read from."""


@dataclass(frozen=True)
class Row:
    """One number on one film.

    Attributes:
        code: of the quantity.
        truth, found: its true and its measured value; nan where there is none.
        reason: why it was not measured.
    """

    code: str
    truth: float
    found: float
    reason: str = ""


def exact_outlines(film: PhantomFilm, card: ModelCard) -> Outlines:
    """A phantom's own masks in the place of a segmenter's."""
    stack = np.stack([film.masks[RENAMED.get(code, code)] for code in EXACT])
    return Outlines(Masks(EXACT, stack, np.ones(len(EXACT), dtype=np.float32)), card, "phantom", "exact")


def numbers_of(film: Radiograph, outlines: Outlines) -> tuple[dict[str, float], dict[str, str]]:
    """(every quantity by code, why each measurement that failed did)."""
    done = measured(Sheet(film, outlines))
    values = {item.code: item.value for one in done if one.measured for item in one.quantities}
    return values, {one.code: one.reason for one in done if not one.measured}


def compared(
    film: Radiograph, found: Outlines, exact: Outlines, measures: Mapping[str, float]
) -> tuple[list[Row], dict[str, str]]:
    """Every number of one film with its truth, and why measurements failed."""
    truth, _ = numbers_of(film, exact)
    truth |= {code: value for code, value in measures.items() if code in truth and math.isfinite(value)}
    missing = {code for code in truth if code in measures and not math.isfinite(measures[code])}
    values, reasons = numbers_of(film, found)
    rows = [Row(code, value, values.get(code, math.nan)) for code, value in truth.items() if code not in missing]
    return rows, reasons


def table(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Per quantity: how many films have it and how many were measured, median and 90th percentile of the error."""
    by_code: dict[str, list[Row]] = {}
    for row in rows:
        by_code.setdefault(row.code, []).append(row)
    made = []
    for code, group in by_code.items():
        truth, found = (np.array([getattr(row, name) for row in group]) for name in ("truth", "found"))
        error = found - truth
        there = np.isfinite(error)
        facts: dict[str, Any] = {"code": code, "films": len(group), "measured": int(there.sum())}
        if there.any():
            size = np.abs(error[there])
            facts |= {
                "truth_median": round(float(np.median(truth[there])), 3),
                "median_error": round(float(np.median(size)), 4),
                "error_90": round(float(np.percentile(size, 90)), 4),
                "bias": round(float(error[there].mean()), 4),
            }
        made.append(facts)
    return made


def phantom_rows(count: int, first_seed: int, models: ModelPool) -> tuple[list[Row], dict[str, dict[str, int]]]:
    """Rows of held-out phantoms, and how often each measurement failed for which reason."""
    from models.recipes.anatomy import draw_spec

    rows: list[Row] = []
    failures: dict[str, dict[str, int]] = {}
    for seed in track(range(first_seed, first_seed + count), description="phantoms", console=Console(stderr=True)):
        film = make_phantom(draw_spec(seed))
        found = _outlined(film.radiograph, models)
        more, reasons = compared(film.radiograph, found, exact_outlines(film, found.card), film.measures)
        rows += more
        for code, reason in reasons.items():
            failures.setdefault(code, {}).setdefault(reason.split(" (")[0], 0)
            failures[code][reason.split(" (")[0]] += 1
    return rows, failures


def _outlined(film: Radiograph, models: ModelPool) -> Outlines:
    [prediction] = models.predict(Task.SEGMENT, [film])
    masks = prediction.output
    if not isinstance(masks, Masks):
        raise TypeError(f"{prediction.model_id} serves segment but returned {type(masks).__name__}")
    return Outlines(masks, prediction.card, prediction.model_id, prediction.revision)


def real_rows(data: Path, models: ModelPool) -> Iterator[tuple[str, list[Row]]]:
    """Held-out real films: every number from the human outlines, the structures nobody drew taken from ours."""
    from models.recipes.data import jsrt_films, tuberculosis_films
    from models.recipes.segmenter import TEST_FOLD

    for name, films in (("JSRT", jsrt_films(data)), ("Montgomery", tuberculosis_films(data, "Montgomery"))):
        rows: list[Row] = []
        for drawn in films:
            if drawn.fold != TEST_FOLD:
                continue
            film = plain_film(drawn.pixels)
            found = _outlined(film, models)
            human = found.masks.masks.copy()
            human[drawn.known] = drawn.masks[drawn.known]
            quality = np.where(drawn.known, np.float32(1), found.masks.quality)
            exact = Outlines(Masks(found.masks.codes, human, quality), found.card, "human", "drawn")
            rows += compared(film, found, exact, {})[0]
        yield f"{name}, held-out patients, human outlines", rows


def plain_film(pixels: npt.NDArray[np.float32]) -> Radiograph:
    """Pixels [H, W] in [0, 1] as a PA film without spacing."""
    from imaging.radiograph import Source, View, canonical, film_id

    film = canonical(pixels)
    source = Source("array", film.shape[0], film.shape[1], 8, "L")
    return Radiograph(id=film_id(film), pixels=film, source=source, view=View.PA, view_origin="user")


def label_figures(data: Path, models: ModelPool, limit: int) -> dict[str, float]:
    """AUROC of the measured cardiothoracic ratio for NIH's text-mined label of cardiomegaly, PA films of adults."""
    import csv

    from sklearn.metrics import roc_auc_score

    from models.recipes.data import read_grey

    with (data / "nih.csv").open(newline="") as file:
        listed = [row for row in csv.DictReader(file) if row["view"] == "PA" and int(row["age"]) >= 16]
    positive = [row for row in listed if row["Cardiomegaly"] == "1"]
    chosen = positive + [row for row in listed if row["Cardiomegaly"] != "1"][: max(0, limit - len(positive))]
    truth, ratios = [], []
    for row in track(chosen, description="NIH", console=Console(stderr=True)):
        film = plain_film(read_grey(data / row["file"]))
        values, _ = numbers_of(film, _outlined(film, models))
        if "cardiothoracic_ratio" in values:
            truth.append(int(row["Cardiomegaly"]))
            ratios.append(values["cardiothoracic_ratio"])
    return {
        "films": len(chosen),
        "measured": len(truth),
        "with_label": int(sum(truth)),
        "auroc": round(float(roc_auc_score(truth, ratios)), 3),
        "median_with": round(float(np.median([r for r, t in zip(ratios, truth, strict=True) if t])), 3),
        "median_without": round(float(np.median([r for r, t in zip(ratios, truth, strict=True) if not t])), 3),
    }


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table as Markdown."""
    lines = [
        "| number | films | measured | median truth | median error | 90 % below | bias |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        tail = [row.get(name, "–") for name in ("truth_median", "median_error", "error_90", "bias")]
        lines.append(f"| `{row['code']}` | {row['films']} | {row['measured']} | {' | '.join(map(str, tail))} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the tables, write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=FILMS)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--data", type=Path, help="folder of real films")
    parser.add_argument("--nih", type=int, default=300, help="NIH films at most")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    models = ModelPool(device="cpu", profile="embedded")
    console = Console()
    rows, failures = phantom_rows(arguments.films, arguments.first_seed, models)
    facts: dict[str, Any] = {"phantoms": table(rows), "not_measured": failures}
    console.print(markdown(facts["phantoms"]), markup=False, soft_wrap=True)
    for code, reasons in failures.items():
        for reason, count in reasons.items():
            console.print(f"{code}: {count} x {reason}", markup=False, soft_wrap=True)
    if arguments.data:
        for name, more in real_rows(arguments.data, models):
            facts[name] = table(more)
            console.print(f"\n{name}\n{markdown(facts[name])}", markup=False, soft_wrap=True)
        facts["NIH"] = label_figures(arguments.data, models, arguments.nih)
        console.print(f"\nNIH label: {facts['NIH']}", markup=False, soft_wrap=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
