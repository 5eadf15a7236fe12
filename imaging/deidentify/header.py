"""A header gone through by the allow-list (PS3.15 Annex E, Basic Profile, with dates moved and age and sex kept)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID

from imaging.codecs import Quiet, syntax_of
from imaging.deidentify import allowlist, elements
from imaging.deidentify.subject import Subject
from imaging.elements import DECODER_ERRORS, text, value
from imaging.header import acquired_on, age_of, view_of
from imaging.part10 import SOP_CLASSES, modality_of
from imaging.refusals import refusal

Action = str
"""A letter of PS3.15 Table E.1-1a: X removed, Z emptied, D replaced by a dummy, U a UID replaced, C cleaned."""

MAX_DEPTH = 8
"""Nesting of sequences that is followed; no allow-listed sequence of the standard nests deeper than three."""

ASSUMED = {"SamplesPerPixel": 1, "PixelRepresentation": 0}
"""What reading assumes where a damaged header says nothing (imaging.dicom); writing needs it said."""

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""Secondary Capture Image Storage (PS3.4 B.5): what a film of a private SOP class becomes if no modality helps."""

IMPLEMENTATION_UID = "2.25.119212030511437"
"""Implementation Class UID of Hilum's files, as in the phantom's."""

METHOD = ("Hilum: PS3.15 Annex E Basic Profile by allow-list", "dates moved, times of day, sex and age kept")
"""DeidentificationMethod (0012,0063): LO, at most 64 characters a value."""

METHOD_CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ("113108", "Retain Patient Characteristics Option"),
)
"""CID 7050 of PS3.16, scheme DCM. Clean Pixel Data (113101) is never claimed: a detector of text can miss some."""


@dataclass
class Log:
    """(keyword, action) of what did not stay as it was, never a value. Private tags stand as (gggg,eeee)."""

    entries: list[tuple[str, Action]] = field(default_factory=list)

    def note(self, path: str, action: Action) -> None:
        """Remember one element, once."""
        if (path, action) not in self.entries:
            self.entries.append((path, action))

    def settle(self, path: str, action: Action = "") -> None:
        """Replace what was noted of an element; "" says that it stayed as it was after all."""
        self.entries = [entry for entry in self.entries if entry[0] != path]
        if action:
            self.note(path, action)


def name_of(tag: BaseTag) -> str:
    """Keyword of a tag, or its number."""
    keyword = "" if tag.is_private else keyword_for_tag(tag)
    return keyword or f"({tag.group:04x},{tag.element:04x})"


def clean(dataset: Dataset, key: bytes) -> tuple[Dataset, Log]:
    """A new dataset with file meta, holding what the allow-list keeps of a film's, and the log. The old one stays.

    Raises:
        FilmRefused: `unsupported` when the encoding of the pixel data is not known.
    """
    with Quiet():
        syntax = syntax_of(dataset)
        if syntax is None:
            raise refusal("unsupported", "The file does not say how its elements are encoded (no Transfer Syntax UID).")
        subject, log = Subject.of(dataset, key), Log()
        cleaned = _clean_items(dataset, subject, log, "", 0)
        for keyword, assumed in ASSUMED.items():
            if keyword not in cleaned:
                setattr(cleaned, keyword, assumed)
        _identify(dataset, cleaned, subject, log)
        _say_view(dataset, cleaned, log)
        _declare(cleaned, log)
        _file_meta(dataset, cleaned, syntax, subject, log)
    return cleaned, log


def _clean_items(dataset: Dataset, subject: Subject, log: Log, above: str, depth: int) -> Dataset:
    """The allowed elements of one dataset or item."""
    cleaned = Dataset()
    for tag in list(dataset.keys()):
        name = name_of(BaseTag(tag))
        path = f"{above}{name}"
        try:
            element = dataset[tag]
            kept, action = _element(element, name, subject, log, path, depth)
        except DECODER_ERRORS:
            kept, action = None, "X"
        if kept is not None:
            cleaned.add(kept)
        if action:
            log.note(path, action)
    _keep_codes(dataset, cleaned, log, above)
    return cleaned


def _element(
    element: DataElement, name: str, subject: Subject, log: Log, path: str, depth: int
) -> tuple[DataElement | None, Action]:
    """What remains of one element, and the action to note ("" for kept as it was)."""
    if element.tag.is_private or not _may_stay(name) or not elements.fits(element):
        return None, "X"
    if name in allowlist.EMPTIED_SEQUENCES and element.VR == "SQ":
        return _made(name, Sequence()), "Z" if element.value else ""
    if name in allowlist.SEQUENCES:
        if element.VR != "SQ" or depth >= MAX_DEPTH:
            return None, "X"
        inner = [_clean_items(item, subject, log, f"{path}/", depth + 1) for item in element.value]
        return _made(name, Sequence([item for item in inner if len(item)])), ""
    if name in allowlist.BULK:
        found = elements.bulk(element)
        return (None, "X") if found is None else (_made(name, found, str(element.VR)), "")
    values = _values(element.value)
    if not values:
        return _made(name, None), ""
    return _single(element, name, values, subject)


def _single(element: DataElement, name: str, values: list[Any], subject: Subject) -> tuple[DataElement | None, Action]:
    """A term, number, moment or UID."""
    first = str(values[0]).strip().strip("\0")
    if name in allowlist.TERMS or name in allowlist.PATTERNS:
        words = elements.terms(name, values)
        return (None, "X") if words is None else (_made(name, words), "")
    if name in allowlist.COUNTS or name in allowlist.MEASURES:
        vr = dictionary_VR(element.tag)
        found = elements.numbers(name, values, whole=vr not in {"DS", "FD", "FL"})
        if found is None:
            return None, "X"
        written = [elements.decimal_text(number) for number in found] if vr == "DS" else found
        return _made(name, written, str(element.VR)), ""
    if name in allowlist.UIDS:
        return _made(name, subject.uid(first)), "U"
    if name in allowlist.CLASS_UIDS:
        known = elements.registered_class(first)
        return (None, "X") if known is None else (_made(name, known), "")
    moved = elements.moment(name, first, subject)
    return (None, "X") if moved is None else (_made(name, moved), "C")


def _may_stay(name: str) -> bool:
    """Whether an attribute may stay in some form."""
    return (
        name in allowlist.TERMS
        or name in allowlist.PATTERNS
        or name in allowlist.UIDS | allowlist.CLASS_UIDS | allowlist.BULK
        or name in allowlist.SEQUENCES | allowlist.EMPTIED_SEQUENCES
        or name in allowlist.COUNTS | allowlist.MEASURES
        or name in allowlist.DATES | allowlist.DATE_TIMES | allowlist.TIMES
    )


def _values(found: Any) -> list[Any]:
    """The values of an element as a list, without empty ones."""
    if found is None or isinstance(found, bytes):
        return []
    parts = [found] if isinstance(found, str) or not hasattr(found, "__iter__") else list(found)
    return [part for part in parts if part is not None and str(part).strip()]


def _made(name: str, found: Any, vr: str | None = None) -> DataElement:
    """A fresh element, so that no byte of the old one travels."""
    tag = tag_for_keyword(name)
    if tag is None:
        raise KeyError(name)
    expected = dictionary_VR(tag)
    chosen = vr if vr and vr in expected.split(" or ") else expected
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    return DataElement(tag, chosen, found)


def _keep_codes(dataset: Dataset, cleaned: Dataset, log: Log, above: str) -> None:
    """A code of an item when it is one of ours, with the meaning that we know for it, not the one that was typed."""
    if not above or "CodeValue" not in dataset:
        return
    code, scheme = text(dataset, "CodeValue"), text(dataset, "CodingSchemeDesignator")
    meaning = allowlist.CODES.get((code, allowlist.SCHEMES.get(scheme, scheme)))
    if meaning is None:
        return
    cleaned.CodeValue, cleaned.CodingSchemeDesignator, cleaned.CodeMeaning = code, scheme, meaning
    log.settle(f"{above}CodeValue")
    log.settle(f"{above}CodingSchemeDesignator")
    log.settle(f"{above}CodeMeaning", "" if text(dataset, "CodeMeaning") == meaning else "D")


def _identify(dataset: Dataset, cleaned: Dataset, subject: Subject, log: Log) -> None:
    """Pseudonyms, age, and the empty elements that the patient and study modules want (Type 2)."""
    years, _ = age_of(dataset, acquired_on(dataset))
    for keyword in allowlist.EMPTIED:
        if keyword in dataset and keyword not in cleaned:
            log.settle(keyword, "Z")
        if keyword not in cleaned:
            setattr(cleaned, keyword, "")
    cleaned.PatientName = f"Patient^{subject.pseudonym}" if subject.named else ""
    cleaned.PatientID = subject.pseudonym if text(dataset, "PatientID") else ""
    for keyword in ("PatientName", "PatientID"):
        if keyword in dataset:
            log.settle(keyword, "D" if text(cleaned, keyword) else "Z")
    age = elements.age(text(dataset, "PatientAge"), years)
    if age is not None:
        cleaned.PatientAge = age
        log.settle("PatientAge", "" if age == text(dataset, "PatientAge") else "C")


def _say_view(dataset: Dataset, cleaned: Dataset, log: Log) -> None:
    """Series Description as one word where the removed descriptions alone said which view the film is."""
    before, after = view_of(dataset)[0], view_of(cleaned)[0]
    if before is not after and before in allowlist.VIEW_SPELLINGS:
        cleaned.SeriesDescription = allowlist.VIEW_SPELLINGS[before]
        log.settle("SeriesDescription", "C")


def _declare(cleaned: Dataset, log: Log) -> None:
    """That and how the film was de-identified (PS3.15 E.1.1 step 6, PS3.3 C.7.1.1 and C.12.1)."""
    cleaned.SpecificCharacterSet = "ISO_IR 192"
    log.settle("SpecificCharacterSet")
    cleaned.PatientIdentityRemoved = "YES"
    cleaned.DeidentificationMethod = list(METHOD)
    cleaned.LongitudinalTemporalInformationModified = "MODIFIED"
    codes = []
    for code, meaning in METHOD_CODES:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "DCM", meaning
        codes.append(item)
    cleaned.DeidentificationMethodCodeSequence = Sequence(codes)


def _file_meta(dataset: Dataset, cleaned: Dataset, syntax: UID, subject: Subject, log: Log) -> None:
    """New file meta information (PS3.10 7.1): nothing of the old one but the transfer syntax."""
    if "SOPClassUID" not in cleaned:
        named = {modality: uid for uid, modality in SOP_CLASSES.items()}
        cleaned.SOPClassUID = named.get(modality_of(dataset), SECONDARY_CAPTURE)
    if "SOPInstanceUID" not in cleaned or not text(cleaned, "SOPInstanceUID"):
        pixels = value(dataset, "PixelData")
        cleaned.SOPInstanceUID = subject.uid(hashlib.sha256(pixels if isinstance(pixels, bytes) else b"").hexdigest())
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = cleaned.SOPClassUID
    meta.MediaStorageSOPInstanceUID = cleaned.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = "HILUM"
    old = getattr(dataset, "file_meta", None)
    for tag in old.keys() if isinstance(old, Dataset) else ():
        name = name_of(BaseTag(tag))
        if name not in {"TransferSyntaxUID", "FileMetaInformationGroupLength", "FileMetaInformationVersion"}:
            log.note(f"file meta/{name}", "U" if name == "MediaStorageSOPInstanceUID" else "X")
    cleaned.file_meta = meta
