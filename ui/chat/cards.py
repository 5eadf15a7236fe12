"""The card of the model behind an evidence, folded: what it is, measured on what, and its limits. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

FACTS = {
    "title": "Model",
    "intended_use": "Made for",
    "score_meaning": "Its scores",
    "measured_on": "Measured on",
    "training_data": "Trained on",
    "licence": "Licence",
}
"""Fact of a card (tools.contract.cards) -> its name here."""


def card(facts: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The card as HTML on one line; empty where no model ran.

    Args:
        facts: `card` of an evidence record.
        names: code of a finding -> its name; other codes are told as they are.
    """
    if not facts:
        return ""
    told = [(name, escape(_one_line(facts[key]))) for key, name in FACTS.items() if facts.get(key)]
    figures = facts.get("figures") or {}
    told += [(escape(names.get(code, code)), escape(_one_line(figure))) for code, figure in figures.items()]
    if limits := facts.get("limits"):
        told.append(("Limits", f"<ul>{''.join(f'<li>{escape(_one_line(each))}</li>' for each in limits)}</ul>"))
    rows = "".join(f"<dt>{name}</dt><dd>{what}</dd>" for name, what in told)
    return f'<details class="card"><summary>Model card</summary><dl>{rows}</dl></details>' if rows else ""


def _one_line(text: Any) -> str:
    return " ".join(str(text).split())


__all__ = ["card"]
