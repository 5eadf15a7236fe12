"""Localization: in which zone, and on which side."""

from __future__ import annotations

import random
from collections.abc import Iterator

from evals.phantombench.categories.parts import FOCAL, diseases, surely_absent
from evals.phantombench.drafts import Draft
from evals.phantombench.films import Shown
from evals.phantombench.patients import name_of

PLACES = tuple(f"{side} {zone} zone" for side in ("left", "right") for zone in ("upper", "middle", "lower"))
SIDES = {"left": "on the left only", "right": "on the right only", "bilateral": "on both sides"}
NOWHERE = "nowhere: there is none"
SIDED = ("effusion", "pneumothorax", "pleural_thickening", "atelectasis", *FOCAL)


def drafts(shown: Shown, rng: random.Random) -> list[Draft]:
    """Zone and side of what is there, and the side of what is not there."""
    return [*_zone(shown), *_side(shown), *_none(shown, rng)]


def _zone(shown: Shown) -> Iterator[Draft]:
    for code in FOCAL:
        entries = shown.of(code)
        if len(entries) == 1 and len(entries[0]["zones"]) == 1:
            right = f"{entries[0]['side']} {entries[0]['zones'][0]} zone"
            wrong = tuple(place for place in PLACES if place != right)
            yield Draft(f"Where is the {name_of(code)}?", right, wrong, code, (entries[0]["mask"],))


def _side(shown: Shown) -> Iterator[Draft]:
    for code in diseases(shown):
        side = shown.side(code)
        if code in SIDED and side is not None:
            wrong = [words for words in (*SIDES.values(), NOWHERE) if words != SIDES[side]]
            regions = tuple(entry["mask"] for entry in shown.of(code))
            yield Draft(f"On which side is the {name_of(code)}?", SIDES[side], tuple(wrong), code, regions)


def _none(shown: Shown, rng: random.Random) -> Iterator[Draft]:
    for code in surely_absent(shown, rng):
        if code in SIDED:
            yield Draft(f"On which side is the {name_of(code)}?", NOWHERE, tuple(SIDES.values()), code)
