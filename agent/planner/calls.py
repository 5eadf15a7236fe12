"""A tool call as the planner plans it, and what needs none."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tools.knowledge.objects import objects


@cache
def sideless() -> frozenset[str]:
    """Findings without a side, whose place goes without saying; tubes and devices, whose tool tells their place."""
    devices = {name for code, each in objects().items() if each.shape != "object" for name in (code, each.kind)}
    return frozenset({"cardiomegaly", "enlarged_cardiomediastinum"} | devices)


@dataclass(frozen=True)
class Call:
    """One tool call."""

    tool: str
    args: dict[str, Any] = field(default_factory=dict)
