"""Any pixel layout and header: the film has pydicom's own stored values by the standard's formulas, or is refused."""

from __future__ import annotations

import io
from typing import Any

import films
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from imaging import open_film
from imaging.failures import FilmRefused
from imaging.radiograph import Radiograph, SpacingOrigin
from imaging.refusals import REFUSALS

NEAR = 3e-6
"""float32 in [0, 1], a rounding or two."""

often = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    RLELossless,
)
FUNCTIONS = (None, "LINEAR", "LINEAR_EXACT", "SIGMOID", "sigmoid")


@st.composite
def layouts(draw: st.DrawFn) -> tuple[Dataset, str]:
    """A monochrome film of any coherent layout, and the transfer syntax to write it in."""
    allocated = draw(st.sampled_from([8, 16, 32]))
    stored = draw(st.integers(2, min(allocated, 24)))
    signed = draw(st.booleans())
    rows, columns = draw(st.integers(32, 41)), draw(st.integers(32, 41))
    low, high = (-(1 << stored - 1), (1 << stored - 1) - 1) if signed else (0, (1 << stored) - 1)
    values = np.random.default_rng(draw(st.integers(0, 1 << 20))).integers(low, high, (rows, columns), endpoint=True)
    syntax = draw(st.sampled_from(SYNTAXES))
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    found = films.dataset(np.zeros((rows, columns), np.uint16))
    found.BitsAllocated, found.BitsStored, found.HighBit = allocated, stored, stored - 1
    found.PixelRepresentation = int(signed)
    found.PhotometricInterpretation = draw(st.sampled_from(["MONOCHROME1", "MONOCHROME2"]))
    data = values.astype(f"{order}{'i' if signed else 'u'}{allocated // 8}").tobytes()
    found.PixelData = data + b"\0" * (len(data) % 2)
    found["PixelData"].VR = "OB" if allocated == 8 and syntax != ImplicitVRLittleEndian else "OW"
    return found, syntax


@st.composite
def displays(draw: st.DrawFn) -> dict[str, Any]:
    """Rescale and windows, as DS and CS elements carry them: none, one or several."""
    elements: dict[str, Any] = {}
    if draw(st.booleans()):
        elements["RescaleSlope"] = draw(st.sampled_from(["1", "0.5", "-1", "2.25", "1e-1"]))
        elements["RescaleIntercept"] = draw(st.sampled_from(["0", "-1024", "17.5"]))
    if draw(st.booleans()):
        count = draw(st.integers(1, 3))
        centres = [draw(st.integers(-200, 3000)) for _ in range(count)]
        widths = [draw(st.integers(1, 4000)) for _ in range(count)]
        elements["WindowCenter"] = centres if count > 1 else centres[0]
        elements["WindowWidth"] = widths if count > 1 else widths[0]
        elements["VOILUTFunction"] = draw(st.sampled_from(FUNCTIONS))
    return {keyword: value for keyword, value in elements.items() if value is not None}


def written(found: Dataset, syntax: str) -> bytes:
    """The file's bytes."""
    if syntax == RLELossless:
        return films.compressed(found, RLELossless)
    found.file_meta.TransferSyntaxUID = syntax
    return films.part10(found)


def by_the_standard(data: bytes, windowed: bool) -> np.ndarray:
    """Grey values of a monochrome file: pydicom's stored values, then PS3.3 C.11.1.1.2, C.11.2.1.2-3, C.7.6.3.1.2."""
    read = pydicom.dcmread(io.BytesIO(data))
    x = read.pixel_array.astype(np.float64) * float(read.get("RescaleSlope", 1)) + float(
        read.get("RescaleIntercept", 0)
    )
    if windowed:
        centre, width = (float(np.atleast_1d(read[name].value)[0]) for name in ("WindowCenter", "WindowWidth"))
        function = str(read.get("VOILUTFunction", "LINEAR")).upper()
        if function == "SIGMOID":
            y = 1 / (1 + np.exp(-4 * (x - centre) / width))
        elif function == "LINEAR_EXACT":
            y = np.select([x <= centre - width / 2, x > centre + width / 2], [0, 1], (x - centre) / width + 0.5)
        else:
            below, above = x <= centre - 0.5 - (width - 1) / 2, x > centre - 0.5 + (width - 1) / 2
            y = np.select([below, above], [0, 1], (x - (centre - 0.5)) / max(width - 1, 1) + 0.5)
    else:
        y = (x - x.min()) / (x.max() - x.min())
    return 1 - y if read.PhotometricInterpretation == "MONOCHROME1" else y


@often
@given(layout=layouts(), elements=displays())
def test_a_film_has_the_values_the_standard_gives(layout: tuple[Dataset, str], elements: dict[str, Any]) -> None:
    """Expected: pydicom's pixel_array and the formulas above; or a warning that the window is not used."""
    found, syntax = layout
    for keyword, value in elements.items():
        setattr(found, keyword, value)
    try:
        data = written(found, syntax)
    except ValueError:  # pydicom's RLE encoder takes 32 bits only where all are stored
        assume(False)
    try:
        pydicom.dcmread(io.BytesIO(data)).pixel_array  # noqa: B018
    except RuntimeError:  # its decoders do not read what its encoder makes of 8 bits or fewer in 16
        assert syntax == RLELossless and opened_or_refused(data) is None
        return
    film = open_film(data)
    windowed = film.source.window is not None
    if "WindowCenter" in elements and not windowed:
        assert any("not used" in warning or "not applied" in warning for warning in film.warnings)
    if windowed:
        first = (float(np.atleast_1d(elements[name])[0]) for name in ("WindowCenter", "WindowWidth"))
        assert film.source.window == tuple(first)
    np.testing.assert_allclose(film.pixels, by_the_standard(data, windowed), atol=NEAR)
    assert film.source.bits_stored == found.BitsStored and film.shape == (found.Rows, found.Columns)


@often
@given(
    planar=st.sampled_from([0, 1]), seed=st.integers(0, 999), grey=st.booleans(), syntax=st.sampled_from(SYNTAXES[:3])
)
def test_colour_is_read_whatever_its_planes(planar: int, seed: int, grey: bool, syntax: str) -> None:
    """Expected: pydicom's pixel_array [H, W, 3]; luminance by ITU-R BT.601 (C.7.6.3.1.2)."""
    values = np.random.default_rng(seed).integers(0, 256, (33, 40, 3), np.uint8)
    if grey:
        values[...] = values[..., :1]
    found = films.dataset(values, bits=8, PlanarConfiguration=planar)
    found.PixelData = (values.transpose(2, 0, 1) if planar else values).tobytes()
    data = written(found, syntax)
    expected = pydicom.dcmread(io.BytesIO(data)).pixel_array @ np.array([0.299, 0.587, 0.114]) / 255
    np.testing.assert_allclose(open_film(data).pixels, expected, atol=NEAR)


SPACINGS = {
    "PixelSpacing": SpacingOrigin.PIXEL_SPACING,
    "ImagerPixelSpacing": SpacingOrigin.IMAGER,
    "NominalScannedPixelSpacing": SpacingOrigin.NOMINAL,
}


@often
@given(
    tag=st.sampled_from(list(SPACINGS)), row=st.floats(0.05, 2), column=st.floats(0.05, 2), decimals=st.integers(2, 8)
)
def test_spacing_is_the_tag_s(tag: str, row: float, column: float, decimals: int) -> None:
    """Expected: the decimal strings (row, column) of PS3.3 10.7.1.3, as numbers, and the tag they came from."""
    said = [f"{row:.{decimals}f}", f"{column:.{decimals}f}"]
    film = open_film(films.part10(films.dataset(**{tag: said})))
    assert film.spacing_mm == pytest.approx(tuple(map(float, said))) and film.spacing_origin is SPACINGS[tag]


NUMBERS = st.one_of(st.integers(0, 70), st.sampled_from([255, 65535]))
ODD: dict[str, st.SearchStrategy[Any]] = {
    "Rows": NUMBERS,
    "Columns": NUMBERS,
    "BitsAllocated": NUMBERS,
    "BitsStored": NUMBERS,
    "HighBit": NUMBERS,
    "PixelRepresentation": st.integers(0, 3),
    "SamplesPerPixel": st.integers(0, 5),
    "PlanarConfiguration": st.integers(0, 3),
    "PhotometricInterpretation": st.sampled_from(
        ["", "MONOCHROME3", "RGB", "YBR_FULL", "YBR_FULL_422", "PALETTE COLOR"]
    ),
    "NumberOfFrames": st.sampled_from(["0", "1", "2", "-1", "999999", ""]),
    "WindowCenter": st.sampled_from(["", "nan", "1e300", ["1", "2"], "-0"]),
    "WindowWidth": st.sampled_from(["", "0", "-5", "1e300"]),
    "RescaleSlope": st.sampled_from(["0", "", "1e300", "-1e-300"]),
    "RescaleIntercept": st.sampled_from(["1e300", ""]),
    "PixelPaddingValue": NUMBERS,
    "PixelSpacing": st.sampled_from([["0", "0"], ["-1", "1"], ["1"], ["1", "1e300"], ""]),
    "PixelData": st.binary(max_size=9000),
}
VRS = ("US", "SS", "UL", "SL", "DS", "IS", "LO", "CS", "OB", "OW", "UN", "FD", "FL", "UT", "SQ", "AT")


def opened_or_refused(data: bytes) -> Radiograph | None:
    """The film, whole and in range; or None where it was refused by a kind of REFUSALS."""
    try:
        film = open_film(data)
    except FilmRefused as refused:
        assert refused.kind in REFUSALS and refused.message and refused.hint
        return None
    assert film.pixels.dtype == np.float32 and film.pixels.min() >= 0 and film.pixels.max() <= 1
    return film


@pytest.mark.filterwarnings("ignore")
@settings(often, max_examples=250)
@given(odd=st.fixed_dictionaries({}, optional=ODD), syntax=st.sampled_from(SYNTAXES[:3]))
def test_an_incoherent_header_opens_or_is_refused(odd: dict[str, Any], syntax: str) -> None:
    found = films.dataset(np.arange(1024, dtype=np.uint16).reshape(32, 32))
    with pydicom.config.disable_value_validation():
        for keyword, value in odd.items():
            setattr(found, keyword, value)
        try:
            data = written(found, syntax)
        except (ValueError, TypeError, AttributeError, OverflowError, OSError):  # pydicom cannot write it
            assume(False)
    opened_or_refused(data)


@pytest.mark.filterwarnings("ignore")
@settings(often, max_examples=150)
@given(
    keyword=st.sampled_from([*ODD, "StudyDate", "PatientAge", "ViewPosition", "PatientOrientation"]),
    vr=st.sampled_from(VRS),
    raw=st.binary(max_size=24),
)
def test_an_element_of_another_vr_opens_or_is_refused(keyword: str, vr: str, raw: bytes) -> None:
    """The element is written as raw bytes under a VR that is not its own."""
    found = films.dataset()
    if keyword in found:
        del found[keyword]
    data = films.part10(found)
    tag = pydicom.datadict.tag_for_keyword(keyword) or 0
    raw += b"\0" * (len(raw) % 2)
    long = vr in {"OB", "OW", "UN", "UT", "SQ"}
    length = b"\0\0" + len(raw).to_bytes(4, "little") if long else len(raw).to_bytes(2, "little")
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
    place = _place_of(data, tag)
    opened_or_refused(data[:place] + head + vr.encode() + length + raw + data[place:])


def _place_of(data: bytes, tag: int) -> int:
    """Where in a file's bytes an element of this tag belongs: before the first one of a higher tag."""
    read = pydicom.dcmread(io.BytesIO(data))
    for element in read:
        if int(element.tag) > tag:
            head = element.tag.group.to_bytes(2, "little") + element.tag.element.to_bytes(2, "little")
            return data.index(head + element.VR.encode(), 132)
    return len(data)


@pytest.mark.parametrize("frames", [2, 3])
def test_several_frames_are_refused(frames: int) -> None:
    values = np.tile(films.ramp(), (frames, 1))
    found = films.dataset(values, Rows=films.SIDE, NumberOfFrames=str(frames))
    with pytest.raises(FilmRefused) as caught:
        open_film(films.part10(found))
    assert caught.value.kind == "multi_frame" and str(frames) in caught.value.message


ORIENTED = {
    1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: np.transpose,
    6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a.T, 2), 8: lambda a: np.rot90(a, 1),
}  # fmt: skip
"""EXIF 2.3, Orientation (0x0112): what turns the stored rows and columns upright."""


@often
@given(
    kind=st.sampled_from(["PNG", "TIFF", "JPEG"]),
    bits=st.sampled_from([1, 8, 16]),
    rows=st.integers(32, 60),
    columns=st.integers(32, 60),
    orientation=st.integers(1, 8),
    top=st.integers(1, 16),
    seed=st.integers(0, 999),
)
def test_pictures_have_the_values_they_were_written_with(
    kind: str, bits: int, rows: int, columns: int, orientation: int, top: int, seed: int
) -> None:
    """Expected: values over the top of the bits in use (8, 10, 12, 14 or 16 in a 16-bit file), turned as EXIF says."""
    assume(kind != "JPEG" or bits == 8)
    values = np.random.default_rng(seed).integers(0, 1 << min(bits, top), (rows, columns))
    values[0, 0], values[0, 1] = 0, (1 << min(bits, top)) - 1
    image = Image.fromarray(values.astype(bool) if bits == 1 else values.astype(np.uint8 if bits == 8 else np.uint16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = films.picture(image, kind, exif=exif)
    whole = {1: 1, 8: 255, 16: (1 << next(b for b in (8, 10, 12, 14, 16) if values.max() < 1 << b)) - 1}[bits]
    stored = np.asarray(Image.open(io.BytesIO(data)).convert("L")) if kind == "JPEG" else values
    film = open_film(data)
    np.testing.assert_allclose(film.pixels, ORIENTED[orientation](stored) / whole, atol=NEAR)


@often
@given(
    kind=st.sampled_from(["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP"]),
    place=st.floats(0, 1),
    patch=st.binary(max_size=6),
)
def test_a_damaged_picture_opens_or_is_refused(kind: str, place: float, patch: bytes) -> None:
    data = films.picture(films.ramp(8, 48).astype(np.uint8), kind)
    start = int(place * len(data))
    opened_or_refused(data[:start] + patch + data[start + len(patch) :])
    opened_or_refused(data[: max(start, 1)])
