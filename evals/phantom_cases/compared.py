"""C8: two films of one patient, asked about a finding whose course is known; and films that must not be compared."""

from __future__ import annotations

from collections.abc import Iterator

from agent.mentions import name_of
from evals.phantom_cases.case import Case, Draw, Judge, Outcome

SIZES: dict[str, tuple[str, tuple[float, float], tuple[float, float]]] = {
    "effusion": ("effusion:{side}:{size:.0f}ml", (150, 300), (800, 1200)),
    "pneumothorax": ("pneumothorax:{side}:{size:.0f}%", (12, 20), (40, 60)),
    "consolidation": ("consolidation:{side}:{size:.0f}mm", (35, 50), (90, 120)),
    "mass": ("mass:{side}:{size:.0f}mm", (32, 38), (65, 85)),
    "cardiomegaly": ("cardiomegaly:{size:.2f}", (0.55, 0.57), (0.63, 0.66)),
}
"""How a finding is shown, and what a small and a large one measures."""

COURSES = ("new", "worsened", "unchanged", "improved", "resolved")
DIRECTION = {"new": 1, "worsened": 1, "unchanged": 0, "improved": -1, "resolved": -1}
DIRECTION_WORTH = 0.5
"""What "worsened" is worth where the truth is "new", and the like."""

CASES = 25
STEADY = 4
ASKED = (
    "Has the {name} changed since the prior film?",
    "Compare the {name} with the previous film",
    "{name}: what changed?",
)
WHAT_CHANGED = ("What changed since the prior film?", "Any interval change?")

ONE_FILM, STRANGERS, FORECASTS = 4, 4, 2


def cases(draw: Draw) -> Iterator[Case]:
    """Every finding with every course, patients without a change, and refusals."""
    codes = list(SIZES)
    for number in range(CASES):
        code, course = codes[number // len(COURSES) % len(codes)], COURSES[number % len(COURSES)]
        yield Case(
            f"compared-{number}-{code}-{course}", "C8", (draw.film(),),
            (draw.one(ASKED).format(name=name_of(code)),), _course(code, course), visits=_visits(draw, code, course),
        )  # fmt: skip
    for number in range(STEADY):
        shown = _visits(draw, "effusion", "unchanged") if number % 2 else ((), ())
        yield Case(
            f"compared-steady-{number}", "C8", (draw.film(),), (draw.one(WHAT_CHANGED),), _nothing_changed, visits=shown
        )
    for number in range(ONE_FILM):
        turn = draw.one(("What changed since the prior film?", "Is the effusion better than before?"))
        yield Case(f"compared-alone-{number}", "C8", (draw.film("effusion:left:800ml"),), (turn,), _refused)
    for number in range(STRANGERS):
        films = (draw.film(), draw.film("effusion:left:900ml"))
        yield Case(f"compared-strangers-{number}", "C8", films, ("Compare these films",), _refused)
    for number in range(FORECASTS):
        turn = "What will the film look like in a month?"
        yield Case(f"compared-forecast-{number}", "C8", (draw.film("mass:left:50mm"),), (turn,), _refused)


def _visits(draw: Draw, code: str, course: str) -> tuple[tuple[str, ...], ...]:
    """What the prior and the current film show."""
    spec, small, large = SIZES[code]
    side = draw.side()
    little, much = (spec.format(side=side, size=draw.random.uniform(*bounds)) for bounds in (small, large))
    none: tuple[str, ...] = ()
    return {
        "new": (none, (much,)),
        "worsened": ((little,), (much,)),
        "unchanged": ((much,), (much,)),
        "improved": ((much,), (little,)),
        "resolved": ((much,), none),
    }[course]


def _verdicts(outcome: Outcome, code: str | None = None) -> set[str]:
    """What the comparison calls a finding, or all findings."""
    return {
        row["verdict"]
        for record in outcome.evidence("compare")
        for row in record.data["pairs"][-1]["changes"]
        if code in (None, row["finding"])
    }


def _course(code: str, course: str) -> Judge:
    """Right for the very verdict, half for its direction, nothing for two that differ in direction or for none."""

    def judge(outcome: Outcome) -> float:
        told = _verdicts(outcome, code)
        if told == {course}:
            return 1.0
        right_way = {DIRECTION.get(verdict) for verdict in told} == {DIRECTION[course]}
        return DIRECTION_WORTH * right_way

    return judge


def _nothing_changed(outcome: Outcome) -> float:
    """Right where a comparison was made and calls no change."""
    return float(bool(outcome.evidence("compare")) and not _verdicts(outcome) & (set(COURSES) - {"unchanged"}))


def _refused(outcome: Outcome) -> float:
    """Right where no comparison is made and the answer says that it is not assessed."""
    return float(not outcome.evidence("compare") and bool(outcome.last.not_assessed))


__all__ = ["cases"]
