"""Codes of findings, structures, states and units: SNOMED CT, RadLex, UCUM and, where they have none, Hilum's own.

Statuses are DICOM PS3.16 CID 240; sides CID 244. A code of 99HILUM is a code of tools/knowledge/findings.toml.
"""

from __future__ import annotations

from typing import NamedTuple

from tools.contract import Status
from tools.knowledge import findings, structures

OURS = "99HILUM"
"""Coding scheme designator of private codes (PS3.16 section 8: 99 and a name)."""
MEANING_MAX = 64
"""Characters of a Code Meaning (VR LO, PS3.5 6.2)."""


class Coded(NamedTuple):
    """A code with its scheme as DICOM designates it: SCT, RADLEX, DCM, UCUM or 99HILUM."""

    value: str
    scheme: str
    meaning: str


STATUSES = {
    Status.PRESENT: Coded("52101004", "SCT", "Present"),
    Status.ABSENT: Coded("272519000", "SCT", "Absent"),
    Status.UNCERTAIN: Coded("373068000", "SCT", "Undetermined"),
}
"""CID 240; a finding that was not assessed has no coded status: it is not stated."""

SIDES = {
    "left": Coded("7771000", "SCT", "Left"),
    "right": Coded("24028007", "SCT", "Right"),
    "bilateral": Coded("51440002", "SCT", "Bilateral"),
}
"""CID 244."""

CHEST = Coded("816094009", "SCT", "Chest")
CHEST_FILM = Coded("399208008", "SCT", "Plain chest X-ray")

UNITS = {
    "": Coded("1", "UCUM", "no units"),
    "share of the picture": Coded("1", "UCUM", "no units"),
    "mm": Coded("mm", "UCUM", "millimeter"),
    "mm²": Coded("mm2", "UCUM", "square millimeter"),
    "deg": Coded("deg", "UCUM", "degree"),
    "px": Coded("{pixels}", "UCUM", "pixels"),
    "ribs": Coded("{ribs}", "UCUM", "ribs"),
}
"""Unit of a measurement -> UCUM; words in braces are UCUM annotations and count as 1."""


def finding_codes(code: str) -> list[Coded]:
    """Codes of one finding, the one to prefer first: SNOMED CT, then RadLex, then Hilum's own, which it always has."""
    concept = findings().get(code)
    meaning = (concept.name if concept else code.replace("_", " "))[:MEANING_MAX]
    found = []
    if concept and concept.snomed:
        found.append(Coded(concept.snomed, "SCT", meaning))
    if concept and concept.radlex:
        found.append(Coded(concept.radlex, "RADLEX", meaning))
    return [*found, own(code, meaning)]


def structure_code(code: str) -> tuple[Coded, Coded | None]:
    """(body structure, side) of a structure's code; one of Hilum's own for an unknown structure."""
    concept = structures().get(code)
    if concept is None:
        return own(code, code.replace("_", " ")), None
    name = concept.name.removeprefix(f"{concept.side} ") if concept.side else concept.name
    return Coded(concept.snomed, "SCT", name), SIDES[concept.side] if concept.side else None


def own(code: str, meaning: str) -> Coded:
    """A code of Hilum's own; one of more than 16 characters goes into DICOM's Long Code Value."""
    return Coded(code, OURS, meaning[:MEANING_MAX])


def unit(said: str) -> Coded:
    """UCUM of a measurement's unit; an annotation, which means 1, for one that UCUM has not."""
    return UNITS.get(said) or Coded(f"{{{said}}}", "UCUM", said)
