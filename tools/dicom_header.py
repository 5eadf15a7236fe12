"""dicom_header: what a film's file says of how it was taken and stored. Only fields that identify nobody.

What the file says is the file's word: the view of a header may be wrong (quality looks at the picture itself).
Identifiers were left behind when the film was opened, and dates are not told.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from imaging.radiograph import Radiograph
from tools.contract import Result, ToolArguments, ToolContext, tool
from tools.contract.films import film_caveats, told_age
from tools.contract.wording import summarise

WITHHELD = ("acquired", "patient_key", "study_key", "warnings", "id")
"""Of a film's facts, those that are not told here: a date, pseudonyms, and what the result says elsewhere."""


class DicomHeaderArguments(ToolArguments):
    """Which film."""

    image_id: str = Field(description="Id of one film of this session; any view, any picture.")


class DicomHeaderData(BaseModel):
    """Allowed fields of the file. `dated` says whether it names a day, not which."""

    fields: dict[str, Any]
    dated: bool
    withheld: str = "names, numbers, dates, places and everything else that is not listed here"


def allowed_fields(film: Radiograph) -> dict[str, Any]:
    """A film's facts that identify nobody; the age in words, as `told_age` gives it."""
    facts = {name: value for name, value in film.facts().items() if name not in WITHHELD and name != "age_years"}
    return facts | {"age": told_age(film.age_years)}


def _sentences(film: Radiograph, data: DicomHeaderData) -> list[str]:
    fields = data.fields
    said = [f"{film.source.format} file, {fields['rows']} x {fields['columns']} pixels, {fields['bits']} bits."]
    if film.source.format != "DICOM":
        said.append("It has no DICOM header.")
    told = {
        "Modality": fields["modality"],
        "Photometric interpretation": fields["photometric"],
        "Transfer syntax": fields["transfer_syntax"],
        "Body part": fields["body_part"],
        "Laterality": fields["laterality"],
        "Sex": fields["sex"],
        "Age": fields["age"],
    }
    said += [f"{name}: {value}." for name, value in told.items() if value is not None]
    said.append(f"View: {fields['view']} (from {fields['view_origin']}).")
    if film.spacing_mm is not None:
        row, column = film.spacing_mm
        said.append(f"Pixel spacing: {row:.4g} x {column:.4g} mm ({fields['spacing_origin']}).")
    else:
        said.append("Pixel spacing: not stated.")
    if film.source.window is not None:
        centre, width = film.source.window
        said.append(f"Window: centre {centre:g}, width {width:g}.")
    if film.source.magnification is not None:
        said.append(f"Estimated magnification: {film.source.magnification:g}.")
    said.append(f"{'It names a date, which is' if data.dated else 'No date is known; identifiers are'} not told here.")
    return said


@tool(
    name="dicom_header",
    title="Read the file's header",
    arguments=DicomHeaderArguments,
    result=DicomHeaderData,
    answers="What a film's file says of modality, view, size, bits, spacing, window, transfer syntax, age and sex; "
    "never who the patient is. Any view.",
    asked_by=(
        "when was the film taken",
        "when was this film taken",
        "when was it taken",
        "when was this taken",
        "when was the image taken",
        "when was the x ray taken",
        "when was this x ray taken",
        "date of the film",
        "date of the study",
        "acquisition date",
        "dicom header",
        "dicom headers",
        "the dicom header",
        "what does the header say",
        "what does the dicom header say",
        "what does the file say",
        "what is in the header",
        "what is in the dicom header",
        "what is in the file",
        "show the header",
        "show me the header",
        "show the dicom header",
        "show me the dicom header",
        "read the header",
        "read the dicom header",
        "print the header",
        "header",
        "dicom tags",
        "dicom tag",
        "dicom metadata",
        "dicom attributes",
        "metadata",
        "show metadata",
        "show the metadata",
        "show me the metadata",
        "meta data",
        "file format",
        "what kind of file",
        "transfer syntax",
        "photometric interpretation",
        "bit depth",
        "bits stored",
        "how many bits",
        "how old is the patient",
        "age of the patient",
        "patients age",
        "sex of the patient",
        "patients sex",
        "is the patient male or female",
        "male or female",
        "man or a woman",
    ),
)
def dicom_header(context: ToolContext, arguments: DicomHeaderArguments) -> Result:
    """Allowed fields; see the module."""
    film = context.films.get(arguments.image_id)
    data = DicomHeaderData(fields=allowed_fields(film), dated=film.acquired is not None)
    return Result(
        image_ids=[film.id],
        summary=summarise(_sentences(film, data)),
        data=data,
        caveats=[*film_caveats(film), "This is what the file says; the picture may show something else."],
    )
