"""Labels of data sets as codes of the findings ontology."""

from __future__ import annotations

from functools import cache

from tools.knowledge import findings
from tools.knowledge.ontology import normalise


@cache
def _codes() -> dict[str, str]:
    """Every name, synonym and data set label of a finding -> its code."""
    known: dict[str, str] = {}
    for code, concept in findings().items():
        told = (code, concept.name, *concept.synonyms, *(word for words in concept.labels.values() for word in words))
        for word in told:
            known.setdefault(normalise(word), code)
    return known


def code_of(label: str) -> str | None:
    """The ontology's code of a data set's label; None where it has none."""
    return _codes().get(normalise(label))
