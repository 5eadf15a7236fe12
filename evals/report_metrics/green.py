"""GREEN (Ostmeier et al., EMNLP Findings 2024): matched findings / (matched findings + clinically significant errors).

The judge is told what to count in our own words and answers in GREEN's sections. So a figure is of that judge, and is
GREEN's own only in its formula.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from langchain_core.language_models import BaseChatModel

from evals.report_metrics.judging import judge
from evals.report_metrics.metric import DIGITS, Pairs, Score, Scored, Supplied, mean_of

LETTERS = "abcdef"
"""False finding, missed finding, wrong place, wrong severity, comparison that is not there, omitted comparison."""
SIGNIFICANT, INSIGNIFICANT, MATCHED = (
    "clinically significant errors", "clinically insignificant errors", "matched findings"
)  # fmt: skip
_HEADING = re.compile(r"^[\s*#]*\[([^\]]+)\][\s*]*:?[\s*]*", re.MULTILINE)
_ERROR = re.compile(r"^[\s*-]*\(([a-f])\)[^\n]*?:[\s*]*(\d+)\b", re.MULTILINE)
_COUNT = re.compile(r"\s*(\d+)\b")


@dataclass(frozen=True)
class Counts:
    """What a judge counted: matched findings, and significant and insignificant errors by letter."""

    matched: int
    significant: tuple[int, ...]
    insignificant: tuple[int, ...]

    @property
    def green(self) -> float:
        """0 where nothing is matched."""
        return self.matched / (self.matched + sum(self.significant)) if self.matched else 0.0


def counted(reply: str) -> Counts | None:
    """The counts of a reply in GREEN's sections; None where the significant errors or the matched findings are absent.

    An error that is not listed is not there. A section that begins with "No" counts nothing.
    """
    heads = [*_HEADING.finditer(reply)]
    ends = [*(head.start() for head in heads), len(reply)][1:]
    parts = {head[1].strip().lower(): reply[head.end() : end] for head, end in zip(heads, ends, strict=True)}
    if SIGNIFICANT not in parts or MATCHED not in parts:
        return None
    matched = _COUNT.match(parts[MATCHED])
    if matched is None and not _none(parts[MATCHED]):
        return None
    errors = [_errors(parts.get(name, "No")) for name in (SIGNIFICANT, INSIGNIFICANT)]
    if errors[0] is None or errors[1] is None:
        return None
    return Counts(int(matched[1]) if matched else 0, errors[0], errors[1])


def _errors(part: str) -> tuple[int, ...] | None:
    told = {letter: int(count) for letter, count in _ERROR.findall(part)}
    if not told and not _none(part):
        return None
    return tuple(told.get(letter, 0) for letter in LETTERS)


def _none(part: str) -> bool:
    return re.match(r"\s*(no|none)\b", part, re.IGNORECASE) is not None


def ready(supplied: Supplied, model: BaseChatModel | None = None) -> Score:
    """GREEN by the judge that is supplied.

    Raises:
        Unavailable: there is none.
    """
    made = judge(supplied, "GREEN", model)

    def score(pairs: Pairs) -> Scored:
        told = [
            made.ask("green", {"reference": theirs, "candidate": ours}, counted)
            for ours, theirs in zip(pairs.candidates, pairs.references, strict=True)
        ]
        there = [counts for counts in told if counts is not None]
        means = np.mean([counts.significant for counts in there], axis=0) if there else np.zeros(len(LETTERS))
        return mean_of(
            [0.0 if counts is None else counts.green for counts in told],
            unparsed=len(told) - len(there),
            significant_errors={letter: round(float(n), DIGITS) for letter, n in zip(LETTERS, means, strict=True)},
            judge=made.note,
        )

    return score
