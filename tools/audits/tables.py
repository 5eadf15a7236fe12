"""An audit as tables of text, for the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.audits.report import Attribute, Audit, Figure

NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """A title, column heads and rows of text."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def tables(audit: Audit) -> Iterator[Table]:
    """Subgroups with the worst of each attribute, then devices, then masked lungs."""
    for attribute in audit.attributes:
        yield _groups(attribute)
    if audit.shortcuts:
        device = audit.shortcuts[0].device.replace("_", " ")
        rows = [(s.finding, _told(s.with_device), _told(s.without_device), _told(s.gap)) for s in audit.shortcuts]
        heads = ("finding", f"AUROC, films with {device}", f"without {device}", "difference")
        yield Table(f"With and without {device}, each against all films without the finding", heads, rows)
    if audit.masking:
        columns = ("finding", "whole film", "without the lungs", "without the chest", "lungs alone")
        yield Table(
            "AUROC on masked films",
            columns,
            [
                (m.finding, *map(_told, (m.whole, m.without_lungs, m.without_chest, m.lungs_alone)))
                for m in audit.masking
            ],
        )


def _groups(attribute: Attribute) -> Table:
    gap = f"; gap {attribute.gap} ({attribute.best} over {attribute.worst})" if attribute.gap else ""
    of = f"{len(attribute.compared)} finding{'' if len(attribute.compared) == 1 else 's'}"
    title = f"By {attribute.name}: mean AUROC of {of}{gap}"
    rows = [
        (f"{row.group} (worst)" if row.group == attribute.worst else row.group, str(row.films), _told(row.mean))
        for row in attribute.groups
    ]
    return Table(title, ("group", "films", "mean AUROC (95 %)"), rows)


def _told(figure: Figure | None) -> str:
    return NOTHING if figure is None else str(figure)


def markdown(audit: Audit) -> str:
    """For the documentation."""
    parts = [f"{audit.films} films of {audit.patients} patients: {audit.data}. Scores {audit.scores}. {audit.made}."]
    for table in tables(audit):
        head = f"| {' | '.join(table.columns)} |\n|{'---|' * len(table.columns)}"
        parts.append(f"{table.title}:\n\n" + "\n".join([head, *(f"| {' | '.join(row)} |" for row in table.rows)]))
    return "\n\n".join([*parts, *(f"Not looked at: {reason}" for reason in audit.missing)])
