"""Options that are ranges of a number ("0.46 to 0.50", "above 0.55"), held against the number that was measured."""

from __future__ import annotations

import math
import re

_NUMBER = r"(\d+(?:\.\d+)?)"
_BETWEEN = re.compile(_NUMBER + r"\s*(?:to|and|-|–)\s*" + _NUMBER, re.IGNORECASE)
_BELOW = re.compile(
    r"\b(?:below|under|less\s+than|up\s+to|at\s+most|smaller\s+than)\s*" + _NUMBER + r"|<\s*=?\s*" + _NUMBER, re.I
)
_ABOVE = re.compile(
    r"\b(?:above|over|more\s+than|at\s+least|greater\s+than|from)\s*" + _NUMBER + r"|>\s*=?\s*" + _NUMBER, re.I
)


def range_in(text: str) -> tuple[float, float] | None:
    """The range [low, high) that a text names, open ends infinite; None where it names none."""
    if between := _BETWEEN.search(text):
        low, high = float(between[1]), float(between[2])
        return (low, high) if low <= high else None
    if below := _BELOW.search(text):
        return -math.inf, float(below[1] or below[2])
    if above := _ABOVE.search(text):
        return float(above[1] or above[2]), math.inf
    return None


__all__ = ["range_in"]
