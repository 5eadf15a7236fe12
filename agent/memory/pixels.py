"""A film as the database keeps it: 16-bit pixels, compressed, and its facts as JSON. Its id is the same afterwards."""

from __future__ import annotations

import dataclasses
import datetime as dt
import zlib
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from imaging.radiograph import Derived, DerivedKind, Radiograph, Source, SpacingOrigin, View, canonical
from imaging.studies import StudyFilm

GREY_LEVELS = 65535
"""Levels of a 16-bit pixel: those that a film's id is made from (imaging.radiograph.film_id)."""
FASTEST = 1
"""zlib level: a film is kept in a fraction of a second and takes about half the space."""


def packed(each: StudyFilm) -> tuple[dict[str, Any], bytes]:
    """(facts, compressed little-endian uint16 pixels, row by row)."""
    film = each.film
    facts = {field.name: getattr(film, field.name) for field in dataclasses.fields(film) if field.name != "pixels"}
    facts |= {
        "shape": list(film.shape),
        "source": dataclasses.asdict(film.source),
        "derived": dataclasses.asdict(film.derived) if film.derived else None,
        "acquired": film.acquired.isoformat() if film.acquired else None,
        "study": {"source": each.source, "series": each.series, "number": each.number, "time": each.time},
    }
    levels = np.round(film.pixels * np.float32(GREY_LEVELS)).astype("<u2")
    return facts, zlib.compress(levels.tobytes(), FASTEST)


def unpacked(facts: dict[str, Any], pixels: bytes) -> StudyFilm:
    """The film again, with pixels to 1/65535.

    Args:
        facts, pixels: as `packed` gave them.
    """
    given = dict(facts)
    shape, study, source = given.pop("shape"), given.pop("study"), given.pop("source")
    levels = np.frombuffer(zlib.decompress(pixels), dtype="<u2").reshape(shape)
    film = Radiograph(
        **given
        | {
            "pixels": canonical(levels.astype(np.float32) / np.float32(GREY_LEVELS)),
            "source": TypeAdapter(Source).validate_python(source),  # JSON's lists become pairs again
            "spacing_mm": tuple(given["spacing_mm"]) if given["spacing_mm"] else None,
            "spacing_origin": SpacingOrigin(given["spacing_origin"]) if given["spacing_origin"] else None,
            "view": View(given["view"]),
            "acquired": dt.date.fromisoformat(given["acquired"]) if given["acquired"] else None,
            "warnings": tuple(given["warnings"]),
            "derived": _derived(given["derived"]),
        }
    )
    return StudyFilm(film, **study)


def _derived(facts: dict[str, Any] | None) -> Derived | None:
    return Derived(**facts | {"kind": DerivedKind(facts["kind"])}) if facts else None
