"""What was asked for → the phantom's findings, with a note on everything that is drawn otherwise than it was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from imaging.failures import BadArguments, NotApplicable
from imaging.phantom import FINDINGS, FindingSpec, parse_finding
from tools.contract.wording import listed
from tools.drawing.reading import GRADES, Asked, vocabulary
from tools.knowledge import findings

DRAINED = ("pneumothorax", "effusion")
"""What a chest drain treats: it lies on the side of it."""


def specified(asked: Sequence[Asked]) -> tuple[tuple[FindingSpec, ...], list[str]]:
    """The phantom's findings, and sentences on what could not be drawn as it was said.

    Raises:
        NotApplicable: the phantom cannot draw one of them.
        BadArguments: an amount is out of the phantom's range.
    """
    specs, notes = [], []
    treated = next((each.side for each in asked if _drawable(each.code) in DRAINED and each.side), None)
    for each in asked:
        drains = each.code == "chest_drain" and each.side is None
        spec, said = _one(replace(each, side=treated) if drains else each)
        specs.append(spec)
        notes += said
    return tuple(specs), notes


def name(code: str) -> str:
    """What to call a finding or device of the phantom."""
    return findings()[code].name if code in findings() else str(vocabulary()["phantom"].get(code, [code])[0])


def _one(asked: Asked) -> tuple[FindingSpec, list[str]]:
    code = _drawable(asked.code)
    if code is None:
        known = listed(name(each) for each in FINDINGS)
        raise NotApplicable(f"The phantom cannot draw {asked.words}.", f"It draws {known}.")
    notes = [] if code == asked.code or asked.tension else [f"For {asked.words} the phantom draws {name(code)}."]
    rule, parts = FINDINGS[code], [code]
    if asked.side:
        parts += [asked.side] if rule.sided else []
        notes += [] if rule.sided else [f"The phantom draws {name(code)} on no side of choice."]
    if asked.place:
        allowed = rule.lobed if asked.place.endswith("_lobe") else rule.zoned
        parts += [asked.place] if allowed else []
        notes += [] if allowed else [f"The phantom chooses the place of {name(code)} itself."]
    if asked.tension and "tension" in rule.kinds:
        parts.append("tension")
    parts += [size] if (size := _size(code, asked)) else []
    try:
        return parse_finding(":".join(parts)), notes
    except BadArguments as error:
        raise BadArguments(f"The phantom cannot draw this {name(code)}: {error.message}", error.hint) from error


def _drawable(code: str) -> str | None:
    """What the phantom draws for a code: the finding itself, what stands for it, or a broader finding."""
    wider: str | None = vocabulary()["instead"].get(code, code)
    while wider is not None and wider not in FINDINGS:
        wider = findings()[wider].parent if wider in findings() and code not in vocabulary()["apart"]["codes"] else None
    return wider


def _size(code: str, asked: Asked) -> str:
    if asked.amount:
        return asked.amount
    sizes = vocabulary()["sizes"].get(code)
    if asked.grade is None or sizes is None:
        return ""
    unit = {"ratio": ""}.get(FINDINGS[code].unit, FINDINGS[code].unit)
    return f"{sizes[GRADES.index(asked.grade)]:g}{unit}"
