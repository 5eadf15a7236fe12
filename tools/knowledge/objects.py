"""Devices and objects by class, from objects.toml: what they are called, reported under, and asked for by."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict


class ObjectConcept(BaseModel):
    """One class of device or object; the fields are explained at the top of objects.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    name: str
    finding: str
    shape: Literal["tube", "device", "object"]
    tip: Literal["lower", "inner"] | None = None
    words: tuple[str, ...] = ()
    place: str = ""


@cache
def objects() -> Mapping[str, ObjectConcept]:
    """Every class of device or object by code, in the order of objects.toml."""
    held = tomllib.loads((resources.files("tools.knowledge") / "objects.toml").read_text(encoding="utf-8"))
    return MappingProxyType({code: ObjectConcept(code=code, **entry) for code, entry in held.items()})
