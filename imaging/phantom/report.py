"""The reference report of a phantom film, written from its truth; words are in words.toml."""

from __future__ import annotations

import math
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imaging.phantom.facts import faults, own_code, position, zones
from imaging.phantom.person import person

if TYPE_CHECKING:
    from imaging.phantom.film import PhantomFilm

NORMAL_RATIO = 0.5
"""Cardiothoracic ratio above which a heart on a PA film counts as enlarged (Danzer, Am J Med Sci 1919;157:513, entered
from memory, unchecked)."""

VIEWS = {"PA": "Posteroanterior", "AP": "Anteroposterior", "LATERAL": "Left lateral"}

UNIT_WORDS = {"mm": "mm", "ml": "ml", "deg": "degrees", "mm2": "mm²"}
"""Last words of a parameter's name that are its unit."""


@cache
def words() -> dict[str, Any]:
    """words.toml."""
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


def report(film: PhantomFilm) -> str:
    """The film's report in three sections, Technique, Findings and Impression, written from what is true of it.

    Each lung, then heart and mediastinum, bones, devices; what is absent is said to be. A finding that the film hides
    (no pixel of it is shown) is not mentioned. All sides are the patient's. Sizes are the patient's, not the shadow's;
    the cardiothoracic ratio is the film's.
    """
    lines = [film.radiograph.warnings[0], "", "Technique", _technique(film), "", "Findings", *_findings(film)]
    return "\n".join([*lines, "", "Impression", *_impression(film), ""])


def name_of(entry: dict[str, Any]) -> str:
    """What a finding's entry is called; a code that words.toml does not know is spelled out."""
    code = own_code(entry)
    return str(words()["findings"].get(code, {}).get("name", code.replace("_", " ")))


def _where(entry: dict[str, Any]) -> str:
    """Line of the report an entry belongs to: 'left', 'right', 'heart', 'bone', 'device' or 'other'."""
    known = words()["findings"].get(own_code(entry))
    where = known.get("where", "lung") if known else "device" if "device" in entry["parameters"] else "lung"
    return str(entry["side"] or "other") if where == "lung" else str(where)


def _technique(film: PhantomFilm) -> str:
    """View, patient, date, position, processing and faults."""
    spec, who = film.spec, person(film.spec)
    sex = {"M": "man", "F": "woman"}.get(who.sex, "person")
    date = f", {spec.date:%-d %B %Y}" if spec.date else ""
    said = [f"{VIEWS[spec.view.value]} chest film of a {sex} of {who.age_years} years{date}"]
    picture = "digital picture" if spec.processing == "digital" else "screen-film picture"
    said += [f"patient {position(film)}", picture, *fault_words(film)]
    return "; ".join(said) + "."


def fault_words(film: PhantomFilm, hindering: bool = False) -> list[str]:
    """The film's faults in words; `hindering`: those alone that hinder reading, not a burned-in name."""
    said = []
    for fault in faults(film):
        if hindering and fault["code"] == "burned_in_name":
            continue
        value = fault["value"] or 0.0
        side, end = ("left" if value > 0 else "right"), ("feet" if value > 0 else "head")
        said.append(words()["faults"][fault["code"]].format(abs(value), side=side, end=end))
    return said


def _findings(film: PhantomFilm) -> list[str]:
    """The lines of the section Findings."""
    shown: dict[str, list[str]] = {}
    for entry in film.findings:
        if entry["visible"]:
            shown.setdefault(_where(entry), []).append(_capital(sentence(film, entry)))
    lines = []
    for side in ("right", "left"):
        said = [*shown.get(side, []), _none(film, side)]
        lines.append(f"{side.capitalize()} lung and pleura: " + " ".join(part for part in said if part))
    lines.append("Heart and mediastinum: " + " ".join([*shown.get("heart", []), *_heart(film), _none(film, "heart")]))
    for where, title in (("bone", "Bones"), ("device", "Devices and foreign bodies"), ("other", "Other")):
        said = [*shown.get(where, []), _none(film, where) if where not in shown else ""]
        if any(said):
            lines.append(f"{title}: " + " ".join(part for part in said if part))
    return [line.rstrip() for line in lines]


def sentence(film: PhantomFilm, entry: dict[str, Any], brief: bool = False) -> str:
    """One finding in words, from its entry alone: grade, name, side, place, numbers. Without numbers when `brief`."""
    parameters, known = entry["parameters"], words()["findings"].get(own_code(entry), {})
    severity = parameters.get("severity")
    grade = f"{_grade(float(severity))} " if severity is not None else ""
    side = f"{entry['side']} " if entry["side"] and (brief or _where(entry) not in ("left", "right")) else ""
    text = f"{grade}{side}{name_of(entry)}{_place(film, entry)}"
    if brief:
        return text + "."
    hidden = {"severity", "device", "object", "zone", "zones", "lobe", *known.get("hide", [])}
    details = [_said(key, value) for key, value in parameters.items() if key not in hidden]
    tip = any(key.startswith("tip") for key in parameters)
    details += [known["details"]] if "details" in known and not tip else []
    return ", ".join([text, *(part for part in details if part)]) + "."


def _place(film: PhantomFilm, entry: dict[str, Any]) -> str:
    """' in the lower lobe', ' in the upper zone', ' in the upper lobe (middle zone)', or '' for what has no place."""
    lobe, zone = entry["parameters"].get("lobe"), _zone(film, entry)
    if lobe:
        where = f" in the {str(lobe).removesuffix('_lobe').replace('_', ' ')} lobe"
        return f"{where} ({zone})" if zone.endswith(("zone", "zones")) else where
    return f" {'throughout' if zone == 'lung' else 'in'} the {zone}" if zone else ""


def _zone(film: PhantomFilm, entry: dict[str, Any]) -> str:
    """'upper zone', 'upper and middle zones', 'lung' for all three; '' for what names no zone or lies in none."""
    from imaging.phantom import FINDINGS

    rule = FINDINGS.get(own_code(entry))
    if not entry["side"] or (rule is not None and not rule.zoned):
        return ""
    found = zones(film, entry["mask"], entry["side"])
    if not found or len(found) == 3:
        return "lung" if found else ""
    return f"{' and '.join(found)} zone{'s' if len(found) > 1 else ''}"


def _said(key: str, value: Any) -> str:
    """One parameter in words; '' for what is not said."""
    if key == "tip_to_carina_mm":
        return f"tip {abs(value):.0f} mm {'above' if value >= 0 else 'below'} the carina"
    if value is None or value is False or isinstance(value, (list, tuple, dict)):
        return ""
    if value is True:
        return key.replace("_", " ")
    spoken = value.replace("_", " ") if isinstance(value, str) else value
    if key in words()["parameters"]:
        return str(words()["parameters"][key].format(spoken))
    stem, _, last = key.rpartition("_")
    if stem and last in UNIT_WORDS and not isinstance(value, str):
        return f"{stem.replace('_', ' ')} {value:g} {UNIT_WORDS[last]}"
    return f"{key.replace('_', ' ')}: {spoken}"


def _grade(severity: float) -> str:
    """A severity of 0..1 as a word."""
    grades: dict[str, float] = words()["severity"]
    return next((word for word, top in grades.items() if severity <= top), [*grades][-1])


def _none(film: PhantomFilm, where: str) -> str:
    """What is not there: of the findings words.toml puts in this place, those the patient does not have here."""
    from imaging.phantom import FINDINGS

    place = "lung" if where in ("left", "right") else where
    here = {own_code(e) for e in film.findings if e["side"] in (where, None) or place != "lung"}
    known = words()["findings"]
    names = [
        known[code]["name"] for code in FINDINGS
        if code in known and known[code].get("where", "lung") == place and code not in here and code != "cardiomegaly"
    ]  # fmt: skip
    if place == "device":
        return "None."
    return f"No {_listed(names)}." if names else ""


def _heart(film: PhantomFilm) -> list[str]:
    """The heart's size."""
    if "cardiothoracic_ratio" not in film.measures:
        return []
    ratio = film.measures["cardiothoracic_ratio"]
    if math.isnan(ratio):
        return ["The cardiothoracic ratio cannot be measured: part of the thorax is outside the field."]
    said = f"cardiothoracic ratio {ratio:.2f}"
    enlarged = any(entry["code"] == "cardiomegaly" for entry in film.findings)
    if enlarged:
        return [_capital(said) + "."]
    if ratio <= NORMAL_RATIO:
        return [f"Heart not enlarged, {said}."]
    why = "the AP projection magnifies the heart" if film.spec.view.value == "AP" else "at the border of normal"
    return [f"{_capital(said)}; {why}."]


def _impression(film: PhantomFilm) -> list[str]:
    """Numbered lines: what is there, once for both sides, then what limits the film."""
    shown = [entry for entry in film.findings if entry["visible"]]
    said: list[str] = []
    for entry in shown:
        twin = {**entry, "side": None}
        both = {other["side"] for other in shown if own_code(other) == own_code(entry)} >= {"left", "right"}
        text = f"bilateral {name_of(twin)}." if both else sentence(film, entry, brief=True)
        if text not in said:
            said.append(text)
    said = [_capital(text) for text in said] or ["No abnormality."]
    limits = fault_words(film, hindering=True)
    said += [f"Limited film: {', '.join(limits)}."] if limits else []
    return [f"{number}. {text}" for number, text in enumerate(said, 1)]


def _listed(names: list[str]) -> str:
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
