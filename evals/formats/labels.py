"""Classification sets: a row of LAYOUTS per data set; each becomes films with labels, patient, age, sex and view."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.formats.rows import Films, Table, find, first, read_table, repeated
from imaging.failures import BadArguments

POSITIVE = {"1", "1.0", "true", "yes", "y"}
UNCERTAIN = {"-1", "-1.0"}
NIH = [
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax",
    "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia",
]  # fmt: skip


@dataclass(frozen=True)
class LabelledFilm:
    """One film with what its data set says of it.

    Attributes:
        name: as the table has it.
        film: the file, None where it is absent.
        labels: label of the data set -> True, False, or None where it is uncertain or not labelled.
        patient: for clustering; the film's own name where the set tells none.
        age_years, sex, view: None where not told.
    """

    name: str
    film: Path | None
    labels: Mapping[str, bool | None]
    patient: str
    age_years: float | None = None
    sex: str | None = None
    view: str | None = None


Reading = Callable[[Mapping[str, Any]], dict[str, bool | None]]


@dataclass(frozen=True)
class Layout:
    """Where a classification set keeps what.

    Attributes:
        read: the labels of a row.
        patient: columns that name the patient.
        patient_in: where no column does, the part of the film's name that does, as a regular expression.
        keep: whether a row is a frontal chest film.
    """

    title: str
    files: tuple[str, ...]
    name: tuple[str, ...]
    read: Reading
    patient: tuple[str, ...] = ()
    patient_in: str = ""
    age: tuple[str, ...] = ()
    sex: tuple[str, ...] = ()
    view: tuple[str, ...] = ()
    keep: Callable[[Mapping[str, Any]], bool] = field(default=lambda row: True)


def _columns(names: tuple[str, ...] | list[str]) -> Reading:
    """One 0/1 column each; -1 is uncertain, an empty cell not mentioned (CheXpert), both None."""

    def read(row: Mapping[str, Any]) -> dict[str, bool | None]:
        cells = {name: str(row.get(name) or "").strip().lower() for name in names if name in row}
        return {name: None if cell in UNCERTAIN | {""} else cell in POSITIVE for name, cell in cells.items()}

    return read


def _listed(column: str, separator: str, names: list[str]) -> Reading:
    """Names of the positive labels in one cell; no label where the table has no such column."""

    def read(row: Mapping[str, Any]) -> dict[str, bool | None]:
        if column not in row:
            return {}
        told = {part.strip(" '[]\"") for part in str(row.get(column) or "").split(separator)}
        return {name: name in told for name in names}

    return read


def _nih(row: Mapping[str, Any]) -> dict[str, bool | None]:
    """One column per label (this repository's tables), or the published `Finding Labels`."""
    return _columns(NIH)(row) if NIH[0] in row else _listed("Finding Labels", "|", NIH)(row)


CHEXPERT = [
    "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation", "Pneumonia",
    "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture",
]  # fmt: skip
PADCHEST = ["cardiomegaly", "pleural effusion", "pneumonia", "atelectasis", "consolidation", "nodule", "mass",
            "pneumothorax", "emphysema", "pleural thickening", "hiatal hernia", "infiltrates"]  # fmt: skip
VINDR = [
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Consolidation", "ILD", "Infiltration",
    "Lung Opacity", "Nodule/Mass", "Other lesion", "Pleural effusion", "Pleural thickening", "Pneumothorax",
    "Pulmonary fibrosis",
]  # fmt: skip

LAYOUTS = {
    "chestxray14": Layout(
        "ChestX-ray14 (Wang et al. 2017)",
        ("Data_Entry_2017*.csv", "Data_Entry_2017*.csv.gz", "nih.csv"),
        ("file", "Image Index", "image_index"),
        _nih,
        patient=("Patient ID", "patient_id"),
        age=("Patient Age", "age"),
        sex=("Patient Gender", "Patient Sex", "sex"),
        view=("View Position", "view"),
    ),
    "chexpert": Layout(
        "CheXpert (Irvin et al. 2019), frontal",
        ("valid.csv", "test.csv", "train.csv"),
        ("Path",),
        _columns(CHEXPERT),
        patient_in=r"patient\d+",
        age=("Age",),
        sex=("Sex",),
        view=("AP/PA",),
        keep=lambda row: row.get("Frontal/Lateral", "Frontal") == "Frontal",
    ),
    "padchest": Layout(
        "PadChest (Bustos et al. 2020), frontal",
        ("PADCHEST*.csv", "PADCHEST*.csv.gz"),
        ("ImageID",),
        _listed("Labels", ",", PADCHEST),
        patient=("PatientID",),
        sex=("PatientSex_DICOM",),
        view=("Projection",),
        keep=lambda row: row.get("Projection", "PA") in ("PA", "AP", "AP_horizontal"),
    ),
    "vindrcxr": Layout(
        "VinDr-CXR (Nguyen et al. 2022), image labels",
        ("annotations/image_labels_test.csv", "image_labels_test.csv", "image_labels_*.csv"),
        ("image_id",),
        _columns(VINDR),
    ),
    "rsna": Layout(
        "RSNA Pneumonia Detection (Shih et al. 2019)",
        ("stage_2_train_labels.csv",),
        ("patientId",),
        lambda row: {"Pneumonia": str(row.get("Target")) in POSITIVE},
    ),
    "kermany": Layout(
        "Kermany et al. 2018, children with and without pneumonia",
        ("kermany.csv",),
        ("file", "filename"),
        lambda row: {"Pneumonia": row.get("label") == "PNEUMONIA"},
        patient_in=r"person\d+|IM-\d+",
    ),
    "siim": Layout(
        "SIIM-ACR Pneumothorax (2019)",
        ("stage_2_train.csv", "train-rle.csv", "*rle*.csv"),
        ("ImageId",),
        lambda row: {"Pneumothorax": str(first(row, ("EncodedPixels", " EncodedPixels")) or "-1").strip() != "-1"},
    ),
}


def load(name: str, data: Path | None) -> tuple[list[LabelledFilm], tuple[str, ...]]:
    """Films of a set in file order, and notes on what is left out or absent.

    A film in several rows (a box each, or a reader each) is one film: a label is present if any of its rows says so.

    Args:
        name: a key of LAYOUTS.
        data: its folder.

    Raises:
        BadArguments: the table is not there, is another one, or no film of it is.
    """
    layout = LAYOUTS[name]
    path = find(data, layout.files, layout.title)
    root = data if data is not None else path.parent
    rows = read_table(path)
    merged = _merged(layout, [row for row in rows if layout.keep(row)])
    if not merged or not next(iter(merged.values()))[1]:
        raise BadArguments(f"{path.name} has no column of {layout.title}.", "Give the table as published.")
    pictures = Films(root)
    films = [_film(layout, key, row, labels, pictures) for key, (row, labels) in merged.items()]
    return films, _notes(rows, layout, films)


def _merged(layout: Layout, rows: Table) -> dict[str, tuple[dict[str, Any], dict[str, bool | None]]]:
    merged: dict[str, tuple[dict[str, Any], dict[str, bool | None]]] = {}
    for row in rows:
        key = str(first(row, layout.name) or "")
        labels = layout.read(row)
        if key in merged:
            labels = {n: value or merged[key][1].get(n) or value for n, value in labels.items()}
        merged[key] = (row, labels)
    merged.pop("", None)
    return merged


def _film(
    layout: Layout, name: str, row: Mapping[str, Any], labels: Mapping[str, bool | None], pictures: Films
) -> LabelledFilm:
    age = str(first(row, layout.age) or "").strip("Y ")
    sex = str(first(row, layout.sex) or "")[:1].upper()
    told = re.search(layout.patient_in, name) if layout.patient_in else None
    patient = first(row, layout.patient) or (told[0] if told else name)
    return LabelledFilm(
        name=name,
        film=pictures.find(name),
        labels=labels,
        patient=str(patient),
        age_years=float(age) if age.replace(".", "", 1).isdigit() else None,
        sex=sex if sex in ("M", "F") else None,
        view=str(first(row, layout.view) or "") or None,
    )


def _notes(rows: Table, layout: Layout, films: list[LabelledFilm]) -> tuple[str, ...]:
    notes = []
    dropped = sum(not layout.keep(row) for row in rows)
    if dropped:
        notes.append(f"{dropped} of {len(rows)} rows are not frontal chest films and are left out")
    absent = sum(film.film is None for film in films)
    if absent:
        notes.append(f"{absent} of {len(films)} films are not there")
    again = repeated(film.patient for film in films)
    if again:
        notes.append(f"{len(again)} patients have more than one film; intervals are over patients")
    return tuple(notes)
