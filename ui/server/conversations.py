"""Sessions that are open in this process, by owner and id; the idle ones are closed and opened again on need."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from imaging.failures import BadArguments

if TYPE_CHECKING:
    from agent import Agent
    from agent.session import Session

OPEN_MOST = 64
"""Sessions held open at once; each holds its films' pixels. The one idle longest is closed first."""


class Conversations:
    """Open sessions. Thread-safe; an owner reaches only their own."""

    def __init__(self, agent: Agent, most: int = OPEN_MOST) -> None:
        self._agent = agent
        self._most = most
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], Session] = {}
        self._used: dict[tuple[str, str], float] = {}

    def new(self, owner: str) -> Session:
        """A new session of that owner."""
        return self._hold(owner, self._agent.session(owner))

    def get(self, owner: str, session_id: str) -> Session:
        """The owner's session, opened from the memory if it is not open.

        Raises:
            BadArguments: that owner has no such session.
        """
        with self._lock:
            found = self._open.get((owner, session_id))
            if found is not None:
                self._used[owner, session_id] = time.monotonic()
                return found
        if not self._agent.memory.lasting:
            raise BadArguments(f"There is no session {session_id!r}.", "It may have ended with the server.")
        return self._hold(owner, self._agent.reopen(session_id, owner))

    def delete(self, owner: str, session_id: str) -> None:
        """Stop it, close it and remove it from the memory."""
        self.get(owner, session_id).stop()
        with self._lock:
            self._open.pop((owner, session_id), None)
            self._used.pop((owner, session_id), None)
        self._agent.memory.delete(session_id, owner)

    def _hold(self, owner: str, session: Session) -> Session:
        with self._lock:
            kept = self._open.setdefault((owner, session.id), session)
            self._used[owner, session.id] = time.monotonic()
            while len(self._open) > self._most:
                idle = min(self._used, key=lambda key: self._used[key])
                self._open.pop(idle, None)
                del self._used[idle]
            return kept

    def __len__(self) -> int:
        return len(self._open)
