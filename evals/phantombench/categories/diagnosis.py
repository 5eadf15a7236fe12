"""Diagnosis: which disease explains the film."""

from __future__ import annotations

import random

from evals.phantombench.categories.parts import diseases
from evals.phantombench.drafts import Draft
from evals.phantombench.films import Shown
from evals.phantombench.patients import scenarios


def drafts(shown: Shown, rng: random.Random) -> list[Draft]:
    """The patient's scenario against others; those whose findings are all there, too, would not be wrong."""
    mine = set(diseases(shown))
    wrong = []
    for entry in scenarios()["scenario"]:
        codes = {text.split(":")[0] for text in entry["findings"]}
        if entry["diagnosis"] != shown.patient.diagnosis and not (codes and codes <= mine):
            wrong.append(entry["diagnosis"])
    rng.shuffle(wrong)
    main = shown.patient.spec.findings[0].code if mine else ""
    return [Draft("Which diagnosis fits the film best?", shown.patient.diagnosis, tuple(wrong), main)]
