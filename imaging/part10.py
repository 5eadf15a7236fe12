"""Bytes of a DICOM file to a dataset that is one still projection radiograph, or a refusal; and a dataset to bytes."""

from __future__ import annotations

import io
import re
import struct
import zlib

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from imaging.codecs import PIXEL_KEYWORDS, Quiet
from imaging.elements import DECODER_ERRORS, text, whole
from imaging.limits import MAX_FILE_BYTES, check_size
from imaging.refusals import refusal

PREAMBLE_BYTES = 128
"""Length of the preamble before "DICM" (PS3.10 7.1)."""

DEFLATED = b"1.2.840.10008.1.2.1.99"
"""Deflated Explicit VR Little Endian (PS3.5 A.5)."""

RADIOGRAPHS = frozenset({"CR", "DX", "RG"})
"""Modality (0008,0060), PS3.3 C.7.3.1.1.1: computed, digital and conventional projection radiography."""

PERHAPS_RADIOGRAPHS = frozenset({"", "OT", "SC", "HC", "RF", "DR"})
"""Modalities under which chest films are met though they say nothing: opened with a warning."""

KNOWN_MODALITIES = frozenset(
    """
    ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT
    IVUS KER KO LEN LS MG MR M3D NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF
    RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG
    US VA XA XAPROTOCOL XC CS DD DF DM DS EC FA FS LP MA MS OPR ST TP VF
    """.split()  # noqa: SIM905 - a list of a hundred quoted words is harder to read
)
"""Defined terms of Modality, and retired ones: the only values repeated in a message."""

SOP_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
    "1.2.840.10008.5.1.4.1.1.6.1": "US",
    "1.2.840.10008.5.1.4.1.1.3.1": "US",
    "1.2.840.10008.5.1.4.1.1.12.1": "XA",
    "1.2.840.10008.5.1.4.1.1.20": "NM",
    "1.2.840.10008.5.1.4.1.1.128": "PT",
    "1.2.840.10008.5.1.4.1.1.1": "CR",
    "1.2.840.10008.5.1.4.1.1.1.1": "DX",
    "1.2.840.10008.5.1.4.1.1.1.1.1": "DX",
}
"""SOP Class UID (PS3.4 B.5) to the modality it stores, for files without Modality."""


def file_bytes(dataset: Dataset) -> bytes:
    """A DICOM file (PS3.10) of a dataset."""
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def looks_like_dicom(data: bytes) -> bool:
    """Whether bytes have the DICM prefix, or begin like a data set without one (group 0002 or 0008, PS3.5 7.1)."""
    if data[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] == b"DICM":
        return True
    if len(data) < 16:
        return False
    for order in ("<", ">"):
        group, element = struct.unpack_from(f"{order}HH", data)
        if group in (0x0002, 0x0008) and element < 0x0100:
            explicit = re.match(rb"[A-Z]{2}", data[4:6]) is not None
            length = struct.unpack_from(f"{order}I", data, 4)[0]
            return explicit or length < 1024
    return False


def _check_deflated(data: bytes) -> None:
    """Refuse a deflated data set that would inflate beyond the file limit (PS3.5 A.5)."""
    if DEFLATED not in data[: PREAMBLE_BYTES + 1024] or data[132:136] != b"\x02\x00\x00\x00":
        return
    start = PREAMBLE_BYTES + 16 + struct.unpack_from("<I", data, PREAMBLE_BYTES + 12)[0]
    try:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        inflated = len(inflater.decompress(data[start:], MAX_FILE_BYTES + 1))
    except zlib.error:
        raise refusal("decode", "The deflated data set cannot be inflated.") from None
    if inflated > MAX_FILE_BYTES:
        raise refusal("too_large", f"The deflated data set inflates beyond {MAX_FILE_BYTES >> 20} MiB.")


def read_dataset(data: bytes) -> Dataset:
    """A dataset from the bytes of a DICOM file, with or without preamble and file meta.

    Raises:
        FilmRefused: `not_an_image`, `truncated`, `too_large`, `decode`, `no_pixels`.
    """
    prefixed = data[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] == b"DICM"
    with Quiet():
        return _read(data, prefixed)


def _read(data: bytes, prefixed: bool) -> Dataset:
    """`read_dataset`, with pydicom's warnings kept quiet."""
    if prefixed:
        _check_deflated(data)
    try:
        dataset = pydicom.dcmread(io.BytesIO(data), force=not prefixed)
    except EOFError:
        raise refusal("truncated", f"The DICOM file ends inside its header, after {len(data):,} bytes.") from None
    except DECODER_ERRORS as error:
        raise refusal("decode", f"The DICOM header cannot be read ({type(error).__name__}).") from None
    if not prefixed and not any(text(dataset, key) for key in ("SOPClassUID", "Modality", "BitsAllocated")):
        raise refusal("not_an_image", "The file starts like DICOM but holds no DICOM image.")
    if any(keyword in dataset for keyword in PIXEL_KEYWORDS):
        return dataset
    if not len(dataset) or _cut_short(dataset, len(data)):
        raise refusal("truncated", f"The DICOM file ends in mid-element, after {len(data):,} bytes, before any pixel.")
    return dataset


def _cut_short(dataset: Dataset, length: int) -> bool:
    """Whether the last element does not end where the file does: the reader keeps or drops one that is cut off."""
    try:
        last = dataset.get_item(max(dataset.keys()))
    except DECODER_ERRORS:
        return False
    if not isinstance(last, RawDataElement) or last.length == 0xFFFFFFFF:
        return False
    return text(dataset, "SOPClassUID") != "" and last.value_tell + last.length != length


def modality_of(dataset: Dataset) -> str:
    """Modality (0008,0060) in capitals; where it is absent, what the SOP class stores; else ""."""
    return text(dataset, "Modality").upper() or SOP_CLASSES.get(text(dataset, "SOPClassUID"), "")


def check_film(dataset: Dataset) -> list[str]:
    """Refuse what is not one still projection radiograph of a usable size, and warn of what may not be.

    Raises:
        FilmRefused: `no_pixels`, `not_a_radiograph`, `multi_frame`, `too_small`, `too_large`, `unsupported`.
    """
    modality = modality_of(dataset)
    named = modality if modality in KNOWN_MODALITIES else "unknown to DICOM"
    if not any(keyword in dataset for keyword in PIXEL_KEYWORDS):
        what = "is an index of a medium (DICOMDIR)" if "DirectoryRecordSequence" in dataset else "has no pixel data"
        raise refusal("no_pixels", f"The DICOM file {what}" + (f"; its modality is {named}." if modality else "."))
    if modality not in RADIOGRAPHS | PERHAPS_RADIOGRAPHS:
        raise refusal("not_a_radiograph", f"The modality is {named}; Hilum reads projection radiographs.")
    frames = whole(dataset, "NumberOfFrames", 1)
    if frames > 1:
        raise refusal("multi_frame", f"The file holds {frames} frames; a film is one.")
    if "PixelData" not in dataset:
        raise refusal("unsupported", "The pixel data are floating-point numbers; a film is made of integers.")
    if whole(dataset, "BitsAllocated", 16) > 32:
        raise refusal("unsupported", f"Pixels have {whole(dataset, 'BitsAllocated')} bits; at most 32 are read.")
    if not whole(dataset, "Rows") or not whole(dataset, "Columns"):
        raise refusal("decode", "The header does not say how many rows and columns the picture has.")
    check_size(whole(dataset, "Rows"), whole(dataset, "Columns"))
    if modality in RADIOGRAPHS:
        return []
    return [
        f"The modality is {modality}, which does not say that this is a radiograph."
        if modality
        else "The header names no modality: nothing says that this is a radiograph."
    ]
