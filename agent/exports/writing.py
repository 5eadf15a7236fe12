"""Writing a session's report to a folder in the formats asked for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from agent.exports.material import Material
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


FORMATS = {
    Format.MD: "report as Markdown",
    Format.JSON: "report with draft, answer and evidence as JSON",
    Format.CSV: "findings as a table",
    Format.PDF: "report with key images",
    Format.FHIR: "FHIR R4 bundle around a DiagnosticReport",
}
"""Format -> what it is."""

NAMES = {
    Format.MD: "report.md",
    Format.JSON: "report.json",
    Format.CSV: "findings.csv",
    Format.PDF: "report.pdf",
    Format.FHIR: "report.fhir.json",
}


def export(session: Session, formats: Sequence[str | Format], folder: Path, *, turn: int | None = None) -> list[Path]:
    """Write the report of a session's turn.

    Args:
        session: whose answer is to be written.
        formats: of FORMATS.
        folder: made if absent; files of the same name are overwritten.
        turn: number of the turn; left out, the latest that drafted a report, else the latest.

    Returns:
        The files written, in the order of `formats`.

    Raises:
        BadArguments: an unknown format, no answer, or a place that cannot be written.
    """
    chosen = [known(item) for item in dict.fromkeys(formats)]
    material = Material.of(session, turn)
    made = {NAMES[item]: _made(item, material) for item in chosen}
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


def _made(item: Format, material: Material) -> bytes:
    if item is Format.PDF:
        from agent.exports.pdf import report_pdf

        return report_pdf(material)
    if item is Format.FHIR:
        from agent.exports.fhir import bundle

        return bundle(material).encode()
    from agent.exports import texts

    makers = {Format.MD: texts.markdown, Format.JSON: texts.as_json, Format.CSV: texts.findings_csv}
    return makers[item](material).encode()
