"""What comes into the index: films of folders and of a PACS, with what a table beside them says of each.

A source is an iterable of `Entry`; the index takes each entry's film when its turn comes, and asks nothing else of it.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path, PurePath

from imaging.failures import BadArguments, FilmRefused
from imaging.files import open_film
from imaging.identity import pseudonym
from imaging.pacs import Pacs, Query
from imaging.part10 import file_bytes
from imaging.radiograph import Radiograph, View
from imaging.sources import Content, contents
from tools.knowledge import findings

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "file": ("file", "filename", "path", "image_index", "image index"),
    "report": ("report", "text"),
    "findings": ("findings",),
    "impression": ("impression",),
    "patient": ("patient", "patient_id"),
    "study": ("study", "study_id"),
    "date": ("date", "acquired"),
    "age": ("age", "age_years"),
    "sex": ("sex", "gender"),
    "view": ("view", "view_position"),
}
"""What a column of the table is taken for, by its name in lower case; other columns named as a data set's label or a
finding's code say whether the finding is there (1) or not (0)."""

MOST_FILES = 10_000_000
"""Far more than a hospital takes in ten years."""

YES, NO = ("1", "1.0", "yes", "true", "present"), ("0", "0.0", "no", "false", "absent")


@dataclass(frozen=True)
class Given:
    """What a table says of one film; None and empty where it does not."""

    report: str = ""
    patient_key: str | None = None
    study_key: str | None = None
    acquired: dt.date | None = None
    age_years: float | None = None
    sex: str | None = None
    view: View = View.UNKNOWN
    labels: Mapping[str, bool] = field(default_factory=dict)

    def of(self, film: Radiograph) -> Radiograph:
        """The film with what its own header leaves open filled in."""
        says_view = film.view is View.UNKNOWN and self.view is not View.UNKNOWN
        return replace(
            film,
            patient_key=film.patient_key or self.patient_key,
            study_key=film.study_key or self.study_key,
            acquired=film.acquired or self.acquired,
            age_years=self.age_years if film.age_years is None else film.age_years,
            sex=film.sex or self.sex,
            view=self.view if says_view else film.view,
            view_origin="user" if says_view else film.view_origin,
        )


@dataclass(frozen=True)
class Entry:
    """One film to index.

    Attributes:
        name: as the source calls it; shown to who indexes, and kept nowhere.
        digest: of the film's bytes, by which it is known again.
        film: opens it; FilmRefused where it cannot be used.
        given: what is known of it beside its header.
    """

    name: str
    digest: str
    film: Callable[[], Radiograph] = field(repr=False)
    given: Given = Given()


@dataclass(frozen=True)
class Table:
    """The rows of a CSV file by the film they are of.

    Attributes:
        rows: by file name as the table writes it, and by shorter forms of it (its last part, without suffix) that
            only one row has.
        unused: columns that nothing is made of.
    """

    rows: Mapping[str, Given]
    unused: tuple[str, ...] = ()

    def of(self, name: str) -> Given | None:
        """The row of a film, by the longest end of its path that the table knows, with or without its suffix."""
        parts = PurePath(name.replace("!", "/")).parts
        for start in range(len(parts)):
            known = self.rows.get("/".join(parts[start:])) or self.rows.get(PurePath(*parts[start:]).stem)
            if known is not None:
                return known
        return None


def folder_entries(given: Sequence[Path], table: Table | None = None) -> Iterator[Entry]:
    """Every file of files, folders and archives as an entry, in order, read when its turn comes.

    Args:
        given: paths, as imaging.sources takes them.
        table: what is known of the films beside their headers.
    """
    for content in contents(given, most=MOST_FILES):
        known = table.of(content.name) if table else None
        digest = hashlib.sha256(content.data or b"").hexdigest()
        yield Entry(content.name, digest, partial(_film, content), known or Given())


def pacs_entries(pacs: Pacs, asked: Query, table: Table | None = None) -> Iterator[Entry]:
    """Every film (CR, DX, RG) of the studies that match, each fetched when its turn comes and written to no disk.

    An entry's name is the film's SOP Instance UID, and so is it known again without being fetched.

    Args:
        pacs: that is asked.
        asked: which studies.
        table: what is known of the films beside their headers; its column `file` holds SOP Instance UIDs.

    Raises:
        PacsFailed: the PACS cannot be reached or refuses, here or where an entry's film is opened.
    """
    for found in pacs.find(asked):
        for series, instance in pacs.instances(found.study):
            known = table.rows.get(instance) if table else None  # exactly: a UID has no suffix to leave out
            fetch = partial(_fetched, pacs, found.study, series, instance)
            yield Entry(instance, hashlib.sha256(instance.encode()).hexdigest(), fetch, known or Given())


def _fetched(pacs: Pacs, study: str, series: str, instance: str) -> Radiograph:
    for dataset in pacs.get(study, series, instance):
        return open_film(file_bytes(dataset))
    raise FilmRefused("The PACS names this film and does not give it.")


def _film(content: Content) -> Radiograph:
    if content.data is None:
        raise content.refused or FilmRefused("The file has no content.")
    return open_film(content.data)


def read_table(path: Path) -> Table:
    """The table of a CSV file whose first line names the columns.

    Raises:
        BadArguments: it cannot be read, has no column for the file, names a film twice, or a value is none.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadArguments(f"{path.name} cannot be read as a table: {error}.", "Give a CSV file in UTF-8.") from error
    columns = list(lines[0]) if lines else []
    meant = {name: wanted for name in columns for wanted, known in COLUMNS.items() if (name or "").lower() in known}
    if "file" not in meant.values():
        raise BadArguments(
            f"{path.name} has no column that names the film; it has: {', '.join(map(str, columns)) or 'none'}.",
            "Name one of them `file`.",
        )
    labels = {name: code for name in columns if name not in meant and (code := _labels().get((name or "").lower()))}
    rows: dict[str, Given | None] = {}
    whole: dict[str, Given] = {}
    for number, line in enumerate(lines, start=2):
        names = [(line[column] or "").strip() for column, wanted in meant.items() if wanted == "file"]
        row = _given(line, meant, labels, f"{path.name}, line {number}")
        for name in filter(None, names):
            if name in whole:
                raise BadArguments(f"{path.name}, line {number}: {name} stands there twice.", "Give each film once.")
            whole[name] = row
            for short in {PurePath(name).name, PurePath(name).stem, str(PurePath(name).with_suffix(""))} - {name}:
                rows[short] = None if short in rows else row
    known = {short: row for short, row in rows.items() if row is not None} | whole
    return Table(known, tuple(str(name) for name in columns if name not in meant and name not in labels))


@cache
def _labels() -> dict[str, str]:
    """A data set's word, or a code, in lower case → code."""
    words = {code: code for code in findings()}
    for code, concept in findings().items():
        words |= {word.lower(): code for listed in concept.labels.values() for word in listed}
    return words


def _given(line: Mapping[str, str | None], meant: Mapping[str, str], labels: Mapping[str, str], where: str) -> Given:
    told = {wanted: (line[column] or "").strip() for column, wanted in meant.items()}
    sections = [f"{part.capitalize()}: {told[part]}" for part in ("findings", "impression") if told.get(part)]
    patient, study = told.get("patient", ""), told.get("study", "")
    return Given(
        report="\n".join([*([told["report"]] if told.get("report") else []), *sections]),
        # As imaging.dicom makes it of a Patient ID without an issuer, so that both are the same patient.
        patient_key=pseudonym("patient", patient, ""),
        study_key=pseudonym("study", study),
        acquired=_date(told.get("date", ""), where),
        age_years=_age(told.get("age", ""), where),
        sex={"m": "M", "male": "M", "f": "F", "female": "F"}.get(told.get("sex", "").lower()),
        view=_view(told.get("view", "")),
        labels={code: said for column, code in labels.items() if (said := _said(line[column])) is not None},
    )


def _said(value: str | None) -> bool | None:
    word = (value or "").strip().lower()
    return True if word in YES else False if word in NO else None


def _view(word: str) -> View:
    name = {"L": "LATERAL", "LL": "LATERAL", "LAT": "LATERAL"}.get(word.upper(), word.upper())
    return View(name) if name in list(View) else View.UNKNOWN


def _date(word: str, where: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(word) if word else None
    except ValueError as error:
        raise BadArguments(f"{where}: {word!r} is no date.", "Write YYYY-MM-DD.") from error


def _age(word: str, where: str) -> float | None:
    try:
        age = float(word.upper().rstrip("Y")) if word else None
    except ValueError:
        age = math.nan
    if age is not None and not 0 <= age <= 150:
        raise BadArguments(f"{where}: {word!r} is no age.", "Write whole years, 0 to 150.")
    return age
