"""differential.toml, typed and read once: which facts move which diagnosis, how far, and by which source."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

RATIOS = {"decisive": 100.0, "strong": 10.0, "moderate": 5.0, "weak": 2.0}
"""What an ordinal weight counts as, as a likelihood ratio: our steps, after the rounding of McGee (J Gen Intern Med
2002;17:646-649), by which ratios of 2, 5 and 10 move a probability by about 15, 30 and 45 per cent."""

Kind = Literal["history", "symptom", "sign", "laboratory", "ecg", "drug", "film", "patient"]


class Move(BaseModel):
    """What a fact does to a diagnosis.

    Attributes:
        diagnosis: code of the ontology.
        ratio: likelihood ratio, above 1 for and below 1 against.
        weight: "lr" where the source gives the ratio, else the ordinal weight that stands for it.
        source: key of sources.toml.
        halved: half of it counts, as the fact itself is more likely wrong than right.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    diagnosis: str
    ratio: float = Field(gt=0)
    weight: str
    source: str
    halved: bool = False

    @property
    def points(self) -> float:
        """Ten times the decimal logarithm of the ratio, so that points add up: 10 for a ratio of 10, -10 for 0.1."""
        return (5 if self.halved else 10) * math.log10(self.ratio)

    def told(self) -> str:
        """ "LR 3.3", "moderately for" or "LR 3.3, halved"."""
        adverb = "" if self.weight == "lr" else f"{ADVERBS[self.weight]} {'for' if self.ratio > 1 else 'against'}"
        return f"{adverb or f'LR {self.ratio:g}'}{', halved' if self.halved else ''}"


ADVERBS = {"decisive": "decisively", "strong": "strongly", "moderate": "moderately", "weak": "weakly"}


def _move(written: object) -> object:
    """ "heart_failure lr=3.3 wang2005" as a Move."""
    if not isinstance(written, str):
        return written
    diagnosis, weight, source = written.split()
    if weight.startswith("lr="):
        return Move(diagnosis=diagnosis, ratio=float(weight[3:]), weight="lr", source=source)
    ratio = RATIOS[weight.removeprefix("-")]
    against = weight.startswith("-")
    return Move(
        diagnosis=diagnosis, ratio=1 / ratio if against else ratio, weight=weight.removeprefix("-"), source=source
    )


Moves = tuple[Annotated[Move, BeforeValidator(_move)], ...]


class _Typed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KnownFact(_Typed):
    """A fact that is told in words."""

    kind: Kind
    name: str
    phrases: tuple[str, ...]
    moves: Moves
    absent: Moves = ()
    ask: str = ""


class Band(_Typed):
    """Values below a limit and not below the band before; the last band has none."""

    below: float = math.inf
    moves: Moves


class Measure(_Typed):
    """A number; see differential.toml."""

    kind: Kind = "laboratory"
    name: str
    unit: str
    words: tuple[str, ...]
    after: tuple[str, ...] = ()
    ask: str
    units: dict[str, float]
    plausible: tuple[float, float]
    low: int
    raised: int
    bands: tuple[Band, ...]


class Bands(_Typed):
    """Of the age in years."""

    bands: tuple[Band, ...]


class OnFilm(_Typed):
    """A finding of the film."""

    moves: Moves
    absent: Moves = ()


class Weights(_Typed):
    """The whole file."""

    start: dict[str, float]
    facts: dict[str, KnownFact]
    measures: dict[str, Measure]
    age: Bands
    sex: dict[str, Moves]
    film: dict[str, OnFilm]
    groups: dict[str, tuple[str, ...]]

    def group_of(self, key: str) -> str:
        """The group of a fact; itself where it is in none."""
        return self.grouping.get(key, key)

    @property
    def grouping(self) -> Mapping[str, str]:
        """Fact -> group."""
        return {key: group for group, keys in self.groups.items() for key in keys}


def every_move() -> list[Move]:
    """Every move of the file."""
    told = weights()
    groups = [each for fact in told.facts.values() for each in (fact.moves, fact.absent)]
    groups += [each for finding in told.film.values() for each in (finding.moves, finding.absent)]
    bands = [*(band for measure in told.measures.values() for band in measure.bands), *told.age.bands]
    groups += [band.moves for band in bands]
    return [move for group in (*groups, *told.sex.values()) for move in group]


@cache
def weights() -> Weights:
    """differential.toml."""
    text = (resources.files("tools.knowledge") / "differential.toml").read_text(encoding="utf-8")
    return Weights.model_validate(tomllib.loads(text))
