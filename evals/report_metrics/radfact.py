"""RadFact's logical part (Bannur et al., MAIRA-2, arXiv:2406.04449): what of a report does the other entail?

Both reports are split into statements of one finding each; precision is the share of the draft's that the reference
entails, recall the share of the reference's that the draft entails. The judge is told so in our own words, all
statements of one report at once, where RadFact gives examples and asks for each alone. Boxes are not compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import numpy as np
from langchain_core.language_models import BaseChatModel

from evals.report_metrics.judging import Judge, judge
from evals.report_metrics.metric import DIGITS, Pairs, Score, Scored, Supplied, f1_of, mean_of

_LIST = re.compile(r"\[.*\]", re.DOTALL)


def listed(reply: str, kind: type, count: int | None = None) -> list[object] | None:
    """The JSON list in a reply, if all its items are of one type and, where told, so many; else None."""
    found = _LIST.search(reply)
    try:
        told = json.loads(found[0]) if found else None
    except ValueError:
        return None
    if not isinstance(told, list) or not all(type(item) is kind for item in told):
        return None
    return told if count is None or len(told) == count else None


def share_entailed(made: Judge, statements: Sequence[str], by: Sequence[str]) -> float | None:
    """Share of statements that a report's statements entail; 1 for none, None where the judge is unreadable."""
    if not statements:
        return 1.0
    if not by:
        return 0.0
    told = {"report": list(by), "statements": list(statements)}
    found = made.ask("entailment", told, lambda reply: listed(reply, bool, len(statements)))
    return None if found is None else sum(map(bool, found)) / len(found)


def precision_recall(made: Judge, candidate: str, reference: str) -> tuple[float, float] | None:
    """Of one pair; None where the judge could not be read."""
    parts = []
    for text in (candidate, reference):
        found = made.ask("statements", {"report": text}, lambda reply: listed(reply, str)) if text.strip() else []
        if found is None:
            return None
        parts.append([str(item) for item in found])
    ours, theirs = parts
    precision, recall = share_entailed(made, ours, theirs), share_entailed(made, theirs, ours)
    return None if precision is None or recall is None else (precision, recall)


def ready(supplied: Supplied, model: BaseChatModel | None = None) -> Score:
    """RadFact's logical F1 by the judge that is supplied.

    Raises:
        Unavailable: there is none.
    """
    made = judge(supplied, "RadFact", model)

    def score(pairs: Pairs) -> Scored:
        told = [precision_recall(made, a, b) for a, b in zip(pairs.candidates, pairs.references, strict=True)]
        both = [pair or (0.0, 0.0) for pair in told]
        precision, recall = np.mean(both, axis=0) if both else (0.0, 0.0)
        return mean_of(
            [f1_of(p, r) for p, r in both],
            precision=round(float(precision), DIGITS),
            recall=round(float(recall), DIGITS),
            unparsed=sum(pair is None for pair in told),
            judge=made.note,
        )

    return score
