"""Who is here: one Visit per browser window, with a session of its own. No window ever sees another's.

A visit is keyed by the login (if there is one) and gradio's session of the window, made when the window first does
something, and forgotten, films and all, some time after the window closed or fell silent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import gradio as gr

from agent.answer import Evidence
from agent.approval import Waiting
from imaging.radiograph import Radiograph

if TYPE_CHECKING:
    from agent import Agent
    from agent.session import Session

IDLE_LIMIT_S = 3600.0
"""A visit that was silent this long is forgotten."""

ALLOW, REFUSE = "Allow this call", "Refuse it"
"""Buttons under a question whether a tool may run."""
CLOSED_GRACE_S = 60.0
"""A closed window's visit is kept this long, because a broken connection looks like a closed window."""


@dataclass(eq=False)
class Visit:
    """One window's conversation as the screen needs it.

    Attributes:
        session: the agent's conversation; holds the pixels.
        films: film id -> film, in the order they were opened.
        evidence: evidence id -> record, of every turn.
        models: model id -> revision of every model that answered.
        messages: the chat as gradio shows it.
        film_id: the film on the stage, or None.
        evidence_id: the evidence shown on it, or None.
        turn: held while a question is answered or films are opened.
    """

    session: Session
    films: dict[str, Radiograph] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    messages: list[gr.ChatMessage] = field(default_factory=list)
    film_id: str | None = None
    evidence_id: str | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)
    thumbnails: dict[str, str] = field(default_factory=dict)
    asked: Waiting = field(default_factory=Waiting)

    def __post_init__(self) -> None:
        """The window's user is asked before the tools of Settings.ask_before run."""
        self.session.approver = self.asked.wait

    def pressed(self, button: str) -> bool:
        """A button was pressed: whether it answered a question whether a tool may run."""
        return button in (ALLOW, REFUSE) and self.asked.answer(button == ALLOW)

    def add(self, film: Radiograph) -> bool:
        """Put an opened film on the stage; False if it was open already."""
        new = film.id not in self.films
        self.films[film.id] = film
        self.film_id, self.evidence_id = film.id, None
        return new

    def note(self, record: Evidence) -> None:
        """Keep a record so that its number can be clicked; a film that the run made goes on the stage."""
        self.evidence[record.id] = record
        for film_id in self.session.films.ids():
            if film_id not in self.films:
                self.add(self.session.films.get(film_id))
                self.evidence_id = record.id if film_id in record.image_ids else None
        if record.model:
            self.models[record.model] = record.revision

    def show(self, evidence_id: str) -> None:
        """Show an evidence, on a film it concerns if the one on the stage is not. Unknown ids do nothing."""
        record = self.evidence.get(evidence_id)
        if record is None:
            return
        self.evidence_id = evidence_id
        drawn_on = [item.image_id for item in record.overlays] or record.image_ids
        known = [image_id for image_id in drawn_on if image_id in self.films]
        if known and self.film_id not in known:
            self.film_id = known[0]

    def choose(self, film_id: str) -> None:
        """Put a film on the stage; the evidence stays only if it concerns that film. Unknown ids do nothing."""
        if film_id not in self.films:
            return
        self.film_id = film_id
        if self.evidence_id and film_id not in self.evidence[self.evidence_id].image_ids:
            self.evidence_id = None


class Visits:
    """Every visit by its key; thread-safe."""

    def __init__(self, agent: Agent, clock: Callable[[], float] = time.monotonic) -> None:
        self.agent = agent
        self._clock = clock
        self._lock = threading.Lock()
        self._visits: dict[tuple[str, str], Visit] = {}
        self._deadlines: dict[tuple[str, str], float] = {}

    def of(self, request: gr.Request) -> Visit:
        """The visit of the window that sent this request, made if it is new."""
        key = _key(request)
        self.sweep()
        with self._lock:
            self._deadlines[key] = self._clock() + IDLE_LIMIT_S
            if key not in self._visits:
                self._visits[key] = Visit(self.agent.session())
            return self._visits[key]

    def restart(self, request: gr.Request) -> Visit:
        """Forget this window's films and conversation and begin a new one."""
        with self._lock:
            self._visits.pop(_key(request), None)
        return self.of(request)

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


def _key(request: gr.Request) -> tuple[str, str]:
    return request.username or "", request.session_hash or ""
