"""A tool call as the planner plans it, and what needs none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tools.knowledge.objects import objects

SIDELESS = {"cardiomegaly", "enlarged_cardiomediastinum"} | {
    name for code, each in objects().items() if each.shape != "object" for name in (code, each.kind)
}
"""Findings that have no side and whose place goes without saying; tubes and devices, whose tool tells their place."""


@dataclass(frozen=True)
class Call:
    """One tool call."""

    tool: str
    args: dict[str, Any] = field(default_factory=dict)
