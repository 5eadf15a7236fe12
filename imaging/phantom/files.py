"""Phantom films as files: PNG and DICOM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

from imaging.failures import BadArguments, writing
from imaging.phantom.facts import exposure
from imaging.phantom.faults import orientation
from imaging.phantom.person import person
from imaging.phantom.projection import SOURCE_DISTANCE_MM
from imaging.phantom.spec import PhantomSpec

if TYPE_CHECKING:
    from pydicom import Dataset

    from imaging.phantom.film import PhantomFilm

UID_ROOT = "2.25."
"""UUID-derived UIDs (PS3.5 B.2): no registered root is needed."""

STORAGE = {"DX": "1.2.840.10008.5.1.4.1.1.1.1", "CR": "1.2.840.10008.5.1.4.1.1.1"}
"""Digital X-Ray Image Storage - For Presentation, and Computed Radiography Image Storage (PS3.4 B.5), by modality."""

VIEW_CODES = {
    "PA": ("272479007", "postero-anterior"),
    "AP": ("399348003", "antero-posterior"),
    "LATERAL": ("399173006", "left lateral"),
}
"""SNOMED CT codes of View Code Sequence (PS3.16 CID 4010)."""

SERIES_NUMBERS = {"PA": 1, "AP": 2, "LATERAL": 3}
"""Each view of a study is a series of its own."""

VIEW_POSITIONS = {"PA": "PA", "AP": "AP", "LATERAL": "LL"}
"""View Position (0018,5101), PS3.3 C.8.1.3: a left lateral has the left side against the detector."""


def as_stored(pixels: npt.NDArray[np.float32], bits: int) -> npt.NDArray[np.uint16]:
    """Pixels [H, W] in [0, 1] as integers of `bits` bits, 1.0 → the largest."""
    return np.round(pixels.astype(np.float64) * (2**bits - 1)).astype(np.uint16)


def write_png(film: PhantomFilm, path: str | Path, bits: int = 8) -> None:
    """Grey PNG of 8 or 16 bits; a text chunk says that it is synthetic."""
    if bits not in (8, 16):
        raise BadArguments(f"a PNG has no {bits} bits.", "Allowed: 8, 16.")
    values = as_stored(film.radiograph.pixels, bits)
    image = Image.fromarray(values.astype(np.uint8) if bits == 8 else values)
    note = PngImagePlugin.PngInfo()
    note.add_text("Comment", film.radiograph.warnings[0])
    dpi = 25.4 / film.radiograph.spacing_mm[0] if film.radiograph.spacing_mm else 72.0
    image.save(path, format="PNG", pnginfo=note, dpi=(dpi, dpi))


def _uid(film: PhantomFilm, *within: str) -> str:
    """A reproducible UID (PS3.5 B.2, from a version 5 UUID): of the study, which is one for all views of a patient on
    a visit, or of what `within` names in it."""
    import uuid

    who = person(film.spec)
    names = ("hilum-phantom", who.identifier, who.day.isoformat(), str(film.spec.visit), *within)
    return UID_ROOT + str(uuid.uuid5(uuid.NAMESPACE_OID, ":".join(names)).int)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    """One item of a code sequence."""
    from pydicom import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def dataset(film: PhantomFilm, bits: int = 12, monochrome: int = 2, modality: str = "DX") -> Dataset:
    """The film as a DICOM object; dates come from the film or are 2000-01-01.

    Args:
        film: what is written.
        bits: Bits Stored, 8 to 16; up to 8 bits lie in bytes.
        monochrome: 1 (0 is white) or 2 (0 is black).
        modality: 'DX', Digital X-Ray For Presentation (PS3.3 A.26), or 'CR', Computed Radiography (A.2).

    Raises:
        BadArguments: anything else.
    """
    from pydicom import Dataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    if modality not in STORAGE:
        raise BadArguments(f"modality {modality!r} is none of a chest film's.", f"Allowed: {', '.join(STORAGE)}.")
    if not 8 <= bits <= 16:
        raise BadArguments(f"a {modality} film has no {bits} bits.", "Allowed: 8 to 16.")
    if monochrome not in (1, 2):
        raise BadArguments(f"MONOCHROME{monochrome} does not exist.", "Allowed: 1, 2.")
    ds = Dataset()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(STORAGE[modality])
    meta.MediaStorageSOPInstanceUID = UID(_uid(film, film.radiograph.id, modality, str(bits), str(monochrome)))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(UID_ROOT + "119212030511437")
    ds.file_meta = meta
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    _patient_and_study(ds, film, modality)
    _projection(ds, film)
    _image(ds, film, bits, monochrome)
    if modality == "DX":
        _digital(ds, film, monochrome)
    return ds


def _patient_and_study(ds: Dataset, film: PhantomFilm, modality: str) -> None:
    """Patient, study, series and equipment; all invented."""
    who = person(film.spec)
    day = who.day.strftime("%Y%m%d")
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID = who.name, who.identifier
    ds.PatientBirthDate, ds.PatientSex = who.born.strftime("%Y%m%d"), who.sex
    ds.PatientAge = f"{who.age_years:03d}Y"
    ds.PatientComments = "Synthetic film; no real patient"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = _uid(film), _uid(film, film.radiograph.id, modality)
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = day
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = "120000"
    ds.AccessionNumber, ds.ReferringPhysicianName, ds.StudyID = "", "", "1"
    ds.StudyDescription, ds.SeriesDescription = "Synthetic chest", f"Chest {film.spec.view.value}"
    ds.Modality = modality
    ds.SeriesNumber, ds.InstanceNumber = SERIES_NUMBERS[film.spec.view.value], 1
    ds.Manufacturer, ds.ManufacturerModelName = "Hilum", "phantom"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "0", "1"


def _projection(ds: Dataset, film: PhantomFilm) -> None:
    """Anatomy, view, geometry and exposure, as CR (PS3.3 C.8.1) and DX (C.8.11) share them.

    Patient Orientation is that of the picture as stored, turned or mirrored.
    """
    view = film.spec.view
    spacing = film.radiograph.spacing_mm or (1.0, 1.0)
    ds.BodyPartExamined = "CHEST"
    ds.ViewPosition = VIEW_POSITIONS[view.value]
    ds.PatientOrientation = list(orientation(film.spec))
    ds.ImageLaterality = "U"
    ds.ImagerPixelSpacing = [f"{s:.6g}" for s in spacing]
    ds.KVP = "100" if view.value == "AP" else "120"
    ds.DistanceSourceToDetector = f"{SOURCE_DISTANCE_MM[view]:g}"
    if film.spec.processing == "digital":
        doses = exposure(film)
        ds.ExposureIndex = f"{doses['exposure_index']:g}"
        ds.TargetExposureIndex = f"{doses['target_exposure_index']:g}"
        ds.DeviationIndex = f"{doses['deviation_index']:g}"


def _digital(ds: Dataset, film: PhantomFilm, monochrome: int) -> None:
    """What a DX object holds beyond a CR one (PS3.3 C.8.11)."""
    from pydicom import Sequence

    code, meaning = VIEW_CODES[film.spec.view.value]
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.AnatomicRegionSequence = Sequence([_code("51185008", "SCT", "Chest")])
    ds.ViewCodeSequence = Sequence([_code(code, "SCT", meaning)])
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence([])
    ds.AcquisitionContextSequence = Sequence([])
    ds.PositionerType, ds.DetectorType, ds.DetectorConfiguration = "NONE", "SCINTILLATOR", "AREA"
    ds.FieldOfViewShape = "RECTANGLE"
    ds.PresentationLUTShape = "INVERSE" if monochrome == 1 else "IDENTITY"
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", -1 if monochrome == 1 else 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"


def _image(ds: Dataset, film: PhantomFilm, bits: int, monochrome: int) -> None:
    """Pixels and the window that shows all of them unchanged (PS3.3 C.11.2.1.2.1)."""
    values = as_stored(film.radiograph.pixels, bits)
    if monochrome == 1:
        values = (2**bits - 1 - values).astype(np.uint16)
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.DerivationDescription = film.radiograph.warnings[0]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, f"MONOCHROME{monochrome}"
    ds.Rows, ds.Columns = values.shape
    ds.BitsAllocated = 8 if bits == 8 else 16
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits - 1, 0
    # A side marker does not identify anyone (PS3.3 C.7.6.1); a phantom is a quality control image (0028,0300).
    named = any(entry["identifying"] for entry in film.annotations)
    ds.LossyImageCompression, ds.BurnedInAnnotation, ds.QualityControlImage = "00", "YES" if named else "NO", "YES"
    ds.WindowCenter, ds.WindowWidth, ds.WindowCenterWidthExplanation = str(2 ** (bits - 1)), str(2**bits), "NORMAL"
    raw = values.astype(np.uint8) if bits == 8 else values.astype("<u2")
    data = raw.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OB" if bits == 8 else "OW"


def write_dicom(film: PhantomFilm, path: str | Path, bits: int = 12, monochrome: int = 2, modality: str = "DX") -> None:
    """Write the film as a DICOM file; see `dataset`."""
    dataset(film, bits, monochrome, modality).save_as(path, enforce_file_format=True)


def write_truth(film: PhantomFilm, folder: str | Path) -> list[Path]:
    """Write all that is known of the film into a folder; returns the paths.

    facts.json, report.txt; masks/NAME.png, 0 and 255; bone_free.png and bone_only.png, grey of 16 bits as a 16-bit PNG
    of the film; thickness_mm.npz, one float16 array of millimetres along the rays for each of `film.layers`. All in the
    film's size.
    """
    folder = Path(folder)
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    written = [folder / "facts.json", folder / "report.txt"]
    written[0].write_text(json.dumps(film.facts(), indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    written[1].write_text(film.report(), encoding="utf-8")
    for name, mask in film.masks.items():
        written.append(folder / "masks" / f"{name}.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(written[-1], optimize=True)
    for name, pixels in {"bone_free": film.bone_free, "bone_only": film.bone_only}.items():
        written.append(folder / f"{name}.png")
        Image.fromarray(as_stored(pixels, 16)).save(written[-1])
    written.append(folder / "thickness_mm.npz")
    layers = {name: thickness.astype(np.float16) for name, thickness in film.layers.items()}
    np.savez_compressed(written[-1], allow_pickle=False, **layers)
    return written


def write_phantom(
    spec: PhantomSpec,
    out_path: str | Path,
    bits: int | None = None,
    monochrome: int | None = None,
    modality: str | None = None,
    truth: str | Path | None = None,
) -> PhantomFilm:
    """Make a film and write it; the suffix says how.

    Args:
        spec: what is made.
        out_path: .png or .dcm.
        bits: of the file; 8 in a PNG and 12 in a DICOM file when None.
        monochrome, modality: of a DICOM file, see `dataset`; 2 and 'DX' when None.
        truth: folder for all that is known of the film, see `write_truth`; not written when None.

    Raises:
        BadArguments: any other suffix, a place that cannot be written, monochrome or modality for a PNG file, or what
            `write_png` and `dataset` refuse.
    """
    from imaging.phantom.film import make_phantom

    suffix = Path(out_path).suffix.lower()
    if suffix not in (".png", ".dcm"):
        raise BadArguments(f"cannot write a film as {suffix or 'a file without suffix'!r}.", "Allowed: .png, .dcm.")
    if suffix == ".png" and (monochrome, modality) != (None, None):
        raise BadArguments("a PNG file has neither modality nor MONOCHROME1 or 2.", "Leave them out, or write .dcm.")
    film = make_phantom(spec)
    with writing(out_path):
        if suffix == ".png":
            write_png(film, out_path, 8 if bits is None else bits)
        else:
            stored_as = (12 if bits is None else bits, 2 if monochrome is None else monochrome, modality or "DX")
            write_dicom(film, out_path, *stored_as)
    if truth is not None:
        with writing(truth):
            write_truth(film, truth)
    return film
