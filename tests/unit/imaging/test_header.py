"""What the header says of a film: view, side, spacing, age, orientation; and that nobody's identity comes along."""

from __future__ import annotations

import datetime as dt
import json
import logging
import stat
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import films
import pytest
from pydicom.sequence import Sequence

from imaging import Radiograph, open_film
from imaging.failures import FilmRefused
from imaging.identity import KEY_FILE, installation_key, pseudonym
from imaging.radiograph import SpacingOrigin, View


def film(**elements: Any) -> Radiograph:
    return open_film(films.part10(films.dataset(**elements)))


def said(found: Radiograph, words: str) -> bool:
    return any(words in warning for warning in found.warnings)


PA_CODE = films.item(CodeValue="272479007", CodingSchemeDesignator="SCT", CodeMeaning="postero-anterior")
VIEWS: list[tuple[str, dict[str, Any], View]] = [
    ("PA", {"ViewPosition": "PA"}, View.PA),
    ("AP", {"ViewPosition": "AP"}, View.AP),
    ("LL", {"ViewPosition": "LL"}, View.LATERAL),
    ("RL", {"ViewPosition": "RL"}, View.LATERAL),
    ("LATERAL", {"ViewPosition": "LATERAL"}, View.LATERAL),
    ("decubitus is not guessed", {"ViewPosition": "LLD"}, View.UNKNOWN),
    ("nothing", {}, View.UNKNOWN),
    ("view code", {"ViewCodeSequence": PA_CODE}, View.PA),
    ("series description", {"SeriesDescription": "Thorax p.a. / W033 Chest PA"}, View.PA),
    ("ambiguous series description", {"SeriesDescription": "Chest PA and lateral"}, View.UNKNOWN),
    ("a word that only contains PA", {"SeriesDescription": "PATIENT CHAPEL"}, View.UNKNOWN),
    ("lateral orientation", {"PatientOrientation": ["A", "F"]}, View.LATERAL),
    ("position outranks description", {"ViewPosition": "AP", "SeriesDescription": "CHEST PA"}, View.AP),
]


@pytest.mark.parametrize(("name", "elements", "view"), VIEWS, ids=[row[0] for row in VIEWS])
def test_view_comes_from_the_header(name: str, elements: dict[str, Any], view: View) -> None:
    found = film(**elements)
    assert found.view is view
    assert found.view_origin == ("none" if view is View.UNKNOWN else "header")


def test_contradicting_views_are_warned_of() -> None:
    assert said(film(ViewPosition="AP", SeriesDescription="CHEST PA"), "contradicts itself")


@pytest.mark.parametrize(
    ("elements", "side"), [({"ImageLaterality": "L"}, "L"), ({"ViewPosition": "RL"}, "R"), ({}, None)]
)
def test_laterality_comes_from_the_header(elements: dict[str, Any], side: str | None) -> None:
    assert film(**elements).source.laterality == side


A, B = [0.139, 0.139], [0.15, 0.16]
SPACINGS: list[tuple[str, dict[str, Any], list[float] | None, SpacingOrigin | None]] = [
    ("nothing", {}, None, None),
    ("imager alone is the detector", {"ImagerPixelSpacing": B}, B, SpacingOrigin.IMAGER),
    ("pixel spacing alone", {"PixelSpacing": A}, A, SpacingOrigin.PIXEL_SPACING),
    ("equal to the imager's is the detector's", {"PixelSpacing": A, "ImagerPixelSpacing": A}, A, SpacingOrigin.IMAGER),
    ("unlike the imager's is calibrated", {"PixelSpacing": A, "ImagerPixelSpacing": B}, A, SpacingOrigin.CALIBRATED),
    (
        "named calibration",
        {"PixelSpacing": A, "PixelSpacingCalibrationType": "FIDUCIAL"},
        A,
        SpacingOrigin.CALIBRATED,
    ),
    ("digitised sheet", {"NominalScannedPixelSpacing": A}, A, SpacingOrigin.NOMINAL),
    ("zero is none", {"PixelSpacing": [0, 0]}, None, None),
    ("zero gives way to the imager's", {"PixelSpacing": [0, 0], "ImagerPixelSpacing": B}, B, SpacingOrigin.IMAGER),
]


@pytest.mark.parametrize(("name", "elements", "spacing", "origin"), SPACINGS, ids=[row[0] for row in SPACINGS])
def test_spacing_and_its_origin(
    name: str, elements: dict[str, Any], spacing: list[float] | None, origin: SpacingOrigin | None
) -> None:
    found = film(**elements)
    assert found.spacing_mm == (tuple(spacing) if spacing else None)
    assert found.spacing_origin is origin
    assert said(found, "not a usable spacing") == ("zero" in name)


def test_magnification_is_recorded_and_not_applied() -> None:
    found = film(ImagerPixelSpacing=A, EstimatedRadiographicMagnificationFactor="1.1")
    assert found.source.magnification == 1.1 and found.spacing_mm == (0.139, 0.139)
    assert said(found, "magnification of 1.10")


def test_pixels_that_are_not_square_are_warned_of() -> None:
    assert film(PixelAspectRatio=[2, 1]).source.pixel_aspect == 2
    assert said(film(PixelAspectRatio=[2, 1]), "not square") and not said(film(PixelAspectRatio=[1, 1]), "not square")


AGES = [("045Y", 45), ("006M", 0.5), ("003W", 0.06), ("010D", 0.03), ("45", None), ("999Y", None), ("ABC", None)]


@pytest.mark.parametrize(("age", "years"), AGES)
def test_age_string_has_four_units(age: str, years: float | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of the invalid ones, as they are written
        found = film(PatientAge=age)
    assert found.age_years == (pytest.approx(years, abs=0.01) if years is not None else None)


def test_age_comes_from_the_birth_date_without_an_age_string() -> None:
    found = film(PatientBirthDate="19600501", AcquisitionDate="20200501")
    assert found.age_years == pytest.approx(60, abs=0.01) and found.acquired == dt.date(2020, 5, 1)


def test_impossible_dates_are_no_dates() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert film(StudyDate="20209999").acquired is None


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"BodyPartExamined": "EXTREMITY"}, "EXTREMITY"),
        ({"BodyPartExamined": "SKULL"}, "SKULL"),
        ({"DeviationIndex": "-6.02"}, "-6.0: the detector got 4.0 times less"),
        ({"DeviationIndex": "3.1"}, "+3.1: the detector got 2.0 times more"),
        ({"PatientOrientation": ["R", "F"]}, "mirrored"),
        ({"PatientOrientation": ["L", "H"]}, "upside down"),
        ({"PatientOrientation": ["F", "L"]}, "on its side"),
        ({"BurnedInAnnotation": "YES"}, "burned into"),
        ({"QualityControlImage": "YES"}, "a phantom, not a patient"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "raw detector"),
        ({"LossyImageCompression": "01"}, "lossy"),
        ({"FieldOfViewHorizontalFlip": "YES"}, "flipped"),
        ({"PresentationLUTShape": "INVERSE"}, "contradicts itself"),
    ],
)
def test_header_is_warned_of(elements: dict[str, Any], words: str) -> None:
    assert said(film(**elements), words)


def test_plain_chest_film_has_no_warnings() -> None:
    plain = film(
        WindowCenter=2048, WindowWidth=4096, PatientOrientation=["L", "F"], ViewPosition="PA", DeviationIndex="1.5"
    )
    assert plain.warnings == ()


CANARY = "ZZCANARY"


def marked() -> dict[str, Any]:
    """Elements with the canary wherever a person may be named."""
    names = ["PatientName", "ReferringPhysicianName", "OperatorsName", "PerformingPhysicianName", "OtherPatientNames"]
    free = (
        "PatientID",
        "IssuerOfPatientID",
        "AccessionNumber",
        "StudyID",
        "InstitutionName",
        "InstitutionAddress",
        "StationName",
        "PatientComments",
        "StudyDescription",
        "SeriesDescription",
        "ProtocolName",
        "ImageComments",
        "BodyPartExamined",
        "ViewPosition",
        "PatientSex",
        "DeviceSerialNumber",
        "RequestedProcedureDescription",
        "AcquisitionDeviceProcessingDescription",
        "LUTExplanation",
        "WindowCenterWidthExplanation",
        "VOILUTFunction",
        "PresentationIntentType",
        "BurnedInAnnotation",
        "Laterality",
    )
    found: dict[str, Any] = dict.fromkeys(names, f"{CANARY}^JOHN") | dict.fromkeys(free, CANARY)
    found["PatientOrientation"] = [CANARY, CANARY]
    found["WindowCenter"], found["WindowWidth"] = 2000, 1000
    found["RequestAttributesSequence"] = films.item(RequestedProcedureID=CANARY, ReasonForTheRequestedProcedure=CANARY)
    return found


def marked_file(**more: Any) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = films.dataset(**(marked() | more))
        found.private_block(0x0011, CANARY, create=True).add_new(1, "LO", CANARY)
        found.add_new(0x00081140, "SQ", Sequence([films.dataset()]))
        found.preamble = CANARY.encode() * 16
        return films.part10(found)


def test_nothing_identifying_is_left_in_a_film(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = open_film(marked_file())
    text = repr(found) + json.dumps(found.facts()) + caplog.text + "".join(capfd.readouterr())
    text += "".join(str(warning.message) for warning in caught)
    assert CANARY not in text
    for uid in (films.dataset().SOPInstanceUID, films.dataset().StudyInstanceUID):
        assert uid not in text
    assert found.patient_key and found.study_key


@pytest.mark.parametrize(
    "more",
    [
        {"Modality": CANARY},
        {"PhotometricInterpretation": CANARY},
        {"PixelData": None},
        {"PixelData": b"12"},
        {"Rows": 40_000, "Columns": 40_000},
        {"NumberOfFrames": 3},
    ],
)
def test_nothing_identifying_is_left_in_a_refusal(
    more: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"{CANARY}.dcm"
    path.write_bytes(marked_file(**more))
    with pytest.raises(FilmRefused) as caught:
        open_film(path)
    assert CANARY not in str(caught.value) + json.dumps(caught.value.to_json()) + "".join(capfd.readouterr())
    assert CANARY not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__cause__ is None and (caught.value.__suppress_context__ or caught.value.__context__ is None)


def test_pseudonyms_are_stable_keyed_and_not_the_identifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, again = film(PatientID="4711"), film(PatientID="4711", ViewPosition="AP")
    other = film(PatientID="4712")
    assert first.patient_key == again.patient_key != other.patient_key and "4711" not in str(first.facts())
    assert film(PatientID="").patient_key is None
    assert pseudonym("patient", "4711") != pseudonym("study", "4711")
    monkeypatch.setenv("HILUM_STATE_DIR", str(tmp_path / "elsewhere"))
    assert film(PatientID="4711").patient_key != first.patient_key


def test_key_file_is_the_owner_s_alone(tmp_path: Path) -> None:
    key = installation_key(tmp_path / "state")
    path = tmp_path / "state" / KEY_FILE
    assert path.read_bytes() == key and len(key) == 32 and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [KEY_FILE]


def test_state_that_cannot_be_written_gives_a_key_for_the_process(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    key = installation_key(tmp_path / "file")
    assert len(key) == 32 and installation_key(tmp_path / "file") == key


def test_importing_imaging_loads_no_decoder() -> None:
    script = "import sys, imaging; print([m for m in ('pydicom', 'PIL', 'skimage', 'scipy') if m in sys.modules])"
    root = Path(__file__).resolve().parents[3]
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert found.stdout.strip() == "[]"
