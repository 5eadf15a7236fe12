"""Several films as studies: grouped by study, dated, frontal and lateral paired, prior before current.

Grouping goes by the header's patient and study; a film that names no study (a picture) is a study of its own, since
joining films by their folder would now and then join strangers. Each file ends up as a film, as a duplicate or as
refused with the reason.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from imaging.alike import alike
from imaging.codecs import Quiet
from imaging.elements import number, text
from imaging.failures import FilmRefused
from imaging.identity import pseudonym
from imaging.part10 import read_dataset
from imaging.radiograph import Radiograph, View
from imaging.refusals import refusal
from imaging.sources import Content, contents
from imaging.store import ImageStore

TIMES = ("AcquisitionTime", "ContentTime", "SeriesTime", "StudyTime")
"""Time of the exposure, as near as the header knows it; in the order of `imaging.header.acquired_on`."""

TIME = re.compile(r"([01]\d|2[0-3])[0-5]\d([0-5]\d)?")
"""TM of PS3.5 6.2 to the minute or second."""

UNDATED = dt.date.min
"""Where films without a date stand in the order: first, so that an undated film is never called the current one."""


class Role(StrEnum):
    """What a dated film is among the films of its patient."""

    CURRENT = "current"
    """Of the newest date."""
    PRIOR = "prior"
    """Of the latest earlier date."""
    OLDER = "older"
    """Of a date before that."""


@dataclass(frozen=True)
class StudyFilm:
    """One film of a study.

    Attributes:
        film: the radiograph.
        source: name of the file it came from, as given; may name a patient.
        series: pseudonym of the series, or None when the file names none.
        number: Instance Number, or None.
        time: time of day of the exposure as HHMMSS, or "".
    """

    film: Radiograph
    source: str
    series: str | None = None
    number: int | None = None
    time: str = ""


@dataclass(frozen=True)
class Study:
    """Films made of one patient on one occasion, in order.

    Attributes:
        key: the study's pseudonym; for a film without a study, the film's id.
        patient_key: the patient's pseudonym, or None.
        acquired: date of the study's first dated film, or None.
        films: by time of day, series and number.
    """

    key: str
    patient_key: str | None
    acquired: dt.date | None
    films: tuple[StudyFilm, ...]

    @property
    def frontals(self) -> tuple[StudyFilm, ...]:
        """Films that are PA, AP or of no stated view."""
        return tuple(each for each in self.films if each.film.is_frontal)

    @property
    def laterals(self) -> tuple[StudyFilm, ...]:
        """Lateral films."""
        return tuple(each for each in self.films if each.film.view is View.LATERAL)

    @property
    def derived(self) -> bool:
        """Whether nobody acquired any of its films (Radiograph.derived)."""
        return all(each.film.derived for each in self.films)

    @property
    def series(self) -> dict[str | None, tuple[StudyFilm, ...]]:
        """Films by series, in order of the first film of each."""
        found: dict[str | None, tuple[StudyFilm, ...]] = {}
        for each in self.films:
            found[each.series] = (*found.get(each.series, ()), each)
        return found

    @property
    def pair(self) -> tuple[StudyFilm | None, StudyFilm | None]:
        """(frontal, lateral) to read together: PA before AP before unknown, the latest of each; None where missing."""
        frontals = sorted(self.frontals, key=lambda each: PREFERENCE[each.film.view])
        best = [each for each in frontals if each.film.view is frontals[0].film.view]
        laterals = self.laterals
        return (best[-1] if best else None), (laterals[-1] if laterals else None)


PREFERENCE = {View.PA: 0, View.AP: 1, View.UNKNOWN: 2, View.LATERAL: 3}
"""Which frontal view is read first where a study has several: PA shows the heart least magnified."""


@dataclass(frozen=True)
class Refused:
    """A file that is no film, and why."""

    source: str
    reason: FilmRefused


@dataclass(frozen=True)
class Duplicate:
    """A file whose picture was read already from another file.

    Attributes:
        source: name of this file.
        same_as: name of the file that was read first, and is used.
        film_id: id of the film in both.
        other_patient: whether the two headers name different patients, so that one of them is wrong.
    """

    source: str
    same_as: str
    film_id: str
    other_patient: bool = False


@dataclass
class StudyInput:
    """Everything that came of a list of paths: each file is in exactly one of a study, `duplicates` and `refused`.

    Attributes:
        studies: patient by patient, prior before current; undated ones before dated ones.
        duplicates: files with a picture met before.
        refused: files that are no film.
    """

    studies: list[Study] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    @property
    def films(self) -> list[StudyFilm]:
        """All films in the order of the studies."""
        return [each for study in self.studies for each in study.films]

    def patients(self) -> dict[str | None, list[Study]]:
        """Studies by patient, prior before current; None holds those that name no patient."""
        found: dict[str | None, list[Study]] = {}
        for study in self.studies:
            found.setdefault(study.patient_key, []).append(study)
        return found

    def roles(self) -> dict[str, Role]:
        """Film id to role; without the films whose patient or date is not known."""
        found: dict[str, Role] = {}
        for patient, studies in self.patients().items():
            dates = sorted({study.acquired for study in studies if study.acquired}, reverse=True)
            place = dict(zip(dates, (Role.CURRENT, Role.PRIOR), strict=False))
            for study in studies:
                if patient is not None and study.acquired is not None:
                    found |= {each.film.id: place.get(study.acquired, Role.OLDER) for each in study.films}
        return found

    def to_read(self) -> tuple[StudyFilm, ...]:
        """The films a question is about that names none and compares none.

        The newest dated frontal film of each patient; where no date says which is newest, the frontal film of each
        study; where there is no frontal film, the last lateral one. Processed and synthetic pictures only where
        nothing else is there.
        """
        chosen: list[StudyFilm] = []
        acquired = StudyInput([study for study in self.studies if not study.derived] or self.studies)
        for patient, studies in acquired.patients().items():
            frontals = [(study.acquired, frontal) for study in studies if (frontal := study.pair[0])]
            dated = [frontal for acquired, frontal in frontals if acquired]
            if patient is not None and dated:
                chosen.append(dated[-1])
            elif frontals:
                chosen += [frontal for _, frontal in frontals]
            else:
                chosen.append(studies[-1].films[-1])
        return tuple(chosen)

    def prior_of(self, study: Study) -> Study | None:
        """The same patient's latest study of an earlier date; None when there is none or a date is missing."""
        if study.patient_key is None or study.acquired is None:
            return None
        earlier = [
            other
            for other in self.studies
            if other.patient_key == study.patient_key and other.acquired and other.acquired < study.acquired
        ]
        return earlier[-1] if earlier else None

    def alike(self) -> list[tuple[StudyFilm, StudyFilm]]:
        """Films with other pixels that look like one picture stored twice (imaging.alike), each pair once."""
        films = self.films
        return [(films[a], films[b]) for a, b in alike([each.film.pixels for each in films])]

    def warnings(self) -> list[str]:
        """What a careful reader should know about the films as a set."""
        found = []
        if len([patient for patient in self.patients() if patient is not None]) > 1:
            found.append("The films come from more than one patient; they are not compared with one another.")
        if any(study.patient_key is None for study in self.studies) and len(self.studies) > 1:
            found.append("Some films name no patient: whether they belong together is not known.")
        if any(study.acquired is None for study in self.studies) and len(self.studies) > 1:
            found.append("Some films have no date: which is the prior is not known.")
        if any(duplicate.other_patient for duplicate in self.duplicates):
            found.append("The same picture came under different patients; the first file was believed.")
        return found

    def to_json(self) -> dict[str, Any]:
        """Studies, duplicates and refusals as JSON-ready values, without pixels. Holds the names of files."""
        return {
            "studies": [self._study_json(study) for study in self.studies],
            "duplicates": [
                {"source": each.source, "same_as": each.same_as, "id": each.film_id} for each in self.duplicates
            ],
            "alike": [[each.source for each in pair] for pair in self.alike()],
            "refused": [{"source": each.source, **each.reason.to_json()} for each in self.refused],
            "warnings": self.warnings(),
        }

    def _study_json(self, study: Study) -> dict[str, Any]:
        """One study: its films, which frontal and lateral are read together, its place in time."""
        prior, roles = self.prior_of(study), self.roles()
        return {
            "key": study.key,
            "patient_key": study.patient_key,
            "acquired": study.acquired.isoformat() if study.acquired else None,
            "role": roles.get(study.films[0].film.id),
            "prior": prior.key if prior else None,
            "pair": dict(zip(("frontal", "lateral"), (each and each.film.id for each in study.pair), strict=True)),
            "films": [
                {"source": each.source, "series": each.series, "view": each.film.view.value, "id": each.film.id}
                for each in study.films
            ],
        }


def read_input(given: Sequence[str | Path | bytes]) -> StudyInput:
    """Everything in files, folders and zip archives: studies, duplicates and refusals.

    Args:
        given: paths of files, folders (with all that lies below) and zip archives, or the bytes of files and
            archives, in any mixture and order.
    """
    return group(contents(given))


def group(found: Iterable[Content | Radiograph], store: ImageStore | None = None) -> StudyInput:
    """Studies of contents, each opened once; only one file's bytes are held at a time, the films' pixels all along.

    Args:
        found: files' contents, as `imaging.sources.contents` gives them, and films that were opened before.
        store: that will take the films: those beyond the room it has are refused as `store_full`, films that it holds
            cost nothing, and files that it knows are not decoded anew. Nothing is added to it. No bound without one.
    """
    max_bytes = None if store is None else store.max_bytes - store.used_bytes
    held, open_film = (store, store.opened) if store is not None else ((), Content.film)
    result, seen, used = StudyInput(), dict[str, StudyFilm](), 0
    for each in found:
        name = f"film {each.id}" if isinstance(each, Radiograph) else each.name
        try:
            film = each if isinstance(each, Radiograph) else open_film(each)
            cost = 0 if film.id in seen or film.id in held else film.pixels.nbytes
            if max_bytes is not None and used + cost > max_bytes:
                raise refusal("store_full", f"The films before it fill the {max_bytes >> 20:,} MiB there are.")
        except FilmRefused as refused:
            result.refused.append(Refused(name, refused))
            continue
        if film.id in seen:
            first = seen[film.id]
            differs = film.patient_key is not None and film.patient_key != first.film.patient_key
            result.duplicates.append(Duplicate(name, first.source, film.id, differs))
            continue
        used += cost
        seen[film.id] = StudyFilm(film, name) if isinstance(each, Radiograph) else _study_film(film, each)
    result.studies = arrange(seen.values())
    return result


def _study_film(film: Radiograph, content: Content) -> StudyFilm:
    """A film with its place in its study."""
    if content.data is None or film.source.format != "DICOM":
        return StudyFilm(film, content.name)
    dataset = read_dataset(content.data)
    with Quiet():
        series = pseudonym("series", text(dataset, "SeriesInstanceUID"))
        instance = number(dataset, "InstanceNumber")
        times = [text(dataset, keyword) for keyword in TIMES]
    time = next((match.group() for match in map(TIME.match, times) if match), "")
    return StudyFilm(film, content.name, series, None if instance is None else int(instance), time)


def arrange(films: Iterable[StudyFilm]) -> list[Study]:
    """Films by study: patients as they are met, a patient's studies by date, undated ones first."""
    groups: dict[tuple[str | None, str], list[StudyFilm]] = {}
    for each in films:
        place = (each.film.patient_key, each.film.study_key or each.film.id)
        groups.setdefault(place, []).append(each)
    studies = []
    for (patient, key), members in groups.items():
        members.sort(key=_moment)
        dates = [each.film.acquired for each in members if each.film.acquired]
        studies.append(Study(key, patient, min(dates) if dates else None, tuple(members)))
    first = {study.patient_key: number for number, study in reversed(list(enumerate(studies)))}
    return sorted(
        studies,
        key=lambda study: (first[study.patient_key], study.acquired or UNDATED, study.films[0].time),
    )


def _moment(each: StudyFilm) -> tuple[dt.date, str, str, int]:
    """What films of one study are ordered by."""
    return each.film.acquired or UNDATED, each.time, each.series or "", each.number or 0
