"""Radiograph: the one form in which a film travels through Hilum."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

FilmArray = npt.NDArray[np.float32]

ID_HEX_DIGITS = 16
"""Hex digits of the sha256 kept in a film id: 64 bits, no collision to be expected below 10^9 films."""


class View(StrEnum):
    """Projection of a chest film, as in DICOM View Position (0018,5101), PS3.3 C.8.1.3."""

    PA = "PA"
    AP = "AP"
    LATERAL = "LATERAL"
    UNKNOWN = "UNKNOWN"


class SpacingOrigin(StrEnum):
    """Where a pixel spacing came from; only calibrated spacing measures the patient and not the detector.

    PIXEL_SPACING alone or CALIBRATED is in the patient; IMAGER is in the detector plane (magnified by geometry),
    DICOM PS3.3 10.7.1.
    """

    PIXEL_SPACING = "PixelSpacing"
    CALIBRATED = "PixelSpacing (calibrated)"
    IMAGER = "ImagerPixelSpacing"
    NOMINAL = "NominalScannedPixelSpacing"
    USER = "given by the user"


@dataclass(frozen=True)
class Source:
    """What the file was, without anything that identifies the patient.

    Attributes:
        format: "DICOM", "PNG", "JPEG", "TIFF", "phantom" ...
        rows, columns: size as stored in the file, before any upright correction.
        bits_stored: bits of information per sample.
        photometric: DICOM photometric interpretation, or the picture mode of another format.
        modality, transfer_syntax: DICOM only.
        window: (centre, width) that was applied, or None.
        body_part: Body Part Examined, where it is a defined term of PS3.16 Annex L.
        laterality: "L", "R" or "B", the side of the body the header names.
        pixel_aspect: height of a pixel over its width, 1 unless the file says otherwise.
        magnification: Estimated Radiographic Magnification Factor: distances at the detector over distances in the
            patient; `spacing_mm` is not divided by it.
        orientation: where the header says rows and columns run, the first letters of Patient Orientation
            (0020,0020): ("L", "F") for a frontal film as it is hung; None where it does not say.
    """

    format: str
    rows: int
    columns: int
    bits_stored: int
    photometric: str
    modality: str | None = None
    transfer_syntax: str | None = None
    window: tuple[float, float] | None = None
    body_part: str | None = None
    laterality: str | None = None
    pixel_aspect: float = 1.0
    magnification: float | None = None
    orientation: tuple[str, str] | None = None


class DerivedKind(StrEnum):
    """What a picture that nobody acquired is."""

    PROCESSED = "processed"
    """Computed from an acquired film of a patient, pixel for pixel in its place."""
    SYNTHETIC = "synthetic"
    """Made from words or a model of the body, or computed from such a film: it shows nobody."""


@dataclass(frozen=True)
class Derived:
    """Where a picture that nobody acquired came from.

    Attributes:
        kind: processed or synthetic.
        what: what was done, in a few words ("bone suppressed", "window 0.30 to 0.80").
        by: the model with its revision, or the tool, that made it.
        parent: id of the film it was computed from, whose pixel grid it shares; None where there was none.
    """

    kind: DerivedKind
    what: str
    by: str
    parent: str | None = None


@dataclass(frozen=True, eq=False)
class Radiograph:
    """One film, decoded, upright as acquired, with the patient's identity left behind.

    Attributes:
        id: the first 16 hex digits of the sha256 over size and canonical pixels.
        pixels: float32 [H, W] in [0, 1], row 0 at the top, 1 = dense (white); not writeable.
        source: facts of the file.
        spacing_mm: (row, column) distance of pixel centres in mm, or None when the file does not say.
        spacing_origin: which attribute the spacing came from.
        view: projection; `view_origin` says who said so ("header", "model", "user" or "none").
        acquired: acquisition date, if known.
        age_years, sex: as in the header ("M", "F", "O"), if known.
        patient_key, study_key: keyed hashes, never the identifiers.
        warnings: what a careful reader should know about this film, in sentences.
        derived: None for a film as acquired; else what the picture is and where it came from (imaging.derived). Such a
            picture is never taken for a patient's film where none was named.
    """

    id: str
    pixels: FilmArray = field(repr=False)
    source: Source
    spacing_mm: tuple[float, float] | None = None
    spacing_origin: SpacingOrigin | None = None
    view: View = View.UNKNOWN
    view_origin: str = "none"
    acquired: dt.date | None = None
    age_years: float | None = None
    sex: str | None = None
    patient_key: str | None = None
    study_key: str | None = None
    warnings: tuple[str, ...] = ()
    derived: Derived | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        height, width = self.pixels.shape
        return height, width

    @property
    def is_frontal(self) -> bool:
        """True for PA and AP; also for UNKNOWN, which is a frontal film until a model says otherwise."""
        return self.view is not View.LATERAL

    def facts(self) -> dict[str, Any]:
        """Everything but the pixels as JSON-ready values: what `hilum film --json` prints for this film."""
        return {
            "id": self.id,
            "rows": self.shape[0],
            "columns": self.shape[1],
            "format": self.source.format,
            "bits": self.source.bits_stored,
            "photometric": self.source.photometric,
            "modality": self.source.modality,
            "transfer_syntax": self.source.transfer_syntax,
            "window": list(self.source.window) if self.source.window else None,
            "body_part": self.source.body_part,
            "laterality": self.source.laterality,
            "pixel_aspect": self.source.pixel_aspect,
            "magnification": self.source.magnification,
            "orientation": list(self.source.orientation) if self.source.orientation else None,
            "view": self.view.value,
            "view_origin": self.view_origin,
            "spacing_mm": list(self.spacing_mm) if self.spacing_mm else None,
            "spacing_origin": self.spacing_origin.value if self.spacing_origin else None,
            "acquired": self.acquired.isoformat() if self.acquired else None,
            "age_years": self.age_years,
            "sex": self.sex,
            "patient_key": self.patient_key,
            "study_key": self.study_key,
            "warnings": list(self.warnings),
            "derived": asdict(self.derived) if self.derived else None,
        }


def canonical(pixels: npt.NDArray[Any]) -> FilmArray:
    """A read-only float32 [H, W] copy in [0, 1], C-contiguous, ready to be a Radiograph's pixels.

    Raises:
        ValueError: not two-dimensional, or values outside [0, 1] or not finite.
    """
    array = np.array(pixels, dtype=np.float32, order="C")
    if array.ndim != 2:
        raise ValueError(f"pixels have shape {array.shape}; a film is [H, W]")
    if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
        raise ValueError("pixels must be finite and in [0, 1]")
    array.setflags(write=False)
    return array


def film_id(pixels: FilmArray) -> str:
    """Content id of canonical pixels [H, W] in [0, 1]: equal pixels, equal id, whatever file they came from."""
    digest = hashlib.sha256(f"{pixels.shape[0]}x{pixels.shape[1]}:".encode())
    digest.update(np.round(pixels * np.float32(65535)).astype("<u2").tobytes())
    return digest.hexdigest()[:ID_HEX_DIGITS]
