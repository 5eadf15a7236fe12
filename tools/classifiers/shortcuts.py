"""What else on a film may have made a classifier's score: what stands beside a finding on the films it learnt from.

A chest drain treats pneumothorax, so most films that are labelled with it show one; a classifier that learnt the drain
misses pneumothorax before it is treated. One such classifier had an AUROC of 0.94 on films with drains and 0.77 without
(Oakden-Rayner et al., ACM CHIL 2020, doi:10.1145/3368555.3384468).
"""

from __future__ import annotations

from collections.abc import Iterable

from imaging.radiograph import Radiograph
from models.outputs import Task
from tools.anatomy.sightings import sightings
from tools.contract import Finding, Status, ToolContext

SHORTCUTS = {"pneumothorax": "chest_drain"}
"""Findings, and the object that stands beside them."""

WARNING = {
    Status.PRESENT: "A chest drain is seen (score {score:.2f}).",
    Status.UNCERTAIN: "A chest drain may be on the film (score {score:.2f}).",
}
SHORTCUT = (
    " Classifiers take drains for pneumothorax, as most labelled films show both (Oakden-Rayner et al., 2020): look "
    "for the pleural line itself."
)


def shortcut_warnings(
    context: ToolContext, film: Radiograph, judged: Iterable[Finding], asked: Iterable[str] | None
) -> list[str]:
    """A sentence for each finding whose shortcut is on the film, where the finding was asked for or is not absent.

    Args:
        context: whose models see objects; without one for that nothing is warned of.
        film: the film.
        judged: the classifier's findings.
        asked: codes that were asked for by name; None where all were taken.
    """
    named = set(asked or ())
    doubtful = [
        item.code
        for item in judged
        if item.code in SHORTCUTS
        and (item.code in named or item.status in (Status.PRESENT, Status.UNCERTAIN))
        and item.status is not Status.NOT_ASSESSED
    ]
    seen = sightings(context.models, film) if doubtful and context.models.serves(Task.DETECT) else None
    found = [seen.get(SHORTCUTS[code]) for code in doubtful] if seen else []
    return [
        WARNING[one.status].format(score=one.score) + SHORTCUT
        for one in found
        if one is not None and one.worth.usable and one.status in WARNING
    ]


__all__ = ["shortcut_warnings"]
