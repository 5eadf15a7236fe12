"""Scripted patients: the installed tools as the planner sees them, whose results are written down here.

So what is scored is the planner: which tools it calls, with what, and what it makes of their results. No model runs.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from imaging.failures import NotApplicable, Unavailable
from imaging.radiograph import Radiograph, Source, View, canonical, film_id
from models.outputs import ScoreKind
from tools.contract import Finding, Registry, Result, Status, Tool, ToolArguments, ToolContext
from tools.contract.tool import installed
from tools.knowledge import finding, findings

RATIOS = {"current": 0.58, "prior": 0.44}
"""Cardiothoracic ratio of either film."""
SCORES = {"effusion": 0.91, "consolidation": 0.82, "cardiomegaly": 0.78, "atelectasis": 0.5}
"""Scores on the current film; every other finding of the NIH set scores LOW, and so does everything on the prior."""
LOW = 0.04
THRESHOLD, BAND = 0.5, 0.05
PLACES = {"effusion": ("left", "left lower zone"), "consolidation": ("right", "right lower zone")}
DATES = {"prior": dt.date(2026, 1, 5), "current": dt.date(2026, 6, 7)}
SIDE_PIXELS = 64
ASSESSED = tuple(code for code, concept in findings().items() if concept.labels.get("nih"))
"""What the scripted classifier knows."""


class Said(BaseModel):
    """The data of every scripted result."""

    reason: str = ""
    unusable: str = ""
    sections: list[dict[str, Any]] = Field(default_factory=list)
    pairs: list[dict[str, Any]] = Field(default_factory=list)
    course: dict[str, list[str]] = Field(default_factory=dict)


def film(name: str) -> Radiograph:
    """The "prior" (which is clear) or the "current" film of the patient: noise, with a view, a date and a spacing."""
    pixels = canonical(np.random.default_rng(list(DATES).index(name)).random((SIDE_PIXELS, SIDE_PIXELS)))
    return Radiograph(
        id=film_id(pixels),
        pixels=pixels,
        source=Source(
            format="DICOM", rows=SIDE_PIXELS, columns=SIDE_PIXELS, bits_stored=12, photometric="MONOCHROME2",
            modality="DX",
        ),
        spacing_mm=(0.2, 0.2),
        view=View.PA,
        view_origin="header",
        acquired=DATES[name],
        patient_key="scripted",
    )  # fmt: skip


FILMS = {name: film(name) for name in DATES}
SCENES: dict[str, tuple[str, ...]] = {
    "film": ("current",),
    "clear": ("prior",),
    "pair": ("prior", "current"),
    "none": (),
}
"""Which films a scene shows, in the order given."""


def scripted() -> Registry:
    """Every installed tool as declared, with a scripted result in place of its run."""
    return Registry(dataclasses.replace(tool, needs=(), run_function=_script(tool)) for tool in installed())


def _script(tool: Tool) -> Any:
    def run(context: ToolContext, given: ToolArguments) -> Result:
        asked = given.model_dump(exclude_none=True)
        films = [asked["image_id"]] if asked.get("image_id") else list(asked.get("image_ids", []))
        named = [next(name for name, item in FILMS.items() if item.id == image_id) for image_id in films]
        made = SCRIPTS.get(tool.name, _plain)(asked, named)
        title = f"{tool.title}: done" if not made.summary else made.summary
        return made.model_copy(update={"image_ids": films, "summary": title, "data": made.data or Said()})

    return run


def _plain(asked: dict[str, Any], films: list[str]) -> Result:
    return Result(summary="")


def _classify(asked: dict[str, Any], films: list[str]) -> Result:
    rows = [_judged(code, films[0]) for code in asked.get("findings") or ASSESSED]
    told = ", ".join(f"{row.code} {row.status}" for row in rows)
    return Result(summary=f"Scores: {told}.", findings=rows, model="scripted", revision="1")


def _judged(code: str, name: str) -> Finding:
    if code not in ASSESSED:
        reason = "the classifier was not trained on it"
        return Finding(code=code, image_id=FILMS[name].id, status=Status.NOT_ASSESSED, reason=reason)
    score = SCORES.get(code, LOW) if name == "current" else LOW
    above = Status.PRESENT if score > THRESHOLD else Status.ABSENT
    return Finding(
        code=code,
        image_id=FILMS[name].id,
        status=Status.UNCERTAIN if abs(score - THRESHOLD) < BAND else above,
        score=score,
        score_kind=ScoreKind.CALIBRATED_PROBABILITY,
        threshold=THRESHOLD,
    )


def _measure(asked: dict[str, Any], films: list[str]) -> Result:
    tasks = asked.get("tasks") or ["cardiothoracic_ratio"]
    if "cardiothoracic_ratio" not in tasks:
        return Result(summary=f"Measured: {', '.join(tasks)}.")
    ratio = RATIOS[films[0]]
    large = ratio > THRESHOLD
    row = Finding(
        code="cardiomegaly",
        image_id=FILMS[films[0]].id,
        status=Status.PRESENT if large else Status.ABSENT,
        score=ratio,
        score_kind=ScoreKind.MEASUREMENT,
        threshold=THRESHOLD,
    )
    said = f"Cardiothoracic ratio {ratio:.2f}. The heart is {'' if large else 'not '}enlarged."
    return Result(summary=said, findings=[row])


def _ground(asked: dict[str, Any], films: list[str]) -> Result:
    code = asked.get("finding") or ""
    if code not in findings():
        return Result(summary="Not localised.")
    seen = _judged(code, films[0])
    if films[0] != "current" or code not in PLACES:
        return Result(summary=f"{finding(code).name}: not localised.", findings=[seen])
    side, region = PLACES[code]
    row = seen.model_copy(update={"laterality": side, "region": region})
    return Result(summary=f"{finding(code).name} in the {region}.", findings=[row])


def _report(asked: dict[str, Any], films: list[str]) -> Result:
    sentences = [{"text": "Left pleural effusion.", "basis": ["classify"], "finding": "effusion"}]
    return Result(summary="Drafted.", data=Said(sections=[{"title": "Findings", "sentences": sentences}]))


def _compare(asked: dict[str, Any], films: list[str]) -> Result:
    """Everything that the current film shows is new."""
    if sorted(films) != sorted(FILMS):
        raise NotApplicable("One film cannot be compared with itself.", "Give the earlier film as well.")
    codes = [code for code in asked.get("findings") or SCORES if SCORES.get(code, LOW) > THRESHOLD]
    changes = [{"finding": code, "name": finding(code).name, "verdict": "new", "reason": "score"} for code in codes]
    pair = {
        "prior_name": "film 1", "current_name": "film 2", "prior_date": None, "current_date": None,
        "days": (DATES["current"] - DATES["prior"]).days, "changes": changes, "absent_on_both": [],
    }  # fmt: skip
    told = ", ".join(f"{change['name']} new" for change in changes) or "no change"
    return Result(summary=f"Compared: {told}.", data=Said(pairs=[pair], course={code: ["new"] for code in codes}))


def _zero_shot(asked: dict[str, Any], films: list[str]) -> Result:
    raise Unavailable("No zero-shot model is here.", "Pull one.")


SCRIPTS = {
    "zero_shot": _zero_shot,
    "compare": _compare,
    "classify": _classify,
    "measure": _measure,
    "ground": _ground,
    "report": _report,
}

__all__ = ["FILMS", "SCENES", "film", "scripted"]
