"""A conversation as the screen shows it: every window that has it open sees the same, also while it is answered.

A question is answered in a thread of its own, so that a reload or a lost connection ends nothing; windows follow it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import gradio as gr

from agent.answer import Evidence
from agent.approval import Waiting
from agent.events import Event
from agent.faults import AgentFault
from imaging.failures import HilumFailure
from imaging.radiograph import Radiograph
from tools.contract import Finding
from ui.chat import markup
from ui.chat.telling import ALLOW, FAULT, REFUSE, Telling, failure, finish_steps, retold, said

if TYPE_CHECKING:
    from agent.exports.sending import Parcel
    from agent.session import Session

log = logging.getLogger(__name__)

PLACES = threading.BoundedSemaphore(4)
"""Questions answered at once by this server; the model pool batches what they ask of a model."""

LOOK_S = 0.1
"""How often a follower looks at most, so that a fast planner does not flood the browser."""

WAITING = "Waiting for a free place: other questions are being answered."


class Conversation:
    """One session with what the screen keeps of it. The session is made when it is first needed.

    Attributes:
        films: film id -> film, in the order they were opened.
        evidence: evidence id -> record, of every turn.
        findings: (film id, finding code) -> the latest row.
        models: model id -> revision of every model that answered.
        messages: the chat as gradio shows it.
        focus: (film id, evidence id) that were last put on the stage; `moved` counts how often.
        busy: held while a question is answered or films are opened.
        fetched: film id -> (PACS, study) that it was fetched from; like all of these, gone with the process.
        parcel: what could not be sent to a PACS yet; `sending` is held while it is tried.
    """

    def __init__(
        self,
        make: Callable[[], Session],
        session: Session | None = None,
        opened: Callable[[Conversation], None] | None = None,
    ) -> None:
        """An empty conversation, or one that shows what `session` holds.

        Args:
            make: a new session.
            session: a kept one.
            opened: told when the session is made.
        """
        self._make = make
        self._opened = opened
        self._session = session
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._version = 0
        self._first = threading.Lock()
        self.films: dict[str, Radiograph] = {}
        self.evidence: dict[str, Evidence] = {}
        self.findings: dict[tuple[str, str], Finding] = {}
        self.models: dict[str, str] = {}
        self.messages: list[gr.ChatMessage] = []
        self.thumbnails: dict[str, str] = {}
        self.focus: tuple[str | None, str | None] = (None, None)
        self.moved = 0
        self.busy = threading.Lock()
        self.fetched: dict[str, tuple[str, str]] = {}
        self.parcel: Parcel | None = None
        self.sending = threading.Lock()
        self.asked = Waiting()
        if session is not None:
            session.approver = self.asked.wait
            for film_id in session.films.ids():
                self.add(session.films.get(film_id))
            retold(self, session)

    @property
    def session(self) -> Session:
        """The agent's session; holds the pixels. Its user is asked before the tools of Settings.ask_before run."""
        with self._first:
            if self._session is None:
                self._session = self._make()
                self._session.approver = self.asked.wait
                if self._opened is not None:
                    self._opened(self)
            return self._session

    @property
    def id(self) -> str:
        """The session's id; empty before there is one."""
        return self._session.id if self._session is not None else ""

    @property
    def interrupted(self) -> str:
        """The question that was cut off and can be gone on with; empty if there is none."""
        return self._session.interrupted if self._session is not None and not self.busy.locked() else ""

    def add(self, film: Radiograph) -> bool:
        """Put an opened film on the stage; False if it was open already."""
        new = film.id not in self.films
        self.films[film.id] = film
        self.show(film.id)
        return new

    def show(self, film_id: str, evidence_id: str | None = None) -> None:
        """Put a film, and the evidence on it, on the stage of every window."""
        self.focus = (film_id, evidence_id)
        self.moved += 1

    def note(self, record: Evidence) -> None:
        """Keep a record so that its number can be clicked; a film that the run made goes on the stage."""
        self.evidence[record.id] = record
        for film_id in self.session.films.ids():
            if film_id not in self.films:
                self.add(self.session.films.get(film_id))
                self.show(film_id, record.id if film_id in record.image_ids else None)
        if record.model:
            self.models[record.model] = record.revision

    def pressed(self, button: str) -> bool:
        """A button was pressed: whether it answered a question whether a tool may run."""
        return button in (ALLOW, REFUSE) and self.asked.answer(button == ALLOW)

    def ask(self, question: str) -> bool:
        """Begin to answer; False while another question is being answered."""
        return self._begin(lambda: self.session.stream(question), question)

    def resume(self) -> bool:
        """Go on with the question that was cut off; False as for ask."""
        return self._begin(lambda: self.session.resume(), "")

    def stop(self) -> None:
        """End the running turn with what is known so far."""
        self._stopping.set()
        self.asked.answer(False)
        if self._session is not None:
            self._session.stop()

    def follow(self) -> Iterator[None]:
        """One step whenever something changed, until no question is being answered."""
        seen = -1
        while self.busy.locked():
            with self._changed:
                if self._version == seen:
                    self._changed.wait(timeout=1)
                now = self._version
            if now != seen:
                yield
                time.sleep(LOOK_S)
            seen = now

    def touch(self) -> None:
        """Something changed: followers look."""
        with self._changed:
            self._version += 1
            self._changed.notify_all()

    def _begin(self, events: Callable[[], Iterator[Event]], question: str) -> bool:
        if not self.busy.acquire(blocking=False):
            return False
        self._stopping.clear()
        if question:
            self.messages.append(gr.ChatMessage(role="user", content=markup.question(question)))
        threading.Thread(target=self._run, args=(events,), name="hilum-chat", daemon=True).start()
        return True

    def _run(self, events: Callable[[], Iterator[Event]]) -> None:
        try:
            self._answer(events)
        except Exception:
            log.exception("a turn ended in a way nobody named")
            self.messages.append(said(FAULT))
        finally:
            finish_steps(self.messages)
            self.busy.release()
            self.touch()

    def _answer(self, events: Callable[[], Iterator[Event]]) -> None:
        telling = Telling(self)
        if not self._placed(telling):
            return
        try:
            for event in events():
                telling.take(event)
                self.touch()
        except HilumFailure as failed:
            telling.give_up(failure(failed))
        except AgentFault:
            log.exception("a turn ended in a fault of our own")
            telling.give_up(FAULT)
        finally:
            PLACES.release()

    def _placed(self, telling: Telling) -> bool:
        """Wait for a place among those who are answered; False if the user stopped meanwhile."""
        if not PLACES.acquire(blocking=False):
            telling.wait(WAITING)
            self.touch()
            while not PLACES.acquire(timeout=LOOK_S):
                if self._stopping.is_set():
                    telling.give_up(markup.notice("note", "Stopped.", "The question was not answered."))
                    return False
        telling.wait("Planning …")
        self.touch()
        return True
