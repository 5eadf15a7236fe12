"""Words that several rooms share: sentences within a length, lists, and what a score means."""

from __future__ import annotations

from collections.abc import Iterable

from models.outputs import ScoreKind
from tools.contract.results import SUMMARY_MAX_CHARACTERS

ELLIPSIS = "More is in the result's findings and data."


def summarise(sentences: Iterable[str], limit: int = SUMMARY_MAX_CHARACTERS) -> str:
    """The sentences in order, as many as fit into `limit` characters; says so when some were left out."""
    wanted = [sentence.strip() for sentence in sentences if sentence.strip()]
    whole = " ".join(wanted)
    if len(whole) <= limit:
        return whole
    room = limit - len(ELLIPSIS) - 1
    kept: list[str] = []
    for sentence in wanted:
        if len(" ".join([*kept, sentence])) > room:
            break
        kept.append(sentence)
    return " ".join([*kept, ELLIPSIS])


def listed(items: Iterable[str], word: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    parts = list(items)
    if len(parts) <= 1:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def sentence_case(text: str) -> str:
    """The text with its first letter large and the rest as it was."""
    return text[:1].upper() + text[1:]


def score_meaning(kind: ScoreKind | None, threshold: float | None) -> str:
    """What a score is, in a few words, with its threshold: 'probability' only when calibrated."""
    words = {
        ScoreKind.CALIBRATED_PROBABILITY: "calibrated probability",
        ScoreKind.OPERATING_POINT: "0.5 = operating point, not a probability",
        ScoreKind.MEASUREMENT: "measured ratio",
    }
    meaning = words.get(kind, kind.value.replace("_", " ")) if kind else ""
    return meaning if threshold is None else f"{meaning}, threshold {threshold:.2f}"
