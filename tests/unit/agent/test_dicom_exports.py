"""SR, SEG, key objects and captures of a report, read back by highdicom, pydicom and dcmtk.

The film is a phantom as a DICOM file; the masks and boxes are drawn here, so that what must come back is known.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from agent_stubs import film as bare_film

from agent.answer import Answer, Claim, Evidence, EvidenceStatus, Verdict
from agent.draft import draft_of
from agent.exports.material import Material, SourceMissing
from agent.exports.writing import Format, rendered
from imaging.failures import NotApplicable
from imaging.files import open_film
from imaging.overlays import Overlay
from imaging.phantom import PhantomSpec, write_phantom
from imaging.radiograph import Radiograph
from models.outputs import ScoreKind
from tools.contract import Finding, Status

SIDE = 128
BOX = (70.0, 80.0, 110.0, 120.0)
SENTENCES = [
    {"title": "Findings", "sentences": [
        {"text": "Left pleural effusion.", "basis": ["classify"], "finding": "effusion"},
        {"text": "No pneumothorax.", "basis": ["classify"], "finding": "pneumothorax"},
    ]},
    {"title": "Impression", "sentences": [{"text": "Pleural effusion.", "basis": ["classify"], "finding": "effusion"}]},
]  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "film.dcm"
    write_phantom(PhantomSpec(seed=3, size=SIDE), path)
    dataset = pydicom.dcmread(path)
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName = "Müller^Änne"
    dataset.save_as(path)
    return path


def lung() -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[20:100, 70:110] = True
    mask[25, 71] = False
    return mask


def finding(film: Radiograph, code: str, status: Status, score: float | None, **more: Any) -> Finding:
    kind = None if score is None else ScoreKind.CALIBRATED_PROBABILITY
    return Finding(code=code, image_id=film.id, status=status, score=score, score_kind=kind, threshold=0.5,
                   evidence=["E1", "E3"], **more)  # fmt: skip


def record(film: Radiograph, number: int, tool: str, model: str, **more: Any) -> Evidence:
    revision = "r1" if model else ""
    return Evidence(id=f"E{number}", tool=tool, title=tool, image_ids=[film.id], args={"finding": "effusion"},
                    status=EvidenceStatus.OK, summary="", model=model, revision=revision, **more)  # fmt: skip


def report_of(film: Radiograph) -> Material:
    quantities = [
        {"code": "cardiothoracic_ratio", "name": "Cardiothoracic ratio", "value": 0.48, "unit": ""},
        {"code": "heart_width_mm", "name": "width of the heart", "value": 130.5, "unit": "mm"},
    ]
    evidence = [
        record(film, 1, "classify", "net"),
        record(film, 2, "report", "net", data={"sections": SENTENCES}),
        record(film, 3, "ground", "net", overlays=[Overlay.box(film.id, BOX, "pleural effusion")]),
        record(film, 4, "measure", "seg", data={"measurements": [{"measured": True, "quantities": quantities}]}),
        record(film, 5, "segment", "seg", overlays=[
            Overlay.mask(film.id, lung(), "left_lung"), Overlay.mask(film.id, np.roll(lung(), -40, 1), "heart"),
        ], data={"structures": [{"code": "heart", "corrected": True}]}),
    ]  # fmt: skip
    answer = Answer(
        question="q", text="t", claims=[Claim(text="t", evidence=["E1"], verdict=Verdict.SUPPORTED)],
        findings=[
            finding(film, "effusion", Status.PRESENT, 0.8, laterality="left"),
            finding(film, "pneumothorax", Status.ABSENT, 0.1),
            finding(film, "hernia", Status.NOT_ASSESSED, None),
        ],
        evidence=evidence, images=[film.facts() | {"name": "film 1", "role": "current"}], planner="embedded",
    )  # fmt: skip
    return Material(draft_of(answer, 1), answer, {film.id: film})


@pytest.fixture(scope="module")
def material(file: Path) -> Material:
    return report_of(open_film(file))


def read(material: Material, item: Format, file: Path) -> dict[str, pydicom.Dataset]:
    made = rendered(material, item, [file])
    return {name: pydicom.dcmread(io.BytesIO(data)) for name, data in made.items()}


def signed(material: Material, *rejected: str) -> Material:
    draft = (
        material.draft.reject(*rejected).accept().sign("Łucja Röntgen", dt.datetime(2026, 5, 4, 3, 2, tzinfo=dt.UTC))
    )
    return Material(draft, material.answer, material.films)


def test_sr_holds_coded_findings_scores_and_measurements(material: Material, file: Path) -> None:
    [(name, dataset)] = read(material, Format.SR, file).items()
    source = pydicom.dcmread(file)
    assert name == "report.sr.dcm" and str(dataset.PatientName) == "Müller^Änne"
    assert dataset.StudyInstanceUID == source.StudyInstanceUID and dataset.PatientID == source.PatientID
    report = hd.sr.srread(io.BytesIO(rendered(material, Format.SR, [file])[name])).content
    [effusion] = report.get_planar_roi_measurement_groups()
    assert (effusion.finding_type.value, effusion.finding_type.scheme_designator) == ("60046008", "SCT")
    # Expected: (column, row) pairs of BOX, closed.
    drawn = effusion.roi.value.tolist()
    assert drawn == [[80, 70], [120, 70], [120, 110], [80, 110], [80, 70]]
    present = {q.name.meaning: q.value.meaning for q in effusion.get_qualitative_evaluations()}
    assert present["Presence of property"] == "Present"
    assert [(m.name.meaning, m.value) for m in effusion.get_measurements()] == [
        ("Probability", 0.8), ("Threshold of the status", 0.5)]  # fmt: skip
    assert effusion.finding_sites[0].laterality.meaning == "Left"
    others = {g.finding_type.meaning: g for g in report.get_image_measurement_groups()}
    assert set(others) == {"pneumothorax", "Measurements on outlines"}, "what was not assessed is not stated"
    measured = {m.name.meaning: (m.value, m.unit.value) for m in others["Measurements on outlines"].get_measurements()}
    assert measured == {"Cardiothoracic ratio": (0.48, "1"), "width of the heart": (130.5, "mm")}
    assert dataset.VerificationFlag == "UNVERIFIED" and dataset.PreliminaryFlag == "PRELIMINARY"
    assert "UNVERIFIED DRAFT" in dataset.SeriesDescription


def test_signed_sr_is_verified_and_leaves_out_what_was_rejected(material: Material, file: Path) -> None:
    [dataset] = read(signed(material, "S1"), Format.SR, file).values()
    assert dataset.VerificationFlag == "VERIFIED" and dataset.PreliminaryFlag == "FINAL"
    [observer] = dataset.VerifyingObserverSequence
    assert str(observer.VerifyingObserverName) == "Łucja Röntgen^"
    assert str(observer.VerificationDateTime).startswith("20260504030200")
    text = json.dumps(dataset.to_json_dict(), ensure_ascii=False)
    assert "UNVERIFIED" not in text and "Left pleural effusion." not in text and "60046008" not in text
    assert "No pneumothorax. [E1]" in text


def test_sr_of_a_report_that_the_reader_wrote_anew_holds_the_sentences_and_no_finding(
    material: Material, file: Path
) -> None:
    draft = material.draft
    for each in material.draft.sentences():
        draft = draft.change(each.id, "No acute finding.")
    anew = Material(draft.sign("Dr. A"), material.answer, material.films)
    assert anew.stated(next(iter(anew.films))) == [], "every coded finding was overruled"
    [data] = rendered(anew, Format.SR, [file]).values()
    report = hd.sr.srread(io.BytesIO(data))
    [group] = report.content.get_image_measurement_groups()
    assert group.get_measurements() == [] and group.get_qualitative_evaluations() == []
    text = json.dumps(report.to_json_dict())
    assert "No acute finding." in text and "60046008" not in text


def coded(material: Material, file: Path) -> set[str]:
    """Findings and numbers that the SR states in code."""
    [data] = rendered(material, Format.SR, [file]).values()
    content = hd.sr.srread(io.BytesIO(data)).content
    groups = [*content.get_planar_roi_measurement_groups(), *content.get_image_measurement_groups()]
    return {group.finding_type.meaning for group in groups}


def test_a_signed_sr_codes_only_what_the_reader_accepted(file: Path) -> None:
    """S3 is the impression, S4 a sentence about several findings that names them in words alone."""
    film = open_film(file)
    plain_text = {"text": "Lungs: no mass or nodule.", "basis": ["classify"], "finding": None}
    heart = {"text": "The heart is not enlarged.", "basis": ["measure"], "finding": None}
    made = report_of(film)
    sections = [*SENTENCES, {"title": "Findings", "sentences": [plain_text, heart]}]
    evidence = [e.model_copy(update={"data": {"sections": sections}}) if e.tool == "report" else e
                for e in made.answer.evidence]  # fmt: skip
    rows = [finding(film, code, Status.ABSENT, 0.1) for code in ("mass", "nodule", "emphysema")]
    answer = made.answer.model_copy(update={"evidence": evidence, "findings": [*made.answer.findings, *rows]})
    bare = Material(draft_of(answer, 1), answer, made.films)
    everything = {"pleural effusion", "pneumothorax", "mass", "nodule", "emphysema", "Measurements on outlines"}
    assert coded(bare, file) == everything, "an unverified draft states what the software found"
    assert coded(signed(bare), file) == everything - {"emphysema"}, "which no sentence spoke of"
    assert coded(signed(bare, "S4"), file) == {"pleural effusion", "pneumothorax", "Measurements on outlines"}
    assert coded(signed(bare, "S5"), file) == {"pleural effusion", "pneumothorax", "mass", "nodule"}
    assert {row.reader for row in signed(bare, "S4").rows if row.finding.code == "mass"} == {"overruled by the reader"}


def test_seg_gives_the_masks_back_pixel_for_pixel(material: Material, file: Path) -> None:
    [(name, data)] = rendered(material, Format.SEG, [file]).items()
    assert name == "film_1.seg.dcm"
    seg = hd.seg.segread(io.BytesIO(data))
    uid = pydicom.dcmread(file).SOPInstanceUID
    frames = seg.get_pixels_by_source_instance([uid], segment_numbers=[1, 2])
    assert (frames[0, ..., 0].astype(bool) == lung()).all()
    assert (frames[0, ..., 1].astype(bool) == np.roll(lung(), -40, 1)).all()
    first, second = seg.get_segment_description(1), seg.get_segment_description(2)
    assert (first.segmented_property_type.value, second.segmented_property_type.value) == ("39607008", "80891009")
    [modifier] = first.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence
    assert modifier.CodeMeaning == "Left"
    assert (first.SegmentAlgorithmType, second.SegmentAlgorithmType) == ("AUTOMATIC", "SEMIAUTOMATIC")
    assert first.SegmentAlgorithmName == "seg" and "UNVERIFIED DRAFT" in seg.ContentDescription


def test_key_objects_name_the_film_with_a_finding(material: Material, file: Path) -> None:
    [dataset] = read(material, Format.KO, file).values()
    assert dataset.Modality == "KO" and "pleural effusion present" in json.dumps(dataset.to_json_dict())
    [study] = dataset.CurrentRequestedProcedureEvidenceSequence
    [reference] = study.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert reference.ReferencedSOPInstanceUID == pydicom.dcmread(file).SOPInstanceUID


def test_captures_show_the_overlays_and_say_what_they_are(material: Material, file: Path) -> None:
    made = read(material, Format.SC, file)
    assert sorted(made) == ["E3.film_1.sc.dcm", "E5.film_1.sc.dcm"]
    capture, source = made["E3.film_1.sc.dcm"], pydicom.dcmread(file)
    assert capture.StudyInstanceUID == source.StudyInstanceUID
    assert capture.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert "UNVERIFIED DRAFT" in capture.DerivationDescription and "net@r1" in capture.DerivationDescription
    pixels = capture.pixel_array
    assert pixels.shape[1:] == (SIDE, 3) and pixels.shape[0] > SIDE, "words stand below the film"
    assert (pixels[:SIDE].max(axis=2) != pixels[:SIDE].min(axis=2)).any(), "a box in colour"


def test_a_picture_without_a_header_has_captures_only() -> None:
    film = bare_film(1)
    made = Material(report_of(film).draft, _drawn(film), {film.id: film})
    [data] = rendered(made, Format.SC, []).values()
    capture = pydicom.dcmread(io.BytesIO(data))
    assert capture.PatientName in (None, "") and capture.StudyInstanceUID
    for item in (Format.SR, Format.SEG, Format.KO):
        with pytest.raises(NotApplicable, match="no study for a DICOM object"):
            rendered(made, item, [])


def _drawn(film: Radiograph) -> Answer:
    answer = report_of_small(film)
    return answer.model_copy(update={"evidence": [record(film, 3, "ground", "net", overlays=[
        Overlay.box(film.id, (4, 4, 20, 20), "pleural effusion")])]})  # fmt: skip


def report_of_small(film: Radiograph) -> Answer:
    return Answer(question="q", text="t", claims=[], findings=[], evidence=[], planner="embedded",
                  images=[film.facts() | {"name": "film 1", "role": None}])  # fmt: skip


def test_the_film_itself_is_needed_and_recognised(material: Material, file: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="film 1"):
        rendered(material, Format.SR, [])
    other = tmp_path / "other.dcm"
    write_phantom(PhantomSpec(seed=4, size=SIDE), other)
    with pytest.raises(SourceMissing):
        rendered(material, Format.SR, [other])
    (tmp_path / "film.dcm").write_bytes(file.read_bytes())
    assert rendered(material, Format.SR, [tmp_path])


LEFT_OUT = ("PatientOrientation", "ImagerPixelSpacing", "Modality", "StudyID", "AccessionNumber", "PatientBirthDate",
            "StudyTime", "ReferringPhysicianName", "PatientName")  # fmt: skip


def test_a_header_that_says_little_is_enough(file: Path, tmp_path: Path) -> None:
    """Real files lack these; found on the DICOM files of shared/data."""
    dataset = pydicom.dcmread(file)
    for keyword in LEFT_OUT:
        delattr(dataset, keyword)
    bare = tmp_path / "bare.dcm"
    dataset.save_as(bare)
    made = report_of(open_film(bare))
    for item in (Format.SR, Format.SEG, Format.KO, Format.SC):
        for each in read(made, item, bare).values():
            assert each.StudyInstanceUID == dataset.StudyInstanceUID


def test_a_header_without_uids_is_no_study(file: Path, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(file)
    del dataset.StudyInstanceUID
    dataset.save_as(tmp_path / "bare.dcm")
    with pytest.raises(NotApplicable, match="no StudyInstanceUID"):
        rendered(report_of(open_film(tmp_path / "bare.dcm")), Format.SR, [tmp_path / "bare.dcm"])


def test_nothing_outlined_is_no_seg(material: Material, file: Path) -> None:
    bare = material.answer.model_copy(update={"evidence": material.answer.evidence[:2]})
    with pytest.raises(NotApplicable, match="Nothing was outlined"):
        rendered(Material(material.draft, bare, material.films), Format.SEG, [file])


@pytest.mark.parametrize("tool", ["dciodvfy", "dcmdump"])
@pytest.mark.parametrize("item", [Format.SR, Format.SEG, Format.KO, Format.SC])
@pytest.mark.parametrize("by", ["nobody", "a reader"])
def test_other_peoples_programs_find_no_fault(
    tool: str, item: Format, by: str, material: Material, file: Path, tmp_path: Path
) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    made = material if by == "nobody" else signed(material)
    for name, data in rendered(made, item, [file]).items():
        (tmp_path / name).write_bytes(data)
        done = subprocess.run([tool, tmp_path / name], capture_output=True, text=True, errors="replace")
        told = done.stdout + done.stderr
        assert done.returncode == 0 and not [line for line in told.splitlines() if line.startswith("Error")], told


def test_dsrdump_shows_findings_and_status(material: Material, file: Path, tmp_path: Path) -> None:
    if shutil.which("dsrdump") is None:
        pytest.skip("dcmtk's dsrdump is not installed")
    [data] = rendered(material, Format.SR, [file]).values()
    (tmp_path / "sr.dcm").write_bytes(data)
    shown = subprocess.run(["dsrdump", tmp_path / "sr.dcm"], capture_output=True, text=True, errors="replace").stdout
    for said in ("UNVERIFIED DRAFT", "pleural effusion", "Presence of property", "Cardiothoracic ratio"):
        assert said in shown, shown
