"""What a DICOM header says about a film, beside its pixels: view, spacing, patient's age and sex, dates, orientation.

Pure functions from a dataset. Nothing that identifies a person leaves this file, not even inside a warning: texts of
the header are matched against known terms and never repeated unless they are one.
"""

from __future__ import annotations

import datetime as dt
import re

from pydicom.dataset import Dataset

from imaging.elements import date, items, number, numbers, text, words
from imaging.radiograph import SpacingOrigin, View

VIEW_POSITIONS = {
    "PA": View.PA,
    "AP": View.AP,
    "LL": View.LATERAL,
    "RL": View.LATERAL,
    "LAT": View.LATERAL,
    "LATERAL": View.LATERAL,
}
"""View Position (0018,5101): defined terms of PS3.3 C.8.1.3 and C.8.11.5, and two common spellings of lateral."""

DEVIATION_LEAST = 3.0
"""Deviation Index (0018,1413) from which an exposure is told to be wrong: 10 log10 of the exposure over its target (IEC
62494-1), so that 3 is twice or half; AAPM report 116 asks for action beyond it."""

VIEW_CODES = {
    "272479007": View.PA,
    "R-10214": View.PA,
    "399348003": View.AP,
    "R-10206": View.AP,
    "399067008": View.LATERAL,
    "R-102CD": View.LATERAL,
    "399173006": View.LATERAL,
    "R-10236": View.LATERAL,
    "399198007": View.LATERAL,
    "R-10232": View.LATERAL,
}
"""View Code Sequence (0054,0220): CID 4010 'DX View' (PS3.16), SNOMED CT and the older SNOMED-RT codes."""

VIEW_WORDS = {
    "PA": View.PA,
    "AP": View.AP,
    "LAT": View.LATERAL,
    "LATERAL": View.LATERAL,
    "LL": View.LATERAL,
}
"""Words of a series or protocol description that name a projection."""

CHEST_TERMS = frozenset({"CHEST", "THORAX", "LUNG", "LUNGS", "RIB", "RIBS", "RIBCAGE", "HEART", "CHESTABDOMEN"})
"""Body Part Examined that a chest film may carry (PS3.16 Annex L, and RIBCAGE and LUNGS as met in the wild)."""

OTHER_BODY_PARTS = frozenset(
    """
    ABDOMEN ABDOMENPELVIS ANKLE ARM BLADDER BREAST BRAIN BUTTOCK CALCANEUS CALF CLAVICLE COCCYX CSPINE CTSPINE EAR
    ELBOW EXTREMITY EYE FEMUR FINGER FOOT FOREARM HAND HEAD HIP HUMERUS JAW KIDNEY KNEE LEG LIVER LSPINE LSSPINE
    MANDIBLE MAXILLA NECK NOSE PANCREAS PELVIS ROSACRUM SACRUM SCAPULA SHOULDER SKULL SPINE SSPINE STERNUM TEETH
    THIGH THUMB TIBIA TLSPINE TMJ TOE TSPINE UTERUS WHOLEBODY WRIST ZYGOMA
    """.split()  # noqa: SIM905 - a list of a hundred quoted words is harder to read
)
"""Other defined terms of Body Part Examined (0018,0015), PS3.16 Annex L, with the blanks taken out."""

SPACING_LIMITS_MM = (0.01, 5.0)
"""Pixel spacings outside are mistakes: finer than any detector, or a film of a few dozen pixels."""

SPACING_TOLERANCE = 1e-3
"""Relative difference below which two spacings are the same value, written with other digits."""

MAGNIFICATION_LIMITS = (1.0, 3.0)
"""Plausible Estimated Radiographic Magnification Factor (0018,1114); a chest film has 1.05 to 1.4."""

OLDEST_YEARS = 125
DAYS_PER_UNIT = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}
"""Days in the units of Age String (AS), PS3.5 6.2."""

DAYS_PER_YEAR = 365.25


def view_of(dataset: Dataset) -> tuple[View, list[str]]:
    """Projection as the header gives it, and warnings.

    In order: View Position (0018,5101); View Code Sequence (0054,0220); one unambiguous word in Series Description
    or Protocol Name; Patient Orientation (0020,0020) for laterals, whose rows run to A or P (PS3.3 C.7.6.1.1.1).
    A later source that contradicts an earlier one is warned of and not followed.
    """
    said: list[tuple[str, View]] = []
    position = text(dataset, "ViewPosition").upper()
    if position in VIEW_POSITIONS:
        said.append(("View Position", VIEW_POSITIONS[position]))
    for item in items(dataset, "ViewCodeSequence")[:1]:
        if text(item, "CodeValue") in VIEW_CODES:
            said.append(("View Code Sequence", VIEW_CODES[text(item, "CodeValue")]))
    for keyword, name in (("SeriesDescription", "Series Description"), ("ProtocolName", "Protocol Name")):
        named = {
            VIEW_WORDS[word] for word in re.findall(r"[A-Z]+", text(dataset, keyword).upper()) if word in VIEW_WORDS
        }
        if len(named) == 1:
            said.append((name, named.pop()))
    if "".join(words(dataset, "PatientOrientation")[:1])[:1] in {"A", "P"}:
        said.append(("Patient Orientation", View.LATERAL))

    warnings = []
    if position and position not in VIEW_POSITIONS:
        warnings.append("View Position in the header is none of PA, AP, LL and RL.")
    if not said:
        return View.UNKNOWN, warnings
    first_name, view = said[0]
    for name, other in said[1:]:
        if other is not view:
            warnings.append(f"The header contradicts itself: {first_name} says {view}, {name} says {other}.")
    return view, warnings


def laterality_of(dataset: Dataset) -> str | None:
    """ "L", "R" or "B" from Image Laterality (0020,0062) or Laterality (0020,0060); "L" or "R" from view LL or RL."""
    for keyword in ("ImageLaterality", "Laterality"):
        if text(dataset, keyword).upper() in {"L", "R", "B"}:
            return text(dataset, keyword).upper()
    return {"LL": "L", "RL": "R"}.get(text(dataset, "ViewPosition").upper())


def body_part_of(dataset: Dataset) -> tuple[str | None, list[str]]:
    """Body Part Examined (0018,0015) where it is a known term, and a warning when it is not the chest."""
    part = text(dataset, "BodyPartExamined").upper().replace(" ", "").replace("_", "")
    if not part:
        return None, []
    if part in CHEST_TERMS:
        return part, []
    if part in OTHER_BODY_PARTS:
        return part, [
            f"The header says the body part is {part}, not the chest: findings on this film may mean nothing."
        ]
    return None, ["The header names a body part that is not a known term; whether this is a chest is not confirmed."]


def _spacing(dataset: Dataset, keyword: str) -> tuple[float, float] | None:
    """(row, column) spacing in mm within SPACING_LIMITS_MM, or None."""
    found = numbers(dataset, keyword)
    low, high = SPACING_LIMITS_MM
    if len(found) != 2 or not all(low <= number <= high for number in found):
        return None
    return found[0], found[1]


def spacing_of(dataset: Dataset) -> tuple[tuple[float, float] | None, SpacingOrigin | None, list[str]]:
    """Pixel spacing (row, column) in mm, its origin and warnings (PS3.3 10.7.1.3).

    Pixel Spacing (0028,0030) that differs from Imager Pixel Spacing (0018,1164), or that comes with a Calibration
    Type (0028,0A02), was calibrated to the patient. Equal to it, both are the detector's. Alone, nobody knows.
    Nominal Scanned Pixel Spacing (0018,2010) is that of a digitised sheet of film.
    """
    pixel = _spacing(dataset, "PixelSpacing")
    imager = _spacing(dataset, "ImagerPixelSpacing")
    nominal = _spacing(dataset, "NominalScannedPixelSpacing")
    warnings = [
        f"{keyword} in the header is not a usable spacing and was ignored."
        for keyword, found in (("PixelSpacing", pixel), ("ImagerPixelSpacing", imager))
        if found is None and text(dataset, keyword)
    ]
    if pixel and imager and all(abs(a - b) <= SPACING_TOLERANCE * b for a, b in zip(pixel, imager, strict=True)):
        return imager, SpacingOrigin.IMAGER, warnings
    if pixel and (imager or text(dataset, "PixelSpacingCalibrationType")):
        return pixel, SpacingOrigin.CALIBRATED, warnings
    if pixel:
        return pixel, SpacingOrigin.PIXEL_SPACING, warnings
    if imager:
        return imager, SpacingOrigin.IMAGER, warnings
    if nominal:
        return nominal, SpacingOrigin.NOMINAL, warnings
    return None, None, warnings


def magnification_of(dataset: Dataset) -> float | None:
    """Estimated Radiographic Magnification Factor (0018,1114), or None when absent or not plausible."""
    factor = number(dataset, "EstimatedRadiographicMagnificationFactor")
    low, high = MAGNIFICATION_LIMITS
    return factor if factor is not None and low <= factor <= high else None


def aspect_of(dataset: Dataset, spacing: tuple[float, float] | None) -> tuple[float, list[str]]:
    """Height of a pixel over its width, from the spacing or Pixel Aspect Ratio (0028,0034), PS3.3 C.7.6.3.1.7."""
    ratio = numbers(dataset, "PixelAspectRatio")
    if spacing:
        aspect = spacing[0] / spacing[1]
    elif len(ratio) == 2 and min(ratio) > 0:
        aspect = ratio[0] / ratio[1]
    else:
        return 1.0, []
    if abs(aspect - 1) <= SPACING_TOLERANCE:
        return 1.0, []
    return aspect, [f"Pixels are not square: {aspect:.3f} times as high as wide."]


def age_of(dataset: Dataset, acquired: dt.date | None) -> tuple[float | None, list[str]]:
    """Age in years at acquisition from Patient's Age (0010,1010), else from the birth date, and warnings.

    The age string is nnnD, nnnW, nnnM or nnnY (PS3.5 6.2); "45" alone is not an age and is ignored.
    """
    age: float | None = None
    match = re.fullmatch(r"(\d{1,3})([DWMY])", text(dataset, "PatientAge").upper())
    born = date(dataset, "PatientBirthDate")
    if match:
        age = int(match.group(1)) * DAYS_PER_UNIT[match.group(2)] / DAYS_PER_YEAR
    elif born and acquired:
        age = (acquired - born).days / DAYS_PER_YEAR
    if age is not None and not 0 <= age <= OLDEST_YEARS:
        return None, ["The patient's age in the header is not possible and was ignored."]
    return (None if age is None else round(age, 2)), []


def sex_of(dataset: Dataset) -> str | None:
    """Patient's Sex (0010,0040): "M", "F" or "O" (PS3.3 C.7.1.1), else None."""
    found = text(dataset, "PatientSex").upper()
    return found if found in {"M", "F", "O"} else None


def acquired_on(dataset: Dataset) -> dt.date | None:
    """Date of exposure, as near as the header knows it."""
    return date(dataset, "AcquisitionDate", "AcquisitionDateTime", "ContentDate", "SeriesDate", "StudyDate")


def orientation_of(dataset: Dataset) -> tuple[str, str] | None:
    """First letters of Patient Orientation (0020,0020), PS3.3 C.7.6.1.1.1: where rows and columns run, of A, P, H, F,
    L and R; None where it does not say both."""
    stored = words(dataset, "PatientOrientation")
    if len(stored) != 2 or not all(each[0] in "APHFLR" for each in stored):
        return None
    return stored[0][0], stored[1][0]


def orientation_warnings(dataset: Dataset, view: View) -> list[str]:
    """Warnings on how the film is stored, from Patient Orientation (0020,0020), PS3.3 C.7.6.1.1.1.

    A frontal chest film as it is hung has rows that run to the patient's left and columns that run to the feet:
    L\\F. Pixels are left as they are.
    """
    rows_to, columns_to = orientation_of(dataset) or ("", "")
    if rows_to in {"F", "H"}:
        return ["The header says the film is stored lying on its side; it was not turned."]
    if columns_to == "H":
        return ["The header says the film is stored upside down; it was not turned."]
    if rows_to == "R" and view is not View.LATERAL:
        return ["The header says the film is stored mirrored: the patient's left is at the left of the picture."]
    return []


def other_warnings(dataset: Dataset) -> list[str]:
    """Warnings from single elements: burned-in text, raw detector data, loss, flips, magnification."""
    warnings = []
    if text(dataset, "QualityControlImage").upper() == "YES":
        warnings.append("The header says this is a quality control image: a phantom, not a patient.")
    if text(dataset, "BurnedInAnnotation").upper() == "YES":
        warnings.append("Text is burned into the picture and may identify the patient.")
    if text(dataset, "PresentationIntentType").upper() == "FOR PROCESSING":
        warnings.append("These are raw detector values (FOR PROCESSING): contrast is not that of a finished film.")
    if text(dataset, "LossyImageCompression") == "01":
        warnings.append("The film went through lossy compression; fine detail may be lost.")
    if text(dataset, "FieldOfViewHorizontalFlip").upper() == "YES" and not words(dataset, "PatientOrientation"):
        warnings.append("The detector's picture was flipped before storage; trust the side marker, not the layout.")
    deviation = number(dataset, "DeviationIndex")
    if deviation is not None and abs(deviation) >= DEVIATION_LEAST:
        error = "less: noise may hide faint findings" if deviation < 0 else "more: bright parts may be burnt out"
        times = 10 ** (abs(deviation) / 10)
        warnings.append(
            f"The header's deviation index is {deviation:+.1f}: the detector got {times:.1f} times {error}."
        )
    magnification = magnification_of(dataset)
    if magnification is not None and magnification > 1:
        warnings.append(f"The header estimates a magnification of {magnification:.2f}; spacing is not corrected.")
    return warnings
