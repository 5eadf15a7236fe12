"""The report as a DICOM Structured Report: TID 1500 with coded findings, scores and measurements, and its sentences.

One per study of which something is stated in code, else one in the current film's. Findings that the reader changed or
rejected, and those that were not assessed, are not coded. A report that nobody signed is COMPLETE, UNVERIFIED and
PRELIMINARY, and says so in words; a signed one is VERIFIED and FINAL.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.sr.coding import Code

from agent.answer import Evidence
from agent.exports import codes
from agent.exports.codes import Coded
from agent.exports.dicom.parts import (
    algorithm,
    chest_site,
    coded,
    new_uid,
    object_arguments,
)
from agent.exports.material import SOFTWARE, Material, Quantity, Row
from imaging.overlays import Overlay
from imaging.part10 import file_bytes
from imaging.radiograph import Radiograph, SpacingOrigin
from models.outputs import ScoreKind
from tools.knowledge import findings as known_findings

GROUND_TOOL = "ground"
ORGANISATION = "not given"
"""Verifying Organization (0040,A027) is required and Hilum is not told it."""
HEADINGS = {
    "Findings": (dicom_codes.DCM.Findings, dicom_codes.DCM.Finding),
    "Impression": (dicom_codes.DCM.Impressions, dicom_codes.DCM.Impression),
}
"""Heading of a draft -> (container, text) of CID 7001; the others are told as comments with their heading."""
DETECTOR_PLANE = codes.own("detector_plane", "In the detector plane, not corrected for magnification")
SCORE_NAMES = {
    ScoreKind.CALIBRATED_PROBABILITY: Coded("122157", "DCM", "Probability"),
    ScoreKind.MEASUREMENT: codes.own("measured_ratio", "Measured ratio"),
}
"""Only a calibrated probability is called one; other scores are Hilum's own concept with their kind in words."""
THRESHOLD = codes.own("threshold", "Threshold of the status")
PRIOR_ROLES = ("prior", "older")
"""Roles of films (agent.films) that a report compares with."""
Group = sr.MeasurementsAndQualitativeEvaluations | sr.PlanarROIMeasurementsAndQualitativeEvaluations


def structured_reports(material: Material, sources: dict[str, Dataset]) -> list[bytes]:
    """One SR file per study of which something is stated in code.

    A prior that the report only compares with gets none. Where nothing is stated in code, as when a reader wrote every
    sentence anew, the current film's study gets the sentences.

    Args:
        material: the report.
        sources: film id -> header, as sources_of gives them.
    """
    studies: dict[str, list[str]] = {}
    for film_id, header in sources.items():
        studies.setdefault(str(header.StudyInstanceUID), []).append(film_id)
    groups = {
        study: [group for film_id in films for group in _groups(material, material.films[film_id], sources[film_id])]
        for study, films in studies.items()
    }
    chosen = [study for study in studies if groups[study]]
    if not chosen:
        priors = {image["id"] for image in material.answer.images if image.get("role") in PRIOR_ROLES}
        current = [film_id for film_id in sources if film_id not in priors] or list(sources)
        chosen = [str(sources[current[-1]].StudyInstanceUID)]
        groups[chosen[0]] = [_nothing_coded(sources[current[-1]])]
    return [
        _report(material, {film_id: sources[film_id] for film_id in studies[study]}, groups[study], number)
        for number, study in enumerate(chosen, start=1)
    ]


def _report(material: Material, sources: dict[str, Dataset], groups: list[Group], number: int) -> bytes:
    content = sr.MeasurementReport(
        observation_context=_observers(material),
        procedure_reported=coded(codes.CHEST_FILM),
        imaging_measurements=groups,
        title=dicom_codes.DCM.ImagingMeasurementReport,
        referenced_images=[header for header in sources.values() if _described(header)] or None,
    )
    content[0].ContentSequence.extend(_narrative(material))
    signature = material.draft.signature
    document = sr.ComprehensiveSR(
        evidence=list(sources.values()),
        content=content,
        is_complete=True,
        is_final=material.signed,
        is_verified=material.signed,
        verifying_observer_name=_person(signature.name) if signature else None,
        verifying_organization=ORGANISATION if signature else None,
        **object_arguments(material, "SR", number),
    )
    if signature is not None:
        document.VerifyingObserverSequence[0].VerificationDateTime = f"{signature.at:%Y%m%d%H%M%S+0000}"
    return file_bytes(document)


def _described(header: Dataset) -> bool:
    """Whether a header says what an entry of the image library must tell (TID 1602, TID 1603)."""
    orientation = header.get("PatientOrientation") or ()
    return len(orientation) == 2 and all(orientation) and bool(header.get("ImagerPixelSpacing"))


def _observers(material: Material) -> sr.ObservationContext:
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=new_uid(), name=SOFTWARE, manufacturer_name=SOFTWARE, model_name=material.software
    )
    context = sr.ObserverContext(observer_type=dicom_codes.DCM.Device, observer_identifying_attributes=device)
    person = None
    if material.draft.signature is not None:
        name = sr.PersonObserverIdentifyingAttributes(name=_person(material.draft.signature.name))
        person = sr.ObserverContext(observer_type=dicom_codes.DCM.Person, observer_identifying_attributes=name)
    return sr.ObservationContext(observer_device_context=context, observer_person_context=person)


def _person(name: str) -> str:
    """A name as typed as a PN (PS3.5 6.2.1): all of it as the family name, for which part is which is not known."""
    return f"{name}^"


def _groups(material: Material, film: Radiograph, header: Dataset) -> Iterator[Group]:
    for row in material.stated(film.id):
        yield from _finding(material, row, film, header)
    by_evidence: dict[str, list[Quantity]] = {}
    for quantity in material.stated_quantities(film.id):
        by_evidence.setdefault(quantity.evidence.id, []).append(quantity)
    for quantities in by_evidence.values():
        yield _measured(material, quantities, film, header)


def _nothing_coded(header: Dataset) -> Group:
    """TID 1500 as highdicom writes it has at least one group: this one names the film and states nothing of it."""
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking("nothing stated in code"),
        source_images=[sr.SourceImageForMeasurementGroup.from_source_image(header)],
    )


def _finding(material: Material, row: Row, film: Radiograph, header: Dataset) -> Iterator[Group]:
    """One group; or one per box where the finding was localised by boxes."""
    finding = row.finding
    record = _judge(material, row)
    site, side = chest_site(finding.laterality)
    shared: dict[str, Any] = {
        "finding_type": coded(codes.finding_codes(finding.code)[0]),
        "algorithm_id": algorithm(record, material),
        "finding_sites": [sr.FindingSite(anatomic_location=site, laterality=side)],
        "qualitative_evaluations": [
            sr.QualitativeEvaluation(dicom_codes.DCM.PresenceOfProperty, coded(codes.STATUSES[finding.status]))
        ],
        "measurements": _scores(row),
    }
    boxes = _boxes(material, row)
    for place, box in enumerate(boxes, start=1):
        yield sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=_tracking(f"{record.id} {row.name} {place}"),
            referenced_region=_region(box, header),
            **shared,
        )
    if not boxes:
        yield sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=_tracking(f"{record.id} {row.name}"),
            source_images=[sr.SourceImageForMeasurementGroup.from_source_image(header)],
            **shared,
        )


def _judge(material: Material, row: Row) -> Evidence:
    """The record whose score the row shows: the first of its evidence with a model, else the first."""
    known = {record.id: record for record in material.answer.evidence}
    rests_on = [known[item] for item in row.finding.evidence if item in known]
    return next((record for record in rests_on if record.model), rests_on[0])


def _scores(row: Row) -> list[sr.Measurement]:
    finding = row.finding
    if finding.score is None:
        return []
    said = finding.score_kind.value if finding.score_kind else "score"
    name = SCORE_NAMES.get(finding.score_kind) if finding.score_kind else None
    one = coded(codes.unit(""))
    scores = [
        sr.Measurement(name=coded(name or codes.own(said, said.replace("_", " "))), value=finding.score, unit=one)
    ]
    if finding.threshold is not None:
        scores.append(sr.Measurement(name=coded(THRESHOLD), value=finding.threshold, unit=one))
    return scores


def _boxes(material: Material, row: Row) -> list[Overlay]:
    finding = row.finding
    name = known_findings()[finding.code].name if finding.code in known_findings() else finding.code
    return [
        overlay
        for record in material.answer.evidence
        if record.id in finding.evidence and record.tool == GROUND_TOOL
        for overlay in record.overlays
        if overlay.kind == "box" and overlay.image_id == finding.image_id and overlay.label == name
    ]


def _region(overlay: Overlay, header: Dataset) -> sr.ImageRegion:
    """A closed polyline (column, row), counted from the outer corner of the first pixel (PS3.3 C.18.6.1.1)."""
    import numpy as np

    top, left, bottom, right = overlay.as_box()
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)])
    source = sr.SourceImageForRegion.from_source_image(header)
    return sr.ImageRegion(graphic_type=sr.GraphicTypeValues.POLYLINE, graphic_data=corners, source_image=source)


def _measured(material: Material, quantities: list[Quantity], film: Radiograph, header: Dataset) -> Group:
    record = quantities[0].evidence
    magnified = film.spacing_origin in (SpacingOrigin.IMAGER, SpacingOrigin.NOMINAL)
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(f"{record.id} measurements"),
        finding_type=coded(codes.own("measurements", "Measurements on outlines")),
        algorithm_id=algorithm(record, material),
        finding_sites=[sr.FindingSite(anatomic_location=chest_site(None)[0])],
        measurements=[
            sr.Measurement(
                name=coded(codes.own(quantity.code, quantity.name)),
                value=quantity.value,
                unit=coded(codes.unit(quantity.unit)),
                method=coded(DETECTOR_PLANE) if magnified and quantity.unit.startswith("mm") else None,
            )
            for quantity in quantities
        ],
        source_images=[sr.SourceImageForMeasurementGroup.from_source_image(header)],
    )


def _tracking(name: str) -> sr.TrackingIdentifier:
    return sr.TrackingIdentifier(uid=new_uid(), identifier=name)


def _narrative(material: Material) -> list[sr.ContentItem]:
    """Status, disclaimer and origin as comments; the draft's sentences under their headings."""
    comment = dicom_codes.DCM.Comment
    heads = [material.draft.status, f"{material.answer.disclaimer} Drafted by {material.written_by}."]
    items: list[sr.ContentItem] = [_text(comment, said) for said in heads]
    for title, sentences in material.draft.standing():
        if title.split(" (")[0] not in HEADINGS:
            items.append(_text(comment, f"{title}: {' '.join(sentence.text for sentence in sentences)}"))
            continue
        container, each = HEADINGS[title.split(" (")[0]]
        section = sr.ContainerContentItem(name=container, relationship_type=sr.RelationshipTypeValues.CONTAINS)
        section.ContentSequence = sr.ContentSequence([_text(each, _cited(s.text, s.evidence)) for s in sentences])
        items.append(section)
    return items


def _cited(text: str, evidence: tuple[str, ...]) -> str:
    return f"{text} [{', '.join(evidence)}]" if evidence else text


def _text(name: Code, value: str) -> sr.TextContentItem:
    return sr.TextContentItem(name=name, value=value, relationship_type=sr.RelationshipTypeValues.CONTAINS)
