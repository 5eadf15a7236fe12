"""Phantom films written and read again."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.sr.codedict import codes

from imaging import open_film
from imaging.failures import BadArguments
from imaging.phantom import PhantomFilm, PhantomSpec, make_phantom, parse_finding, write_phantom
from imaging.phantom.files import VIEW_CODES
from imaging.radiograph import View
from imaging.studies import read_input

DAY = dt.date(2026, 1, 5)


@pytest.fixture(scope="module")
def film() -> PhantomFilm:
    return make_phantom(PhantomSpec(seed=9, size=129))


@pytest.mark.parametrize("bits", [8, 16])
def test_png_holds_the_pixels(film: PhantomFilm, tmp_path: Path, bits: int) -> None:
    film.write_png(tmp_path / "f.png", bits)
    with Image.open(tmp_path / "f.png") as picture:
        assert np.array_equal(np.asarray(picture), np.round(film.radiograph.pixels.astype(float) * (2**bits - 1)))
        assert "SYNTHETIC" in picture.text["Comment"]


@pytest.mark.parametrize("modality", ["DX", "CR"])
@pytest.mark.parametrize("monochrome", [1, 2])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_dicom_holds_the_pixels(film: PhantomFilm, tmp_path: Path, bits: int, monochrome: int, modality: str) -> None:
    film.write_dicom(tmp_path / "f.dcm", bits, monochrome, modality)
    ds = pydicom.dcmread(tmp_path / "f.dcm")
    values = ds.pixel_array.astype(float)
    if monochrome == 1:
        values = 2**bits - 1 - values
    assert np.array_equal(values, np.round(film.radiograph.pixels.astype(float) * (2**bits - 1)))
    assert ds.Modality == modality and ds.PhotometricInterpretation == f"MONOCHROME{monochrome}"
    assert [float(v) for v in ds.ImagerPixelSpacing] == pytest.approx(film.radiograph.spacing_mm, rel=1e-4)
    assert "PixelSpacing" not in ds and ds.ViewPosition == "PA" and ds.PatientSex == film.spec.sex
    # Hilum's own reader gives the film back: window, photometric and depth cancel out.
    read = open_film(tmp_path / "f.dcm")
    assert np.abs(read.pixels - film.radiograph.pixels).max() <= 0.5 / (2**bits - 1) + 1e-6
    assert (read.view, read.source.modality, read.sex) == (film.spec.view, modality, film.spec.sex)
    assert read.age_years == int(film.spec.age_years or 0)


def said_by(*command: str | Path) -> str:
    """What a validator prints; skips the test where the tool is not installed."""
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed (Debian packages dcmtk, dicom3tools)")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("modality", ["DX", "CR"])
def test_dicom_is_valid_at_every_depth(film: PhantomFilm, tmp_path: Path, modality: str) -> None:
    for bits in range(8, 17):
        for monochrome in (1, 2):
            film.write_dicom(tmp_path / "f.dcm", bits, monochrome, modality)
            said = said_by("dciodvfy", "-new", tmp_path / "f.dcm")
            assert "Error" not in said, (bits, monochrome, said)
            # The only warning: an exposure without error has a deviation index of zero.
            assert [line for line in said.splitlines() if "Warning" in line and "DeviationIndex" not in line] == []


@pytest.mark.parametrize("modality", ["DX", "CR"])
def test_dicom_of_a_faulty_film_is_valid(film: PhantomFilm, tmp_path: Path, modality: str) -> None:
    fields = {"turned_deg": 90, "mirrored": True, "exposure_stops": -2.0, "processing": "film", "date": DAY}
    spec = replace(film.spec, **fields)
    faulty = replace(film, spec=spec, annotations=({"identifying": True, "kind": "patient", "text": "X", "box": ()},))
    faulty.write_dicom(tmp_path / "f.dcm", 12, 1, modality)
    assert "Error" not in said_by("dciodvfy", "-new", tmp_path / "f.dcm")
    ds = pydicom.dcmread(tmp_path / "f.dcm")
    # Mirrored, the rows run to the patient's right; turned clockwise the head comes to the right, R to the bottom.
    assert list(ds.PatientOrientation) == ["H", "R"] and ds.BurnedInAnnotation == "YES" and "ExposureIndex" not in ds
    assert ds.StudyDate == ds.AcquisitionDate == "20260105"
    assert int(ds.StudyDate[:4]) - int(ds.PatientBirthDate[:4]) == int(ds.PatientAge[:3]) == int(spec.age_years)


@pytest.mark.parametrize("modality", ["DX", "CR"])
def test_dcmtk_reads_and_rewrites_it(film: PhantomFilm, tmp_path: Path, modality: str) -> None:
    film.write_dicom(tmp_path / "f.dcm", modality=modality)
    assert said_by("dcmftest", tmp_path / "f.dcm").startswith("yes")
    assert f"[{modality}]" in said_by("dcmdump", "--search", "Modality", tmp_path / "f.dcm")
    assert said_by("dcmconv", "--write-xfer-implicit", tmp_path / "f.dcm", tmp_path / "g.dcm") == ""
    assert np.array_equal(
        pydicom.dcmread(tmp_path / "g.dcm").pixel_array, pydicom.dcmread(tmp_path / "f.dcm").pixel_array
    )


def test_codes_of_the_views_are_dicoms() -> None:
    view = codes.cid4010
    known = {getattr(view, name).value: getattr(view, name).meaning for name in view.dir()}
    for code, meaning in VIEW_CODES.values():
        assert known[code] == meaning


def test_truth_folder_holds_facts_report_and_masks(tmp_path: Path) -> None:
    spec = PhantomSpec(seed=9, size=64, findings=(parse_finding("effusion:left:600ml"),))
    film = write_phantom(spec, tmp_path / "a.png", truth=tmp_path / "truth")
    assert json.loads((tmp_path / "truth" / "facts.json").read_text()) == json.loads(json.dumps(film.facts()))
    assert (tmp_path / "truth" / "report.txt").read_text() == film.report()
    assert {path.stem for path in (tmp_path / "truth" / "masks").iterdir()} == set(film.masks)
    for name, expected in {"bone_free": film.bone_free, "bone_only": film.bone_only}.items():
        with Image.open(tmp_path / "truth" / f"{name}.png") as picture:
            assert np.abs(np.asarray(picture) / 65535 - expected).max() <= 0.5 / 65535 + 1e-6
    with np.load(tmp_path / "truth" / "thickness_mm.npz", allow_pickle=False) as layers:
        assert set(layers.files) == set(film.layers)
        assert np.allclose(layers["effusion_left"], film.layers["effusion_left"], rtol=1e-3, atol=0.01)
    with Image.open(tmp_path / "truth" / "masks" / "effusion_left.png") as mask:
        assert np.array_equal(np.asarray(mask) > 127, film.masks["effusion_left"])


def test_views_of_one_visit_are_series_of_one_study(film: PhantomFilm, tmp_path: Path) -> None:
    later = film.spec.date or DAY
    spec = replace(film.spec, size=64, date=DAY)
    for name, made in {
        "pa": spec,
        "lateral": replace(spec, view=View.LATERAL),
        "next": replace(spec, date=later + dt.timedelta(days=400)),
        "again": replace(spec, visit=1),
        "other": replace(spec, seed=10),
    }.items():
        write_phantom(made, tmp_path / f"{name}.dcm")
    read = {path.stem: pydicom.dcmread(path) for path in tmp_path.iterdir()}
    assert read["pa"].StudyInstanceUID == read["lateral"].StudyInstanceUID
    assert len({ds.StudyInstanceUID for ds in read.values()}) == 4
    assert len({(ds.StudyInstanceUID, ds.SeriesNumber) for ds in read.values()}) == 5
    assert len({ds.SeriesInstanceUID for ds in read.values()}) == 5
    [frontal], [lateral] = (
        [each.source for each in pair]
        for study in read_input([tmp_path / "pa.dcm", tmp_path / "lateral.dcm"]).studies
        for pair in (study.frontals, study.laterals)
    )
    assert frontal.endswith("pa.dcm") and lateral.endswith("lateral.dcm")
    assert "Error" not in said_by("dcentvfy", tmp_path / "pa.dcm", tmp_path / "lateral.dcm")


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    spec = PhantomSpec(seed=9, size=64)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadArguments, match=r"none.a\.png cannot be written: No such file"):
        write_phantom(spec, tmp_path / "none" / "a.png")
    with pytest.raises(BadArguments, match="truth cannot be written"):
        write_phantom(spec, tmp_path / "a.png", truth=tmp_path / "file" / "truth")


@pytest.mark.parametrize("words", [{"monochrome": 1}, {"modality": "DX"}])
def test_what_only_dicom_has_is_refused_for_a_png(tmp_path: Path, words: dict) -> None:
    with pytest.raises(BadArguments, match=r"write \.dcm"):
        write_phantom(PhantomSpec(seed=9, size=64), tmp_path / "a.png", **words)


def test_write_phantom_chooses_by_suffix(tmp_path: Path) -> None:
    spec = PhantomSpec(seed=9, size=64)
    written = write_phantom(spec, tmp_path / "a.dcm")
    write_phantom(spec, tmp_path / "a.png")
    assert pydicom.dcmread(tmp_path / "a.dcm").Rows == 64 and Image.open(tmp_path / "a.png").size == (64, 64)
    assert written.radiograph.shape == (64, 64)
    with pytest.raises(BadArguments, match="Allowed"):
        write_phantom(spec, tmp_path / "a.gif")


def test_files_refuse_odd_bits(film: PhantomFilm, tmp_path: Path) -> None:
    with pytest.raises(BadArguments):
        film.write_png(tmp_path / "f.png", 12)
    with pytest.raises(BadArguments):
        film.write_dicom(tmp_path / "f.dcm", 17)
    with pytest.raises(BadArguments, match="DX, CR"):
        film.write_dicom(tmp_path / "f.dcm", modality="CT")
