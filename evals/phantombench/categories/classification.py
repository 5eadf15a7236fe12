"""Classification: of what kind the abnormality is."""

from __future__ import annotations

import random
from collections.abc import Iterator

from evals.phantombench.categories.parts import FOCAL, class_of, diseases
from evals.phantombench.drafts import Draft
from evals.phantombench.films import Shown

GROUPS = {
    "the lungs": ("consolidation", "nodule", "mass", "cavity", "edema", "atelectasis", "emphysema", "fibrosis"),
    "the pleura": ("effusion", "pneumothorax", "pleural_thickening"),
    "the heart": ("cardiomegaly",),
    "the diaphragm or oesophageal hiatus": ("hernia",),
    "the ribs": ("fracture",),
}
NEVER_ALONE = "the ribs"
"""No scenario has a fracture and nothing else, so it is no option."""
NORMAL = "nothing: the film is normal"
KINDS = {
    "nodule": "a nodule (up to 3 cm)",
    "mass": "a mass (over 3 cm)",
    "cavity": "a cavity",
    "consolidation": "a consolidation",
}
HEART = ("normal (below 0.50)", "borderline (0.50 to 0.55)", "enlarged (above 0.55)")
HEART_BOUNDS = (0.50, 0.55)
"""Cardiothoracic ratio from which a heart counts as borderline and as enlarged on an erect PA film (Danzer 1919)."""
RATIO_MARGIN = 0.012


def drafts(shown: Shown, rng: random.Random) -> list[Draft]:
    """Which part of the chest, which kind of focal finding, which class of heart."""
    return [*_group(shown), *_kind(shown), *_heart(shown)]


def _group(shown: Shown) -> Iterator[Draft]:
    codes = diseases(shown)
    groups = {group for group, members in GROUPS.items() if set(codes) & set(members)}
    if len(groups) <= 1:
        right = next(iter(groups), NORMAL)
        wrong = [group for group in (*GROUPS, NORMAL) if group not in (right, NEVER_ALONE)]
        yield Draft("What does the main abnormality belong to?", right, tuple(wrong), codes[0] if codes else "")


def _kind(shown: Shown) -> Iterator[Draft]:
    codes = [code for code in diseases(shown) if code in FOCAL]
    if len(codes) != 1:
        return
    (entry,) = shown.of(codes[0])
    wrong = [words for code, words in KINDS.items() if code != codes[0]]
    stem = f"Of what kind is the focal abnormality in the {entry['side']} lung?"
    yield Draft(stem, KINDS[codes[0]], tuple(wrong), codes[0], (entry["mask"],))


def _heart(shown: Shown) -> Iterator[Draft]:
    ratio = shown.measure("cardiothoracic_ratio")
    number = None if ratio is None else class_of(ratio, HEART_BOUNDS, RATIO_MARGIN)
    if number is not None:
        wrong = [words for words in HEART if words != HEART[number]]
        stem = "How is the heart's size to be classed by the cardiothoracic ratio?"
        yield Draft(stem, HEART[number], tuple(wrong), "cardiomegaly", ("heart",))
