"""Pictures that nobody acquired: how a processed or synthetic film is made, marked, written to a file and known again.

The mark travels in `Radiograph.derived` and its warnings, in a PNG's text chunk, and of a synthetic film in the pixels.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from imaging.radiograph import ID_HEX_DIGITS, Derived, DerivedKind, FilmArray, Radiograph, canonical, film_id

PNG_KEY = "hilum-derived"
"""Keyword of the tEXt chunk (PNG specification, 11.3.3.2) that holds a film's `Derived` as JSON."""

DEPTH_16 = 65535

WATERMARK = "SYNTHETIC"

WATERMARK_SHARE = 1 / 16
"""Height of the letters as a share of the film's shorter side."""

ID = re.compile(rf"[0-9a-f]{{{ID_HEX_DIGITS}}}")
"""A film's id."""


def processed(film: Radiograph, pixels: npt.NDArray[Any], what: str, by: str) -> Radiograph:
    """A film computed from another one, pixel for pixel in its place.

    Args:
        film: the film it was computed from; patient, date, view and spacing stay its own.
        pixels: [H, W] in [0, 1], of the same size as the film.
        what, by: as in `Derived`.

    Returns:
        The film, marked as processed; as synthetic where the other one is.

    Raises:
        ValueError: the size is another one.
    """
    made = canonical(pixels)
    if made.shape != film.shape:
        raise ValueError(f"pixels have shape {made.shape}; a processed film keeps its film's {film.shape}")
    kind = film.derived.kind if film.derived else DerivedKind.PROCESSED
    derived = Derived(kind, what, by, film.id)
    return replace(film, id=film_id(made), pixels=made, derived=derived, warnings=(warning(derived), *film.warnings))


def synthetic(film: Radiograph, what: str, by: str) -> Radiograph:
    """A film that shows nobody: watermarked, marked, and without patient, study or date."""
    made = canonical(watermarked(film.pixels))
    derived = Derived(DerivedKind.SYNTHETIC, what, by)
    return replace(
        film, id=film_id(made), pixels=made, derived=derived, warnings=(warning(derived),),
        patient_key=None, study_key=None, acquired=None,
    )  # fmt: skip


def warning(derived: Derived) -> str:
    """What every result on such a film says first."""
    if derived.kind is DerivedKind.SYNTHETIC:
        return f"SYNTHETIC: this picture shows no patient ({derived.what}, made by {derived.by})."
    of = f"film {derived.parent}" if derived.parent else "another film"
    return (
        f"PROCESSED ({derived.what}, by {derived.by}): computed from {of}, not acquired; what is seen on it alone must "
        "be looked for on that film."
    )


def watermarked(pixels: FilmArray) -> FilmArray:
    """The film [H, W] with WATERMARK in white on black in the middle of its upper and lower edge."""
    grey = Image.fromarray(np.ascontiguousarray(pixels))
    draw = ImageDraw.Draw(grey)
    letter = max(8, round(min(pixels.shape) * WATERMARK_SHARE))
    font = ImageFont.load_default(letter)
    left, top, right, bottom = draw.textbbox((0, 0), WATERMARK, font=font)
    pad = letter // 4
    wide, high = right - left + 2 * pad, bottom - top + 2 * pad
    x = (grey.width - wide) / 2
    for y in (0, grey.height - high):
        draw.rectangle((x, y, x + wide - 1, y + high - 1), fill=0.0)
        draw.text((x + pad - left, y + pad - top), WATERMARK, font=font, fill=1.0)
    return np.asarray(grey, dtype=np.float32).clip(0, 1)


def to_png(film: Radiograph) -> bytes:
    """The film as a 16-bit grey PNG that says in a text chunk, where it applies, that nobody acquired it."""
    levels = np.rint(film.pixels * DEPTH_16).astype(np.uint16)
    text = PngImagePlugin.PngInfo()
    if film.derived is not None:
        text.add_text(PNG_KEY, json.dumps(asdict(film.derived)))
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, "PNG", pnginfo=text)
    return stream.getvalue()


def known_again(film: Radiograph, info: Mapping[Any, Any]) -> Radiograph:
    """The film with the mark that `to_png` left among a picture's `info`; the film itself without one.

    Of the mark only the kind and the parent's id are believed, so that a file can put no words into a planner's mouth.
    Who forges one only keeps a picture from being taken for a patient's film.
    """
    try:
        told = json.loads(info.get(PNG_KEY, ""))
        kind, parent = DerivedKind(told["kind"]), told["parent"]
    except (ValueError, KeyError, TypeError):
        return film
    known = parent if isinstance(parent, str) and ID.fullmatch(parent) else None
    derived = Derived(kind, "as its file says", "an earlier session", known)
    return replace(film, derived=derived, warnings=(warning(derived), *film.warnings))


__all__ = ["Derived", "DerivedKind", "known_again", "processed", "synthetic", "to_png", "warning", "watermarked"]
