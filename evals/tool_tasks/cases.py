"""Past films like this one, by labels: do the nearest films of other patients share a finding with it?

Every film of a classification set is indexed as `hilum index cases` does, without its labels, and then looked up in the
index: its own patient is left out. A film without a positive label asks for nothing and is only there to be found.
"""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from evals.formats import labels
from evals.formats.labels import LabelledFilm
from evals.metrics.lists import ndcg_at, recall_at
from evals.stats import bootstrap_interval
from evals.tool_tasks.kind import DIGITS, Choice, Items, Kind
from evals.tool_tasks.runner import Runner
from imaging.files import open_film
from imaging.identity import pseudonym
from imaging.radiograph import Radiograph
from tools.cases.building import Progress, build_index
from tools.cases.entries import Entry, Given
from tools.cases.library import CaseLibrary, Wanted
from tools.cases.looks import FILM, looks_of, scored
from tools.cases.ranking import limits_of

ENDING = "-cases"
"""A classification set's name with this is the same set, looked up."""
NEAREST, FURTHER = 5, 20
"""What `retrieve_cases` gives when nothing is said, and at most."""


def _load(name: str, data: Path | None) -> Items:
    return Items(*labels.load(name.removesuffix(ENDING), data))


def _score(films: Sequence[LabelledFilm], runner: Runner, choice: Choice) -> dict[str, Any]:
    del choice
    there = {film.name: film for film in films if film.film}
    runner.failed.update({film.name: "the film is not there" for film in films if film.name not in there})
    positive = {name: {label for label, value in film.labels.items() if value} for name, film in there.items()}
    runner.begin(2 * len(there))
    with TemporaryDirectory() as folder:
        refused = _indexed([_entry(film) for film in there.values()], runner, Path(folder))
        library = CaseLibrary.at(Path(folder))
        found = _looked_up(there, refused, positive, runner, library)
    made = library.making
    pairs = ((made.model, made.revision), (made.classifier, made.classifier_revision))
    runner.answered_by |= {f"{model} {revision}" for model, revision in pairs if model}
    indexed = {name: there[name].patient for name in there if name not in refused}
    return {"n": len(found), "indexed": len(indexed), **_figures(found, positive, indexed)}


def _entry(film: LabelledFilm) -> Entry:
    """A film as the index takes it: with its patient, and named by its study; its labels are kept from it."""
    given = Given(patient_key=pseudonym("patient", film.patient), study_key=film.name)
    digest = hashlib.sha256(film.name.encode()).hexdigest()
    return Entry(film.name, digest, partial(open_film, film.film or ""), given)


def _indexed(entries: Sequence[Entry], runner: Runner, home: Path) -> set[str]:
    """Index the entries; names of those that were refused or are a picture that is there already."""
    progress, seen = Progress(), 0
    for progress in build_index(entries, runner.pool, home):
        for _ in range(progress.seen - seen):
            runner.skip("indexed")
        seen = progress.seen
    runner.failed.update(progress.refused)
    return {name for name, _ in progress.refused}


def _looked_up(
    there: Mapping[str, LabelledFilm],
    refused: set[str],
    positive: Mapping[str, set[str]],
    runner: Runner,
    library: CaseLibrary,
) -> dict[str, list[str]]:
    """Each film that has a finding -> names of the nearest films of other patients."""
    found = {}
    for name, film in there.items():
        runner.skip("looked up")
        if name in refused or not positive[name]:
            continue
        entry = _entry(film)
        radiograph: Radiograph = entry.given.of(entry.film())
        [look] = looks_of([radiograph], runner.pool, library.making)
        limits = limits_of(scored(radiograph, runner.pool, library.making))
        matches = library.search(radiograph, look, FILM, Wanted(), FURTHER, limits)
        found[name] = [str(match.record.study_key) for match in matches]
    return found


def _figures(
    found: Mapping[str, Sequence[str]], positive: Mapping[str, set[str]], patients: Mapping[str, str]
) -> dict[str, Any]:
    rows = list(_rows(found, positive, patients))
    by_label: dict[str, list[tuple[float, float, float, str]]] = {}
    for name, near, others in rows:
        for label in positive[name]:
            has = [label in positive[other] for other in near]
            there = sum(label in positive[other] for other in others)
            recalled = recall_at(has, there, FURTHER)
            if recalled is not None:
                row = (sum(has[:NEAREST]) / NEAREST, recalled, there / len(others), patients[name])
                by_label.setdefault(label, []).append(row)
    gains, by_chance = _gains(rows, positive)
    whose = [patients[name] for name, _, _ in rows]
    return {
        "ndcg_at_5": _mean(gains, whose),
        "ndcg_at_5_by_chance": round(statistics.fmean(by_chance), DIGITS) if by_chance else None,
        "labels": {label: _of_label(told) for label, told in sorted(by_label.items())},
    }


def _rows(
    found: Mapping[str, Sequence[str]], positive: Mapping[str, set[str]], patients: Mapping[str, str]
) -> Iterator[tuple[str, Sequence[str], list[str]]]:
    """(film, what was found, all films of other patients) where another patient has one of its findings."""
    for name, near in found.items():
        others = [other for other, patient in patients.items() if patient != patients[name]]
        if any(positive[other] & positive[name] for other in others):
            yield name, near, others


def _gains(
    rows: Sequence[tuple[str, Sequence[str], list[str]]], positive: Mapping[str, set[str]]
) -> tuple[list[float], list[float]]:
    """nDCG at five of each film, and of the same film by neighbours drawn at random.

    A gain is the share of findings that both films have among those that either has (Jaccard).
    """
    reached, by_chance = [], []
    for name, near, others in rows:
        mine = positive[name]
        gain = {other: len(mine & positive[other]) / len(mine | positive[other]) for other in others}
        ideal = list(gain.values())
        reached.append(ndcg_at([gain[other] for other in near], ideal, NEAREST) or 0.0)
        by_chance.append(ndcg_at([statistics.fmean(ideal)] * len(ideal), ideal, NEAREST) or 0.0)
    return reached, by_chance


def _of_label(rows: Sequence[tuple[float, float, float, str]]) -> dict[str, Any]:
    near, recalled, chance, patients = (list(column) for column in zip(*rows, strict=True))
    return {
        "n": len(rows),
        "share_of_5": _mean(near, patients),
        "by_chance": round(statistics.fmean(chance), DIGITS),
        "recall_at_20": round(statistics.fmean(recalled), DIGITS),
    }


def _mean(values: Sequence[float], clusters: Sequence[str]) -> dict[str, float | None]:
    """The mean with its interval, by bootstrap over patients."""
    low, high = bootstrap_interval(values, clusters) or (None, None)
    whole = statistics.fmean(values) if values else None
    return {k: None if v is None else round(v, DIGITS) for k, v in (("value", whole), ("low", low), ("high", high))}


CASES = Kind(
    "retrieval of cases",
    "retrieve_cases",
    tuple(f"{name}{ENDING}" for name in labels.LAYOUTS),
    _load,
    lambda film: str(film.name),
    _score,
)
