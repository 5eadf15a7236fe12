"""Identifiers end to end: a film whose header is full of canaries goes through a whole session; none comes out."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import keyword_dict
from pypdf import PdfReader

sys.path.append(str(Path(__file__).resolve().parents[1] / "integration"))

from prometheus_client import generate_latest
from stub_llm import Reply, serving

from agent import Agent, Settings
from agent.exports import export
from agent.memory import Memory
from imaging.phantom import PhantomSpec, parse_finding, write_phantom
from models.pool import ModelPool
from ui.terminal.answers import save_overlays
from ui.terminal.sessions import export_kept

CANARY = "ZQXKANARI"
"""Letters that stand in no word of ours."""
DATE = "19470613"
"""Of birth, study and everything else that is dated: `1947` and `0613` alone would be found by chance."""
TEXTS = (
    "PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName",
    "PatientAddress", "PatientTelephoneNumbers", "MilitaryRank", "EthnicGroup", "Occupation", "PatientComments",
    "AdditionalPatientHistory", "MedicalRecordLocator", "PatientInsurancePlanCodeSequence", "ResponsiblePerson",
    "PatientReligiousPreference", "RegionOfResidence", "CountryOfResidence", "AdmissionID", "IssuerOfPatientID",
    "AccessionNumber", "StudyID", "StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments",
    "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "ReferringPhysicianName",
    "ReferringPhysicianAddress", "ReferringPhysicianTelephoneNumbers", "PhysiciansOfRecord", "OperatorsName",
    "PerformingPhysicianName", "NameOfPhysiciansReadingStudy", "RequestingPhysician", "RequestingService",
    "RequestedProcedureDescription", "PerformedProcedureStepDescription", "StationName", "DeviceSerialNumber",
    "ManufacturerModelName", "DetectorID", "PlateID", "CassetteID", "CurrentPatientLocation", "VisitComments",
    "DerivationDescription", "AcquisitionDeviceProcessingDescription", "FrameOfReferenceUID",
)  # fmt: skip
"""Keywords that get a canary; those that are no text in the dictionary are left out."""
DATES = ("PatientBirthDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
TEXT_VRS = {"PN", "LO", "SH", "LT", "ST", "UT", "UC", "AE"}


NAMELESS = ("md", "json", "csv", "pdf", "fhir")
"""Formats of a report that name no patient; SR, SEG, KO and SC go back to the PACS and carry its header."""


@dataclass(frozen=True)
class Walk:
    """Everything that a session with the canary film gave out, by where it went."""

    places: dict[str, str]
    names: list[str]
    pictures: list[bytes]


def canary_film(seed: int, folder: Path) -> Path:
    written = io.BytesIO()
    plain = folder / "plain.dcm"
    write_phantom(PhantomSpec(seed=seed, size=384, findings=(parse_finding("effusion:left:900ml"),)), plain)
    dataset = pydicom.dcmread(plain)
    plain.unlink()
    marked = 0
    for number, keyword in enumerate(TEXTS):
        vr = pydicom.datadict.dictionary_VR(keyword_dict[keyword])
        if vr in TEXT_VRS:
            setattr(dataset, keyword, f"{CANARY}{number:02d}")
            marked += 1
    for keyword in DATES:
        setattr(dataset, keyword, DATE)
    dataset.private_block(0x0011, f"{CANARY}P", create=True).add_new(0x01, "LO", f"{CANARY}PV")
    assert marked >= 40
    dataset.save_as(written)
    path = folder / f"{CANARY}-jane-doe-{seed}.dcm"
    path.write_bytes(written.getvalue())
    return path


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """One session over HTTP to an LLM that sees, kept on the disk, exported."""
    folder = tmp_path_factory.mktemp(f"{CANARY}-folder")
    out = tmp_path_factory.mktemp("out")
    first, second = canary_film(1, folder), canary_film(2, folder)
    copy = folder / f"{CANARY}-copy.dcm"
    copy.write_bytes(first.read_bytes())
    (folder / f"{CANARY}.txt").write_text("no film")
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HILUM_STATE_DIR", str(out / "state"))
        patch.setenv("HILUM_PROFILE", "embedded")
        try:
            yield _walked(folder, [first, second, copy, folder / f"{CANARY}.txt"], out, log)
        finally:
            root.removeHandler(handler)
            root.setLevel(level)


def _text_of(path: Path) -> str:
    if path.suffix != ".pdf":
        return path.read_text(encoding="utf-8")
    document = PdfReader(path)
    return str(document.metadata) + "".join(page.extract_text() for page in document.pages)


def _walked(folder: Path, films: list[Path], out: Path, log: io.StringIO) -> Walk:
    ids: list[str] = []

    def script(messages: list[dict[str, object]]) -> Reply:
        if messages[-1]["role"] == "user":
            one, two = (json.dumps({"image_id": film}) for film in ids)
            names = ("quality", "classify", "measure", "dicom_header", "segment", "report")
            return Reply(calls=(*((name, one) for name in names), ("classify", two), ("dicom_header", two)))
        return Reply("A left pleural effusion is present [E2].")

    database = out / "sessions.db"
    with serving(script) as stub:
        settings = Settings(send_films=True, planner_sees=True, planner_timeout_s=300)
        planner = f"openai:stub@{stub.base_url}"
        agent = Agent(settings, planner=planner, models=ModelPool(device="cpu"), memory=Memory(database))
        session = agent.session()
        session.take(films)
        ids += session.films.ids()
        answer = session.ask("What do the films show?")
        session.ask("And now?")
        sent = json.dumps(stub.requests) + json.dumps(stub.headers)
    assert len(answer.evidence) == 8 and all(record.failure is None for record in answer.evidence), answer.not_assessed
    assert any(CANARY in note for note in answer.notes), "the user alone is told of the files by name"
    pictures = [path.read_bytes() for path in save_overlays(answer, session.films, out / "overlays")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HILUM_MEMORY", str(database))
        export_kept(session.id, out / "export", "")
    exported = list((out / "export").iterdir())
    pictures += [path.read_bytes() for path in exported if path.suffix == ".png"]
    places = {
        "prompts to the model": sent,
        "answer": answer.model_copy(update={"notes": []}).model_dump_json(),
        "transcript": json.dumps(list(session.transcript()), default=str),
        "export": "".join(path.read_text(encoding="utf-8") for path in exported if path.suffix in (".json", ".jsonl")),
        "reports": "".join(_text_of(path) for path in export(session, NAMELESS, out / "reports")),
        "logs": log.getvalue(),
        "metrics": generate_latest().decode(),
    }
    assert all(places.values())
    return Walk(places, [path.name for path in out.rglob("*")], pictures)


PLACES = ["prompts to the model", "answer", "transcript", "export", "reports", "logs", "metrics"]


@pytest.mark.parametrize("place", PLACES)
def test_no_canary_comes_out(walk: Walk, place: str) -> None:
    text = walk.places[place]
    found = sorted({text[at : at + 14] for at in range(len(text)) if text.startswith(CANARY, at)})
    assert found == [], f"{place}: {found}"


@pytest.mark.parametrize("place", ["prompts to the model", "logs", "metrics"])
def test_no_date_is_told_or_logged(walk: Walk, place: str) -> None:
    assert DATE not in walk.places[place] and "1947-06-13" not in walk.places[place]


def test_no_canary_in_a_file_name_or_a_picture(walk: Walk) -> None:
    assert [name for name in walk.names if CANARY in name] == []
    assert walk.pictures and not any(CANARY.encode() in picture for picture in walk.pictures)
