"""Searching the index: which past films are allowed, and which of them are nearest to a film."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imaging.failures import Unavailable
from imaging.radiograph import Radiograph
from tools.cases.looks import FILM, FINDINGS, Making, Scale, Vector, joined
from tools.cases.ranking import agreement
from tools.cases.records import CaseRecord, CaseRecords
from tools.cases.sameness import of_png, same_picture
from tools.cases.vectors import Built, Numbers, Vectors
from tools.contract.made import encode_picture

FOLDER = "cases"
"""Below Hilum's home directory."""

DATABASE = "cases.sqlite"

THUMBNAIL_PX = 192
"""Longest side of a thumbnail: about 20 KB."""

MORE = 45
"""Further neighbours looked at: the same pictures among them are left out, and those with the film's findings come
first."""

REMEDY = "Make one from a folder of films: hilum index cases FOLDER [--reports CSV]."


@dataclass(frozen=True)
class Wanted:
    """What a past film must be to be found; None is anything.

    Attributes:
        finding: a code it has.
        without_finding: a code that is absent from it, by its label or the classifier.
        view: "PA", "AP" or "LATERAL"; without it frontal films are compared with frontal ones, lateral with lateral.
        sex: "M" or "F".
        age_from, age_to: years, both ends included.
        acquired_from, acquired_to: days, both ends included.
    """

    finding: str | None = None
    without_finding: str | None = None
    view: str | None = None
    sex: str | None = None
    age_from: float | None = None
    age_to: float | None = None
    acquired_from: dt.date | None = None
    acquired_to: dt.date | None = None


@dataclass(frozen=True)
class Match:
    """A past film and how alike it is, at most 1: inner product of the two vectors, and of a film with clear findings
    the mean of that and of how far the past film has them."""

    record: CaseRecord
    similarity: float


class CaseLibrary:
    """One index, open for searching; made by `CaseLibrary.at`.

    Attributes:
        making: with what it was made.
        films: how many it holds.
        parts: what can be compared: the film, and zones of the lungs where it was made so.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records = CaseRecords(folder / DATABASE, read_only=True)
        facts = self._records.facts()
        if not facts.get("films"):
            raise Unavailable("The index of cases is not finished.", "Run the same hilum index cases command again.")
        self.making = Making.model_validate(facts["making"])
        self.films, self._last = int(facts["films"]), int(facts["last"])
        self._facts: dict[str, dict[str, Any]] = facts["parts"]
        self.parts = tuple(self._facts)
        self._loaded: dict[str, tuple[Vectors, list[Scale]]] = {}

    @classmethod
    def at(cls, home: Path | None) -> CaseLibrary:
        """The index under Hilum's home directory, kept in memory until it is made anew.

        Raises:
            Unavailable: there is none, or it is not finished; with the remedy.
        """
        database = home / FOLDER / DATABASE if home else None
        if database is None or not database.is_file():
            raise Unavailable("There is no index of past cases on this machine.", REMEDY)
        vectors = database.parent / f"{FILM}.faiss"
        return _opened(database.parent, vectors.stat().st_mtime_ns if vectors.is_file() else 0)

    def search(
        self, film: Radiograph, look: Mapping[str, Vector], part: str, wanted: Wanted, k: int, limits: Vector | None
    ) -> list[Match]:
        """The k most alike films of other patients that are as wanted, the most alike first.

        The film itself, what it was computed from, other files of the same picture and all films of its patient are
        left out, as are films that are processed or synthetic: those are never indexed.

        Args:
            film: the film that is compared.
            look: its vectors by kind, as `looks_of` gives them.
            part: one of `parts`.
            wanted: what a past film must be.
            k: how many.
            limits: of the film's findings, as `ranking.limits_of` gives them; None where nothing scored it.
        """
        vectors, scales = self._of(part)
        allowed = self._allowed(film, wanted)
        if not allowed.any():
            return []
        kinds = zip(self._kinds(part), scales, strict=True)
        query = joined([scale(look.get(kind, np.zeros_like(scale.mean))) for kind, scale in kinds])
        numbers, products = vectors.search(query, min(k + MORE, int(allowed.sum())), allowed)
        if limits is not None and FINDINGS in look and FINDINGS in self._kinds(part):
            numbers, products = self._ranked(numbers, products, look[FINDINGS], limits)
        mine = of_png(base64.b64decode(encode_picture(film.pixels, THUMBNAIL_PX)[0]))
        matches: list[Match] = []
        for number, product in zip(numbers.tolist(), products.tolist(), strict=True):
            if len(matches) == k:
                break
            record = self._records.get(number)
            if not same_picture(mine, of_png(record.thumbnail)):
                matches.append(Match(record, min(float(product), 1.0)))
        return matches

    def _ranked(self, numbers: Numbers, products: Vector, film: Vector, limits: Vector) -> tuple[Numbers, Vector]:
        """The nearest films again, those first that have the film's clear findings."""
        scale = self._of(FILM)[1][self._kinds(FILM).index(FINDINGS)]
        shared = agreement(film, self._records.vectors_of(numbers.tolist(), FINDINGS), limits, scale)
        if shared is None:
            return numbers, products
        similarity = ((products + shared) / 2).astype(np.float32)
        order = np.argsort(-similarity, kind="stable")
        return numbers[order], similarity[order]

    def patient_of(self, film: Radiograph) -> str | None:
        """Whose film it is: as its file says, else as the index knows that very picture."""
        return film.patient_key or self._records.patient_of(film.id)

    def allowed(self, film: Radiograph, wanted: Wanted) -> int:
        """How many films are searched for this one."""
        return int(self._allowed(film, wanted).sum())

    def _kinds(self, part: str) -> list[str]:
        return list(self._facts[part]["kinds"])

    def _of(self, part: str) -> tuple[Vectors, list[Scale]]:
        if part not in self._loaded:
            path = self._folder / f"{part}.faiss"
            with np.load(path.with_suffix(".scale.npz"), allow_pickle=False) as kept:
                scales = [Scale(kept[f"mean{n}"], kept[f"spread{n}"]) for n in range(len(self._kinds(part)))]
            self._loaded[part] = (Vectors(path, Built(**self._facts[part]["built"])), scales)
        return self._loaded[part]

    def _allowed(self, film: Radiograph, wanted: Wanted) -> npt.NDArray[np.bool_]:
        """bool [largest number + 1]."""
        conditions, values = conditions_of(film, self.patient_of(film), wanted)
        mask = np.zeros(self._last + 1, dtype=np.bool_)
        found = self._records.numbers(" AND ".join(conditions), values)
        mask[found[found < len(mask)]] = True
        return mask


def conditions_of(film: Radiograph, patient: str | None, wanted: Wanted) -> tuple[list[str], list[Any]]:
    """SQL conditions over `films` with their values: what is wanted, and what is left out for this film.

    Args:
        film: the film that is compared.
        patient: whose it is, if known; that patient's films are left out.
        wanted: what a past film must be.
    """
    same = [film.id, *([film.derived.parent] if film.derived and film.derived.parent else [])]
    conditions = [f"film_id NOT IN ({', '.join('?' * len(same))})"]
    values: list[Any] = [*same]
    if patient is not None:
        conditions.append("(patient_key IS NULL OR patient_key <> ?)")
        values.append(patient)
    if wanted.view is None:
        conditions.append("frontal = ?")
        values.append(int(film.is_frontal))
    for code, status in ((wanted.finding, "present"), (wanted.without_finding, "absent")):
        if code is not None:
            conditions.append("number IN (SELECT number FROM findings WHERE code=? AND status=?)")
            values += [code, status]
    ranges = (
        ("view = ?", wanted.view),
        ("sex = ?", wanted.sex),
        ("age >= ?", wanted.age_from),
        ("age <= ?", wanted.age_to),
        ("acquired >= ?", wanted.acquired_from and wanted.acquired_from.isoformat()),
        ("acquired <= ?", wanted.acquired_to and wanted.acquired_to.isoformat()),
    )
    for condition, value in ranges:
        if value is not None:
            conditions.append(condition)
            values.append(value)
    return conditions, values


@lru_cache(maxsize=2)
def _opened(folder: Path, made: int) -> CaseLibrary:
    """`made`: time of the faiss file, so that a new one is opened."""
    del made
    return CaseLibrary(folder)
