"""What all DICOM objects of an export share: codes, UIDs, series and equipment, and the bytes of a file."""

from __future__ import annotations

from typing import Any

from highdicom import AlgorithmIdentificationSequence
from highdicom.sr import AlgorithmIdentification, CodedConcept
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.uid import generate_uid

from agent.answer import Evidence
from agent.exports import codes
from agent.exports.codes import Coded
from agent.exports.material import SOFTWARE, Material

SERIES = {"SR": 9901, "SEG": 9902, "KO": 9903, "SC": 9904}
"""Series numbers of Hilum's objects: beyond those of any modality."""
LO_MAX = 64
"""Characters of a VR LO value (PS3.5 6.2)."""
UNVERIFIED_SHORT = "UNVERIFIED DRAFT by software"
OUTLINES = "Hilum: UNVERIFIED DRAFT, outlines by software"
"""Of a SEG, also of a signed report: who signs its sentences has not checked every outline."""


def new_uid() -> str:
    """A UID of its own, from a random UUID (PS3.5 B.2)."""
    return generate_uid(prefix=None)


def coded(code: Coded) -> CodedConcept:
    """The same as highdicom writes it; more than 16 characters go into Long Code Value."""
    return CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning)


def object_arguments(material: Material, kind: str, number: int) -> dict[str, Any]:
    """Series, instance and equipment of one object, as highdicom's constructors take them.

    Args:
        material: the report.
        kind: of SERIES.
        number: of the object in its series.
    """
    return {
        "series_instance_uid": new_uid(),
        "series_number": SERIES[kind],
        "sop_instance_uid": new_uid(),
        "instance_number": number,
        "manufacturer": SOFTWARE,
        "manufacturer_model_name": SOFTWARE,
        "software_versions": material.software,
        "series_description": OUTLINES if kind == "SEG" else series_description(material),
        "specific_character_set": "ISO_IR 192",
    }


def series_description(material: Material) -> str:
    """What a PACS lists: that it is a draft, or that a reader signed."""
    signature = material.draft.signature
    told = f"Hilum, signed by {signature.name}" if signature else f"Hilum: {UNVERIFIED_SHORT}"
    return told[:LO_MAX]


def algorithm(record: Evidence, material: Material) -> AlgorithmIdentification:
    """Who found it, for SR (TID 4019): the model at its revision, else the tool of this software."""
    name, version = who(record, material)
    return AlgorithmIdentification(name=name, version=version, family=dicom_codes.DCM.ArtificialIntelligence)


def algorithm_sequence(record: Evidence, material: Material) -> AlgorithmIdentificationSequence:
    """The same for SEG (PS3.3 10.16)."""
    name, version = who(record, material)
    return AlgorithmIdentificationSequence(
        name=name[:LO_MAX], family=dicom_codes.DCM.ArtificialIntelligence, version=version[:LO_MAX]
    )


def who(record: Evidence, material: Material) -> tuple[str, str]:
    """(name, version) of the model behind a record; of the tool where no model ran."""
    return (record.model, record.revision) if record.model else (f"Hilum {record.tool}", material.software)


def chest_site(laterality: str | None) -> tuple[CodedConcept, CodedConcept | None]:
    """(chest, side)."""
    return coded(codes.CHEST), coded(codes.SIDES[laterality]) if laterality else None
