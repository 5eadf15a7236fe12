"""What is known beyond the ontology of devices and objects that models of the task "detect" draw: objects.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tools.knowledge.ontology import finding


class ObjectConcept(BaseModel):
    """One class of device or object; the fields are explained at the top of objects.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    shape: Literal["tube", "device", "object"]
    tip: Literal["lower", "inner"] | None = None
    words: tuple[str, ...] = ()
    place: str = ""

    @property
    def name(self) -> str:
        """What the screen and an answer call it."""
        return finding(self.code).name

    @property
    def kind(self) -> str:
        """The broader finding it is one of: support_devices or retained_object."""
        return finding(self.code).parent or self.code

    @property
    def asked_by(self) -> tuple[str, ...]:
        """Every word by which a question names it."""
        return (*finding(self.code).words(), *self.words)


@cache
def objects() -> Mapping[str, ObjectConcept]:
    """Every class of device or object by code, in the order of objects.toml."""
    held = tomllib.loads((resources.files("tools.knowledge") / "objects.toml").read_text(encoding="utf-8"))
    return MappingProxyType({code: ObjectConcept(code=code, **entry) for code, entry in held.items()})
