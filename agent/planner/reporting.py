"""What a request for a report says of it: indication, technique, an earlier report, style and language."""

from __future__ import annotations

import re
from typing import Any

from agent.mentions import has_any
from agent.planner.naming import vocabulary, words_of

LABELS: dict[str, str] = {
    "indication": r"(?:clinical )?(?:indication|history|information|question)|reason(?: for (?:the )?(?:exam|film))?",
    "technique": r"technique",
    "prior_report": r"(?:prior|previous|earlier|last|old) report",
}
"""Argument of the tool `report` -> how a message names the text that it is."""

MARK = re.compile(
    r"(?:^|(?<=[\s(]))(?:(?:with|and|the|an?) )*(?:"
    + "|".join(f"(?P<{name}>{words})" for name, words in LABELS.items())
    + r")\s*[:=]\s*",
    re.IGNORECASE,
)
OWN_HEADINGS = re.compile(r"\b(?:findings|impression)\s*:", re.IGNORECASE)
"""Headings that make a text a report of its own, unless it is given as the earlier one."""


def told_with(text: str) -> tuple[dict[str, str], str]:
    """What a message gives for a report, by argument, and the message without it; ({}, text) where it gives nothing.

    Args:
        text: the message. Each part reaches from its name to the next one; an earlier report to the end.
    """
    marks = list(MARK.finditer(text))
    last = next((number for number, mark in enumerate(marks) if mark["prior_report"]), len(marks))
    marks = marks[: last + 1]
    if not marks:
        return {}, text
    given, rest = {}, [text[: marks[0].start()]]
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        name = next(name for name in LABELS if mark[name])
        piece = text[mark.end() : after.start() if after else len(text)]
        if name != "prior_report":
            piece, _, more = piece.partition("\n")
            rest.append(more)
        given[name] = piece.strip().strip('"“”;,').strip()
    left = " ".join(part.strip() for part in rest if part.strip())
    if OWN_HEADINGS.search(left) or any(
        OWN_HEADINGS.search(given.get(name, "")) for name in ("indication", "technique")
    ):
        return {}, text
    return {name: piece for name, piece in given.items() if piece}, left


def manner(text: str) -> dict[str, Any]:
    """Style, language and length that a request names; what it does not name is not in it."""
    words, named = words_of(text), vocabulary()["report"]
    length = {"longest": named["short_characters"]} if has_any(words, named["short"]) else {}
    return length | {
        argument: value
        for argument in ("style", "language")
        for value, cues in named[argument].items()
        if has_any(words, cues)
    }


__all__ = ["manner", "told_with"]
