"""What survives de-identification: attributes by name, and for each the only values it may have.

Everything that is not named here is removed, whatever PS3.15 Table E.1-1 says of it: a table of what to remove misses
what a vendor or a typist invents. A kept text must be one of a closed list of terms, a kept number must be a number
(and is written anew), so that a name typed into Body Part Examined does not travel. Data only.
"""

from __future__ import annotations

import re

from imaging.header import CHEST_TERMS, OTHER_BODY_PARTS, VIEW_CODES, VIEW_POSITIONS
from imaging.part10 import KNOWN_MODALITIES
from imaging.radiograph import View

TERMS: dict[str, frozenset[str]] = {
    "Modality": KNOWN_MODALITIES,
    "ImageType": frozenset({"ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "OTHER", "POST_CONTRAST", "SUBTRACTION"}),
    "ConversionType": frozenset({"DV", "DI", "DF", "WSD", "SD", "SI", "DRW", "SYN"}),
    "BodyPartExamined": CHEST_TERMS | OTHER_BODY_PARTS,
    "Laterality": frozenset({"L", "R"}),
    "ImageLaterality": frozenset({"L", "R", "U", "B"}),
    "ViewPosition": frozenset({*VIEW_POSITIONS, "RLD", "LLD", "RLO", "LLO"}),
    "PatientSex": frozenset({"M", "F", "O"}),
    "PhotometricInterpretation": frozenset(
        {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB"}
        | {"YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420", "YBR_PARTIAL_422"}
    ),
    "PresentationIntentType": frozenset({"FOR PRESENTATION", "FOR PROCESSING"}),
    "PresentationLUTShape": frozenset({"IDENTITY", "INVERSE"}),
    "VOILUTFunction": frozenset({"LINEAR", "LINEAR_EXACT", "SIGMOID"}),
    "ModalityLUTType": frozenset({"OD", "HU", "US", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"}),
    "RescaleType": frozenset({"OD", "HU", "US", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"}),
    "PixelIntensityRelationship": frozenset({"LIN", "LOG", "DISP"}),
    "LossyImageCompression": frozenset({"00", "01"}),
    "LossyImageCompressionMethod": frozenset(
        {"ISO_10918_1", "ISO_14495_1", "ISO_15444_1", "ISO_15444_15", "ISO_13818_2", "ISO_14496_10", "ISO_23008_2"}
    ),
    "BurnedInAnnotation": frozenset({"YES", "NO"}),
    "QualityControlImage": frozenset({"YES", "NO", "BOTH"}),
    "PixelSpacingCalibrationType": frozenset({"GEOMETRY", "FIDUCIAL"}),
    "FieldOfViewShape": frozenset({"RECTANGLE", "ROUND", "HEXAGONAL"}),
    "FieldOfViewHorizontalFlip": frozenset({"YES", "NO"}),
    "PositionerType": frozenset({"CARM", "COLUMN", "MAMMOGRAPHIC", "PANORAMIC", "CEPHALOSTAT", "RIGID", "NONE"}),
    "DetectorType": frozenset({"DIRECT", "SCINTILLATOR", "STORAGE", "FILM"}),
    "DetectorConfiguration": frozenset({"AREA", "SLOT"}),
    "Grid": frozenset({"FIXED", "FOCUSED", "RECIPROCATING", "PARALLEL", "CROSSED", "NONE"}),
    "CollimatorShape": frozenset({"RECTANGULAR", "CIRCULAR", "POLYGONAL"}),
    "ShutterShape": frozenset({"RECTANGULAR", "CIRCULAR", "POLYGONAL", "BITMAP"}),
}
"""Keyword -> its Defined Terms and Enumerated Values (PS3.3 C.7 and C.8.11). A value outside is removed."""

PATTERNS: dict[str, re.Pattern[str]] = {"PatientOrientation": re.compile(r"[AHFLRP]{1,3}")}
"""Keyword -> what each of its values must be, where a list would be long (PS3.3 C.7.6.1.1.1)."""

COUNTS = frozenset(
    """
    Rows Columns SamplesPerPixel BitsAllocated BitsStored HighBit PixelRepresentation PlanarConfiguration NumberOfFrames
    SmallestImagePixelValue LargestImagePixelValue PixelPaddingValue PixelPaddingRangeLimit PixelAspectRatio
    PixelIntensityRelationshipSign LUTDescriptor RedPaletteColorLookupTableDescriptor
    GreenPaletteColorLookupTableDescriptor BluePaletteColorLookupTableDescriptor RepresentativeFrameNumber
    SeriesNumber AcquisitionNumber InstanceNumber
    """.split()  # noqa: SIM905 - a list of quoted words is harder to read
)
"""Whole numbers that are kept: the Image Pixel module (PS3.3 C.7.6.3) and the order of films."""

MEASURES = frozenset(
    """
    PixelSpacing ImagerPixelSpacing NominalScannedPixelSpacing EstimatedRadiographicMagnificationFactor
    DistanceSourceToDetector DistanceSourceToPatient FieldOfViewDimensions FieldOfViewOrigin FieldOfViewRotation
    WindowCenter WindowWidth RescaleIntercept RescaleSlope LossyImageCompressionRatio
    KVP ExposureTime ExposureTimeInuS XRayTubeCurrent XRayTubeCurrentInuA Exposure ExposureInuAs FocalSpots
    ExposureIndex TargetExposureIndex DeviationIndex RelativeXRayExposure Sensitivity EntranceDoseInmGy
    ImageAndFluoroscopyAreaDoseProduct
    """.split()  # noqa: SIM905
)
"""Measured numbers that are kept: geometry, grey scale (PS3.3 C.11) and exposure (C.8.7.2, C.8.11)."""

LARGEST_COUNT = 99_999
"""SeriesNumber and its like above this may be made from an identifier; no archive counts so far in one study."""

ORDINALS = frozenset({"SeriesNumber", "AcquisitionNumber", "InstanceNumber"})

BULK = frozenset(
    """
    PixelData LUTData ExtendedOffsetTable ExtendedOffsetTableLengths
    RedPaletteColorLookupTableData GreenPaletteColorLookupTableData BluePaletteColorLookupTableData
    SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData
    SegmentedBluePaletteColorLookupTableData
    """.split()  # noqa: SIM905
)
"""Pixels and tables of grey values or colours: numbers by nature, kept as they are."""

SEQUENCES = frozenset(
    """
    ModalityLUTSequence VOILUTSequence ViewCodeSequence ViewModifierCodeSequence AnatomicRegionSequence
    ReferencedImageSequence SourceImageSequence ReferencedSeriesSequence ReferencedInstanceSequence
    """.split()  # noqa: SIM905
)
"""Sequences whose items are gone through by the same rules; an item that comes out empty is dropped."""

EMPTIED_SEQUENCES = frozenset({"AcquisitionContextSequence"})
"""Type 2 sequences of DX objects (PS3.3 C.7.6.14): left empty, without their items, so that the object stays valid."""

DATES = frozenset({"StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"})
DATE_TIMES = frozenset({"AcquisitionDateTime"})
TIMES = frozenset({"StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"})
"""When the film was made, by which prior and current are told apart: dates shifted, times of day kept."""

UIDS = frozenset(
    """
    StudyInstanceUID SeriesInstanceUID SOPInstanceUID FrameOfReferenceUID ReferencedSOPInstanceUID
    """.split()  # noqa: SIM905
)
"""Replaced by a keyed hash, the same for the same UID, so that series, studies and references hold together."""

CLASS_UIDS = frozenset({"SOPClassUID", "ReferencedSOPClassUID"})
"""Kept when they are registered by the standard itself (PS3.6 Annex A)."""

EMPTIED = (
    *("AccessionNumber", "ReferringPhysicianName", "StudyID", "PatientBirthDate", "PatientSex", "Manufacturer"),
    *("StudyDate", "StudyTime", "PatientID"),
)
"""Type 2 of the patient, study and equipment modules: left empty (action Z) where nothing else is put."""

CODES: dict[tuple[str, str], str] = {
    **{(code, "SRT" if code.startswith("R-") else "SCT"): str(view) for code, view in VIEW_CODES.items()},
    ("51185008", "SCT"): "Chest",
    ("T-D3000", "SRT"): "Chest",
    ("39607008", "SCT"): "Lung",
    ("T-28000", "SRT"): "Lung",
    ("80891009", "SCT"): "Heart",
    ("113197003", "SCT"): "Rib",
    ("816094009", "SCT"): "Chest, Abdomen and Pelvis",
}
"""(Code Value, Coding Scheme Designator) -> the Code Meaning that is written: view (CID 4010) and region (CID 4031)."""

SCHEMES = {"SNM3": "SRT", "99SDM": "SRT"}
"""Older designators of SNOMED-RT codes (PS3.16 8.1), looked up as SRT and written as they came."""

VIEW_SPELLINGS = {View.PA: "PA", View.AP: "AP", View.LATERAL: "LATERAL"}
"""The one word a Series Description is replaced by, where nothing else in the header says the view."""
