"""The seven categories of ChestAgentBench (Fallahpour et al. 2025), a module each: `drafts(shown, rng)` gives every
question of its kind that the patient's truth allows."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from evals.phantombench.categories import (
    characterization,
    classification,
    comparison,
    detection,
    diagnosis,
    localization,
    relationship,
)
from evals.phantombench.drafts import Draft
from evals.phantombench.films import Shown

CATEGORIES: dict[str, Callable[[Shown, random.Random], Sequence[Draft]]] = {
    "detection": detection.drafts,
    "classification": classification.drafts,
    "localization": localization.drafts,
    "comparison": comparison.drafts,
    "relationship": relationship.drafts,
    "diagnosis": diagnosis.drafts,
    "characterization": characterization.drafts,
}

__all__ = ["CATEGORIES"]
