"""C2: is a finding there or not, asked by name in a user's words."""

from __future__ import annotations

from collections.abc import Iterator

from evals.phantom_cases.case import Case, Draw
from evals.phantom_cases.judging import finding_is

SHOWN = {
    "effusion": "effusion:{side}:{size}ml",
    "pneumothorax": "pneumothorax:{side}:{share}%",
    "cardiomegaly": "cardiomegaly:{ratio}",
    "consolidation": "consolidation:{side}:{wide}mm",
    "mass": "mass:{side}:{mass}mm",
    "edema": "edema:{degree}",
    "atelectasis": "atelectasis:{side}:{degree}",
    "emphysema": "emphysema:{degree}",
    "pleural_thickening": "pleural_thickening:{side}:{thick}mm",
    "hernia": "hernia:{hernia}mm",
}
"""How each finding is shown: of a size that a reader would not miss."""

ASKED = {
    "effusion": ("Is there a pleural effusion?", "any pleural fluid?", "Do you see an effusion"),
    "pneumothorax": ("Is there a pneumothorax?", "PTX?", "Can you rule out a pneumothorax?"),
    "cardiomegaly": ("Is the heart enlarged?", "cardiomegaly?", "Is there cardiomegaly on this film?"),
    "consolidation": ("Is there consolidation?", "any consolidation", "Does this show a consolidation?"),
    "mass": ("Is there a mass?", "Do you see a lung mass?", "any mass in the lung?"),
    "edema": ("Is there pulmonary edema?", "any oedema?", "Signs of pulmonary edema?"),
    "atelectasis": ("Is there atelectasis?", "Any atelectasis?", "Do you see atelectasis on this film?"),
    "emphysema": ("Is there emphysema?", "any emphysema?", "Signs of emphysema?"),
    "pleural_thickening": ("Is the pleura thickened?", "Is there pleural thickening?", "any pleural thickening?"),
    "hernia": ("Is there a hiatal hernia?", "hiatus hernia?", "Do you see a hiatal hernia?"),
}

OTHERS = ("effusion", "cardiomegaly", "mass", "pneumothorax")
"""What a film without the finding may show instead, half of the time."""

CASES = 60


def cases(draw: Draw) -> Iterator[Case]:
    """Each finding in turn, on as many films without it as with it."""
    codes = list(SHOWN)
    for number in range(CASES):
        code, present = codes[number // 2 % len(codes)], number % 2 == 0
        others = [other for other in OTHERS if other != code and draw.random.random() < 0.15]
        shown = [code] if present else others
        yield Case(
            id=f"seen-{number}-{code}",
            capability="C2",
            films=(draw.film(*(words(draw, item) for item in shown)),),
            turns=(draw.one(ASKED[code]),),
            judge=finding_is(code, present),
        )


def words(draw: Draw, code: str) -> str:
    """A finding as the phantom is told of it, with a size drawn from what a reader would not miss."""
    uniform = draw.random.uniform
    return SHOWN[code].format(
        side=draw.side(),
        size=round(uniform(500, 1100)),
        share=round(uniform(30, 60)),
        ratio=round(uniform(0.58, 0.66), 2),
        wide=round(uniform(80, 120)),
        mass=round(uniform(45, 75)),
        degree=round(uniform(0.6, 1.0), 2),
        thick=round(uniform(12, 22)),
        hernia=round(uniform(80, 120)),
    )


__all__ = ["ASKED", "SHOWN", "cases", "words"]
