"""All cases of a seed, and which of them a limited run takes."""

from __future__ import annotations

from itertools import chain, zip_longest

from evals.phantom_cases import (
    by_signs,
    checked,
    compared,
    explained,
    generated,
    located,
    looked_up,
    measured,
    objects,
    operating,
    planned,
    processed,
    removed,
    reported,
    retrieved,
    seen,
    shortcuts,
    talked,
    texts,
    unusual,
    weighed,
    written,
)
from evals.phantom_cases.case import Case, Draw

THEMES = (
    planned, seen, operating, by_signs, measured, located, reported, written, compared, talked, retrieved, explained,
    processed, generated, checked, shortcuts, objects, unusual, texts, looked_up, weighed, removed,
)  # fmt: skip
"""Modules with a `cases(draw)` each, in the order of their capabilities."""


def drawn(seed: int, limit: int | None = None) -> list[Case]:
    """The cases of a seed, capability by capability in turn, so that any limit takes from each."""
    by_capability: dict[str, list[Case]] = {}
    for theme in THEMES:
        for case in theme.cases(Draw(seed, theme.__name__)):
            by_capability.setdefault(case.capability, []).append(case)
    in_turn = chain.from_iterable(zip_longest(*by_capability.values()))
    return [case for case in in_turn if case is not None][:limit]


__all__ = ["THEMES", "drawn"]
