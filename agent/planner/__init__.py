"""The embedded planner: reads the question, plans the tools and writes the answer, without a language model."""

from __future__ import annotations

from agent.planner.embedded import EmbeddedPlanner

__all__ = ["EmbeddedPlanner"]
