"""Exports for people and systems, read back: PDF by pypdf, FHIR by the classes of FHIR 4.0.1, CSV and JSON as such."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from agent_stubs import StubTools, Truth, film, stub_agent
from fhirclient.models.bundle import Bundle
from pypdf import PdfReader
from typer.testing import CliRunner

from agent.draft import UNVERIFIED
from agent.exports import Format, export
from agent.memory import Memory
from agent.session import Session
from app import cli
from imaging.failures import BadArguments

TRUTH = Truth(scores={"effusion": 0.9, "pneumothorax": 0.1, "mass": 0.5}, sides={"effusion": "left"}, ratio=0.58)
QUESTION = "Write a report. Where is the effusion? How large is the heart?"
TEXTS = (Format.MD, Format.JSON, Format.CSV, Format.PDF, Format.FHIR)


@pytest.fixture
def session() -> Session:
    opened = stub_agent(StubTools(TRUTH)).session()
    opened.ask(QUESTION, films=[film(1)])
    return opened


def words(path: Path) -> str:
    if path.suffix != ".pdf":
        return path.read_text(encoding="utf-8")
    pages = PdfReader(path).pages
    assert all(UNVERIFIED in page.extract_text() or "Signed by" in page.extract_text() for page in pages)
    return " ".join(" ".join(page.extract_text().split()) for page in pages)


def test_every_format_says_draft_and_by_whom(session: Session, tmp_path: Path) -> None:
    for path in export(session, TEXTS, tmp_path):
        text = words(path)
        assert UNVERIFIED in text, path.name
        assert "stub-classifier" in text and "planner embedded" in text.replace('"planner": "', "planner "), path.name
        assert "not a medical device" in text or path.suffix == ".csv"


def test_signed_says_by_whom_and_rejected_is_not_stated(session: Session, tmp_path: Path) -> None:
    session.keep_draft(session.draft().reject("S1").sign("Dr. Łucja Röntgen"))
    written = export(session, TEXTS, tmp_path)
    for path in written:
        text = words(path)
        assert "Signed by Dr. Łucja Röntgen" in text and UNVERIFIED not in text, path.name
    body = json.loads((tmp_path / "report.fhir.json").read_text())
    observed = [entry["resource"] for entry in body["entry"] if entry["resource"]["resourceType"] == "Observation"]
    told = {o["code"]["coding"][-1]["code"]: o for o in observed}
    assert "effusion" not in told, "its sentence was rejected"
    assert "pneumothorax" not in told, "no sentence that was signed speaks of it"
    [report] = [e["resource"] for e in body["entry"] if e["resource"]["resourceType"] == "DiagnosticReport"]
    assert report["status"] == "final" and report["resultsInterpreter"] == [{"display": "Dr. Łucja Röntgen"}]
    rows = {row["code"]: row for row in csv.DictReader(io.StringIO((tmp_path / "findings.csv").read_text()))}
    assert rows["effusion"]["reader"] == "overruled by the reader"
    assert rows["pneumothorax"]["reader"] == "not checked by a reader"
    assert "No pleural effusion" not in (tmp_path / "report.md").read_text()


def test_fhir_bundle_is_r4_coded_and_names_nobody(session: Session, tmp_path: Path) -> None:
    [path] = export(session, ["fhir"], tmp_path)
    body = json.loads(path.read_text())
    Bundle(body)
    resources = [entry["resource"] for entry in body["entry"]]
    [report] = [r for r in resources if r["resourceType"] == "DiagnosticReport"]
    [patient] = [r for r in resources if r["resourceType"] == "Patient"]
    assert report["status"] == "preliminary" and "name" not in patient
    known = {entry["fullUrl"] for entry in body["entry"]}
    assert {item["reference"] for item in report["result"]} <= known
    by_code = {r["code"]["coding"][-1]["code"]: r for r in resources if r["resourceType"] == "Observation"}
    effusion = by_code["effusion"]
    codings = {(c["system"], c["code"]) for c in effusion["code"]["coding"]}
    # Expected: SNOMED CT and RadLex ids of pleural effusion in tools/knowledge/findings.toml; CID 240 "Present".
    assert {("http://snomed.info/sct", "60046008"), ("http://radlex.org", "RID34539")} <= codings
    assert effusion["valueCodeableConcept"]["coding"][0]["code"] == "52101004"
    assert by_code["pneumothorax"]["valueCodeableConcept"]["coding"][0]["display"] == "Absent"
    assert by_code["mass"]["valueCodeableConcept"]["coding"][0]["display"] == "Undetermined"
    assert effusion["component"][0]["code"]["text"].startswith("Probability: calibrated probability")
    assert [r["resourceType"] for r in resources].count("Provenance") == 1


def test_csv_has_a_row_per_finding_with_codes_and_meaning(session: Session, tmp_path: Path) -> None:
    [path] = export(session, ["csv"], tmp_path)
    rows = {row["code"]: row for row in csv.DictReader(io.StringIO(path.read_text()))}
    assert rows["effusion"]["snomed"] == "60046008"
    assert (
        rows["effusion"]["score_kind"] == "calibrated_probability" and "stub-classifier@1" in rows["effusion"]["models"]
    )


def test_text_from_outside_stays_text(tmp_path: Path) -> None:
    opened = stub_agent(StubTools(TRUTH)).session()
    opened.ask(QUESTION, films=[film(1)])
    opened.keep_draft(opened.draft().change("S1", "<img src=x> [click](y) =1+1 | → Ω"))
    written = {path.name: words(path) for path in export(opened, TEXTS, tmp_path)}
    assert "\\<img src=x\\> \\[click\\](y)" in written["report.md"]
    assert "<img src=x> [click](y) =1+1 | -> Ω" in written["report.pdf"]


def test_unknown_format_and_place_raise_with_a_remedy(session: Session, tmp_path: Path) -> None:
    with pytest.raises(BadArguments, match="Formats: md, json"):
        export(session, ["docx"], tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadArguments, match="cannot be written"):
        export(session, ["md"], tmp_path / "file")


def test_command_line_writes_a_kept_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HILUM_STATE_DIR", str(tmp_path))
    agent = stub_agent(StubTools(TRUTH))
    agent.memory = Memory(tmp_path / "sessions.db")
    kept = agent.session()
    kept.ask(QUESTION, films=[film(1)])
    done = CliRunner().invoke(cli, ["export", kept.id[:6], "--format", "md, csv", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["findings.csv", "report.md"]
    assert (
        CliRunner().invoke(cli, ["export", "last", "--format", "json", "--out", str(tmp_path / "out")]).exit_code == 0
    )
