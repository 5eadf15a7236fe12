"""What can be measured, and how people ask for it: measurements.toml, typed and read once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from imaging.failures import BadArguments, nearest


class MeasurementConcept(BaseModel):
    """One measurement; the fields are explained in measurements.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    title: str
    definition: str
    unit: str
    limits: dict[str, float]
    error: float
    basis: str
    sources: tuple[str, ...]
    finding: str = ""
    asked: tuple[str, ...]


@cache
def measurements() -> Mapping[str, MeasurementConcept]:
    """Every measurement by code, in the order of measurements.toml."""
    text = (resources.files("tools.knowledge") / "measurements.toml").read_text(encoding="utf-8")
    read = tomllib.loads(text)
    return MappingProxyType({code: MeasurementConcept(code=code, **entry) for code, entry in read.items()})


def measurement(code: str) -> MeasurementConcept:
    """The measurement of that code. BadArguments, with the nearest code, otherwise."""
    if code not in measurements():
        hint = nearest(code, measurements())
        raise BadArguments(f"No measurement is called {code!r}.", f"{hint}Known: {', '.join(measurements())}.")
    return measurements()[code]


def asked_of(words: str) -> tuple[str, ...]:
    """Codes of the measurements whose phrases stand in words (lower case, no punctuation), the longest phrase first.

    A phrase that is part of a longer one found in the same words does not count.
    """
    line = f" {words} "
    found = [
        (phrase, code) for code, concept in measurements().items() for phrase in concept.asked if f" {phrase} " in line
    ]
    found.sort(key=lambda item: -len(item[0]))
    kept: list[tuple[str, str]] = []
    for phrase, code in found:
        covered = any(f" {phrase} " in f" {longer} " and other != code for longer, other in kept)
        if not covered:
            kept.append((phrase, code))
    return tuple(dict.fromkeys(code for _, code in kept))
