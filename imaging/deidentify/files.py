"""De-identified files: DICOM as DICOM, pictures as PNG without metadata, under names that hold no patient."""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from imaging.codecs import Quiet
from imaging.deidentify.burned_in import find_text
from imaging.deidentify.header import clean
from imaging.deidentify.outcome import Deidentified
from imaging.deidentify.pixels import clean_pixels, mask
from imaging.dicom import film_from_dataset
from imaging.elements import DECODER_ERRORS, text
from imaging.failures import BadArguments, FilmRefused
from imaging.files import open_film, read_bytes
from imaging.identity import installation_key, state_directory
from imaging.limits import check_bytes
from imaging.part10 import file_bytes, looks_like_dicom, read_dataset
from imaging.pictures import picture_format
from imaging.radiograph import Radiograph
from imaging.refusals import refusal
from imaging.sources import contents

NAME_HEX_DIGITS = 12
"""Hex digits of the hashed parts of a file's name: 48 bits, enough to tell the films of one folder apart."""

PICTURE_BITS = (8, 10, 12, 14, 16)
"""Bits a written picture may use, as `imaging.pictures.WIDE_BITS`: with as many as it was read with, it reads alike."""


@dataclass(frozen=True)
class FileOutcome:
    """One input and what became of it.

    Attributes:
        source: the input's own name, which may name a patient: for the person who gave it, not for a record.
        target: the file written; None when refused.
        result: what was removed; None when refused.
        refused: why nothing was written.
    """

    source: str
    target: Path | None = None
    result: Deidentified | None = None
    refused: FilmRefused | None = None


def deidentify(dataset: Dataset, key: bytes, *, mask_text: bool = False) -> Deidentified:
    """A de-identified copy of one film's dataset; the dataset itself is not changed.

    Args:
        dataset: a projection radiograph as `imaging.part10.read_dataset` gives it.
        key: secret bytes; the same key gives the same pseudonyms, UIDs and date shift.
        mask_text: whether boxes that may hold burned-in text are filled with black.

    Raises:
        FilmRefused: the dataset is no film that opens here; nothing else is de-identified, since what cannot be
            opened cannot be checked.
    """
    film = film_from_dataset(dataset)
    boxes = find_text(film.pixels)
    cleaned, log = clean(dataset, key)
    with Quiet():
        clean_pixels(dataset, cleaned, log)
        if mask_text:
            mask(cleaned, boxes, log)
    after = film_from_dataset(cleaned)
    masked = mask_text and bool(boxes)
    if after.id != film.id and not masked:
        raise refusal("decode", "The pixel data do not survive being written anew.")
    return Deidentified(
        dataset=cleaned,
        removed=tuple(sorted(log.entries)),
        text_boxes=tuple(boxes),
        masked=masked,
        film_id=after.id,
        warnings=_warnings(film, bool(boxes), masked),
        patient=text(cleaned, "PatientID") or _hashed(key, "patient", text(cleaned, "PatientName") or "unknown"),
        study=_hashed(key, "study", text(cleaned, "StudyInstanceUID") or text(cleaned, "SOPInstanceUID")),
        instance=_hashed(key, "instance", text(cleaned, "SOPInstanceUID")),
    )


def _hashed(key: bytes, kind: str, name: str) -> str:
    """A short keyed hash for a file's or folder's name."""
    return hmac.new(key, f"{kind}:{name}".encode(), hashlib.sha256).hexdigest()[:NAME_HEX_DIGITS]


def _warnings(film: Radiograph, found: bool, masked: bool) -> tuple[str, ...]:
    """What is left for a person to look at."""
    warnings = [warning for warning in film.warnings if "burned into" in warning]
    if masked:
        warnings.append("Places that may hold burned-in text were blacked out; text that was not found is still there.")
    elif found:
        warnings.append("Text or a marker may be burned into the picture; the picture was left as it is.")
    return tuple(warnings)


def deidentify_bytes(data: bytes, key: bytes, *, mask_text: bool = False) -> tuple[bytes, Deidentified]:
    """The bytes of a de-identified file (DICOM for DICOM, PNG for a picture), opened again as a check.

    Args:
        data: a file's bytes.
        key: secret bytes.
        mask_text: as in `deidentify`.

    Raises:
        FilmRefused: the bytes are no film.
    """
    check_bytes(len(data))
    if looks_like_dicom(data) and (picture_format(data) is None or data[128:132] == b"DICM"):
        result = deidentify(read_dataset(data), key, mask_text=mask_text)
        cleaned = result.dataset
        if cleaned is None:
            raise refusal("decode", "The film gave no dataset.")
        try:
            with Quiet():
                written = file_bytes(cleaned)
        except DECODER_ERRORS as error:
            raise refusal("decode", f"The film cannot be written anew ({type(error).__name__}).") from None
    else:
        written, result = _picture(data, key, mask_text)
    if open_film(written).id != result.film_id:
        raise refusal("decode", "The pixel data do not survive being written anew.")
    return written, result


def _picture(data: bytes, key: bytes, mask_text: bool) -> tuple[bytes, Deidentified]:
    """A picture as grey PNG of 8 or 16 bits: no EXIF, no text chunks, no thumbnail, no colour."""
    film = open_film(data)
    boxes = find_text(film.pixels)
    pixels = np.array(film.pixels)
    if mask_text:
        for top, left, bottom, right in boxes:
            pixels[int(top) : int(bottom), int(left) : int(right)] = 0
    bits = next((bits for bits in PICTURE_BITS if film.source.bits_stored <= bits), PICTURE_BITS[-1])
    values = np.round(pixels.astype(np.float64) * ((1 << bits) - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    written = stream.getvalue()
    masked = mask_text and bool(boxes)
    name = _hashed(key, "instance", film.id)
    return written, Deidentified(
        dataset=None,
        removed=((f"{film.source.format} metadata", "X"), *((("pixels", "C"),) if masked else ())),
        text_boxes=tuple(boxes),
        masked=masked,
        film_id=open_film(written).id,
        warnings=_warnings(film, bool(boxes), masked),
        patient="pictures",
        study=name,
        instance=name,
    )


def deidentify_file(
    source: str | Path, target: str | Path, key: bytes | None = None, *, mask_text: bool = False
) -> Deidentified:
    """De-identify one file into another, which must not exist yet; the target appears whole or not at all.

    Args:
        source: a DICOM film or a picture.
        target: the file to write; its name is the caller's to choose.
        key: secret bytes; the installation's own key when None.
        mask_text: as in `deidentify`.

    Raises:
        FilmRefused: the source is no film; `exists`; `unreadable` when the target cannot be written.
    """
    written, result = deidentify_bytes(read_bytes(Path(source)), _key(key), mask_text=mask_text)
    _write(Path(target), written)
    return result


def deidentify_all(
    paths: Sequence[str | Path], folder: str | Path, key: bytes | None = None, *, mask_text: bool = False
) -> Iterator[FileOutcome]:
    """De-identify files, folders and zip archives into folder/<patient>/<study>/<film>, names hashed.

    Args:
        paths: what to read; folders with all that lies below.
        folder: where to write; made when absent; not inside one of `paths`.
        key: secret bytes; the installation's own key when None.
        mask_text: as in `deidentify`.

    Returns:
        One outcome per file as it is done: written, or refused with the reason, `duplicate` for a film that came
        before.

    Raises:
        BadArguments: the folder lies inside one of the paths.
    """
    secret, root = _key(key), Path(folder)
    if any(root.resolve().is_relative_to(Path(path).resolve()) for path in paths):
        raise BadArguments("The folder to write to lies inside what is read.", "Give a folder elsewhere.")
    done: dict[Path, str] = {}
    for content in contents(paths):
        if content.data is None:
            yield FileOutcome(content.name, refused=content.refused)
            continue
        try:
            written, result = deidentify_bytes(content.data, secret, mask_text=mask_text)
            suffix = ".png" if result.dataset is None else ".dcm"
            target = root / result.patient / result.study / f"{result.instance}{suffix}"
            if done.get(target) == result.film_id:
                raise refusal("duplicate", "The same film came before, and is written.")
            _write(target, written)
            done[target] = result.film_id
        except FilmRefused as refused:
            yield FileOutcome(content.name, refused=refused)
        else:
            yield FileOutcome(content.name, target, result)


def _key(key: bytes | None) -> bytes:
    return installation_key(state_directory()) if key is None else key


def _write(target: Path, data: bytes) -> None:
    """Write a file that was not there, whole or not at all.

    Raises:
        FilmRefused: `exists`, `unreadable`.
    """
    fresh = target.parent / f".{secrets.token_hex(8)}.part"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            fresh.write_bytes(data)
            # A link fails where a rename would overwrite.
            os.link(fresh, target)
        finally:
            fresh.unlink(missing_ok=True)
    except FileExistsError:
        raise refusal("exists", "The file to write is there already.") from None
    except (OSError, ValueError) as error:
        raise refusal("unreadable", f"The file cannot be written ({type(error).__name__}).") from None
