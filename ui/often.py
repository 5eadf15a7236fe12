"""How often one caller may do something: the same count for the HTTP API and for the chat."""

from __future__ import annotations

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter


class PerMinute:
    """So many doings of one caller in a minute, counted in this process.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self._limit = parse(f"{most}/minute")
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def allows(self, caller: str) -> bool:
        """Count one more; False where it is too many."""
        return self._limiter.hit(self._limit, caller)


__all__ = ["PerMinute"]
