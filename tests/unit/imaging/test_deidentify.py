"""De-identified films: no canary anywhere, the same picture, the same facts, and priors still in order."""

from __future__ import annotations

import functools
import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import films
import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin
from pydicom.datadict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from imaging import open_film
from imaging.deidentify import deidentify, deidentify_all, deidentify_bytes, deidentify_file
from imaging.deidentify.burned_in import find_text
from imaging.deidentify.header import Log
from imaging.deidentify.pixels import clean_pixels
from imaging.failures import BadArguments, FilmRefused
from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom
from imaging.phantom.files import dataset

KEY = b"a key of the tests, and of no use elsewhere"
CANARY = "CANARY"
TEXT_VRS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
STRUCTURE = {
    "Modality", "PhotometricInterpretation", "SpecificCharacterSet", "TransferSyntaxUID", "SOPClassUID",
}  # fmt: skip
"""What a file needs to be a film at all; canaries there refuse it, which is tested on its own."""


def poisoned(depth: int = 2) -> Dataset:
    """A dataset with a canary in every text element of the dictionary, at several depths, and in private tags."""
    found = Dataset()
    for number, (vr, _, _, _, keyword) in DicomDictionary.items():
        tag = Tag(number)
        if not keyword or keyword in STRUCTURE or tag.group in (0x0000, 0x0002, 0x0004) or keyword in found:
            continue
        if vr in TEXT_VRS:
            found.add(DataElement(tag, vr, CANARY))
        elif vr == "UI":
            found.add(DataElement(tag, vr, "1.2.826.0.1.3680043.424242424242"))
        elif vr in {"OB", "UN"} and keyword != "PixelData":
            found.add(DataElement(tag, vr, CANARY.encode() * 2))
        elif vr == "SQ" and depth and keyword not in {"ModalityLUTSequence", "VOILUTSequence"}:
            found.add(DataElement(tag, vr, Sequence([poisoned(0)] if depth == 1 else [])))
    found.PatientBirthDate = "19420424"
    block = found.private_block(0x0011, "CANARY CREATOR", create=True)
    block.add_new(0x01, "LO", CANARY)
    block.add_new(0x02, "OB", CANARY.encode())
    return found


def canaries() -> Dataset:
    """A film whose every text, at two depths, is a canary."""
    found = films.dataset()
    poison = poisoned()
    for element in poison:
        if element.tag not in found or element.keyword == "BodyPartExamined":
            found[element.tag] = element
    for keyword in (
        "ViewCodeSequence",
        "AnatomicRegionSequence",
        "ReferencedImageSequence",
        "RequestAttributesSequence",
    ):
        setattr(found, keyword, Sequence([poisoned(0)]))
    found.add_new(0x60003000, "OW", CANARY.encode() * 4)
    found.add_new(0x60004000, "LT", CANARY)
    found.add_new(0x50003000, "OW", CANARY.encode() * 4)
    found.file_meta.SourceApplicationEntityTitle = CANARY
    found.file_meta.PrivateInformationCreatorUID = "1.2.424242424242"
    found.file_meta.PrivateInformation = CANARY.encode() * 2
    found.PixelData = found.PixelData + CANARY.encode() * 5
    found.preamble = (CANARY.encode() * 30)[:128]
    return found


def test_no_canary_is_left_anywhere() -> None:
    data = films.part10(canaries())
    assert data.count(CANARY.encode()) > 1000
    written, result = deidentify_bytes(data, KEY)
    assert CANARY.encode() not in written and b"424242424242" not in written and b"19420424" not in written
    assert CANARY not in repr(result) and CANARY not in str(result.to_json())
    actions = dict(result.removed)
    assert actions["PatientComments"] == "X" and actions["PatientName"] == "D" and actions["(0011,1001)"] == "X"
    assert actions["AccessionNumber"] == "Z" and actions["SOPInstanceUID"] == "U"
    assert actions["BodyPartExamined"] == "X" and actions["PixelData"] == "C"


def test_the_dataset_given_is_left_alone() -> None:
    found = canaries()
    before = films.part10(found)
    deidentify(found, KEY)
    assert films.part10(found) == before


@pytest.mark.parametrize("keyword", sorted(STRUCTURE - {"TransferSyntaxUID", "SpecificCharacterSet"}))
def test_canary_in_what_makes_a_film_is_refused_or_gone(keyword: str) -> None:
    found = films.dataset()
    setattr(found, keyword, CANARY if keyword != "SOPClassUID" else "1.2.424242424242")
    try:
        written, _ = deidentify_bytes(films.part10(found), KEY)
    except FilmRefused as refused:
        assert CANARY not in str(refused)
    else:
        assert CANARY.encode() not in written and b"424242424242" not in written


@pytest.mark.parametrize("keyword", ["Rows", "WindowCenter", "KVP", "PixelSpacing", "InstanceNumber", "LUTData"])
def test_text_under_a_false_vr_is_removed(keyword: str) -> None:
    found = films.dataset()
    found.add(DataElement(Tag(keyword) if keyword != "LUTData" else Tag(0x00283006), "LO", CANARY))
    try:
        written, _ = deidentify_bytes(films.part10(found), KEY)
    except FilmRefused:
        return
    assert CANARY.encode() not in written


@pytest.mark.parametrize("syntax", [None, RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_picture_and_facts_stay(syntax: str | None, photometric: str) -> None:
    found = films.dataset(
        PhotometricInterpretation=photometric, PixelSpacing=[0.2, 0.2], ImagerPixelSpacing=[0.25, 0.25],
        WindowCenter=2000, WindowWidth=3000, ViewPosition="PA", PatientSex="F", PatientAge="047Y", PatientID="7",
        StudyDate="20200229", PatientOrientation=["L", "F"], RescaleSlope=1, RescaleIntercept=0,
    )  # fmt: skip
    data = films.part10(found) if syntax is None else films.compressed(found, syntax)
    before, (written, result) = open_film(data), deidentify_bytes(data, KEY)
    after = open_film(written)
    assert after.id == before.id == result.film_id
    old, new = before.facts(), after.facts()
    changed = {name for name in old if old[name] != new[name]}
    assert changed <= {"acquired", "patient_key", "study_key"}
    assert pydicom.dcmread(io.BytesIO(written)).PixelData == pydicom.dcmread(io.BytesIO(data)).PixelData or syntax


def test_implicit_and_big_endian_and_bare_files_open_again() -> None:
    for data in (films.bare(films.dataset()), films.bare(films.dataset(), False), films.big_endian(films.dataset())):
        written, result = deidentify_bytes(data, KEY)
        assert open_film(written).id == open_film(data).id == result.film_id


def test_header_says_that_and_how() -> None:
    cleaned = deidentify(films.dataset(PatientName="A^B", PatientID="1"), KEY).dataset
    assert cleaned is not None and cleaned.PatientIdentityRemoved == "YES"
    assert [item.CodeValue for item in cleaned.DeidentificationMethodCodeSequence] == ["113100", "113107", "113108"]
    assert cleaned.LongitudinalTemporalInformationModified == "MODIFIED"
    assert all(len(part) <= 64 for part in cleaned.DeidentificationMethod)
    assert cleaned.file_meta.MediaStorageSOPInstanceUID == cleaned.SOPInstanceUID


def cleaned_of(key: bytes = KEY, **elements: object) -> Dataset:
    cleaned = deidentify(films.dataset(**elements), key).dataset
    assert cleaned is not None
    return cleaned


def test_films_of_a_patient_stay_together_and_in_order() -> None:
    one = cleaned_of(PatientID="7", StudyDate="20200101", StudyTime="101500.123", SeriesInstanceUID="1.2.3")
    two = cleaned_of(PatientID="7", StudyDate="20200131", SeriesInstanceUID="1.2.3", FrameOfReferenceUID="1.2.9")
    other = cleaned_of(PatientID="8", StudyDate="20200101")
    assert one.PatientID == two.PatientID != other.PatientID and one.PatientName == two.PatientName
    assert one.StudyInstanceUID == two.StudyInstanceUID and one.SeriesInstanceUID == two.SeriesInstanceUID
    days = [pydicom.valuerep.DA(each.StudyDate) for each in (one, two)]
    assert (days[1] - days[0]).days == 30 and one.StudyTime == "101500"
    assert days[0].year < 2020 and cleaned_of(b"another", PatientID="7").PatientID != one.PatientID


def test_bad_dates_and_great_ages_do_not_stay() -> None:
    assert cleaned_of(PatientID="7", StudyDate="00010101").StudyDate == ""
    assert cleaned_of(PatientAge="094Y").PatientAge == "090Y"
    assert cleaned_of(PatientBirthDate="19800101", StudyDate="20200601").PatientAge == "040Y"
    assert cleaned_of(SeriesNumber=123456789).get("SeriesNumber") is None


def test_view_named_by_a_description_alone_stays_as_one_word() -> None:
    found = cleaned_of(SeriesDescription="Thorax lat. Frau Schmidt")
    assert found.SeriesDescription == "LATERAL"
    assert "SeriesDescription" not in cleaned_of(SeriesDescription="Frau Schmidt")


def test_known_code_stays_with_our_meaning_only() -> None:
    code = films.item(CodeValue="399348003", CodingSchemeDesignator="SCT", CodeMeaning=CANARY)
    assert cleaned_of(ViewCodeSequence=code).ViewCodeSequence[0].CodeMeaning == "AP"
    code = films.item(CodeValue=CANARY, CodingSchemeDesignator="99X", CodeMeaning=CANARY)
    assert not cleaned_of(ViewCodeSequence=code).ViewCodeSequence


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
def test_comments_inside_a_compressed_stream_are_cut(syntax: str) -> None:
    found = films.dataset()
    films.compressed(found, syntax)
    stream = bytes(get_frame(found.PixelData, 0, number_of_frames=1))
    note = CANARY.encode()
    if syntax == JPEG2000Lossless:
        place = 4 + int.from_bytes(stream[4:6], "big")
        comment = b"\xff\x64" + (len(note) + 4).to_bytes(2, "big") + b"\0\1" + note
    else:
        place, comment = 2, b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note
    found.PixelData = encapsulate([stream[:place] + comment + stream[place:] + note])
    data = films.part10(found)
    written, result = deidentify_bytes(data, KEY)
    assert note in data and note not in written and ("PixelData", "C") in result.removed


def test_damaged_file_meta_is_left_behind() -> None:
    """Found by tests/fuzz: an element of the file meta with a VR that does not exist."""
    found = films.dataset()
    found.file_meta.ImplementationVersionName = "NAME"
    data = films.part10(found).replace(b"\x02\0\x13\0SH", b"\x02\0\x13\0S\1")
    written, result = deidentify_bytes(data, KEY)
    assert open_film(written).id == open_film(data).id
    assert ("file meta/ImplementationVersionName", "X") in result.removed


def test_what_reading_assumes_is_written_down() -> None:
    """Found by tests/fuzz: PixelPaddingValue has no VR where the header does not say whether pixels have a sign."""
    data = films.bare(films.dataset(PixelPaddingValue=0))
    lost = data.replace(b"\x28\0\x03\x01\x02\0\0\0", b"\x28\0\x05\x01\x02\0\0\0")
    assert lost != data
    written, result = deidentify_bytes(lost, KEY)
    assert open_film(written).id == open_film(lost).id == result.film_id


def test_compressed_frame_without_a_byte_is_refused() -> None:
    """Found by tests/fuzz: a decoder that makes a picture of nothing."""
    found, cleaned = films.dataset(), films.dataset()
    cleaned.PixelData = b"\xfe\xff\0\xe0\0\0\0\0\xfe\xff\0\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    cleaned.file_meta.TransferSyntaxUID = RLELossless
    with pytest.raises(FilmRefused, match=r"no picture|no frame"):
        clean_pixels(found, cleaned, Log())


def test_overlay_in_unused_bits_is_cleared() -> None:
    found = films.dataset(bits=12)
    values = np.frombuffer(found.PixelData, "<u2").copy()
    values[::3] |= 0x8000
    found.PixelData = values.tobytes()
    found.add_new(0x60000102, "US", 15)
    cleaned = deidentify(found, KEY).dataset
    assert cleaned is not None and np.frombuffer(cleaned.PixelData, "<u2").max() < 4096


@pytest.mark.skipif(shutil.which("dcmdump") is None, reason="dcmtk is not installed")
def test_dcmtk_reads_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "in.dcm").write_bytes(films.part10(canaries()))
    deidentify_file(tmp_path / "in.dcm", tmp_path / "out.dcm", KEY)
    said = subprocess.run(["dcmdump", tmp_path / "out.dcm"], capture_output=True, text=True, check=False)
    assert said.returncode == 0 and "W:" not in said.stderr and "E:" not in said.stderr
    assert "PatientIdentityRemoved" in said.stdout and CANARY not in said.stdout


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools are not installed")
@pytest.mark.parametrize("modality", ["DX", "CR"])
def test_a_valid_film_stays_valid(tmp_path: Path, modality: str) -> None:
    made = dataset(make_phantom(PhantomSpec(seed=5, size=64)), modality=modality)
    item = Dataset()
    item.TextValue = CANARY
    made.AcquisitionContextSequence = Sequence([item])
    written, result = deidentify_bytes(films.part10(made), KEY)
    (tmp_path / "out.dcm").write_bytes(written)
    said = subprocess.run(["dciodvfy", "-new", tmp_path / "out.dcm"], capture_output=True, text=True, check=False)
    assert "Error" not in said.stderr + said.stdout
    assert CANARY.encode() not in written and ("AcquisitionContextSequence", "Z") in result.removed


@functools.cache
def labelled(text: str = "MUSTER ANNA 1942", size: int = 24) -> np.ndarray:
    """A phantom's pixels as uint16 of 12 bits [H, W] with a line of white text at the top left."""
    film = make_phantom(PhantomSpec(seed=5, size=512, marker=False)).radiograph
    picture = Image.fromarray(np.round(film.pixels * 200).astype(np.uint8))
    ImageDraw.Draw(picture).text((16, 12), text, fill=255, font=ImageFont.load_default(size))
    return (np.asarray(picture).astype(np.uint16) * 16).clip(0, 4095)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_text_is_found_and_masked_on_request(photometric: str) -> None:
    pixels = labelled()
    stored = pixels if photometric == "MONOCHROME2" else 4095 - pixels
    found = films.dataset(stored, PhotometricInterpretation=photometric, WindowCenter=2048, WindowWidth=4096)
    left, masked = deidentify(found, KEY), deidentify(found, KEY, mask_text=True)
    assert left.text_boxes and not left.masked and "left as it is" in left.warnings[-1]
    assert masked.masked and masked.dataset is not None and "blacked out" in masked.warnings[-1]
    after = open_film(films.part10(masked.dataset)).pixels
    assert after[8:40, 10:240].max() < 0.9 and not find_text(after)


def test_masking_a_compressed_film_leaves_it_uncompressed() -> None:
    found = films.dataset(labelled(), WindowCenter=2048, WindowWidth=4096)
    written, result = deidentify_bytes(films.compressed(found, JPEG2000Lossless), KEY, mask_text=True)
    assert result.masked and open_film(written).source.transfer_syntax == "Explicit VR Little Endian"


def test_a_film_without_text_has_few_boxes() -> None:
    for seed in (1, 2):
        film = make_phantom(PhantomSpec(seed=seed, size=384, marker=False)).radiograph
        assert len(find_text(film.pixels)) <= 1


@functools.cache
def signed(seed: int) -> PhantomFilm:
    return make_phantom(PhantomSpec(seed=seed, size=768, name_block=True, texts=("12:30 DR. MUELLER",)))


@pytest.mark.parametrize("black", [False, True])
def test_no_letter_of_a_name_block_stands_outside_the_boxes(black: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Expected: every inked pixel of the block that the phantom says it burned in, by our own detector alone."""
    monkeypatch.setenv("PATH", "")
    for seed in (0, 4):
        film = signed(seed)
        pixels = film.radiograph.pixels
        uncovered = pixels > 0.8
        for top, left, bottom, right in find_text(np.asarray(1 - pixels if black else pixels)):
            uncovered[int(top) : int(bottom), int(left) : int(right)] = False
        for entry in film.annotations[1:]:
            top, left, bottom, right = entry["box"]
            assert not uncovered[top:bottom, left:right].any(), (seed, entry["text"])


def test_installed_tesseract_reads_a_label() -> None:
    if shutil.which("tesseract") is None:
        pytest.skip("tesseract is not installed (Debian package tesseract-ocr)")
    picture = Image.new("L", (600, 300), 60)
    ImageDraw.Draw(picture).text((150, 130), "MUSTERMANN ERIKA 1961", fill=150, font=ImageFont.load_default(28))
    found = find_text(np.asarray(picture, np.float32) / 255)  # grey: nothing that our own detector would see
    assert len(found) == 1 and found[0][0] < 140 and found[0][1] < 160 and found[0][2] > 155 and found[0][3] > 440


def test_tesseract_s_boxes_of_a_large_film_are_in_the_film_s_pixels() -> None:
    if shutil.which("tesseract") is None:
        pytest.skip("tesseract is not installed (Debian package tesseract-ocr)")
    picture = Image.new("L", (3072, 1536), 60)
    ImageDraw.Draw(picture).text((900, 700), "MUSTERMANN ERIKA 1961", fill=150, font=ImageFont.load_default(90))
    [(top, left, bottom, right)] = find_text(np.asarray(picture, np.float32) / 255)
    assert 640 < top < 730 and 850 < left < 920 and 760 < bottom < 840 and 1800 < right < 2050


def test_tesseract_is_used_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = "level\tleft\ttop\twidth\theight\tconf\ttext\n5\t10\t20\t40\t8\t91.5\tName\n5\t1\t1\t4\t4\t12\tx\n"
    program = tmp_path / "tesseract"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\nprintf '{table}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert find_text(np.zeros((64, 64), np.float32)) == [(18.0, 8.0, 30.0, 52.0)]


def test_a_picture_loses_its_metadata() -> None:
    note = PngImagePlugin.PngInfo()
    note.add_text("Comment", CANARY)
    data = films.picture((films.ramp(12) // 2).astype(np.uint16), pnginfo=note)
    written, result = deidentify_bytes(data, KEY)
    assert CANARY.encode() in data and CANARY.encode() not in written
    assert open_film(written).id == open_film(data).id and result.removed == (("PNG metadata", "X"),)


def test_folders_and_archives_are_written_under_hashed_names(tmp_path: Path) -> None:
    source = tmp_path / "Muster_Anna"
    (source / "sub").mkdir(parents=True)
    (source / "Anna.dcm").write_bytes(films.part10(films.dataset(PatientID="7")))
    (source / "note.txt").write_text("hello there")
    with zipfile.ZipFile(source / "sub" / "more.zip", "w") as archive:
        archive.writestr("Anna2.png", films.picture(films.ramp(8).astype(np.uint8)))
    (source / "Anna_again.dcm").write_bytes((source / "Anna.dcm").read_bytes())
    outcomes = list(deidentify_all([source], tmp_path / "out", KEY))
    refused = [outcome.refused.kind if outcome.refused else "" for outcome in outcomes]
    assert refused == ["", "duplicate", "not_an_image", ""]
    names = [str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*")]
    assert sum(name.endswith((".dcm", ".png")) for name in names) == 2 and "nna" not in "".join(names)
    again = list(deidentify_all([source], tmp_path / "out", KEY))
    assert [outcome.refused.kind for outcome in again if outcome.refused] == [
        "exists",
        "exists",
        "not_an_image",
        "exists",
    ]


def test_output_inside_the_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArguments, match="inside"):
        list(deidentify_all([tmp_path], tmp_path / "out", KEY))
    assert not list(tmp_path.iterdir())


def test_target_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "in.dcm").write_bytes(films.part10(films.dataset()))
    (tmp_path / "out.dcm").write_text("mine")
    with pytest.raises(FilmRefused, match="there already"):
        deidentify_file(tmp_path / "in.dcm", tmp_path / "out.dcm", KEY)
    assert (tmp_path / "out.dcm").read_text() == "mine" and len(list(tmp_path.iterdir())) == 2


@pytest.mark.films
def test_real_films_keep_their_picture(real_films: Path) -> None:
    done = 0
    for path in sorted((real_films / "dicom").iterdir())[::2]:
        try:
            before = open_film(path)
        except FilmRefused:
            continue
        written, _ = deidentify_bytes(path.read_bytes(), KEY)
        assert open_film(written).id == before.id
        done += 1
    assert done >= 10
