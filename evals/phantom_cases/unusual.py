"""C18, anomaly and screening: gross disease is unusual, a normal film is not; no screen is made up, and no answer of a
vision-language model, where there is none."""

from __future__ import annotations

from collections.abc import Iterator

from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from evals.phantom_cases.seen import SHOWN, words

ASKED = ("Is anything unusual on this film?", "How unusual is this chest?", "Anomaly score?", "Any anomalies?")
SCREENS = {
    "tb_screen": ("Screen for TB", "Could this be tuberculosis?"),
    "covid_severity": ("How severe is the COVID?",),
    "vqa": ("What does the vision model say?", "Ask the VLM whether there is a consolidation."),
}
"""Questions of tools whose weights are not here."""
CASES, SCREENED = 20, 4


def cases(draw: Draw) -> Iterator[Case]:
    """Films with a plain finding and normal ones in turn; screens that nothing here can make."""
    codes = list(SHOWN)
    for number in range(CASES):
        code, there = codes[number // 2 % len(codes)], number % 2 == 0
        film = draw.film(*([words(draw, code)] if there else []))
        name = code if there else "normal"
        yield Case(f"unusual-{number}-{name}", "C18", (film,), (draw.one(ASKED),), _verdict(there))
    for number in range(SCREENED):
        tool = list(SCREENS)[number % len(SCREENS)]
        film = draw.film(words(draw, "consolidation"))
        yield Case(f"unusual-screen-{number}", "C18", (film,), (draw.one(SCREENS[tool]),), _not_screened(tool))


def _verdict(there: bool) -> Judge:
    def judge(outcome: Outcome) -> float:
        records = outcome.evidence("anomaly")
        if not records:
            return 0.0
        verdict = records[-1].data["verdict"]
        if verdict == "borderline":
            return 0.5
        return float(verdict == ("unusual" if there else "usual"))

    return judge


def _not_screened(tool: str) -> Judge:
    """Without weights the tool gives nothing, and the answer says what is not assessed."""

    def judge(outcome: Outcome) -> float:
        return float(not outcome.evidence(tool) and bool(outcome.last.not_assessed))

    return judge


__all__ = ["cases"]
