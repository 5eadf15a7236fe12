"""audit: for whom, and by what, is the classifier that answers better or worse?

Answers from the report of a finished audit of that model (`hilum eval audit`): subgroups by age, sex and view and their
intersections with the worst of each, films with and without devices, and scores on films with the lungs masked. It runs
no audit itself and looks at no film.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from imaging.failures import Unavailable
from models.outputs import Task
from tools.audits import Attribute, Audit, Masking, Shortcut, audit_of
from tools.contract import Result, ToolArguments, ToolContext, tool
from tools.contract.cards import card_facts
from tools.contract.wording import listed, summarise
from tools.knowledge import finding

SINGLE = ("age", "sex", "view")
"""Attributes told first; intersections come after them."""

MASKED_TOLD = 3

AUDIT_CAVEAT = (
    "An audit tells of the films it was made on; the worst group was picked by its figure, so its gap is somewhat too "
    "large, and labels mined from reports have errors of their own."
)


class AuditArguments(ToolArguments):
    """Whose audit."""

    model: str | None = Field(
        default=None, description="Catalog id of a classifier; left out, the one that answers in this session."
    )


class AuditData(BaseModel):
    """The report of the audit."""

    audit: Audit


@tool(
    name="audit",
    title="Audit of the classifier",
    arguments=AuditArguments,
    result=AuditData,
    needs=(Task.CLASSIFY,),
    answers="For whom (age, sex, view and their intersections) the classifier is worse, what devices and masked lungs "
    "do to it, from a finished audit; no film is read.",
    asked_by=(
        "audit",
        "audit report",
        "audit of the model",
        "has the model been audited",
        "fairness",
        "fair",
        "is the model fair",
        "bias",
        "biased",
        "is the model biased",
        "is it biased",
        "subgroup",
        "subgroups",
        "worst subgroup",
        "worst group",
        "which patients is it worst",
        "who is it worst for",
        "for whom is the model worse",
        "worse for women",
        "worse for men",
        "worse in women",
        "worse in older",
        "perform in women",
        "perform on women",
        "perform in older",
        "performance by age",
        "performance by sex",
        "performance in women",
        "shortcut",
        "shortcuts",
        "does it cheat",
        "right for the wrong reasons",
        "masked lungs",
        "lungs masked",
    ),
)
def audit(context: ToolContext, arguments: AuditArguments) -> Result:
    """What a finished audit says; see the module."""
    entry = context.models.resolve(Task.CLASSIFY, arguments.model)
    card = context.models.card(entry.id)
    found = audit_of(entry.id, context.home)
    if found is None:
        raise Unavailable(
            f"No audit of {card.title} is on this machine.", "Make one: hilum eval audit --data FOLDER --labels CSV."
        )
    caveats = [AUDIT_CAVEAT]
    if found.revision != card.revision:
        caveats.insert(0, f"The audit is of revision {found.revision}; {card.revision} answers now.")
    return Result(
        summary=summarise(_sentences(found)),
        data=AuditData(audit=found),
        caveats=[*caveats, *found.missing],
        model=entry.id,
        revision=card.revision,
        card=card_facts(card),
    )


def _sentences(found: Audit) -> list[str]:
    of = f"{len(found.overall.findings)} finding{'' if len(found.overall.findings) == 1 else 's'}"
    mean = f": mean AUROC {found.overall.mean} over {of}" if found.overall.mean else ""
    said = [f"Audited on {found.films:,} films of {found.patients:,} patients ({found.data}){mean}."]
    said += [text for name in SINGLE for each in found.attributes if each.name == name and (text := _gap(each))]
    together = [each for each in found.attributes if each.name not in SINGLE and each.gap]
    if together:
        widest = max(together, key=lambda each: each.gap.value if each.gap else 0.0)
        said.append(f"Widest at an intersection: {_gap(widest)}")
    said += [_device(each) for each in found.shortcuts if each.finding == "pneumothorax"]
    return [*said, *_masked(found.masking)]


def _gap(each: Attribute) -> str:
    """ "By sex: worst women, 0.02 (0.00–0.04) below men." """
    if each.gap is None:
        return ""
    apart = "" if each.gap.low > 0 else ", which chance can explain"
    return f"By {each.name}: worst {each.worst}, mean AUROC {each.gap} below {each.best}{apart}."


def _device(each: Shortcut) -> str:
    device = each.device.replace("_", " ")
    told = {name: str(value) for name, value in (("with", each.with_device), ("without", each.without_device)) if value}
    return f"{finding(each.finding).name.capitalize()}: AUROC {listed(f'{v} {k} {device}' for k, v in told.items())}."


def _masked(rows: list[Masking]) -> list[str]:
    """The findings that most keep their AUROC when the lungs are hidden."""
    kept = sorted((row for row in rows if row.without_lungs.low > 0.5), key=lambda row: -row.without_lungs.value)
    if not rows:
        return []
    if not kept:
        return ["With the lungs masked no finding is told better than by chance."]
    told = listed(f"{finding(row.finding).name} {row.without_lungs.value:.2f}" for row in kept[:MASKED_TOLD])
    more = f" and {len(kept) - MASKED_TOLD} more" if len(kept) > MASKED_TOLD else ""
    return [f"With the lungs masked these are still told better than by chance (AUROC): {told}{more}."]
