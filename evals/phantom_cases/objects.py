"""C18, objects: tubes, lines and devices that are there or not, where a tube's tip lies, and what was left behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from imaging.radiograph import View
from tools.contract import Status

DEVICES = {
    "ett": ("ett:50mm", "endotracheal tube"),
    "ng_tube": ("ng_tube", "nasogastric tube"),
    "central_line": ("central_line:{side}", "central line"),
    "pacemaker": ("pacemaker:{side}", "pacemaker"),
    "chest_drain": ("chest_drain:{side}", "chest drain"),
}
"""Classes of devices: how the phantom is given one, and what a user calls it."""
ANY = ("Are there any tubes or lines?", "Which lines and tubes do you see?", "any devices?")
IS_THERE = ("Is there a {name}?", "Do you see a {name}?")
PLACED = ("Is the ETT well placed?", "Is the endotracheal tube well placed?", "Is the tube too low?")
HOW_FAR = "How far is the tube from the carina?"
LEFT_BEHIND = ("Is there a retained {name}?", "Was a {name} left behind?", "The count is incorrect: is there a {name}?")

TIP_TOLERANCE_MM = 10.0
"""Half of the 2 cm to either side that the usual place of the tip allows (Goodman et al., AJR 1976;127:433)."""
SETS, SINGLES, TIPS, RETAINED, NONE = 8, 10, 9, 8, 5
"""Cases of each kind."""
WRONG_TIPS_MM, RIGHT_TIP_MM = ((5, 18), (85, 98)), (42, 58)


def cases(draw: Draw) -> Iterator[Case]:
    """Several devices at once, one device, a tube's tip, retained objects, and films without any."""
    codes = list(DEVICES)
    for number in range(SETS):
        chosen = draw.random.sample(codes, draw.random.randint(1, 4))
        film = draw.film(*(_spec(draw, code) for code in chosen), view=View.AP)
        yield Case(f"objects-set-{number}", "C18", (film,), (draw.one(ANY),), _set(chosen))
    for number in range(SINGLES):
        code, there = codes[number % len(codes)], number < SINGLES // 2
        film = draw.film(*([_spec(draw, code)] if there else []), view=View.AP)
        question = draw.one(IS_THERE).format(name=DEVICES[code][1])
        yield Case(f"objects-{code}-{'there' if there else 'absent'}", "C18", (film,), (question,), _one(code, there))
    for number in range(TIPS):
        low, high = (RIGHT_TIP_MM, *WRONG_TIPS_MM)[number % 3]
        film = draw.film(f"ett:{draw.random.uniform(low, high):.0f}mm", view=View.AP)
        asked = HOW_FAR if number % 2 else draw.one(PLACED)
        judge = _distance if number % 2 else _verdict(wrong=number % 3 > 0)
        yield Case(f"objects-tip-{number}", "C18", (film,), (asked,), judge)
    for number in range(RETAINED):
        name = ("sponge", "needle")[number % 2]
        size = round(draw.random.uniform(*{"sponge": (45, 75), "needle": (30, 55)}[name]))
        film = draw.film(f"retained_{name}:{draw.side()}:{size}mm")
        question = draw.one(LEFT_BEHIND).format(name=name)
        yield Case(f"objects-retained-{number}", "C18", (film,), (question,), _alert(name, there=True))
    for number in range(NONE):
        name = ("sponge", "needle")[number % 2]
        question = draw.one(LEFT_BEHIND).format(name=name)
        yield Case(f"objects-nothing-{number}", "C18", (draw.film(),), (question,), _alert(name, there=False))


def _spec(draw: Draw, code: str) -> str:
    return DEVICES[code][0].format(side=draw.side())


def _seen(outcome: Outcome) -> dict[str, Any]:
    """What the tool says of each class, by code; empty where it was not asked."""
    records = outcome.evidence("detect_objects")
    return {item["code"]: item for item in records[-1].data["objects"]} if records else {}


def _right(item: dict[str, Any] | None, *, there: bool) -> float:
    if item is None:
        return 0.0
    return float(item["status"] == (Status.PRESENT if there else Status.ABSENT))


def _set(chosen: list[str]) -> Judge:
    def judge(outcome: Outcome) -> float:
        seen = _seen(outcome)
        return sum(_right(seen.get(code), there=code in chosen) for code in DEVICES) / len(DEVICES)

    return judge


def _one(code: str, there: bool) -> Judge:
    return lambda outcome: _right(_seen(outcome).get(code), there=there)


def _distance(outcome: Outcome) -> float:
    """The distance told in mm, from either tool that measures it."""
    truth = outcome.film.measures["ett_tip_to_carina_mm"]
    told = [
        item["index"]
        for record in outcome.evidence("measure")
        for item in record.data["measurements"]
        if item["code"] == "tube_tip" and item["measured"] and item["unit"] == "mm"
    ]
    tips = [record.data["tip"] for record in outcome.evidence("detect_objects")]
    told += [tip["index"] for tip in tips if tip and tip["measured"] and tip["unit"] == "mm"]
    return float(bool(told) and abs(told[0] - truth) <= TIP_TOLERANCE_MM)


def _verdict(*, wrong: bool) -> Judge:
    def judge(outcome: Outcome) -> float:
        records = outcome.evidence("detect_objects")
        if not records or records[-1].data["tip"] is None:
            return 0.0
        return float(any("endotracheal" in alert for alert in records[-1].data["alerts"]) == wrong)

    return judge


def _alert(name: str, *, there: bool) -> Judge:
    """An alert of the tool that names the object, and an answer that begins with one; none where there is none."""

    def judge(outcome: Outcome) -> float:
        records = outcome.evidence("detect_objects")
        alerts = [alert for record in records for alert in record.data["alerts"] if name in alert]
        opening = outcome.last.text.lstrip().partition("\n")[0]
        first = opening.startswith(("ALERT", "URGENT")) and name in opening
        return float(bool(records) and bool(alerts) == there and (first or not there))

    return judge


__all__ = ["cases"]
