"""The passages that can be retrieved: our own about every finding, those about the measurements, and the user's."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from tools.knowledge import findings, measurements

CITED = re.compile(r"\s*\[([a-z0-9]+(?:, [a-z0-9]+)*)\]")
"""Keys of sources.toml behind the sentences that rest on them."""
SECTIONS = ("Definition", "Signs on a chest film", "Mimics", "Thresholds", "Follow-up")
"""The sections of every passage file, in order."""
MEASUREMENT = "Measurement"
"""The section of the passages about measurements."""
OWN = "Hilum"
"""Whose passages ours are."""


class Source(BaseModel):
    """One published source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    authors: str
    title: str
    where: str
    doi: str = ""

    def cited(self) -> str:
        """Authors, title, journal and, where it is known, the DOI."""
        doi = f", doi:{self.doi}" if self.doi else ""
        title = self.title if self.title.endswith("?") else f"{self.title.rstrip('.')}."
        return f"{self.authors.rstrip('.')}. {title} {self.where}{doi}"

    def short(self) -> str:
        """First author and journal: "Hansell DM et al., Radiology 2008;246:697-722"."""
        first, *others = self.authors.split(", ")
        return f"{first}{' et al.' if others else ''}, {self.where}"


@dataclass(frozen=True)
class Passage:
    """One passage.

    Attributes:
        id: unique; for ours the file's name and the section.
        title: of the file it stands in.
        heading: of its section; "" where it has none.
        text: its words, without citations.
        findings: the ontology's codes that it is about; empty for the user's own passages.
        sources: full citations.
        short: the same, short.
        origin: "Hilum", or the name of the user's file.
    """

    id: str
    title: str
    heading: str
    text: str
    findings: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    origin: str = OWN

    @property
    def whole(self) -> str:
        """What is searched: its title, heading and text."""
        return f"{self.title}. {self.heading}. {self.text}"


@cache
def sources() -> Mapping[str, Source]:
    """sources.toml by key."""
    read = tomllib.loads((resources.files("tools.knowledge") / "sources.toml").read_text(encoding="utf-8"))
    return MappingProxyType({key: Source(**entry) for key, entry in read.items()})


@cache
def shipped() -> tuple[Passage, ...]:
    """Every passage that comes with Hilum: files in the order of their names, then the measurements."""
    folder = resources.files("tools.knowledge") / "passages"
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".md")), key=lambda each: each.name)
    written = [
        passage for each in files for passage in parsed(each.name.removesuffix(".md"), each.read_text(encoding="utf-8"))
    ]
    return (*written, *_measured())


def parsed(name: str, text: str) -> list[Passage]:
    """The passages of one file of ours: +++ TOML +++ and then a section per heading.

    Raises:
        ValueError: a finding or source that is not known, or sections other than SECTIONS.
    """
    _, front, body = text.split("+++", 2)
    about = tomllib.loads(front)
    codes = tuple(about["findings"])
    pieces = re.split(r"^## (.+)$", body, flags=re.MULTILINE)[1:]
    headings = tuple(pieces[::2])
    unknown = [code for code in codes if code not in findings()]
    if unknown or headings != SECTIONS:
        raise ValueError(f"passage {name}: findings {unknown} are not known, or its sections are not {SECTIONS}")
    return [
        _passage(f"{name}/{heading}", str(about["title"]), heading, section, codes)
        for heading, section in zip(headings, pieces[1::2], strict=True)
    ]


def _passage(key: str, title: str, heading: str, section: str, codes: tuple[str, ...]) -> Passage:
    keys = list(dict.fromkeys(one for group in CITED.findall(section) for one in group.split(", ")))
    unknown = [one for one in keys if one not in sources()]
    if unknown or not keys:
        raise ValueError(f"passage {key}: cites {unknown or 'no source'}; sources.toml lists the sources")
    text = " ".join(CITED.sub("", section).split())
    cited = [sources()[one] for one in keys]
    return Passage(
        key, title, heading, text, codes, tuple(one.cited() for one in cited), tuple(one.short() for one in cited)
    )


def _measured() -> list[Passage]:
    """What each measurement is, its limits and whose they are."""
    made = []
    for code, concept in measurements().items():
        limits = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in concept.limits.items())
        text = f"{concept.definition} Limits in use: {limits}{f' ({concept.unit})' if concept.unit else ''}."
        codes = (concept.finding,) if concept.finding in findings() else ()
        made.append(
            Passage(f"measure/{code}", concept.title, MEASUREMENT, text, codes, concept.sources, concept.sources)
        )
    return made
