"""A tool call as the planner plans it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """One tool call."""

    tool: str
    args: dict[str, Any] = field(default_factory=dict)
