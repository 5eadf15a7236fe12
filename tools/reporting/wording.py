"""How a report says something: words/*.toml by language and style."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any, Literal

from imaging.failures import BadArguments
from tools.classify import display_name
from tools.contract.wording import listed, sentence_case
from tools.ground import GroundedBox
from tools.knowledge import Language, findings, structures

Style = Literal["template", "prose"]
"""`template`: a heading, then a line per finding as label and value. `prose`: whole sentences."""


@cache
def _words(language: Language) -> dict[str, Any]:
    return tomllib.loads((resources.files("tools.reporting") / "words" / f"{language}.toml").read_text("utf-8"))


class Wording:
    """One language and style. BadArguments for a style that the language does not have."""

    def __init__(self, language: Language, style: Style) -> None:
        self.language, self.style = language, style
        self._known = _words(language)
        if style not in self._known:
            raise BadArguments(
                f"A report in the language {language!r} is written in the style 'template' only.",
                "Leave style out, or ask for English.",
            )

    def say(self, key: str, **values: object) -> str:
        """One sentence."""
        text: str = self._known[self.style].get(key) or self._known["template"][key]
        return re.sub(r"([.!?])\.+", r"\1", text.format(**values))

    def word(self, table: str, key: str) -> str:
        """One word or heading."""
        found: str = self._known[table][key]
        return found

    def name(self, code: str) -> str:
        """What a finding is called in this language; a model's own label stands for itself."""
        return findings()[code].name_in(self.language) if code in findings() else display_name(code)

    def names(self, codes: Iterable[str], word: str = "and") -> str:
        """ "nodule, mass or edema"."""
        return listed(map(self.name, dict.fromkeys(codes)), self.word("common", word))

    def named(self, code: str) -> dict[str, str]:
        """{Name} and {name} of a sentence."""
        return {"name": self.name(code), "Name": sentence_case(self.name(code))}

    def number(self, value: float) -> str:
        """Two decimals, with the language's own mark."""
        return f"{value:.2f}".replace(".", self.word("common", "decimal"))

    def days(self, count: int) -> str:
        """ "14 days"."""
        return f"{count} {self.word('common', 'day' if count == 1 else 'days')}"

    def film(self, name: str) -> str:
        """ "film 1" in this language."""
        return name if self.language == "en" else name.replace("film", self.word("places", "film"))

    def at(self, places: Iterable[str]) -> str:
        """Places behind what they are the places of; empty for none."""
        told = [place for place in dict.fromkeys(places) if place]
        return f"{self.word('common', 'at')}{listed(told, self.word('common', 'and'))}" if told else ""

    def place(self, box: GroundedBox) -> str:
        """Where a box lies."""
        if self.language == "en":
            return box.place
        if box.place in structures():
            return structures()[box.place].name_in(self.language)
        return self.side(box.side, box.zone)

    def side(self, side: str | None, zone: str | None = None) -> str:
        """A side, with the zone where it is known; English knows it as it is."""
        if side is None:
            return ""
        if self.language == "en":
            return f"{side} {zone} zone" if zone else side
        places = self._known["places"]
        told: str = places.get(f"{side}_{zone}") or places[side]
        return told


__all__ = ["Style", "Wording"]
