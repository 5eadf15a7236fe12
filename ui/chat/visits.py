"""Who is here: one Visit per browser window, looking at one conversation. No user ever sees another's.

A visit is keyed by the login (if there is one) and gradio's session of the window, and forgotten some time after the
window closed or fell silent. A conversation lives as long as a visit looks at it or it is being answered; with a
lasting memory it can be opened again.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import gradio as gr

from agent.memory import Remembered
from ui.chat.conversation import Conversation

if TYPE_CHECKING:
    from agent import Agent

IDLE_LIMIT_S = 3600.0
"""A visit that was silent this long is forgotten."""
CLOSED_GRACE_S = 60.0
"""A closed window's visit is kept this long: a reload or a broken connection looks like a closed window."""


@dataclass(eq=False)
class Visit:
    """One window.

    Attributes:
        owner: name of the login, empty without one.
        conversation: what it looks at.
        token: secret of this window, by which its pictures are fetched.
    """

    owner: str
    conversation: Conversation
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))


class Visits:
    """Every visit by its key; thread-safe."""

    def __init__(self, agent: Agent, clock: Callable[[], float] = time.monotonic) -> None:
        self.agent = agent
        self._clock = clock
        self._lock = threading.RLock()
        self._visits: dict[tuple[str, str], Visit] = {}
        self._deadlines: dict[tuple[str, str], float] = {}
        self._open: WeakValueDictionary[tuple[str, str], Conversation] = WeakValueDictionary()

    def of(self, request: gr.Request) -> Visit:
        """The visit of the window that sent this request, made if it is new."""
        key = _key(request)
        self.sweep()
        with self._lock:
            self._deadlines[key] = self._clock() + IDLE_LIMIT_S
            if key not in self._visits:
                self._visits[key] = Visit(key[0], self._new(key[0]))
            return self._visits[key]

    def having(self, token: str) -> Visit | None:
        """The visit with this secret."""
        with self._lock:
            return next((each for each in self._visits.values() if secrets.compare_digest(each.token, token)), None)

    def restart(self, request: gr.Request) -> Visit:
        """Look at a new conversation."""
        visit = self.of(request)
        visit.conversation = self._new(visit.owner)
        return visit

    def open(self, request: gr.Request, session_id: str) -> Visit:
        """Look at a conversation of this user's.

        Raises:
            BadArguments: the user has none of that id.
        """
        visit = self.of(request)
        self.agent.memory.require(session_id, visit.owner)
        with self._lock:
            found = self._open.get((visit.owner, session_id))
            if found is None:
                session = self.agent.reopen(session_id, visit.owner)
                found = self._open[visit.owner, session_id] = Conversation(lambda: session, session)
            visit.conversation = found
        return visit

    def kept(self, visit: Visit) -> list[Remembered]:
        """The user's conversations, the one used last first; those in which nothing was asked left out."""
        open_id = visit.conversation.id
        return [each for each in self.agent.memory.remembered(visit.owner) if each.turns or each.id == open_id]

    def rename(self, visit: Visit, session_id: str, title: str) -> None:
        """Call one of the user's conversations something else. Raises as open."""
        self.agent.memory.rename(session_id, visit.owner, title)

    def delete(self, visit: Visit, session_id: str) -> None:
        """Delete one of the user's conversations for good; windows that look at it begin a new one. Raises as open."""
        self.agent.memory.require(session_id, visit.owner)
        with self._lock:
            found = self._open.pop((visit.owner, session_id), None)
            if found is not None:
                found.stop()
            for each in self._visits.values():
                if each.conversation is found and found is not None:
                    each.conversation = self._new(each.owner)
        if self.agent.memory.lasting:  # else it ends with the conversation
            self.agent.memory.delete(session_id, visit.owner)

    def closed(self, request: gr.Request) -> None:
        """The window closed: its visit ends soon, unless it speaks again."""
        with self._lock:
            if _key(request) not in self._visits:
                return
            self._deadlines[_key(request)] = self._clock() + CLOSED_GRACE_S
        timer = threading.Timer(CLOSED_GRACE_S + 1, self.sweep)
        timer.daemon = True
        timer.start()

    def sweep(self) -> None:
        """Forget every visit whose time is up."""
        with self._lock:
            now = self._clock()
            for key in [key for key, deadline in self._deadlines.items() if deadline < now]:
                del self._deadlines[key]
                self._visits.pop(key, None)

    def __len__(self) -> int:
        return len(self._visits)

    def _new(self, owner: str) -> Conversation:
        return Conversation(partial(self.agent.session, owner), opened=partial(self._opened, owner))

    def _opened(self, owner: str, conversation: Conversation) -> None:
        """A conversation got its session: other windows of its owner's can open it."""
        self._open[owner, conversation.id] = conversation


def _key(request: gr.Request) -> tuple[str, str]:
    return request.username or "", request.session_hash or ""
