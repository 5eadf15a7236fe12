"""The small words of each language that change what a text says of a finding: cues/XX.toml, typed and read once."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from pydantic import BaseModel, ConfigDict

from tools.knowledge import Language
from tools.reading.words import Phrases, spoken


class Frame(BaseModel):
    """A structure and a word said of it that together make a finding: "heart" and "enlarged".

    Attributes:
        finding: the finding's code.
        of: what it is said of.
        present: what asserts the finding.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    finding: str
    of: Phrases
    present: Phrases


class Cues(BaseModel):
    """One language's cues; every phrase is folded as texts are read.

    Attributes:
        common: frequent words by which the language is told.
        others: phrases that hold a finding's name and are none.
        scope: kind -> phrases: absent_before, absent_after, uncertain_before, uncertain_after, unstated_before, none
            (holds a cue's words and is none) and stops (a cue does not reach across it).
        mild: of the uncertain ones, those so mild that the statement counts as made.
        alternatives: of the uncertain ones, those between two possibilities of which one is meant.
        lists: those before a list, whose every item they reach.
        openers: words that begin a statement of their own after a comma or an "and".
        joiners: what parts the items of a list.
        normal: words that deny the abnormality of what they are said of.
        sides, severity, change: "left" ..., "mild" ..., "new" ... -> phrases.
        answers_no, answers_yes: what denies or states, after a colon, what stands before it ("Effusion: none").
        fillers: words of such an answer that add nothing to it.
        suggests: words between what is seen and what it suggests.
        sections: section -> its headings.
        frames: see Frame.
        compounds: whether the language writes compounds as one word that ends in its head, as German does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    common: frozenset[str]
    others: frozenset[str]
    scope: dict[str, frozenset[str]]
    mild: frozenset[str]
    alternatives: frozenset[str]
    lists: frozenset[str]
    openers: frozenset[str]
    joiners: frozenset[str]
    normal: Phrases
    sides: dict[str, str]
    severity: dict[str, str]
    change: dict[str, str]
    answers_no: frozenset[str]
    answers_yes: frozenset[str]
    fillers: frozenset[str]
    suggests: Phrases
    sections: dict[str, str]
    frames: tuple[Frame, ...]
    compounds: bool

    def every(self) -> Phrases:
        """All scope phrases at once, so that the longest wins whatever its kind."""
        return _every(frozenset(phrase for phrases in self.scope.values() for phrase in phrases))


@cache
def _every(phrases: frozenset[str]) -> Phrases:
    return Phrases(phrases)


@cache
def cues(language: Language) -> Cues:
    """The cues of a language."""
    told: dict[str, Any] = tomllib.loads(
        (resources.files("tools.reading") / "cues" / f"{language}.toml").read_text(encoding="utf-8")
    )
    scope = dict(told["scope"])
    mild, alternatives, lists, openers, joiners = (
        scope.pop(key, []) for key in ("mild", "alternatives", "lists", "openers", "joiners")
    )
    return Cues(
        common=frozenset(map(spoken, told["common"])),
        others=frozenset(map(spoken, told.get("others", []))),
        scope={kind: frozenset(map(spoken, phrases)) for kind, phrases in scope.items()},
        mild=frozenset(map(spoken, mild)),
        alternatives=frozenset(map(spoken, alternatives)),
        lists=frozenset(map(spoken, lists)),
        openers=frozenset(map(spoken, openers)),
        joiners=frozenset(joiner if len(joiner) == 1 else spoken(joiner) for joiner in joiners),
        normal=Phrases(map(spoken, told["normal"]["words"])),
        sides=_turned(told["sides"]),
        severity=_turned(told["severity"]),
        change=_turned(told["change"]),
        answers_no=frozenset(map(spoken, told["answers"]["no"])),
        answers_yes=frozenset(map(spoken, told["answers"]["yes"])),
        fillers=frozenset(map(spoken, told["answers"]["fillers"])),
        suggests=Phrases(map(spoken, told["links"]["suggests"])),
        sections=_turned(told["sections"]),
        frames=tuple(
            Frame(finding=f["finding"], of=Phrases(map(spoken, f["of"])), present=Phrases(map(spoken, f["present"])))
            for f in told.get("frames", [])
        ),
        compounds=bool(told.get("compounds", False)),
    )


def _turned(table: dict[str, list[str]]) -> dict[str, str]:
    """Phrase -> the name it stands under."""
    return {spoken(phrase): name for name, phrases in table.items() for phrase in phrases}
