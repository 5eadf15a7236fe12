"""A tool call as the planner plans it, and what needs none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SIDELESS = {"cardiomegaly", "enlarged_cardiomediastinum"}
"""Findings that have no side and whose place goes without saying."""


@dataclass(frozen=True)
class Call:
    """One tool call."""

    tool: str
    args: dict[str, Any] = field(default_factory=dict)
