"""Writing a session's report to a folder in the formats asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from agent.exports.material import Material
from imaging.codecs import Quiet
from imaging.failures import BadArguments, writing

if TYPE_CHECKING:
    from agent.session import Session


class Format(StrEnum):
    """What a report can be written as."""

    MD = "md"
    JSON = "json"
    CSV = "csv"
    PDF = "pdf"
    FHIR = "fhir"
    SR = "sr"
    SEG = "seg"
    KO = "ko"
    SC = "sc"


FORMATS = {
    Format.MD: "report as Markdown",
    Format.JSON: "report with draft, answer and evidence as JSON",
    Format.CSV: "findings as a table",
    Format.PDF: "report with key images",
    Format.FHIR: "FHIR R4 bundle around a DiagnosticReport",
    Format.SR: "DICOM Structured Report, TID 1500",
    Format.SEG: "DICOM Segmentation of the masks",
    Format.KO: "DICOM Key Object Selection",
    Format.SC: "DICOM Secondary Captures of the overlays",
}
"""Format -> what it is."""

DICOM_FORMATS = (Format.SR, Format.SEG, Format.KO, Format.SC)
"""Those that carry the film's own patient and study, and so need its file."""


def export(
    session: Session,
    formats: Sequence[str | Format],
    folder: Path,
    *,
    sources: Sequence[Path | bytes] = (),
    turn: int | None = None,
) -> list[Path]:
    """Write the report of a session's turn.

    Args:
        session: whose answer is to be written.
        formats: of FORMATS.
        folder: made if absent; files of the same name are overwritten.
        sources: the films' DICOM files, for DICOM_FORMATS: a session keeps no identifiers.
        turn: number of the turn; left out, the latest that drafted a report, else the latest.

    Returns:
        The files written, in the order of `formats`.

    Raises:
        BadArguments: an unknown format, no answer, a film's file is needed, or a place that cannot be written.
        NotApplicable: a format that this report cannot be written as, with the reason.
    """
    chosen = [known(item) for item in dict.fromkeys(formats)]
    material = Material.of(session, turn)
    made: dict[str, bytes] = {}
    for item in chosen:
        made |= rendered(material, item, sources)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in made.items():
            (folder / name).write_bytes(data)
    return [folder / name for name in made]


def known(name: str) -> Format:
    """The format of that name. BadArguments, with all of them, otherwise."""
    if name not in set(Format):
        raise BadArguments(f"There is no format {name!r}.", f"Formats: {', '.join(Format)}.")
    return Format(name)


def rendered(material: Material, item: Format, sources: Sequence[Path | bytes]) -> dict[str, bytes]:
    """File name -> bytes of one format. Raises as export.

    Args:
        material: the report.
        item: which format.
        sources: the films' DICOM files.
    """
    if item in DICOM_FORMATS:
        with Quiet():
            return _dicom(material, item, sources)
    from agent.exports import texts

    if item is Format.PDF:
        from agent.exports.pdf import report_pdf

        return {"report.pdf": report_pdf(material)}
    if item is Format.FHIR:
        from agent.exports.fhir import bundle

        return {"report.fhir.json": bundle(material).encode()}
    makers: dict[Format, tuple[str, Callable[[Material], str]]] = {
        Format.MD: ("report.md", texts.markdown),
        Format.JSON: ("report.json", texts.as_json),
        Format.CSV: ("findings.csv", texts.findings_csv),
    }
    name, make = makers[item]
    return {name: make(material).encode()}


def _dicom(material: Material, item: Format, files: Sequence[Path | bytes]) -> dict[str, bytes]:
    from agent.exports.dicom import pictures, report, segmentation
    from agent.exports.dicom.sources import sources_of

    if item is Format.SC and not any(film.source.format == "DICOM" for film in material.acquired_films()):
        return {f"{name}.sc.dcm": data for name, data in pictures.captures(material, {}).items()}
    sources = sources_of(material, files)
    if item is Format.SC:
        return {f"{name}.sc.dcm": data for name, data in pictures.captures(material, sources).items()}
    if item is Format.SEG:
        names = material.film_names
        made = segmentation.segmentations(material, sources)
        return {f"{names.get(film, film).replace(' ', '_')}.seg.dcm": data for film, data in made.items()}
    if item is Format.KO:
        return {"report.ko.dcm": pictures.key_objects(material, sources)}
    reports = report.structured_reports(material, sources)
    several = len(reports) > 1
    return {f"report{f'-{n}' if several else ''}.sr.dcm": data for n, data in enumerate(reports, start=1)}
