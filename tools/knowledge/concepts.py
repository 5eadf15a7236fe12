"""Checklists: the concepts by which a finding that no classifier knows can be looked for, typed and read once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict


class Sign(BaseModel):
    """One concept of a checklist.

    Attributes:
        words: what a zero-shot model is asked for.
        sign: code of the finding that stands for it where there is no such model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: str
    sign: str


@cache
def checklists() -> Mapping[str, tuple[Sign, ...]]:
    """Finding code -> its concepts, in the order of concepts.toml."""
    text = (resources.files("tools.knowledge") / "concepts.toml").read_text(encoding="utf-8")
    return MappingProxyType(
        {
            code: tuple(Sign.model_validate(item) for item in table["concepts"])
            for code, table in tomllib.loads(text).items()
        }
    )


__all__ = ["Sign", "checklists"]
