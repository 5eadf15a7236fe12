"""One finding of a phantom (FindingSpec), what each code accepts (FINDINGS), and the words a user writes for it."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import Any

from imaging.failures import BadArguments

SIDES = ("left", "right", "bilateral")
"""The patient's sides, never the picture's."""

ZONES = ("upper", "middle", "lower")
"""Lung zones of the frontal film: thirds of the lung's height."""

LOBES = ("upper_lobe", "middle_lobe", "lower_lobe")
"""Lobes of the lungs; the left lung has no middle lobe, its upper lobe includes the lingula."""


@dataclass(frozen=True)
class Rule:
    """What one finding code accepts.

    Attributes:
        sided: whether it has a side; a sided finding without one is drawn from the seed.
        unit: 'ml', 'mm', '%', 'ratio' or '' (severity only): the unit of a number in its text form.
        low, high: allowed range of that number.
        zoned: whether it may name a zone.
        default: the number used when none is given.
        usual_side: the side of a sided finding that names none; drawn from the seed when None.
        lobed: whether it may name a lobe.
        kinds: words for its forms, at most one at a time.
        extras: further numbers by field name of FindingSpec, each (low, high) in the unit of its name.
    """

    sided: bool
    unit: str
    low: float
    high: float
    zoned: bool
    default: float
    usual_side: str | None = None
    lobed: bool = False
    kinds: tuple[str, ...] = ()
    extras: dict[str, tuple[float, float]] = field(default_factory=dict)


FINDINGS: dict[str, Rule] = {
    "effusion": Rule(True, "ml", 20.0, 3000.0, False, 500.0),
    "pneumothorax": Rule(True, "%", 3.0, 90.0, False, 25.0, kinds=("tension",), extras={"shift_mm": (5.0, 40.0)}),
    "consolidation": Rule(True, "mm", 20.0, 160.0, True, 80.0, lobed=True, kinds=("patchy",)),
    "nodule": Rule(True, "mm", 4.0, 30.0, True, 15.0),
    "mass": Rule(True, "mm", 30.0, 120.0, True, 45.0),
    "cavity": Rule(True, "mm", 20.0, 100.0, True, 45.0, kinds=("fluid_level",), extras={"wall_mm": (2.0, 20.0)}),
    "cardiomegaly": Rule(False, "ratio", 0.5, 0.70, False, 0.58),
    "edema": Rule(True, "", 0.0, 1.0, False, 0.5, "bilateral"),
    "infiltration": Rule(True, "mm", 30.0, 160.0, True, 90.0, kinds=("ground_glass",)),
    "atelectasis": Rule(True, "", 0.0, 1.0, True, 0.5),
    "emphysema": Rule(True, "", 0.0, 1.0, True, 0.5, "bilateral"),
    "fibrosis": Rule(True, "", 0.0, 1.0, True, 0.5, "bilateral"),
    "pleural_thickening": Rule(True, "mm", 2.0, 30.0, True, 8.0),
    "hernia": Rule(False, "mm", 30.0, 130.0, False, 70.0),
    "fracture": Rule(
        True, "mm", 0.0, 25.0, False, 8.0, kinds=("posterior", "lateral", "anterior"), extras={"rib": (2, 10)}
    ),
    "retained_sponge": Rule(True, "mm", 20.0, 90.0, True, 50.0),
    "retained_needle": Rule(True, "mm", 8.0, 80.0, True, 30.0),
    "ett": Rule(False, "mm", 0.0, 120.0, False, 50.0),
    "ng_tube": Rule(False, "", 0.0, 1.0, False, 0.5),
    "central_line": Rule(True, "", 0.0, 1.0, False, 0.5, "right"),
    "pacemaker": Rule(True, "", 0.0, 1.0, False, 0.5, "left"),
    "chest_drain": Rule(True, "", 0.0, 1.0, False, 0.5),
}
"""Findings this phantom can show, with their numbers' ranges. A nodule is at most 30 mm, a mass at least
(Fleischner Society glossary, Hansell et al., Radiology 2008;246:697)."""

VALUE_FIELDS = {"ml": "volume_ml", "mm": "diameter_mm", "%": "fraction", "ratio": "target_ratio", "": "severity"}
"""FindingSpec's field that holds a rule's number, by its unit."""


@dataclass(frozen=True)
class FindingSpec:
    """One finding to put into the patient; unset numbers take the rule's default.

    Attributes:
        code: a key of FINDINGS; devices and retained objects apart, an ontology code.
        side: 'left', 'right', 'bilateral' (patient's) or None (drawn from the seed where the finding has a side).
        zone: 'upper', 'middle', 'lower' or None.
        volume_ml: effusion volume in millilitres, per side.
        diameter_mm: size of a finding in the patient, in mm: diameter of a rounded one, displacement of a fracture,
            length of a needle, thickness of pleura, distance of a tube's tip from the carina.
        fraction: pneumothorax, share of the hemithorax's volume that is free air, 0..1.
        target_ratio: cardiomegaly, the cardiothoracic ratio to be met on the film.
        severity: 0..1 for findings without a natural unit.
        place: reference mm (x, y, z) of a focal finding's centre; drawn when None. Set by `progression`.
        lobe: one of LOBES: the finding fills this lobe, up to its fissures.
        kind: one of the rule's kinds, e.g. 'tension'.
        shift_mm: tension pneumothorax, displacement of heart and mediastinum, mm of the patient.
        wall_mm: cavity, thickness of its wall.
        rib: fracture, number of the rib counted from the top; drawn from 4..8 when None.
        number: which of several alike (same code and side), from 1; counted when None. A finding's random numbers hang
            on code, side and number alone, so that it stays itself when others come, go or change places.
    """

    code: str
    side: str | None = None
    zone: str | None = None
    volume_ml: float | None = None
    diameter_mm: float | None = None
    fraction: float | None = None
    target_ratio: float | None = None
    severity: float = 0.5
    place: tuple[float, float, float] | None = None
    lobe: str | None = None
    kind: str | None = None
    shift_mm: float | None = None
    wall_mm: float | None = None
    rib: int | None = None
    number: int | None = None

    def __post_init__(self) -> None:
        rule = FINDINGS.get(self.code)
        if rule is None:
            raise BadArguments(f"no finding {self.code!r}.", _nearest(self.code, list(FINDINGS)))
        self._check_word("side", SIDES if rule.sided else ())
        self._check_word("zone", ZONES if rule.zoned else ())
        self._check_word("lobe", LOBES if rule.lobed else ())
        self._check_word("kind", rule.kinds)
        if self.lobe and self.zone:
            raise BadArguments(f"{self.code} names a lobe and a zone.", "Give one of them.")
        if self.lobe and self.kind:
            raise BadArguments(f"a whole lobe is not {self.kind}.", "Give a lobe or a kind.")
        if self.lobe == "middle_lobe" and self.side not in (None, "right"):
            raise BadArguments(f"the left lung has no middle lobe ({self.code}, {self.side}).", "Give side right.")
        if not 0 <= self.severity <= 1:
            raise BadArguments(f"severity {self.severity} is outside 0..1.")
        if self.number is not None and not 1 <= self.number <= 99:
            raise BadArguments(f"number {self.number} of {self.code} is out of range.", "Allowed: 1 to 99.")
        for name in ("shift_mm", "wall_mm", "rib"):
            self._check_extra(name, rule.extras.get(name))
        if self.shift_mm is not None and self.kind != "tension":
            raise BadArguments("a shift goes with tension only.", "Write pneumothorax:left:60%:tension:shift=20mm.")
        value = self.value
        if not rule.low <= value <= rule.high:
            raise BadArguments(
                f"{self.code} of {value:g} {rule.unit} is out of range.", f"Allowed: {rule.low:g} to {rule.high:g}."
            )
        if self.wall_mm is not None and self.wall_mm > 0.4 * value:
            raise BadArguments(
                f"a wall of {self.wall_mm:g} mm leaves no cavity in {value:g} mm.", f"At most {0.4 * value:g} mm."
            )

    def _check_word(self, name: str, allowed: tuple[str, ...]) -> None:
        """Raise BadArguments unless the field is None or one of the words."""
        word = getattr(self, name)
        if word is not None and word not in allowed:
            hint = f"one of {', '.join(allowed)}" if allowed else f"no {name} for {self.code}"
            raise BadArguments(f"{name} {word!r} does not fit {self.code}.", f"Allowed: {hint}.")

    def _check_extra(self, name: str, limits: tuple[float, float] | None) -> None:
        """Raise BadArguments unless the field is None or within the limits of its rule."""
        value = getattr(self, name)
        if value is not None and (limits is None or not limits[0] <= value <= limits[1]):
            hint = f"{limits[0]:g} to {limits[1]:g}" if limits else f"no {name} for {self.code}"
            raise BadArguments(f"{name} {value:g} does not fit {self.code}.", f"Allowed: {hint}.")

    @property
    def value(self) -> float:
        """The finding's number in its rule's unit (ml, mm, %, ratio), the default when unset."""
        rule = FINDINGS[self.code]
        given = getattr(self, VALUE_FIELDS[rule.unit])
        if given is None:
            return rule.default
        return float(given) * 100 if rule.unit == "%" else float(given)

    def __str__(self) -> str:
        rule = FINDINGS[self.code]
        value = f"{self.value:g}{'' if rule.unit == 'ratio' else rule.unit}" if rule.unit else f"{self.severity:g}"
        extras = [
            f"shift={self.shift_mm:g}mm" if self.shift_mm is not None else None,
            f"wall={self.wall_mm:g}mm" if self.wall_mm is not None else None,
            f"rib{self.rib}" if self.rib is not None else None,
            f"#{self.number}" if self.number is not None else None,
        ]
        parts = [self.code, self.side, self.zone, self.lobe, self.kind, value, *extras]
        return ":".join(part for part in parts if part)


def _nearest(word: str, valid: list[str]) -> str:
    """A hint that names the closest valid words first, then all of them."""
    close = difflib.get_close_matches(word, valid, n=2, cutoff=0.5)
    lead = f"Did you mean {' or '.join(close)}? " if close else ""
    return f"{lead}Valid: {', '.join(sorted(valid))}."


_NUMBER = re.compile(r"^(\d+(?:\.\d+)?|\.\d+)\s*(ml|mm|cm|l|%)?$")
_LOBE = re.compile(r"^(?:lobe=)?(?:(left|right)_)?((?:upper|middle|lower)_lobe)$")
_EXTRA = re.compile(r"^(shift|wall|rib|#)\s*=?\s*(\d+(?:\.\d+)?)\s*(mm|cm)?$")


def parse_finding(text: str) -> FindingSpec:
    """`effusion:left:400ml` → FindingSpec; the tokens after the code may stand in any order.

    Numbers carry ml, l, mm, cm or %; a bare number is the finding's own unit where it fits its range, otherwise a
    severity of 0..1. Lobes are `upper_lobe`, `right_middle_lobe` and so on; further words are the rule's kinds
    (`tension`) and `shift=20mm`, `wall=5mm`, `rib7` and `#2` (which of several alike).

    Raises:
        BadArguments: unknown code, side, zone or unit, or a number out of range; the hint names what is valid.
    """
    tokens = [token.strip().lower() for token in text.split(":") if token.strip()]
    codes = [token for token in tokens if token.replace("-", "_") in FINDINGS]
    if not codes:
        word = tokens[0] if tokens else text
        raise BadArguments(f"no finding in {text!r}.", _nearest(word, list(FINDINGS)))
    tokens.remove(codes[0])
    code = codes[0].replace("-", "_")
    values: dict[str, Any] = {}
    for token in tokens:
        for name, value in _read(code, token, text).items():
            if name in values:
                raise BadArguments(f"{text!r} says {name} twice.")
            values[name] = value
    return FindingSpec(code, **values)


def _read(code: str, token: str, text: str) -> dict[str, Any]:
    """The fields of FindingSpec that one token of `text` sets."""
    word = token.replace("-", "_").replace(" ", "_")
    if word in SIDES:
        return {"side": word}
    if word in ZONES:
        return {"zone": word}
    if word in FINDINGS[code].kinds:
        return {"kind": word}
    if lobe := _LOBE.match(word):
        return {"lobe": lobe[2], **({"side": lobe[1]} if lobe[1] else {})}
    if extra := _EXTRA.match(token):
        return _extra(extra[1], float(extra[2]), extra[3], token)
    if number := _NUMBER.match(token):
        name, value = _number(code, float(number[1]), number[2])
        return {name: value}
    rule = FINDINGS[code]
    words = [*SIDES * rule.sided, *ZONES * rule.zoned, *LOBES * rule.lobed, *rule.kinds]
    raise BadArguments(f"{token!r} in {text!r} is not understood.", _nearest(token, words or [*SIDES, *ZONES]))


def _extra(word: str, value: float, unit: str | None, token: str) -> dict[str, Any]:
    """The field that `shift=20mm`, `wall=5mm`, `rib7` or `#2` sets."""
    if word in ("shift", "wall"):
        return {f"{word}_mm": value * (10 if unit == "cm" else 1)}
    if unit or value != int(value):
        raise BadArguments(f"{token!r} is no whole number.", "Write rib7, #2.")
    return {"rib" if word == "rib" else "number": int(value)}


def _number(code: str, value: float, unit: str | None) -> tuple[str, float]:
    """(field, value) for a number of this finding; see parse_finding."""
    rule = FINDINGS[code]
    given = {"l": "ml", "cm": "mm"}.get(unit or "", unit)
    value *= {"l": 1000.0, "cm": 10.0}.get(unit or "", 1.0)
    if given is None and rule.unit == "%" and value < 1:
        given, value = "%", value * 100
    if given is None and (not rule.unit or (value <= 1 and rule.unit not in ("ratio", "%"))):
        return "severity", value
    if given is not None and given != rule.unit:
        wanted = rule.unit if rule.unit not in ("", "ratio") else "a bare number"
        raise BadArguments(f"{code} is not given in {unit}.", f"Give {wanted}.")
    return VALUE_FIELDS[rule.unit], value / 100 if rule.unit == "%" else value
