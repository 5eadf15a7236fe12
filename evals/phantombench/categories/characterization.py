"""Characterization: how large, how much, how sharp."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from evals.phantombench.categories.parts import class_of, diseases
from evals.phantombench.drafts import Draft
from evals.phantombench.films import Shown

RATIO = ("below 0.42", "0.42 to 0.46", "0.46 to 0.50", "0.50 to 0.55", "0.55 to 0.60", "above 0.60")
RATIO_BOUNDS = (0.42, 0.46, 0.50, 0.55, 0.60)
RATIO_MARGIN = 0.006
VOLUME = ("under 600 ml", "600 to 950 ml", "over 950 ml")
VOLUME_BOUNDS_ML = (600.0, 950.0)
MASS = ("3 to 4 cm", "4 to 5 cm", "5 to 6 cm", "over 6 cm")
MASS_BOUNDS_MM = (40.0, 50.0, 60.0)
NODULE = ("under 17 mm", "17 to 23 mm", "over 23 mm")
NODULE_BOUNDS_MM = (17.0, 23.0)
SHARE = ("under a quarter of that side", "a quarter to a half of that side", "over half of that side")
SHARE_BOUNDS = (0.25, 0.5)
"""Bounds of sizes part the sizes that scenarios.toml draws into classes of about as many patients each."""
MARGIN = 0.08
"""How close to a bound, as a share of it, is too close to tell."""
ANGLES = {"left": "the left one", "right": "the right one", "bilateral": "both", None: "neither"}
BLUNTS_ML = 250.0
"""Fluid that surely blunts a costophrenic angle on an erect film; about 200 ml begin to (Blackmore et al. 1996)."""
NEAR_ANGLE = {"pleural_thickening", "atelectasis", "emphysema", "fibrosis", "consolidation"}
"""Findings that can blunt or flatten an angle themselves."""


def drafts(shown: Shown, rng: random.Random) -> list[Draft]:
    """Heart, fluid, air, round lesions, and the costophrenic angles."""
    return [*_ratio(shown), *_sizes(shown), *_angles(shown)]


def _ratio(shown: Shown) -> Iterator[Draft]:
    ratio = shown.measure("cardiothoracic_ratio")
    number = None if ratio is None else class_of(ratio, RATIO_BOUNDS, RATIO_MARGIN)
    if number is not None:
        yield _of_class("What is the cardiothoracic ratio?", RATIO, number, "cardiomegaly", ("heart",))


def _sizes(shown: Shown) -> Iterator[Draft]:
    asked = {
        "effusion": ("How large is the pleural effusion?", VOLUME, VOLUME_BOUNDS_ML, "volume_ml"),
        "mass": ("What is the diameter of the lung mass?", MASS, MASS_BOUNDS_MM, "diameter_mm"),
        "nodule": ("What is the diameter of the lung nodule?", NODULE, NODULE_BOUNDS_MM, "diameter_mm"),
        "pneumothorax": ("How large is the pneumothorax?", SHARE, SHARE_BOUNDS, "fraction"),
    }
    for code, (stem, words, bounds, field) in asked.items():
        entries = shown.of(code)
        if len(entries) != 1:
            continue
        (given,) = (f for f in shown.patient.spec.findings if f.code == code)
        value = float(getattr(given, field))
        if any(abs(value - bound) < MARGIN * bound for bound in bounds):
            continue
        number = class_of(value, bounds, 0.0)
        if number is not None:
            yield _of_class(stem, words, number, code, (entries[0]["mask"],))


def _angles(shown: Shown) -> Iterator[Draft]:
    volumes = [f.volume_ml or 0.0 for f in shown.patient.spec.findings if f.code == "effusion"]
    if NEAR_ANGLE & set(diseases(shown)) or any(volume < BLUNTS_ML for volume in volumes):
        return
    right = ANGLES[shown.side("effusion")]
    wrong = tuple(words for words in ANGLES.values() if words != right)
    regions = tuple(entry["mask"] for entry in shown.of("effusion"))
    yield Draft("Which costophrenic angle is blunted?", right, wrong, "effusion", regions)


def _of_class(stem: str, words: Sequence[str], number: int, code: str, regions: tuple[str, ...]) -> Draft:
    return Draft(stem, words[number], tuple(word for word in words if word != words[number]), code, regions)
