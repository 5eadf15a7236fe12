"""Report sets: films with indication, findings and impression, from IU X-ray, MIMIC-CXR and ReXGradient layouts."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from evals.formats.rows import Films, find, first, read_table
from imaging.failures import BadArguments

SECTIONS = ("indication", "comparison", "findings", "impression")
_HEAD = re.compile(r"^\s*(?P<name>[A-Z][A-Z /]{3,40}):", re.MULTILINE)
_SAME = {
    "history": "indication",
    "clinical history": "indication",
    "reason for exam": "indication",
    "reason for examination": "indication",
    "conclusion": "impression",
}


@dataclass(frozen=True)
class ReportedStudy:
    """One study: its films (those present), and its report by section, empty where there is none."""

    name: str
    films: tuple[Path, ...]
    indication: str = ""
    comparison: str = ""
    findings: str = ""
    impression: str = ""


def _iu(data: Path | None) -> list[ReportedStudy]:
    """Open-i's XML files (ecgen-radiology/1.xml ...), or a table reports.csv."""
    if data is not None and (tables := [*data.glob("reports.csv"), *data.glob("reports.csv.gz")]):
        rows = read_table(tables[0])
        return [
            ReportedStudy(str(first(row, ("id", "uid")) or n), (), **{s: str(row.get(s) or "") for s in SECTIONS})
            for n, row in enumerate(rows, 1)
        ]
    path = find(data, ("ecgen-radiology/*.xml", "*.xml"), "IU X-ray")
    root = data if data is not None else path.parent
    pictures = Films(root)
    return [_of_xml(file, pictures) for file in sorted(path.parent.glob("*.xml"))]


def _of_xml(file: Path, pictures: Films) -> ReportedStudy:
    text = file.read_text(encoding="utf-8", errors="replace")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BadArguments(f"{file.name} declares entities.", "Open-i's reports have none; give them as published.")
    tree = ET.fromstring(text)  # nosec B314
    told = {str(e.get("Label")).lower(): (e.text or "").strip() for e in tree.iter("AbstractText")}
    images = [pictures.find(f"{image.get('id')}.png") for image in tree.iter("parentImage")]
    return ReportedStudy(file.stem, tuple(i for i in images if i), **{s: told.get(s, "") for s in SECTIONS})


def _mimic(data: Path | None) -> list[ReportedStudy]:
    """files/p10/p10000032/s50414267.txt with films in a folder of the study's name beside it."""
    path = find(data, ("files/p*/p*/s*.txt", "**/s*.txt"), "MIMIC-CXR")
    root = data if data is not None else path.parent
    studies = []
    for file in sorted(root.glob("**/s*.txt")):
        folder = file.with_suffix("")
        films = sorted(p for p in folder.glob("*") if p.suffix.lower() in (".jpg", ".png", ".dcm"))
        studies.append(ReportedStudy(file.stem, tuple(films), **sections(file.read_text(encoding="utf-8"))))
    return studies


def _rexgradient(data: Path | None) -> list[ReportedStudy]:
    """A metadata file of studies with Indication, Comparison, Findings, Impression and ImagePath."""
    path = find(data, ("metadata/*test*.json", "*test*metadata*.json", "*.json", "*.csv"), "ReXGradient")
    root = data if data is not None else path.parent
    studies, pictures = [], Films(root)
    for number, row in enumerate(read_table(path), 1):
        names = first(row, ("ImagePath", "image_path")) or []
        found = [pictures.find(str(n)) for n in (names if isinstance(names, list) else [names])]
        told = {s: str(first(row, (s.capitalize(), s)) or "") for s in SECTIONS}
        name = str(first(row, ("id", "study_id", "_key")) or number)
        studies.append(ReportedStudy(name, tuple(film for film in found if film), **told))
    return studies


LOADERS = {"iuxray": _iu, "mimiccxr": _mimic, "rexgradient": _rexgradient}
"""How each set is read."""


def load(name: str, data: Path | None) -> list[ReportedStudy]:
    """Studies of a set in order; those without findings and impression are left out by the caller who needs them.

    Args:
        name: a key of LOADERS.
        data: its folder.

    Raises:
        BadArguments: its files are not there.
    """
    return LOADERS[name](data)


def sections(report: str) -> dict[str, str]:
    """The sections of a report with headings in capitals ("FINDINGS: ..."); unknown headings are left out."""
    heads = [*_HEAD.finditer(report)]
    told = dict.fromkeys(SECTIONS, "")
    for number, head in enumerate(heads):
        end = heads[number + 1].start() if number + 1 < len(heads) else len(report)
        name = head["name"].strip().lower()
        name = _SAME.get(name, name)
        if name in told:
            told[name] = " ".join(report[head.end() : end].split())
    return told
