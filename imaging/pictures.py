"""Pictures that are not DICOM (PNG, JPEG, TIFF, WebP, BMP, GIF, JPEG 2000) to Radiographs, through Pillow.

They carry no window, no polarity and no spacing worth believing: grey values are taken as they are, 0 black.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from imaging.codecs import Quiet, jpeg2000_size, jpeg_size
from imaging.derived import known_again
from imaging.elements import DECODER_ERRORS
from imaging.intensity import luminance
from imaging.limits import MAX_PIXELS, check_size
from imaging.radiograph import Radiograph, Source, canonical, film_id
from imaging.refusals import refusal

FIRST_FRAME_ENOUGH = frozenset({"MPO"})
"""A JPEG with a second picture, as telephones write it; Pillow's JPEG reader finds out."""

COLOURED_PICTURE = 0.1
"""Share of coloured pixels above which a picture is a photograph or a chart, not a grey film with coloured notes."""

WIDE_BITS = (8, 10, 12, 14, 16)
"""Bits a detector delivers; 16-bit pictures whose values end below are scaled by the smallest that holds them."""

TIFF_PHOTOMETRIC = 262
TIFF_WHITE_IS_ZERO = 0
"""TIFF 6.0 section 8, PhotometricInterpretation. Pillow inverts such files itself, but not those of 16 bits."""

EXIF_ORIENTATION = 0x0112
EXIF_UPRIGHT = 1

Read = tuple[npt.NDArray[np.float32], int, list[str]]
"""Grey values float32 [H, W] in [0, 1], bits per sample, warnings."""


def picture_format(data: bytes) -> str | None:
    """The picture format that the first bytes announce, or None."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:2] == b"BM" and len(data) > 26 and data[6:10] == b"\0\0\0\0":
        return "BMP"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[:12] == b"\0\0\0\x0cjP  \r\n\x87\n" or data[:4] == b"\xff\x4f\xff\x51":
        return "JPEG2000"
    return None


def declared_size(data: bytes, kind: str) -> tuple[int, int] | None:
    """(rows, columns) from the first bytes where that is easy, so that a refusal can name them; else None."""
    if kind == "PNG" and len(data) >= 24:
        return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
    if kind == "JPEG":
        return jpeg_size(data)
    if kind == "JPEG2000":
        return jpeg2000_size(data)
    if kind == "BMP" and len(data) >= 26:
        return abs(int.from_bytes(data[22:26], "little", signed=True)), int.from_bytes(data[18:22], "little")
    return None


def film_from_picture(data: bytes, kind: str) -> Radiograph:
    """The Radiograph of a picture file's bytes; `kind` is what `picture_format` said.

    Raises:
        FilmRefused: `too_large`, `too_small`, `truncated`, `decode`, `multi_frame`, `unsupported`.
    """
    size = declared_size(data, kind)
    if size is not None and min(size) > 0:
        check_size(*size)
    try:
        with Quiet(), Image.open(io.BytesIO(data), formats=(kind,)) as picture:
            check_size(picture.height, picture.width)
            frames = int(getattr(picture, "n_frames", 1))
            if frames > 1 and picture.format not in FIRST_FRAME_ENOUGH:
                raise refusal("multi_frame", f"The {kind} file holds {frames} pictures; a film is one.")
            orientation = int(picture.getexif().get(EXIF_ORIENTATION, EXIF_UPRIGHT))
            white_is_zero = _white_is_zero(picture)
            picture.load()
            rows, columns, mode = picture.height, picture.width, picture.mode
            upright = ImageOps.exif_transpose(picture)
            grey, bits, warnings = _grey(upright, white_is_zero)
            info = dict(picture.info)
    except Image.DecompressionBombError:
        limit = MAX_PIXELS // 1_000_000
        raise refusal("too_large", f"The {kind} file declares more than {limit} megapixels.") from None
    except Image.UnidentifiedImageError:
        raise refusal("decode", f"The file begins like {kind} but is none that can be read.") from None
    except DECODER_ERRORS as error:
        if isinstance(error, EOFError) or "truncated" in str(error).lower() or "incomplete" in str(error).lower():
            raise refusal("truncated", f"The {kind} file ends early, after {len(data):,} bytes.") from None
        raise refusal("decode", f"The {kind} file could not be decoded ({type(error).__name__}).") from None
    if orientation != EXIF_UPRIGHT and 1 < orientation <= 8:
        warnings.append(f"The picture was turned upright as its EXIF orientation ({orientation}) asks.")
    pixels = canonical(grey)
    if float(pixels.max()) == float(pixels.min()):
        warnings.append("All pixels have the same value.")
    source = Source(format=kind, rows=rows, columns=columns, bits_stored=bits, photometric=mode)
    film = Radiograph(id=film_id(pixels), pixels=pixels, source=source, warnings=tuple(warnings))
    return known_again(film, info)


def _white_is_zero(picture: Image.Image) -> bool:
    """Whether a TIFF of more than 8 bits stores white as 0 and Pillow leaves it so."""
    tags = getattr(picture, "tag_v2", None)
    wide = picture.mode.startswith(("I", "F"))
    return wide and tags is not None and tags.get(TIFF_PHOTOMETRIC) == TIFF_WHITE_IS_ZERO


def _grey(picture: Image.Image, white_is_zero: bool) -> Read:
    """Grey values float32 [H, W] in [0, 1], bits per sample, and warnings."""
    if picture.mode == "1":
        return np.asarray(picture, dtype=np.float32), 1, ["The picture is pure black and white, without grey."]
    if picture.mode == "L" and "transparency" not in picture.info:
        return np.asarray(picture, dtype=np.float32) / np.float32(255), 8, []
    if picture.mode == "F":
        return _from_float(np.asarray(picture, dtype=np.float32), white_is_zero)
    if picture.mode.startswith("I"):
        return _from_wide(np.asarray(picture), white_is_zero)
    return _from_colour(picture)


def _from_wide(
    values: npt.NDArray[np.integer[Any]], white_is_zero: bool
) -> tuple[npt.NDArray[np.float32], int, list[str]]:
    """Integers of 16 or 32 bits, scaled by the bits they use; beyond 16 bits or below 0 by their range."""
    low, high = int(values.min()), int(values.max())
    warnings: list[str] = []
    if low < 0 or high > 0xFFFF:
        span = max(high - low, 1)
        grey = ((values.astype(np.float64) - low) / span).astype(np.float32)
        return (1 - grey if white_is_zero else grey), 32, [f"Values {low} to {high} were scaled to black and white."]
    bits = next(bits for bits in WIDE_BITS if high < 1 << bits)
    if bits < WIDE_BITS[-1]:
        warnings.append(f"The 16-bit picture has no value above {high}: it was read as {bits}-bit.")
    grey = values.astype(np.float32) / np.float32((1 << bits) - 1)
    return (1 - grey if white_is_zero else grey), bits, warnings


def _from_float(values: npt.NDArray[np.float32], white_is_zero: bool) -> Read:
    """Floating-point values: as they are within [0, 1], else scaled by their range; what is not finite is black."""
    finite = np.isfinite(values)
    warnings = [] if finite.all() else [f"{1 - finite.mean():.1%} of the values are not numbers; they are shown black."]
    if not finite.any():
        raise refusal("decode", "None of the picture's values is a finite number.")
    low, high = float(values[finite].min()), float(values[finite].max())
    grey = np.where(finite, values, np.float32(low)).astype(np.float64)
    if low < 0 or high > 1:
        grey = (grey - low) / max(high - low, float(np.finfo(np.float32).tiny))
        warnings.append(f"Values {low:g} to {high:g} were scaled to black and white.")
    grey = np.clip(1 - grey if white_is_zero else grey, 0, 1)
    grey[~finite] = 0
    return grey.astype(np.float32), 32, warnings


def _from_colour(picture: Image.Image) -> Read:
    """RGB, palette, CMYK, YCbCr, LAB and everything with transparency: over black, then luminance (BT.601)."""
    warnings: list[str] = []
    if picture.mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in picture.info:
        solid = picture.convert("RGBA")
        if np.asarray(solid.getchannel("A")).min() < 255:
            warnings.append("Transparent parts of the picture are shown black.")
        ground = Image.new("RGBA", solid.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(ground, solid)
    plane, coloured = luminance(np.asarray(picture.convert("RGB")))
    if coloured > COLOURED_PICTURE:
        warnings.append(
            f"A colour picture was turned to grey: {coloured:.0%} of its pixels are coloured; it may be no radiograph."
        )
    elif coloured > 0:
        warnings.append("A picture with some colour was turned to grey.")
    return (plane.astype(np.float32) / np.float32(255)).clip(0, 1), 8, warnings
