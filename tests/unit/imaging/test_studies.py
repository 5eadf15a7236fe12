"""Films, folders and archives become studies in order; nothing is passed over in silence and nothing unpacks far."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import films
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging import open_film, sources
from imaging.alike import alike
from imaging.phantom import PhantomSpec, make_phantom
from imaging.radiograph import View
from imaging.sources import contents
from imaging.studies import read_input


def film(number: int, **elements: object) -> bytes:
    """A film unlike that of any other number."""
    pixels = films.ramp()
    pixels[0, :8] = number
    return films.part10(films.dataset(pixels, **elements))


def folder(root: Path) -> Path:
    """Two visits of one patient, written out of order, the second with a lateral; a picture; and four strangers."""
    (root / "b" / "deep").mkdir(parents=True)
    visit = {"PatientID": "7", "StudyInstanceUID": "1.2.2", "StudyDate": "20210501", "Modality": "CR"}
    (root / "a.dcm").write_bytes(film(1, ViewPosition="PA", SeriesInstanceUID="1.2.2.1", StudyTime="0930", **visit))
    (root / "b" / "c").write_bytes(film(2, ViewPosition="LL", SeriesInstanceUID="1.2.2.2", StudyTime="0931", **visit))
    earlier = {"PatientID": "7", "StudyInstanceUID": "1.2.1", "StudyDate": "20200501", "ViewPosition": "AP"}
    (root / "z.dcm").write_bytes(film(3, **earlier))
    (root / "b" / "again.dcm").write_bytes((root / "a.dcm").read_bytes())
    (root / "b" / "deep" / "x.png").write_bytes(films.picture(films.ramp(8).astype(np.uint8)))
    index = films.dataset(PixelData=None, Modality=None)
    index.DirectoryRecordSequence = Sequence([Dataset()])
    (root / "DICOMDIR").write_bytes(films.part10(index))
    (root / "ct.dcm").write_bytes(film(4, Modality="CT"))
    (root / "notes.txt").write_text("a note\n")
    (root / "empty").write_bytes(b"")
    return root


def test_each_file_is_a_film_a_duplicate_or_refused(tmp_path: Path) -> None:
    found = read_input([folder(tmp_path)])
    refused = {Path(each.source).name: each.reason.kind for each in found.refused}
    expected = {"DICOMDIR": "no_pixels", "ct.dcm": "not_a_radiograph", "notes.txt": "not_an_image", "empty": "empty"}
    assert refused == expected
    assert [Path(each.source).name for each in found.duplicates] == ["again.dcm"]
    assert Path(found.duplicates[0].same_as).name == "a.dcm" and not found.duplicates[0].other_patient
    files = sum(path.is_file() for path in tmp_path.rglob("*"))
    assert len(found.films) + len(found.duplicates) + len(found.refused) == files
    assert "DICOMDIR" in next(str(each.reason) for each in found.refused if "DICOMDIR" in each.source)


def test_prior_before_current_and_frontal_beside_lateral(tmp_path: Path) -> None:
    found = read_input([folder(tmp_path)])
    prior, current, picture = found.studies
    assert [str(study.acquired) for study in found.studies] == ["2020-05-01", "2021-05-01", "None"]
    assert prior.patient_key == current.patient_key and picture.patient_key is None
    assert found.prior_of(current) is prior and found.prior_of(prior) is None and found.prior_of(picture) is None
    frontal, lateral = current.pair
    assert frontal and lateral and (frontal.film.view, lateral.film.view) == (View.PA, View.LATERAL)
    assert len(current.series) == 2 and [each.time for each in current.films] == ["0930", "0931"]
    assert prior.pair[1] is None and picture.pair[0] is not None
    assert any("name no patient" in warning for warning in found.warnings())
    assert len(found.to_json()["studies"]) == 3


def test_order_of_paths_does_not_change_the_order_of_visits(tmp_path: Path) -> None:
    root = folder(tmp_path)
    there = read_input([root / "a.dcm", root / "z.dcm"]).studies
    back = read_input([root / "z.dcm", root / "a.dcm"]).studies
    assert [study.key for study in there] == [study.key for study in back]


def test_two_patients_with_one_study_uid_are_not_joined(tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(film(1, PatientID="1"))
    (tmp_path / "2").write_bytes(film(2, PatientID="2"))
    found = read_input([tmp_path])
    assert len(found.studies) == 2 and any("more than one patient" in warning for warning in found.warnings())


def test_same_picture_of_two_patients_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(film(1, PatientID="1"))
    (tmp_path / "2").write_bytes(film(1, PatientID="2"))
    found = read_input([tmp_path])
    assert found.duplicates[0].other_patient and any("different patients" in warning for warning in found.warnings())


def test_one_picture_stored_twice_is_told_and_two_films_are_not(tmp_path: Path) -> None:
    made = [make_phantom(PhantomSpec(seed=seed, size=256)) for seed in (1, 2)]
    made[0].write_dicom(tmp_path / "a.dcm")
    made[0].write_png(tmp_path / "b.png")
    made[1].write_dicom(tmp_path / "c.dcm", bits=8)
    with Image.open(tmp_path / "b.png") as picture:
        picture.resize((171, 171)).save(tmp_path / "d.jpg", quality=60)
    found = read_input([tmp_path])
    assert len(found.films) == 4 and not found.duplicates
    pairs = {tuple(sorted(Path(each.source).name for each in pair)) for pair in found.alike()}
    assert pairs == {("a.dcm", "b.png"), ("a.dcm", "d.jpg"), ("b.png", "d.jpg")}
    assert len(found.to_json()["alike"]) == 3


@pytest.mark.films
def test_real_films_of_one_patient_are_not_alike(real_films: Path) -> None:
    # Patient 1684 was filmed eleven times; the correlations of all are in imaging.alike.
    visits = [open_film(path).pixels for path in sorted((real_films / "nih").glob("00001684_*.jpg"))]
    assert len(visits) == 11 and alike(visits) == []


def test_phantom_visits_keep_their_order(tmp_path: Path) -> None:
    for seed, name in ((1, "new"), (2, "old")):
        make_phantom(PhantomSpec(seed=seed, size=128)).write_dicom(tmp_path / f"{name}.dcm")
    assert len(read_input([tmp_path]).studies) == 2


def test_nothing_but_strangers_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello\n")
    assert [each.reason.kind for each in read_input([tmp_path]).refused] == ["not_an_image"]
    absent = read_input([tmp_path / "absent"])
    assert not absent.studies and "no such file" in str(absent.refused[0].reason)
    (tmp_path / "void").mkdir()
    assert read_input([tmp_path / "void"]).refused[0].reason.kind == "empty"


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def test_a_zip_is_read_like_a_folder_and_leaves_nothing_behind(tmp_path: Path) -> None:
    members = {"../../evil.dcm": film(1), "/etc/film": film(2), "in/zip.zip": zipped(a=film(3)), "in/": b""}
    (tmp_path / "all.zip").write_bytes(zipped(**members))
    found = read_input([tmp_path / "all.zip"])
    assert len(found.films) == 2 and [each.reason.kind for each in found.refused] == ["archive"]
    assert found.films[0].source.endswith("all.zip!../../evil.dcm")
    assert [path.name for path in tmp_path.iterdir()] == ["all.zip"] and not (tmp_path.parent / "evil.dcm").exists()


def refusals(data: bytes) -> list[str]:
    return [each.refused.kind if each.refused else "" for each in sources.zip_contents("a.zip", data)]


def test_archives_beyond_the_limits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusals(zipped(bomb=b"\0" * (8 << 20), film=film(1))) == ["archive_bomb", ""]
    monkeypatch.setattr(sources, "MAX_MEMBERS", 2)
    assert refusals(zipped(a=b"1", b=b"2", c=b"3")) == ["archive_bomb"]
    monkeypatch.setattr(sources, "MAX_UNPACKED_BYTES", 5)
    assert refusals(zipped(a=b"123", b=b"456")) == ["archive_bomb"]


def test_a_member_longer_than_promised_is_refused() -> None:
    data = bytearray(zipped(a=b"x" * 5000))
    size = (5000).to_bytes(4, "little")
    assert data.count(size) == 2
    assert refusals(bytes(data.replace(size, (50).to_bytes(4, "little")))) == ["archive"]


def test_damaged_locked_and_empty_archives_are_refused() -> None:
    good = zipped(a=film(1))
    assert refusals(good[:-30]) == ["archive"] and refusals(zipped()) == ["empty"]
    locked = bytearray(good)
    locked[6] |= 1
    locked[good.index(b"PK\x01\x02") + 8] |= 1
    assert refusals(bytes(locked)) == ["archive"]
    spoilt = bytearray(good)
    spoilt[len(good) // 2] ^= 0xFF
    assert refusals(bytes(spoilt)) == ["archive"]


def test_links_inside_folders_are_named_not_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "film.dcm").write_bytes(film(1))
    (tmp_path / "in" / "link.dcm").symlink_to(tmp_path / "film.dcm")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    found = list(contents([tmp_path / "in"]))
    assert [each.refused.kind for each in found if each.refused] == ["unreadable", "unreadable"]


def test_too_many_files_stop_with_a_reason(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / str(number)).write_bytes(b"x")
    found = list(contents([tmp_path], most=3))
    assert len(found) == 4 and found[-1].refused is not None and found[-1].refused.kind == "too_many"
