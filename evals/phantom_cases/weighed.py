"""C19: from what is told of a patient, with or without a film, the disease that was meant ranks first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from evals.phantom_cases.seen import words


@dataclass(frozen=True)
class Story:
    """What is typical of a disease: an age range, facts of which most are told, and what its film shows."""

    ages: tuple[int, int]
    facts: tuple[str, ...]
    film: tuple[str, ...] = ()


STORIES = {
    "pneumonia": Story((30, 85), ("fever", "productive cough", "CRP {crp}", "temperature 39.1"), ("consolidation",)),
    "heart_failure": Story((60, 90), ("orthopnea", "leg oedema", "BNP {bnp}", "raised JVP"), ("cardiomegaly", "edema")),
    "pulmonary_embolism": Story(
        (30, 80), ("sudden dyspnea", "recent surgery", "calf swelling", "syncope", "previous DVT")
    ),
    "pneumothorax": Story((18, 34), ("tall and thin", "sudden shortness of breath", "chest trauma"), ("pneumothorax",)),
    "tuberculosis": Story((20, 60), ("night sweats", "weight loss", "contact with tuberculosis", "HIV positive")),
    "lung_cancer": Story((60, 85), ("haemoptysis", "weight loss", "ex-smoker", "finger clubbing"), ("mass",)),
    "aortic_dissection": Story((50, 80), ("tearing chest pain", "pulse deficit", "hypertension", "Marfan syndrome")),
    "copd": Story((55, 85), ("{packs} pack-years", "wheeze", "known COPD"), ("emphysema",)),
}  # fmt: skip
"""Facts that the sources of the weights tie to each disease; the cases test that they are understood and add up, not
that the weights are right: nobody's patients are behind them."""

ASKED = ("What is the differential?", "Give me a ranked differential.", "Differential diagnosis?")
WITHOUT, WITH = 12, 8
LEFT_OUT = 1
"""Facts of a story that are not told: it must work with some absent."""
RANKS = {1: 1.0, 2: 0.5, 3: 0.25}
UNDERSTOOD_WORTH = 0.3
"""That every fact told is among those weighed, and that something is asked for."""


def cases(draw: Draw) -> Iterator[Case]:
    """Stories without a film, then with the film of the same disease."""
    names = list(STORIES)
    filmed = [name for name in names if STORIES[name].film]
    for number in range(WITHOUT + WITH):
        with_film = number >= WITHOUT
        code = (filmed if with_film else names)[number % len(filmed if with_film else names)]
        story = STORIES[code]
        told = draw.random.sample(story.facts, len(story.facts) - LEFT_OUT)
        text = ", ".join(told).format(
            crp=draw.random.randint(120, 350), bnp=draw.random.randint(600, 3000), packs=draw.random.randint(41, 80)
        )
        age, sex = draw.random.randint(*story.ages), draw.one(("man", "woman"))
        message = f"{age}-year-old {sex}, {text}. {draw.one(ASKED)}"
        films = (draw.film(*(words(draw, finding) for finding in story.film)),) if with_film else ()
        kind = "film" if with_film else "told"
        yield Case(f"weighed-{kind}-{number}-{code}", "C19", films, (message,), _ranked(code, len(told) + 2, with_film))


def _ranked(code: str, facts: int, with_film: bool) -> Judge:
    def judge(outcome: Outcome) -> float:
        records = outcome.evidence("fuse")
        if not records:
            return 0.0
        data = records[-1].data
        rank = next((row["rank"] for row in data["diagnoses"] if row["code"] == code), 0)
        told = sum(fact["kind"] != "film" for fact in data["facts"])
        understood = min(told / facts, 1.0) * bool(data["missing"]) * (data["film_used"] or not with_film)
        return (1 - UNDERSTOOD_WORTH) * RANKS.get(rank, 0.0) + UNDERSTOOD_WORTH * understood

    return judge


__all__ = ["cases"]
