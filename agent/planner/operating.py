"""Operating points in a question: "with 95 % sensitivity", "a threshold of 0.3", "be more sensitive", "ensemble"."""

from __future__ import annotations

import re
from typing import Any

from agent.mentions import has_any
from agent.planner.naming import vocabulary, words_of

NUMBER = r"(\d+(?:[.,]\d+)?|[.,]\d+)\s*(%|per ?cent)?"
RATE = r"(\d{2}(?:[.,]\d+)?|0?[.,]\d+)\s*(%|per ?cent)?"
BEFORE = re.compile(rf"\b{RATE}\s*(?:of\s+)?(sensitivity|specificity|sensitive|specific)\b", re.IGNORECASE)
"""The rate's number before its name: "95 % sensitivity"."""
BEHIND = re.compile(
    rf"\b(sensitivity|specificity)\b\s*(?:of|at|to|is|=|:|>=|≥|at least|about)*\s*(?:at least\s*)?{RATE}",
    re.IGNORECASE,
)
THRESHOLD = re.compile(
    rf"\b(?:threshold|cut[ -]?off|cut[ -]?point)s?\b\s*(?:of|at|to|is|=|:|value)*\s*{NUMBER}", re.IGNORECASE
)

Arguments = dict[str, Any]


def point_in(text: str) -> Arguments:
    """Arguments of the tool `classify` that a text spells out; empty where it spells out none.

    One of sensitivity, specificity, threshold and operating_point, as far as it names one, and ensemble.
    """
    words, phrases = words_of(text), vocabulary()["operating"]
    given: Arguments = {"ensemble": True} if has_any(words, phrases["ensemble"]) else {}
    if match := BEFORE.search(text):
        return given | {_rate(match[3]): _share(match[1], match[2])}
    if match := BEHIND.search(text):
        return given | {_rate(match[1]): _share(match[2], match[3])}
    if match := THRESHOLD.search(text):
        return given | {"threshold": _share(match[1], match[2])}
    for point in ("sensitive", "specific", "card"):
        if has_any(words, phrases[point]):
            return given | {"operating_point": point}
    return given


def without_point(text: str) -> str:
    """The text without the numbers of operating points and their names: "cut-off" asks for no check of the film."""
    for pattern in (BEFORE, BEHIND, THRESHOLD):
        text = pattern.sub(" ", text)
    return text


def _rate(word: str) -> str:
    return "sensitivity" if word.lower().startswith("sensi") else "specificity"


def _share(number: str, percent: str | None) -> float:
    """0.95 of "95 %", "95" and "0.95"."""
    value = float(number.replace(",", "."))
    return round(value / 100, 6) if percent or value > 1 else value


__all__ = ["point_in", "without_point"]
