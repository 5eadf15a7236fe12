"""The labelled questions of evals/planning/questions/*.toml.

A group holds phrasings of one request. Its fields:

    scene     whose films are shown: "film", "clear", "pair" or "none" (evals/planning/patients.py)
    before    what the user said in the turns before; not scored
    tools     tools that must answer; the check of the film, which always runs first, need not be named
    may       tools that may answer as well
    args      tool -> argument -> value; of a list, every item must be among the argument's; `image` is "prior" or
              "current"
    present, absent, uncertain    finding codes and where the answer must put them
    says      words of which one must stand in the answer, parted by "|"
    choice    the letter to choose
    refuses   the request must be declined: no tool but the check may run, and nothing is stated of a film
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

HELD_OUT_OF = 5
"""One question in so many, chosen by the hash of its words, is held out: the planner was written without it in view."""


class Group(BaseModel):
    """Phrasings of one request; the fields are explained above."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    theme: str
    scene: Literal["film", "clear", "pair", "none"] = "film"
    before: tuple[str, ...] = ()
    tools: tuple[str, ...]
    may: tuple[str, ...] = ()
    args: dict[str, dict[str, Any]] = {}
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    says: str = ""
    choice: str | None = None
    refuses: bool = False
    questions: tuple[str, ...]


class Labelled(BaseModel):
    """One question with its group."""

    model_config = ConfigDict(frozen=True)

    text: str
    group: Group

    @property
    def held_out(self) -> bool:
        """Whether it belongs to the held-out fifth."""
        words = f"{self.group.name}/{self.text}"
        return int(hashlib.sha256(words.encode()).hexdigest(), 16) % HELD_OUT_OF == 0


@cache
def labelled() -> Sequence[Labelled]:
    """Every question, by file and group."""
    folder = resources.files("evals.planning") / "questions"
    found = []
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        theme = file.name.removesuffix(".toml")
        for entry in tomllib.loads(file.read_text(encoding="utf-8"))["group"]:
            group = Group(theme=theme, **entry)
            found += [Labelled(text=text, group=group) for text in group.questions]
    return tuple(found)


__all__ = ["Group", "Labelled", "labelled"]
