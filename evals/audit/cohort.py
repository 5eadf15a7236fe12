"""The films of an audit: their labels and attributes from a table, and the scores of the model that is audited."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt

from evals.audit.ranking import Flags, Floats
from imaging.failures import BadArguments
from imaging.radiograph import View
from tools.cases.entries import Given, Table
from tools.knowledge import findings
from tools.knowledge.ontology import is_kind_of

VARIANTS = ("whole", "without_lungs", "without_chest", "lungs_alone")
"""Pictures of a film that are scored; see evals.audit.masking."""

AGE_BANDS: tuple[tuple[str, float, float], ...] = (
    ("under 40", 0, 40),
    ("40 to 59", 40, 60),
    ("60 and over", 60, 200),
)

UNKNOWN = "not known"

DEVICES = ("chest_drain", "support_devices")
"""Labels that say a device is on a film, the one that matters most first."""


@dataclass(frozen=True)
class Film:
    """One audited film.

    Attributes:
        name: of its file.
        patient: pseudonym; of a film whose patient is not known, the name.
        given: labels and attributes.
        scores: variant -> code -> score.
    """

    name: str
    patient: str
    given: Given
    scores: Mapping[str, Mapping[str, float]] = field(repr=False)


class Cohort:
    """Films side by side, as arrays.

    Args:
        films: in any order.

    Attributes:
        films: as given.
        patients: [n].
        codes: findings that are both labelled and scored, in the order of the scores.
    """

    def __init__(self, films: Sequence[Film]) -> None:
        self.films = films
        self.patients: npt.NDArray[np.str_] = np.array([film.patient for film in films])
        scored = dict.fromkeys(code for film in films for code in film.scores["whole"])
        labelled = {code for film in films for code in film.given.labels}
        self.codes = tuple(code for code in scored if code in labelled)

    def __len__(self) -> int:
        return len(self.films)

    def labelled(self, code: str) -> Flags:
        """Films on which a label says yes or no to a finding."""
        return np.array([code in film.given.labels for film in self.films], dtype=np.bool_)

    def truth(self, code: str) -> Flags:
        """Films labelled with a finding."""
        return np.array([bool(film.given.labels.get(code)) for film in self.films], dtype=np.bool_)

    def scores(self, code: str, variant: str = "whole") -> Floats:
        """Scores of a finding; NaN where a film has none of that variant."""
        return np.array([film.scores.get(variant, {}).get(code, np.nan) for film in self.films], dtype=np.float64)

    def attributes(self) -> dict[str, npt.NDArray[np.str_]]:
        """Name of an attribute -> the group of each film, for those that part the films at all."""
        parted = {
            "age": [_band(film.given.age_years) for film in self.films],
            "sex": [{"F": "women", "M": "men"}.get(film.given.sex or "", UNKNOWN) for film in self.films],
            "view": [film.given.view.value if film.given.view is not View.UNKNOWN else UNKNOWN for film in self.films],
        }
        return {name: np.array(groups) for name, groups in parted.items() if len(set(groups) - {UNKNOWN}) > 1}

    def device(self) -> tuple[str, Flags] | None:
        """The device that the table tells of, and the films it is on; None where it tells of none."""
        for code in DEVICES:
            known = [each for each in _under(code) if any(each in film.given.labels for film in self.films)]
            if known:
                on = [any(film.given.labels.get(each) for each in known) for film in self.films]
                return code, np.array(on, dtype=np.bool_)
        return None


def with_scores(table: Table, scores: Path) -> list[Film]:
    """The films of a table that another file gives the scores of: file, then a column per code.

    A column `code:variant` holds the scores of a masked variant (VARIANTS).

    Raises:
        BadArguments: the file cannot be used.
    """
    try:
        with scores.open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadArguments(f"{scores.name} cannot be read as a table: {error}.", "Give a CSV file in UTF-8.") from error
    if not lines or "file" not in lines[0]:
        raise BadArguments(f"{scores.name} has no column `file`.", "Give file, then a column for each finding code.")
    films = []
    for number, line in enumerate(lines, start=2):
        given = table.of(line["file"])
        if given is None:
            continue
        values: dict[str, dict[str, float]] = {variant: {} for variant in VARIANTS}
        for column, text in line.items():
            code, _, variant = (column or "").partition(":")
            if code in findings() and text and values.get(variant or "whole") is not None:
                values[variant or "whole"][code] = _number(text, f"{scores.name}, line {number}")
        films.append(film_of(line["file"], given, values))
    return films


def film_of(name: str, given: Given, scores: Mapping[str, Mapping[str, float]]) -> Film:
    """A film with its patient."""
    return Film(PurePath(name).name, given.patient_key or name, given, scores)


def usable(films: Iterable[Film]) -> Cohort:
    """The films that have a label.

    Raises:
        BadArguments: none has.
    """
    cohort = Cohort([film for film in films if film.given.labels])
    if not cohort.codes:
        raise BadArguments(
            "No film has a label of a finding that the model scores.",
            "Name the label columns as finding codes or as the data set names them, with 1 and 0 in them.",
        )
    return cohort


def _under(code: str) -> list[str]:
    """A code and everything narrower."""
    return [code, *(other for other in findings() if other != code and is_kind_of(other, code))]


def _band(age: float | None) -> str:
    if age is None:
        return UNKNOWN
    return next((name for name, low, high in AGE_BANDS if low <= age < high), UNKNOWN)


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise BadArguments(f"{where}: {text!r} is no score.", "Write numbers.") from error
