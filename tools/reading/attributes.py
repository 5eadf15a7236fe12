"""What a sentence says of a finding beside whether it is there: side, places, severity, size and change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.knowledge import structures
from tools.reading.cues import Cues
from tools.reading.lexicon import Named
from tools.reading.scope import MARKS, Span
from tools.reading.words import Hit, Phrases, Word

SIZE = re.compile(
    r"(\d+(?:[.,]\d+)?)(?:\s*(?:x|×|by|por|sur|mal)\s*(\d+(?:[.,]\d+)?))?(?:\s*(?:x|×)\s*(\d+(?:[.,]\d+)?))?\s*[- ]?"
    r"(mm|cm|millimet\w*|centimet\w*|milímetros?|centímetros?)\b",
    re.IGNORECASE,
)
"""A length, or two or three of them, with a unit."""
MM_PER_CM = 10.0

GRADE_BEFORE_REACH = 4
"""Words between a degree or a change and the finding after it."""
GRADE_AFTER_REACH = 6
"""The same where it stands after the finding."""
SIDE_REACH = 7
"""Words between a side and the finding after it."""


@dataclass(frozen=True)
class Graded:
    """A degree or change: its name and the words [start, end) that say it."""

    name: str
    start: int
    end: int


def graded(
    words: Sequence[str], span: Span, others: Sequence[Span], table: Mapping[str, str], cues: Cues
) -> Graded | None:
    """The degree or change said of a finding: the nearest that no other finding stands between.

    A word that ends the finding's own is what is found and no degree of it ("the heart is slightly large").

    Args:
        words: of the sentence, folded.
        span: the finding's words.
        others: those of the other findings.
        table: phrase -> name of a degree or change.
        cues: the language's.
    """
    hits = Phrases(table).hits(words)
    taken = {n for start, end in others for n in range(start, end)} - set(range(*span))
    hits = [hit for hit in hits if not taken & set(range(hit.start, hit.end)) and hit.end != span[1]]
    barred = _barred(cues) | {":", "and"}

    def clear(start: int, end: int, reach: int) -> bool:
        """Whether nothing parts two places of the sentence and they are near enough."""
        between = range(start, end)
        return len(between) <= reach and not any(n in taken or words[n] in barred for n in between)

    before = [hit for hit in hits if hit.start < span[1] and clear(hit.end, span[0], GRADE_BEFORE_REACH)]
    after = [hit for hit in hits if hit.start >= span[1] and clear(span[1], hit.start, GRADE_AFTER_REACH)]
    nearest = next(iter([*before[-1:], *after[:1]]), None)
    return Graded(table[nearest.phrase], nearest.start, nearest.end) if nearest else None


def sizes_mm(text: str) -> list[tuple[int, int, tuple[float, ...]]]:
    """Every length in a text: [start, end) and its numbers in millimetres, as written from the first to the last."""
    found = []
    for match in SIZE.finditer(text):
        scale = 1.0 if match[4].lower().startswith(("mm", "mill", "míl", "mil")) else MM_PER_CM
        numbers = [float(number.replace(",", ".")) for number in match.groups()[:3] if number]
        found.append((match.start(), match.end(), tuple(round(number * scale, 2) for number in numbers)))
    return found


def sides_at(words: Sequence[str], cues: Cues) -> list[tuple[int, str]]:
    """(position, side) of every word for a side; "..., right?" asks for agreement and names none."""
    hits = Phrases(cues.sides).hits(words)
    return [(hit.start, cues.sides[hit.phrase]) for hit in hits if not _is_tag(words, hit)]


def side(named: Named, words: Sequence[str], found: Sequence[Named], cues: Cues) -> str | None:
    """The side of what is named: of the nearest side word that belongs to nothing else named, one before it first."""
    if named.kind == "structure" and structures()[named.code].side:
        return structures()[named.code].side
    own = [item for at, item in sides_at(words, cues) if named.start <= at < named.end]
    if own:
        return own[0]
    findings = [other for other in found if other.kind == "finding"]
    previous = max((other.end for other in findings if other.end <= named.start), default=0)
    following = min((other.start for other in findings if other.start >= named.end), default=len(words))
    first = max(previous, named.start - len(_last_clause(words[: named.start], cues)))
    last = min(following, named.end + len(_first_clause(words[named.end :], cues)))
    reachable = [(at, item) for at, item in sides_at(words, cues) if first <= at < last]
    before = [item for at, item in reachable if at < named.start and named.start - at <= SIDE_REACH]
    if before and previous and (own_one := _behind_a_comma(named, words, reachable)):
        return own_one
    if before:
        return "bilateral" if {"left", "right"} <= set(before) else before[-1]
    after = {item for at, item in reachable if at >= named.end}
    return (after.pop() if len(after) == 1 else "bilateral") if after else None


def _behind_a_comma(named: Named, words: Sequence[str], sides: Sequence[tuple[int, str]]) -> str:
    """The side "on the right" of the second finding in "a mass on the left, an effusion on the right"; else empty."""
    before = max(at for at, _ in sides if at < named.start)
    own = [item for at, item in sides if at >= named.end and words[at - 2 : at] == ["on", "the"]]
    return own[0] if own and "," in words[before : named.start] else ""


def places_of(named: Named, found: Sequence[Named], words: Sequence[str], cues: Cues) -> list[Named]:
    """The structures and places of the same clause that are nearest to this finding of all."""
    first = named.start - len(_last_clause(words[: named.start], cues))
    last = named.end + len(_first_clause(words[named.end :], cues))
    findings = [other for other in found if other.kind == "finding"]
    placed = []
    for other in found:
        if other.kind in {"structure", "place", "group"} and first <= other.start < last:
            nearest = min(findings, key=lambda finding: _distance(finding, other), default=None)
            if nearest == named:
                placed.append(other)
    return placed


def _distance(one: Named, other: Named) -> int:
    return max(other.start - one.end, one.start - other.end)


def _is_tag(words: Sequence[str], hit: Hit) -> bool:
    at = hit.start
    return words[at] == "right" and list(words[at - 1 : at]) == [","] and list(words[at + 1 : at + 2]) == ["?"]


def _barred(cues: Cues) -> frozenset[str]:
    return (MARKS | cues.scope.get("stops", frozenset())) - {":"}


def _last_clause(words: Sequence[str], cues: Cues) -> Sequence[str]:
    barred = _barred(cues)
    return words[next((n + 1 for n in range(len(words) - 1, -1, -1) if words[n] in barred), 0) :]


def _first_clause(words: Sequence[str], cues: Cues) -> Sequence[str]:
    barred = _barred(cues)
    return words[: next((n for n, word in enumerate(words) if word in barred), len(words))]


def at_words(words: Sequence[Word], span: Span) -> tuple[int, int]:
    """[start, end) in the text of words [start, end)."""
    return words[span[0]].start, words[span[1] - 1].end
