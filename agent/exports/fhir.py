"""The report as a FHIR R4 bundle: DiagnosticReport, an Observation per finding and measurement, Devices, Provenance.

The patient is a pseudonym: the keyed hash by which Hilum tells patients apart, no name and no UID. Validated against
the classes generated from FHIR 4.0.1 (fhirclient) before it is written.
"""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

from agent.exports import codes
from agent.exports.codes import Coded
from agent.exports.material import Material, Quantity, Row, Used
from agent.exports.texts import TITLE, markdown
from imaging.radiograph import Radiograph
from models.outputs import ScoreKind
from tools.contract import Status
from tools.contract.wording import score_meaning

SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "RADLEX": "http://radlex.org",
    "UCUM": "http://unitsofmeasure.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    codes.OURS: "urn:hilum:findings",
}
"""Coding scheme designator -> code system URI (HL7's list of external code systems; the last is Hilum's own)."""
PSEUDONYMS = "urn:hilum:patient-pseudonym"
LOINC_IMAGING = ("http://loinc.org", "18748-4", "Diagnostic imaging study")
GENDERS = {"M": "male", "F": "female", "O": "other"}
Resource = dict[str, Any]


def bundle(material: Material) -> str:
    """The bundle as JSON.

    Raises:
        FHIRValidationError: a fault of Hilum: what it made is not FHIR R4.
    """
    made = _Bundle(material).entries()
    body = {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": material.made_at.isoformat(),
        "entry": [{"fullUrl": f"urn:uuid:{resource.pop('_uuid')}", "resource": resource} for resource in made],
    }
    from fhirclient.models.bundle import Bundle

    return json.dumps(Bundle(body).as_json(), ensure_ascii=False, indent=1)


class _Bundle:
    """The resources of one report, referring to one another by UUID."""

    def __init__(self, material: Material) -> None:
        self.material = material
        self.status = "final" if material.signed else "preliminary"
        self.patients: dict[str | None, Resource] = {}
        self.software = self._resource(
            "Device",
            deviceName=[{"name": material.software, "type": "model-name"}],
            manufacturer="Hilum",
            note=[{"text": material.answer.disclaimer}],
        )
        self.models = {used.id: self._model(used) for used in material.models}

    def entries(self) -> list[Resource]:
        """The reports, one per patient, and everything they refer to."""
        reports, observations = [], []
        groups: dict[str | None, list[Radiograph]] = {}
        for film in self.material.acquired_films():
            groups.setdefault(film.patient_key, []).append(film)
        for key, films in groups.items():
            self.patients[key] = self._patient(key, films[0])
            found = [self._finding(row, film) for film in films for row in self.material.stated(film.id)]
            found += [self._quantity(q, film) for film in films for q in self.material.stated_quantities(film.id)]
            observations += found
            reports.append(self._report(key, films, found))
        provenance = [self._provenance(reports)] if reports else []
        return [*reports, *observations, *self.patients.values(), self.software, *self.models.values(), *provenance]

    def _report(self, key: str | None, films: list[Radiograph], found: list[Resource]) -> Resource:
        draft = self.material.draft
        stated = [row.finding for film in films for row in self.material.stated(film.id)]
        present = [finding for finding in stated if finding.status is Status.PRESENT]
        lines = [f"{title}: {' '.join(s.text for s in sentences)}" for title, sentences in draft.standing()]
        report = self._resource(
            "DiagnosticReport",
            status=self.status,
            category=[_concept([("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD", "Radiology")])],
            code=_concept([LOINC_IMAGING, *_codings([codes.CHEST_FILM])], TITLE),
            subject=_to(self.patients[key]),
            issued=self.material.made_at.isoformat(),
            result=[_to(item) for item in found],
            conclusion="\n".join([draft.status, *lines]),
            conclusionCode=[_coded(codes.finding_codes(finding.code)) for finding in present],
            presentedForm=[{
                "contentType": "text/markdown", "title": draft.status,
                "data": base64.b64encode(markdown(self.material).encode()).decode("ascii"),
            }],
        )  # fmt: skip
        dates = sorted(film.acquired.isoformat() for film in films if film.acquired)
        if dates:
            report["effectiveDateTime"] = dates[-1]
        if draft.signature is not None:
            report["resultsInterpreter"] = [{"display": draft.signature.name}]
        return _without_empty(report)

    def _patient(self, key: str | None, film: Radiograph) -> Resource:
        return _without_empty(
            self._resource(
                "Patient",
                identifier=[{"system": PSEUDONYMS, "value": key}] if key else [],
                gender=GENDERS.get(film.sex or "", "unknown"),
            )
        )

    def _observation(self, film: Radiograph, code: Resource, evidence: list[str], **more: Any) -> Resource:
        by = [record.model for record in self.material.answer.evidence if record.id in evidence and record.model]
        device = self.models[by[0]] if by else self.software
        films = self.material.film_names.get(film.id, film.id)
        return _without_empty(
            self._resource(
                "Observation",
                status=self.status,
                category=[_concept([(OBSERVATION_CATEGORIES, "imaging", "Imaging")])],
                code=code,
                subject=_to(self.patients[film.patient_key]),
                effectiveDateTime=film.acquired.isoformat() if film.acquired else None,
                device=_to(device),
                note=[{"text": f"{self.material.draft.status} On {films}, evidence {', '.join(evidence)}."}],
                **more,
            )
        )

    def _finding(self, row: Row, film: Radiograph) -> Resource:
        finding = row.finding
        site = ", ".join(filter(None, (finding.laterality, finding.region)))
        component = []
        if finding.score is not None:
            meaning = score_meaning(finding.score_kind, finding.threshold)
            name = "Probability" if finding.score_kind is ScoreKind.CALIBRATED_PROBABILITY else "Score"
            component = [{"code": {"text": f"{name}: {meaning}"}, "valueQuantity": _amount(finding.score, "")}]
        return self._observation(
            film,
            _coded(codes.finding_codes(finding.code)),
            finding.evidence,
            valueCodeableConcept=_coded([codes.STATUSES[finding.status]]),
            bodySite=_coded([codes.CHEST], site),
            component=component,
        )

    def _quantity(self, quantity: Quantity, film: Radiograph) -> Resource:
        code = _coded([codes.own(quantity.code, quantity.name)])
        return self._observation(
            film, code, [quantity.evidence.id], valueQuantity=_amount(quantity.value, quantity.unit)
        )

    def _model(self, used: Used) -> Resource:
        return self._resource(
            "Device",
            deviceName=[{"name": used.title or used.id, "type": "user-friendly-name"}],
            modelNumber=used.id,
            version=[{"value": used.revision}],
            parent=_to(self.software),
            note=[{"text": f"Licence: {used.licence or 'not told'}. {self.material.answer.disclaimer}"}],
        )

    def _provenance(self, reports: list[Resource]) -> Resource:
        agents = [_agent("assembler", _to(device)) for device in (self.software, *self.models.values())]
        signature = self.material.draft.signature
        if signature is not None:
            agents.append(_agent("verifier", {"display": signature.name}))
        return self._resource(
            "Provenance",
            target=[_to(report) for report in reports],
            recorded=self.material.made_at.isoformat(),
            agent=agents,
            reason=[{"text": f"Drafted by {self.material.written_by}"}],
        )

    def _resource(self, kind: str, **fields: Any) -> Resource:
        made = str(uuid.uuid4())
        return {"resourceType": kind, "id": made, "_uuid": made, **fields}


OBSERVATION_CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
PROVENANCE_ROLES = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def _agent(role: str, who: Resource) -> Resource:
    return {"type": _concept([(PROVENANCE_ROLES, role, role.capitalize())]), "who": who}


def _to(resource: Resource) -> Resource:
    return {"reference": f"urn:uuid:{resource['_uuid']}"}


def _concept(codings: list[tuple[str, str, str]], text: str = "") -> Resource:
    told = [{"system": system, "code": code, "display": display} for system, code, display in codings]
    return {"coding": told, **({"text": text} if text else {})}


def _coded(found: list[Coded], text: str = "") -> Resource:
    return _concept(_codings(found), text)


def _codings(found: list[Coded]) -> list[tuple[str, str, str]]:
    return [(SYSTEMS[code.scheme], code.value, code.meaning) for code in found]


def _amount(value: float, said: str) -> Resource:
    unit = codes.unit(said)
    return {"value": value, "unit": said or unit.meaning, "system": SYSTEMS["UCUM"], "code": unit.value}


def _without_empty(resource: Resource) -> Resource:
    return {key: value for key, value in resource.items() if value not in (None, [], "")}
