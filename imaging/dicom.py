"""A DICOM dataset to a Radiograph: stored values -> modality LUT -> VOI LUT or window -> polarity (PS3.4 N.2).

Pure but for the pseudonym key. Pixels come out as P-Values in [0, 1] with bone white, whatever the file's polarity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from imaging import codecs, header
from imaging.elements import DECODER_ERRORS, items, numbers, text, value, whole
from imaging.identity import pseudonym
from imaging.intensity import (
    TABLE_LIMIT,
    WINDOW_FUNCTIONS,
    Curve,
    FloatArray,
    LookUp,
    Window,
    apply,
    clipped_share,
    full_range,
    luminance,
)
from imaging.part10 import check_film, modality_of
from imaging.radiograph import Radiograph, Source, View, canonical, film_id
from imaging.refusals import refusal

MONOCHROME = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR")
"""Photometric Interpretation (0028,0004), PS3.3 C.7.6.3.1.2, as far as pydicom turns it into RGB."""

COLOURED_PICTURE = 0.1
"""Share of coloured pixels above which a picture is a photograph or a chart, not a grey film with coloured notes."""

CLIPPED_WARNING = 0.6
"""Share of pixels driven to black or white above which a window is mentioned; collimated films reach 0.3 to 0.4."""

CLIPPED_USELESS = 0.99
"""Share above which a window shows nothing and is not used."""

CONTRAST_USELESS = 0.02
"""Difference between the brightest and darkest grey below which a window shows nothing: five of 256 grey levels."""

LUT_BITS = range(8, 17)
"""Bits per entry of a look-up table: 8 to 16 (PS3.3 C.11.1.1.1, C.11.2.1.1)."""


PALETTE_COLOURS = ("Red", "Green", "Blue")
IMAGE_KEYWORDS = (
    *("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("PlanarConfiguration", "PhotometricInterpretation", "PixelData"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *(f"{colour}PaletteColorLookupTableDescriptor" for colour in PALETTE_COLOURS),
    *(f"{colour}PaletteColorLookupTableData" for colour in PALETTE_COLOURS),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in PALETTE_COLOURS),
)
"""All that a decoder is shown of a dataset (Image Pixel module, PS3.3 C.7.6.3, and palettes, C.7.9)."""


@dataclass(frozen=True, eq=False)
class Grey:
    """Pixels float32 [H, W] in [0, 1], 1 white, with the window used and what is to be said about them."""

    pixels: npt.NDArray[np.float32]
    window: tuple[float, float] | None
    warnings: list[str]


def look_up(dataset: Dataset, item: Dataset) -> LookUp | None:
    """The table of a Modality or VOI LUT Sequence item (PS3.3 C.11.1.1.1), or None when it is damaged.

    Entries may come as numbers or, with VR OW, as bytes in the file's order; 8-bit entries may be packed two a word.
    """
    descriptor = numbers(item, "LUTDescriptor")
    raw = value(item, "LUTData")
    if len(descriptor) != 3 or raw is None or int(descriptor[2]) not in LUT_BITS:
        return None
    count, first, bits = int(descriptor[0]) % 0x10000 or 0x10000, int(descriptor[1]), int(descriptor[2])
    if whole(dataset, "PixelRepresentation") == 1 and first > 0x7FFF:
        first -= 0x10000
    try:
        if isinstance(raw, bytes):
            syntax = codecs.syntax_of(dataset)
            wide = ">u2" if syntax is not None and not syntax.is_little_endian else "<u2"
            packed = bits == 8 and len(raw) in (count, count + 1)
            entries = np.frombuffer(raw, dtype="u1" if packed else wide)[:count].astype(np.float64)
        else:
            entries = np.asarray(raw, dtype=np.float64).reshape(-1)[:count]
    except (TypeError, ValueError):
        return None
    return LookUp(first, bits, entries) if len(entries) else None


def modality_curve(dataset: Dataset) -> tuple[Curve, list[str]]:
    """Stored values to modality units: Modality LUT Sequence, else Rescale Slope and Intercept (PS3.3 C.11.1)."""
    for item in items(dataset, "ModalityLUTSequence")[:1]:
        table = look_up(dataset, item)
        if table is not None:
            return table.curve, []
        return _identity, ["The Modality LUT in the header is damaged and was not applied."]
    slope = (numbers(dataset, "RescaleSlope") or [1.0])[0]
    intercept = (numbers(dataset, "RescaleIntercept") or [0.0])[0]
    if slope == 0:
        return _identity, ["Rescale Slope in the header is 0 and was not applied."]
    if (slope, intercept) == (1.0, 0.0):
        return _identity, []
    return (lambda values: values * slope + intercept), []


def _identity(values: FloatArray) -> FloatArray:
    return values


def first_window(dataset: Dataset) -> tuple[Window | None, list[str]]:
    """The first of the header's windows (PS3.3 C.11.2.1.2: several are alternative views), and warnings."""
    centres, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    if not centres or not widths:
        damaged = text(dataset, "WindowCenter") or text(dataset, "WindowWidth")
        return None, (["The window in the header is damaged and was not applied."] if damaged else [])
    function = text(dataset, "VOILUTFunction").upper() or "LINEAR"
    warnings = []
    if function not in WINDOW_FUNCTIONS:
        function = "LINEAR"
        warnings.append("VOI LUT Function in the header is not a known one; LINEAR was used.")
    window = Window(centres[0], widths[0], function)
    if not window.valid:
        return None, [*warnings, f"The window in the header has width {window.width:g} and was not applied."]
    return window, warnings


def _voi(dataset: Dataset) -> tuple[Curve | None, Window | None, list[str]]:
    """The VOI LUT Sequence's first table if there is one, else the first window (PS3.3 C.11.2).

    The standard lets a viewer choose when both are there; like pydicom's apply_voi_lut we prefer the table.
    """
    found = items(dataset, "VOILUTSequence")
    table = look_up(dataset, found[0]) if found else None
    if table is not None:
        return table.grey, None, []
    window, warnings = first_window(dataset)
    return (window.curve if window else None), window, warnings


def padding_mask(dataset: Dataset, stored: codecs.StoredArray) -> npt.NDArray[np.bool_] | None:
    """True where a stored value [H, W] is Pixel Padding Value (0028,0120), or between it and the Range Limit.

    PS3.3 C.7.5.1.1.2. None when there is none, when no pixel has it, or when all have.
    """
    first = numbers(dataset, "PixelPaddingValue")
    if not first:
        return None
    last = numbers(dataset, "PixelPaddingRangeLimit") or first
    low, high = sorted((int(first[0]), int(last[0])))
    mask: npt.NDArray[np.bool_] = (stored >= low) & (stored <= high)
    return mask if mask.any() and not mask.all() else None


def _value_range(curve: Curve, stored: codecs.StoredArray) -> tuple[float, float]:
    """Least and greatest value of the curve over the stored values that occur."""
    low, high = int(stored.min()), int(stored.max())
    if high - low < TABLE_LIMIT:
        present = np.zeros(high - low + 1, dtype=np.bool_)
        present[(stored.astype(np.int64) - low).ravel()] = True
        values = curve((np.flatnonzero(present) + low).astype(np.float64))
    else:
        values = curve(np.array([low, high], dtype=np.float64))
    return float(values.min()), float(values.max())


def monochrome(dataset: Dataset, stored: codecs.StoredArray, inverted: bool) -> Grey:
    """Grey values of stored values [H, W] of one sample (PS3.4 N.2.1; MONOCHROME1 is inverted after the VOI LUT).

    Without a usable window or VOI LUT the full range of the values that are not padding is shown; padding is black.
    """
    mask = padding_mask(dataset, stored)
    shown = stored if mask is None else stored[~mask]
    modality, warnings = modality_curve(dataset)
    voi, window, voi_warnings = _voi(dataset)
    warnings += voi_warnings
    low, high = _value_range(modality, shown)

    if voi is not None:
        grey = apply(_after(modality, voi), shown)
        clipped, contrast = clipped_share(grey), float(grey.max() - grey.min())
        name = f"centre {window.centre:g}, width {window.width:g}" if window else "a VOI LUT"
        if high > low and (clipped >= CLIPPED_USELESS or contrast < CONTRAST_USELESS):
            warnings.append(f"The header's window ({name}) hides the picture (values {low:g} to {high:g}): not used.")
            voi, window = None, None
        elif clipped > CLIPPED_WARNING:
            warnings.append(f"The header's window ({name}) drives {clipped:.0%} of the pixels to black or white.")
    elif high > low:
        warnings.append(f"The header gives no usable window: the full range of values, {low:g} to {high:g}, is shown.")
    if high <= low:
        warnings.append("All pixels have the same value.")

    pixels = apply(_after(modality, voi or full_range(low, high)), stored)
    if inverted:
        pixels = np.float32(1) - pixels
    if mask is not None:
        pixels[mask] = 0
        warnings.append(f"{mask.mean():.0%} of the film is padding, shown black.")
    return Grey(pixels, (window.centre, window.width) if window else None, warnings)


def _after(first: Curve, second: Curve) -> Curve:
    return lambda values: second(first(values))


def _is_inverted(dataset: Dataset, photometric: str) -> tuple[bool, list[str]]:
    """Whether high values are dark, and a warning on a contradicting header.

    MONOCHROME1 says so (PS3.3 C.7.6.3.1.2), and so does Presentation LUT Shape (2050,0020) INVERSE. For a DX image
    the two repeat each other (PS3.3 C.8.11.3.1.2), so together they are one inversion. INVERSE is honoured on
    MONOCHROME2 as DCMTK does; IDENTITY, which many writers put everywhere, does not undo MONOCHROME1.
    """
    shape = text(dataset, "PresentationLUTShape").upper()
    inverted = photometric == "MONOCHROME1" or shape == "INVERSE"
    if shape in {"INVERSE", "IDENTITY"} and (shape == "INVERSE") != (photometric == "MONOCHROME1"):
        return inverted, [
            f"The header contradicts itself ({photometric}, Presentation LUT Shape {shape}): high values were taken "
            "as dark, the film may be inverted."
        ]
    return inverted, []


def grey_of(dataset: Dataset, stored: codecs.StoredArray, photometric: str) -> Grey:
    """Grey values of decoded pixel data, [H, W] or RGB [H, W, 3].

    Raises:
        FilmRefused: `not_a_radiograph` for a coloured picture that no modality calls a radiograph.
    """
    if stored.ndim == 2:
        inverted, warnings = _is_inverted(dataset, photometric)
        grey = monochrome(dataset, stored, inverted)
        return Grey(grey.pixels, grey.window, warnings + grey.warnings)
    plane, coloured = luminance(stored)
    if coloured > COLOURED_PICTURE and modality_of(dataset) not in {"CR", "DX", "RG"}:
        raise refusal("not_a_radiograph", f"{coloured:.0%} of the pixels are coloured: a photograph or chart.")
    bits = stored.dtype.itemsize * 8
    if photometric != "PALETTE COLOR":
        bits = min(whole(dataset, "BitsStored", bits) or bits, bits)
    warnings = ["The film is stored in colour and was turned to grey."]
    if coloured > COLOURED_PICTURE:
        warnings.append(f"{coloured:.0%} of the pixels are coloured: this may not be a radiograph.")
    return Grey(np.clip(plane / ((1 << bits) - 1), 0, 1).astype(np.float32), None, warnings)


def _photometric(dataset: Dataset) -> tuple[str, list[str]]:
    """Photometric Interpretation; MONOCHROME2 with a warning where a one-sample film says nothing.

    Raises:
        FilmRefused: `unsupported`.
    """
    said = text(dataset, "PhotometricInterpretation").upper()
    if said in MONOCHROME or said in COLOUR:
        return said, []
    if not said and whole(dataset, "SamplesPerPixel", 1) == 1:
        return "MONOCHROME2", ["The header does not say whether high values are white: MONOCHROME2 was assumed."]
    raise refusal("unsupported", "The photometric interpretation is none that is read here.")


def film_from_dataset(dataset: Dataset) -> Radiograph:
    """The Radiograph of one DICOM dataset (CR, DX, RG, or an unnamed grey still picture).

    Raises:
        FilmRefused: any kind of imaging.refusals.REFUSALS that a dataset can cause.
    """
    with codecs.Quiet():
        return _film(dataset)


def _film(dataset: Dataset) -> Radiograph:
    """`film_from_dataset`, with pydicom's warnings kept quiet: elements are parsed, and warned of, on first use."""
    warnings = check_film(dataset)
    photometric, notes = _photometric(dataset)
    warnings += notes
    rows, columns = whole(dataset, "Rows"), whole(dataset, "Columns")
    syntax = codecs.syntax_of(dataset)
    if syntax is None:
        raise refusal("unsupported", "The file does not say how its pixel data are encoded (no Transfer Syntax UID).")
    if syntax not in codecs.KNOWN_SYNTAXES:
        raise refusal("unsupported", "The transfer syntax is private or not one of a still picture.")
    readable = _with_defaults(dataset, photometric, syntax)
    if syntax.is_encapsulated:
        warnings += codecs.check_stream(readable, rows, columns)
    else:
        codecs.check_native(readable, rows, columns)
    stored = codecs.stored_values(readable, syntax)
    if stored.shape[:2] != (rows, columns):
        raise refusal("decode", f"The header says {rows} x {columns} pixels, the decoder gave {stored.shape[:2]}.")
    if stored.ndim == 2:
        stored, notes = codecs.within_stored_bits(dataset, stored, native=not syntax.is_encapsulated)
        warnings += notes
    grey = grey_of(dataset, stored, photometric)
    return _assemble(dataset, grey, photometric, syntax.name, warnings + grey.warnings)


def _with_defaults(dataset: Dataset, photometric: str, syntax: codecs.UID) -> Dataset:
    """A shallow copy that a decoder accepts: file meta, photometric interpretation and samples filled in.

    Raises:
        FilmRefused: `decode`.
    """
    copy = Dataset()
    try:
        for keyword in IMAGE_KEYWORDS:
            if keyword in dataset:
                copy[keyword] = dataset[keyword]
        copy.file_meta = codecs.meta_for(syntax)
        copy.PhotometricInterpretation = photometric
        if "SamplesPerPixel" not in copy:
            copy.SamplesPerPixel = 1
        if "PixelRepresentation" not in copy:
            copy.PixelRepresentation = 0
        if not isinstance(copy.PixelData, bytes):
            raise refusal("decode", "The pixel data are not a string of bytes.")
    except DECODER_ERRORS as error:
        raise refusal("decode", f"The image elements of the header are damaged ({type(error).__name__}).") from None
    return copy


def _assemble(dataset: Dataset, grey: Grey, photometric: str, syntax_name: str, warnings: list[str]) -> Radiograph:
    """The Radiograph of finished pixels, with the header's facts."""
    view, view_warnings = header.view_of(dataset)
    spacing, origin, spacing_warnings = header.spacing_of(dataset)
    aspect, aspect_warnings = header.aspect_of(dataset, spacing)
    body_part, body_warnings = header.body_part_of(dataset)
    acquired = header.acquired_on(dataset)
    age, age_warnings = header.age_of(dataset, acquired)
    warnings = [*body_warnings, *warnings, *view_warnings, *spacing_warnings, *aspect_warnings, *age_warnings]
    warnings += header.orientation_warnings(dataset, view) + header.other_warnings(dataset)
    pixels = canonical(grey.pixels)
    return Radiograph(
        id=film_id(pixels),
        pixels=pixels,
        source=Source(
            format="DICOM",
            rows=pixels.shape[0],
            columns=pixels.shape[1],
            bits_stored=whole(dataset, "BitsStored", whole(dataset, "BitsAllocated", 8)),
            photometric=photometric,
            modality=modality_of(dataset) or None,
            transfer_syntax=syntax_name,
            window=grey.window,
            body_part=body_part,
            laterality=header.laterality_of(dataset),
            pixel_aspect=aspect,
            magnification=header.magnification_of(dataset),
            orientation=header.orientation_of(dataset),
        ),
        spacing_mm=spacing,
        spacing_origin=origin,
        view=view,
        view_origin="none" if view is View.UNKNOWN else "header",
        acquired=acquired,
        age_years=age,
        sex=header.sex_of(dataset),
        patient_key=pseudonym("patient", text(dataset, "PatientID"), text(dataset, "IssuerOfPatientID")),
        study_key=pseudonym("study", text(dataset, "StudyInstanceUID")),
        warnings=tuple(dict.fromkeys(warnings)),
    )
