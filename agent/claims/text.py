"""A text as sentences with citations: one form for every way of citing, and no id that does not exist."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.ledger import EvidenceLedger

CITATION = re.compile(r"[\[(]\s*(E\d+(?:\s*(?:[,;&]|and|-|–|to)\s*E?\d+)*)\s*[\])]", re.IGNORECASE)
SENTENCE_END = re.compile(r"(?<=[.!?])((?:\s*\[E\d+(?:, E\d+)*\])*)\s+(?=[\"'A-Z0-9*(])")
CHOICE = re.compile(r"^\W*ANSWER\s*:\s*\W*([A-Z])\W*$", re.MULTILINE)
LIST_MARK = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")
ABBREVIATIONS = ("e.g.", "i.e.", "approx.", "vs.", "Dr.", "cf.", "no.", "Fig.")
RANGE_MOST = 50
"""Longest range of ids, E1-E51, that is spelled out."""


@dataclass(frozen=True)
class Sentence:
    """One sentence.

    Attributes:
        text: with its citations as "[E1, E2]", invented ones gone.
        bare: without citations and list mark: what is claimed.
        ids: the evidence it cites that exists.
        invented: whether it cited something that does not.
    """

    text: str
    bare: str
    ids: tuple[str, ...]
    invented: bool


def sentences(line: str, ledger: EvidenceLedger) -> list[Sentence]:
    """The sentences of one line.

    Args:
        line: without a line break.
        ledger: which ids exist.
    """
    return [_resolved(piece, ledger) for piece in _split(_one_form(line))]


def last_choice(text: str) -> str | None:
    """The letter of a last "ANSWER: X" line."""
    letters = CHOICE.findall(text)
    return letters[-1] if letters else None


def is_choice(sentence: str) -> bool:
    """Whether it is an "ANSWER: X" line."""
    return CHOICE.match(sentence) is not None


def _one_form(line: str) -> str:
    """Citations as "[E1, E2]"; one after the full stop of its sentence goes before it."""

    def rewrite(match: re.Match[str]) -> str:
        return f"[{', '.join(_ids(match[1]))}]"

    return re.sub(r"([.!?])((?:\s*\[E\d+(?:, E\d+)*\])+)(?=\s|$)", r"\2\1", CITATION.sub(rewrite, line)).replace(
        "  [E", " [E"
    )


def _ids(inside: str) -> list[str]:
    """Ids of "E1, 2 and E4" or "E1-E3"."""
    numbers: list[int] = []
    for part in re.split(r"\s*(?:[,;&]|and)\s*", inside, flags=re.IGNORECASE):
        ends = [int(n) for n in re.findall(r"\d+", part)]
        numbers += range(ends[0], min(ends[-1], ends[0] + RANGE_MOST) + 1) if ends else []
    return [f"E{number}" for number in dict.fromkeys(numbers)]


def _split(line: str) -> list[str]:
    if is_choice(line):
        return [line]
    mark = LIST_MARK.match(line)
    head, body = (line[: mark.end()], line[mark.end() :]) if mark else ("", line)
    guarded = body
    for short in ABBREVIATIONS:
        guarded = guarded.replace(short, short.replace(".", "\0"))
    pieces = [piece.replace("\0", ".") for piece in SENTENCE_END.sub(r"\1\n", guarded).split("\n")]
    return [head + pieces[0], *pieces[1:]]


def _resolved(sentence: str, ledger: EvidenceLedger) -> Sentence:
    ids: list[str] = []
    invented = False

    def keep(match: re.Match[str]) -> str:
        nonlocal invented
        named = _ids(match[1])
        real = [i for i in named if ledger.get(i) is not None]
        invented = invented or len(real) < len(named)
        ids.extend(i for i in real if i not in ids)
        return f"[{', '.join(real)}]" if real else ""

    kept = CITATION.sub(keep, sentence)
    if invented:
        kept = re.sub(r"\s+([.,;!?])", r"\1", re.sub(r" {2,}", " ", kept))
    return Sentence(kept, _bare(kept), tuple(ids), invented)


def _bare(sentence: str) -> str:
    return re.sub(r"\s+([.,;!?])", r"\1", CITATION.sub("", LIST_MARK.sub("", sentence))).strip()


__all__ = ["Sentence", "is_choice", "last_choice", "sentences"]
