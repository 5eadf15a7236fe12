"""C10: past films from an index on this machine are of the kind asked for, of other patients, and as wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from evals.phantom_cases.seen import words
from imaging.phantom import PhantomSpec
from imaging.radiograph import View

KINDS = ("effusion", "cardiomegaly", "pneumothorax", "edema")
EACH, NORMAL = 8, 8
"""Past films with each finding, and without any."""
K = 5
LIKE, RESTRICTED, OWN = 12, 8, 4
ASKED = ("Find similar cases", "Show me 5 similar films", "Any cases like this one?")


def cases(draw: Draw) -> Iterator[Case]:
    """Films like those of the archive, restricted searches, and a patient who is in the archive."""
    archive = _archive(draw)
    for number in range(LIKE):
        code = KINDS[number % len(KINDS)]
        yield Case(
            f"retrieved-{number}-{code}", "C10", (draw.film(words(draw, code)),), (draw.one(ASKED),),
            _like(archive, code), archive=archive,
        )  # fmt: skip
    for number in range(RESTRICTED):
        view = ("PA", "AP")[number % 2]
        code = KINDS[number % len(KINDS)]
        turn = f"Find similar cases, {view} only"
        yield Case(
            f"retrieved-view-{number}", "C10", (draw.film(words(draw, code)),), (turn,), _of_view(view), archive=archive
        )
    for number in range(OWN):
        own = archive[number * EACH]
        film = replace(own, visit=own.visit + 1)
        yield Case(
            f"retrieved-own-{number}",
            "C10",
            (film,),
            ("Find similar cases",),
            _without_own(number * EACH),
            archive=archive,
        )


def _archive(draw: Draw) -> tuple[PhantomSpec, ...]:
    """The past films: EACH of every kind, then NORMAL."""
    shown = [draw.film(words(draw, code)) for code in KINDS for _ in range(EACH)]
    return (*shown, *(draw.film() for _ in range(NORMAL)))


def _found(outcome: Outcome) -> list[int]:
    """Numbers in the archive of the cases found, nearest first."""
    return [int(case["number"]) - 1 for record in outcome.evidence("retrieve_cases") for case in record.data["cases"]]


def _like(archive: tuple[PhantomSpec, ...], code: str) -> Judge:
    """Share of the cases found that have the query's finding, over the share that could (all K)."""

    def judge(outcome: Outcome) -> float:
        found = [archive[number] for number in _found(outcome)][:K]
        return sum(any(each.code == code for each in spec.findings) for spec in found) / K

    return judge


def _of_view(view: str) -> Judge:
    """Right where something is found and all of it has the view asked for."""

    def judge(outcome: Outcome) -> float:
        cases = [case for record in outcome.evidence("retrieve_cases") for case in record.data["cases"]]
        return float(bool(cases) and all(case["view"] == View(view) for case in cases))

    return judge


def _without_own(own: int) -> Judge:
    """Right where cases are found and none is the patient's own."""

    def judge(outcome: Outcome) -> float:
        found = _found(outcome)
        return float(bool(found) and own not in found)

    return judge


__all__ = ["cases"]
