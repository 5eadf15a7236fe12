"""C3: what no classifier was trained on is looked for by a checklist, which the user edits; nothing is made up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evals.phantom_cases.case import Case, Draw, Judge, Outcome
from evals.phantom_cases.seen import words

SIGNS = {
    "heart failure": ("cardiomegaly", "effusion", "edema"),
    "hydropneumothorax": ("pneumothorax", "effusion"),
    "empyema": ("effusion", "pleural_thickening", "consolidation"),
    "lung cancer": ("mass", "atelectasis", "effusion"),
}
"""Findings that the classifier does not know, and signs of their checklist that a phantom can show."""
ASKED = ("Is there {name}?", "Any {name}?", "Do you see signs of {name}?")
EDITED = "Run the checklist for heart failure again without the enlarged heart and the edema"
UNHEARD_OF = ("unicorn horn", "swallowed ring", "blue vein pattern", "gremlin")
SIGNED, EDITS = 16, 6


def cases(draw: Draw) -> Iterator[Case]:
    """All signs there or none; a checklist edited so that its verdict turns; things the ontology has no word for."""
    names = list(SIGNS)
    for number in range(SIGNED):
        name, there = names[number // 2 % len(names)], number % 2 == 0
        film = draw.film(*([words(draw, code) for code in SIGNS[name]] if there else []))
        question = draw.one(ASKED).format(name=name)
        yield Case(f"signs-{number}-{name.replace(' ', '_')}", "C3", (film,), (question,), _verdict(there))
    for number in range(EDITS):
        film = draw.film(words(draw, "effusion"))
        yield Case(f"signs-edited-{number}", "C3", (film,), ("Is there heart failure?", EDITED), _turns)
    for number, name in enumerate(UNHEARD_OF):
        film = draw.film(words(draw, "mass"))
        yield Case(f"signs-unheard-{number}", "C3", (film,), (f"Is there a {name}?",), _not_made_up)


def _said(outcome: Outcome, turn: int) -> dict[str, Any] | None:
    records = [r for r in outcome.answers[turn].evidence if r.tool == "zero_shot" and r.failure is None]
    return records[-1].data if records else None


def _verdict(there: bool) -> Judge:
    """The verdict by signs is right, labelled as such, and the finding itself is not called present or absent."""

    def judge(outcome: Outcome) -> float:
        said = _said(outcome, -1)
        if said is None or said["label"] != "signs in place of zero-shot":
            return 0.0
        if said["verdict"] == "undecided":
            return 0.5
        return float((said["verdict"] == "supported") == there)

    return judge


def _turns(outcome: Outcome) -> float:
    """Of an effusion alone: not supported by the whole checklist, supported once what is not there is left out."""
    first, second = _said(outcome, 0), _said(outcome, 1)
    if first is None or second is None:
        return 0.0
    left_out = [row["concept"] for row in second["rows"] if not row["enabled"]]
    if len(left_out) != 2:
        return 0.0
    return 0.5 * (first["verdict"] != "supported") + 0.5 * (second["verdict"] == "supported")


def _not_made_up(outcome: Outcome) -> float:
    """Said to be not assessed, with what would be needed; no finding is called."""
    answer = outcome.last
    return float(bool(answer.not_assessed) and not answer.findings and "hilum models pull" in answer.text)


__all__ = ["cases"]
