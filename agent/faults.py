"""Failures of the agent itself, beside those of imaging.failures."""

from __future__ import annotations

from imaging.failures import HilumFailure, Unavailable


class AgentFault(RuntimeError):
    """Our bug: something raised what nobody named. It ends the turn; the cause is chained, never shown to a planner."""


class Busy(HilumFailure):
    """The session is answering another question."""

    kind = "busy"


class MemoryRefused(Unavailable):
    """The database of sessions cannot be read or written now: full, locked, damaged or away."""

    kind = "memory"
