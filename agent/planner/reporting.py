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
LENGTH = re.compile(
    r"\b(?:under|below|at most|(?:no|not) (?:more|longer) than|less than|max(?:imum)?(?: of)?|within|up to|in)"
    r"\s+(\d+)\s+(words|characters)\b",
    re.IGNORECASE,
)
CHARACTERS_A_WORD = 7
"""Of English radiology prose, with the space behind it; rounded up, as drafts name findings."""
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
    most = _length(text) or (named["short_characters"] if has_any(words, named["short"]) else None)
    return ({"longest": most} if most else {}) | {
        argument: value
        for argument in ("style", "language")
        for value, cues in named[argument].items()
        if has_any(words, cues)
    }


def another_way(before: dict[str, Any], so: dict[str, Any]) -> dict[str, Any]:
    """What a report was given, and how it is to be written now; a language named alone leaves prose, which is English.

    Args:
        before: what it was given, by argument.
        so: what `manner` reads in the new request.
    """
    kept = {name: value for name, value in before.items() if name != "style" or "language" not in so}
    return kept | so


def _length(text: str) -> int | None:
    """Characters of "under 120 words", within what the tool takes; None where no length is named."""
    if (match := LENGTH.search(text)) is None:
        return None
    most = int(match[1]) * (CHARACTERS_A_WORD if match[2].lower() == "words" else 1)
    return min(max(most, vocabulary()["report"]["short_characters"]), vocabulary()["report"]["most_characters"])


__all__ = ["another_way", "manner", "told_with"]
