"""Marks that a question gives in numbers, to correct an outline: "correct the heart: box 120 80 300 260".

The viewer of the chat writes them so from what is drawn on a film."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tools.anatomy.outlines import FREE_AIR, LESION
from tools.knowledge import findings as ontology

NUMBER = r"\s*\(?\[?\s*(\d+(?:\.\d+)?)"
BETWEEN = r"\s*[,;x ]\s*"
BOX = re.compile(rf"\bbox\b[^\d\n]{{0,12}}?{BETWEEN.join([NUMBER] * 4)}", re.IGNORECASE)
POINT = re.compile(
    rf"\b(?P<out>not|outside|negative|exclude|minus)?\s*\bpoints?\b[^\d\n]{{0,12}}?{NUMBER}{BETWEEN}{NUMBER}",
    re.IGNORECASE,
)
SCRIBBLE = re.compile(
    r"\b(?P<out>not|outside|negative|exclude|minus)?\s*\bscribbles?\b[^\d\n]{0,12}?(?P<places>\d[\d.,;x()\[\]\s]*)",
    re.IGNORECASE,
)
UNDO = re.compile(r"\b(?:undo|take back|revert|forget)\b.*\b(?:correction|outline)\b", re.IGNORECASE)


def marked_structure(structures: Sequence[str], findings: Sequence[str], side: str | None) -> str | None:
    """The one structure that marks beside these names belong to; users outline nodules, masses and free air, too."""
    if structures:
        return structures[0] if len(structures) == 1 else None
    air = f"{side}_pneumothorax"
    if tuple(findings) == ("pneumothorax",) and air in FREE_AIR:
        return air
    lesion = len(findings) == 1 and LESION in (findings[0], ontology()[findings[0]].parent)
    return LESION if lesion else None


def marks_in(text: str) -> dict[str, Any]:
    """Arguments of the tool `segment` that a text spells out: box, points, scribble or undo; empty for none.

    "point 120, 80" lies inside, "outside point 120, 80" does not; so "scribble 120 80, 140 85, 150 90". A scribble of
    an odd count of numbers is none.
    """
    if UNDO.search(text):
        return {"undo": True}
    given: dict[str, Any] = {}
    if box := BOX.search(text):
        given["box"] = [float(number) for number in box.groups()]
    points = [[float(found[2]), float(found[3]), float(found["out"] is None)] for found in POINT.finditer(text)]
    stroke = [place for found in SCRIBBLE.finditer(text) for place in _places(found["places"], found["out"] is None)]
    return given | ({"points": points} if points else {}) | ({"scribble": stroke} if stroke else {})


def _places(numbers: str, inside: bool) -> list[list[float]]:
    """[row, column, 1 or 0] of "120 80, 140 85"."""
    values = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", numbers)]
    if len(values) % 2:
        return []
    return [[row, column, float(inside)] for row, column in zip(values[::2], values[1::2], strict=True)]
