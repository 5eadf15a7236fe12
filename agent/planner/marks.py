"""Marks that a question gives in numbers, to correct an outline: "correct the heart: box 120 80 300 260"."""

from __future__ import annotations

import re
from typing import Any

NUMBER = r"\s*\(?\[?\s*(\d+(?:\.\d+)?)"
BETWEEN = r"\s*[,;x ]\s*"
BOX = re.compile(rf"\bbox\b[^\d\n]{{0,12}}?{BETWEEN.join([NUMBER] * 4)}", re.IGNORECASE)
POINT = re.compile(
    rf"\b(?P<out>not|outside|negative|exclude|minus)?\s*\bpoints?\b[^\d\n]{{0,12}}?{NUMBER}{BETWEEN}{NUMBER}",
    re.IGNORECASE,
)
UNDO = re.compile(r"\b(?:undo|take back|revert|forget)\b.*\b(?:correction|outline)\b", re.IGNORECASE)


def marks_in(text: str) -> dict[str, Any]:
    """Arguments of the tool `segment` that a text spells out: box, points or undo; empty where it gives none.

    "point 120, 80" lies inside, "outside point 120, 80" does not.
    """
    if UNDO.search(text):
        return {"undo": True}
    given: dict[str, Any] = {}
    if box := BOX.search(text):
        given["box"] = [float(number) for number in box.groups()]
    points = [[float(found[2]), float(found[3]), float(found["out"] is None)] for found in POINT.finditer(text)]
    return given | ({"points": points} if points else {})
