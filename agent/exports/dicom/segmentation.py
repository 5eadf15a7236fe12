"""The masks of a report as DICOM Segmentations, one object per film, one segment per structure or finding."""

from __future__ import annotations

import numpy as np
from highdicom import PixelMeasuresSequence
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes

from agent.answer import Evidence
from agent.exports import codes
from agent.exports.dicom.parts import (
    LO_MAX,
    OUTLINES,
    algorithm_sequence,
    coded,
    new_uid,
    object_arguments,
)
from agent.exports.material import SOFTWARE, Material
from imaging.failures import NotApplicable
from imaging.overlays import Overlay
from imaging.part10 import file_bytes
from imaging.radiograph import Radiograph
from tools.knowledge import phrases, structures

THICKNESS_MM = 1.0
"""Slice thickness of a projection: there is none, readers ask for one."""
NO_SPACING_MM = (1.0, 1.0)
"""Pixel spacing of a film that names none; only pixels may be counted on it, and the description says so."""


def segmentations(material: Material, sources: dict[str, Dataset]) -> dict[str, bytes]:
    """Film id -> SEG file, for each film with a mask.

    Args:
        material: the report.
        sources: film id -> header, as sources_of gives them.

    Raises:
        NotApplicable: no tool outlined anything on these films.
    """
    made = {}
    for number, (film_id, header) in enumerate(sources.items(), start=1):
        masks = _masks(material, film_id)
        if masks:
            made[film_id] = file_bytes(_segmentation(material, material.films[film_id], header, masks, number))
    if not made:
        raise NotApplicable(
            "Nothing was outlined on the films of this report, so there is no mask to write.",
            "Ask for outlines first, e.g. 'Outline the lungs and the heart'.",
        )
    return made


def _masks(material: Material, film_id: str) -> list[tuple[Evidence, Overlay]]:
    """The masks on a film, the latest of each label, in the order they were first drawn."""
    found: dict[str, tuple[Evidence, Overlay]] = {}
    for record in material.records or material.answer.evidence:
        for overlay in record.overlays:
            if overlay.kind == "mask" and overlay.image_id == film_id and overlay.as_mask().any():
                found[overlay.label] = (record, overlay)
    return list(found.values())


def _segmentation(
    material: Material, film: Radiograph, header: Dataset, masks: list[tuple[Evidence, Overlay]], number: int
) -> Segmentation:
    spacing = film.spacing_mm or NO_SPACING_MM
    note = "" if film.spacing_mm else "; no pixel spacing known"
    stack = np.stack([overlay.as_mask() for _, overlay in masks], axis=-1)[None]
    made = Segmentation(
        source_images=[header],
        pixel_array=stack.astype(np.uint8),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(material, *each, n) for n, each in enumerate(masks, start=1)],
        device_serial_number=SOFTWARE,
        content_label="HILUM",
        content_description=f"{OUTLINES}{note}"[:LO_MAX],
        content_creator_name=None,
        pixel_measures=PixelMeasuresSequence(pixel_spacing=list(spacing), slice_thickness=THICKNESS_MM),
        **object_arguments(material, "SEG", number),
    )
    made.PatientOrientation = header.get("PatientOrientation")  # type 2C of a picture without a place in the patient
    return made


def _description(material: Material, record: Evidence, overlay: Overlay, number: int) -> SegmentDescription:
    label, corrected = overlay.label, _corrected(record, overlay.label)
    side = None
    if label in structures():
        category, (kind, side) = dicom_codes.SCT.AnatomicalStructure, codes.structure_code(label)
    else:
        category = dicom_codes.SCT.MorphologicallyAbnormalStructure
        code = phrases().get(label)
        kind = codes.finding_codes(code)[0] if code else codes.own(label, label)
    described = SegmentDescription(
        segment_number=number,
        segment_label=label.replace("_", " ")[:LO_MAX],
        segmented_property_category=category,
        segmented_property_type=coded(kind),
        algorithm_type=SegmentAlgorithmTypeValues.SEMIAUTOMATIC if corrected else SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm_sequence(record, material),
        tracking_uid=new_uid(),
        tracking_id=f"{record.id} {label}"[:LO_MAX],
    )
    if side is not None:
        described.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [coded(side)]
    return described


def _corrected(record: Evidence, label: str) -> bool:
    """Whether the user corrected that outline."""
    return any(item.get("code") == label and item.get("corrected") for item in record.data.get("structures", []))
