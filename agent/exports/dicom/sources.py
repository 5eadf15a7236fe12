"""The films' own headers, read again from the files the caller gives: where SR and SEG get their UIDs from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from agent.exports.material import Material, SourceMissing
from imaging.dicom import film_from_dataset
from imaging.elements import text
from imaging.failures import FilmRefused, NotApplicable
from imaging.part10 import looks_like_dicom, read_dataset
from imaging.radiograph import Radiograph
from imaging.sources import contents

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
"""What another object needs to refer to a film."""
OTHER = "OT"
"""Modality of a film that names none (PS3.3 C.7.3.1.1.1)."""
EMPTY_WHERE_MISSING = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate"),
    *("StudyTime", "ReferringPhysicianName"),
)
"""Type 2 attributes of patient and study: they must be there and may be empty (PS3.3 C.7.1.1, C.7.2.1)."""


def sources_of(material: Material, files: Sequence[Path | bytes]) -> dict[str, Dataset]:
    """Film id -> its header without pixels, for the DICOM films that the report says something of.

    Args:
        material: the report.
        files: DICOM files, folders or archives among which the films are; others are passed over.

    Raises:
        NotApplicable: no film of the report came from a DICOM file, or its file names no study, series or object.
        SourceMissing: a film of the report is not among the files.
    """
    wanted = {film.id: film for film in material.acquired_films() if film.source.format == "DICOM"}
    if not wanted:
        raise NotApplicable(
            "No film of this report came from a DICOM file, so there is no study for a DICOM object to belong to.",
            "Secondary captures (sc), PDF and the other formats are possible.",
        )
    found: dict[str, Dataset] = {}
    for content in contents(files):
        if content.data is None or not looks_like_dicom(content.data):
            continue
        try:
            dataset = read_dataset(content.data)
            film = film_from_dataset(dataset)
        except FilmRefused:
            continue
        if film.id in wanted and film.id not in found:
            found[film.id] = _header(dataset, material.film_names.get(film.id, film.id))
    missing = [material.film_names.get(film_id, film_id) for film_id in wanted if film_id not in found]
    if missing:
        raise SourceMissing(
            f"The DICOM file of {', '.join(missing)} is needed: a session does not keep the identifiers in it.",
            "Give it again: hilum export SESSION --films FILE, or export(..., sources=[FILE]).",
        )
    return {film_id: found[film_id] for film_id in wanted}


def stand_in(film: Radiograph) -> Dataset:
    """A header for a picture that came with none: a study of its own, the patient a pseudonym."""
    dataset = Dataset()
    for keyword in EMPTY_WHERE_MISSING:
        setattr(dataset, keyword, None)
    dataset.PatientID = film.patient_key or f"HILUM-{film.id}"
    dataset.PatientSex = film.sex or ""
    dataset.StudyInstanceUID = generate_uid(prefix=None)
    return dataset


def _header(dataset: Dataset, name: str) -> Dataset:
    header = Dataset()
    header.update({element.tag: element for element in dataset if element.tag.group < 0x7FE0})
    missing = [keyword for keyword in UIDS if not text(header, keyword)]
    if missing:
        raise NotApplicable(
            f"The file of {name} has no {' and no '.join(missing)}: no DICOM object can refer to it.",
            "PDF, FHIR and the other formats are possible.",
        )
    for keyword in EMPTY_WHERE_MISSING:
        if keyword not in header:
            setattr(header, keyword, None)
    if not text(header, "Modality"):
        header.Modality = OTHER
    return header
