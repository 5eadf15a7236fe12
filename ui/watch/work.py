"""The work of a watch: each film that is due is read by the plan, and its results are sent to the PACS."""

from __future__ import annotations

import logging
import sqlite3
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom

from agent import Agent, Answer
from agent.exports.material import Material
from agent.exports.writing import DICOM_FORMATS, Format, known, rendered
from imaging.failures import BadArguments, FilmRefused, HilumFailure, NotApplicable, Unavailable
from imaging.pacs import Pacs
from ui.watch.queue import Item, Queue, State

log = logging.getLogger("hilum.watch")

QUESTION = "Write a report. What is the cardiothoracic ratio? Outline the lungs and heart."
WRITTEN = (Format.SR, Format.SEG)
MOST_TRIES = 3
"""Times that reading a film may fail by a fault before it is given up until `--again`."""
PAUSE_S = 1.0
"""Between looks at an empty queue."""


@dataclass(frozen=True)
class Plan:
    """What is done with every film.

    Attributes:
        question: asked as a user would.
        formats: of what is sent back.
        keep_sessions: whether each reading stays in the agent's memory, so that a reader can sign its draft.
    """

    question: str = QUESTION
    formats: tuple[Format, ...] = WRITTEN
    keep_sessions: bool = False

    @classmethod
    def of(cls, question: str, formats: Sequence[str], keep_sessions: bool = False) -> Plan:
        """The same from words.

        Args:
            question, keep_sessions: as above.
            formats: names of DICOM formats.

        Raises:
            BadArguments: no question, or a format that no PACS takes.
        """
        chosen = tuple(known(name) for name in formats)
        wrong = [item for item in chosen if item not in DICOM_FORMATS]
        if wrong or not chosen or not question.strip():
            raise BadArguments(
                f"The plan is none: question {question!r}, formats {', '.join(formats) or 'none'}.",
                f"Give a question and some of {', '.join(DICOM_FORMATS)}.",
            )
        return cls(question, chosen, keep_sessions)


class Watch:
    """Reads and sends what is due, one film at a time, until stopped."""

    def __init__(self, queue: Queue, agent: Agent, plan: Plan, pacs: Pacs) -> None:
        """Begins nothing.

        Args:
            queue: of films.
            agent: who reads.
            plan: what is asked and sent back.
            pacs: to whom.
        """
        self._queue, self._agent, self._plan, self._pacs = queue, agent, plan, pacs

    def run(self, stopped: threading.Event, once: bool = False) -> None:
        """Work until stopped, or until nothing is due.

        Args:
            stopped: set from elsewhere.
            once: end when nothing is due; what is to be tried again later waits for the next run.
        """
        while not stopped.is_set():
            item = self._queue.due()
            if item is not None:
                self.step(item)
            elif once:
                return
            else:
                stopped.wait(PAUSE_S)

    def step(self, item: Item) -> None:
        """One film one state further, or later, or to its end. Logs keys and reasons, no identifiers."""
        act, what = (self._send, "sent") if item.state is State.READ else (self._read, "read")
        try:
            act(item)
            log.info("film %s: %s", item.key[:12], what)
        except (FilmRefused, NotApplicable) as refused:
            self._queue.refuse(item, refused.message)
            log.info("film %s: refused: %s", item.key[:12], refused.message)
        except (Unavailable, OSError, sqlite3.Error) as failure:
            self._later(item, failure.message if isinstance(failure, HilumFailure) else type(failure).__name__)
        except Exception as fault:  # noqa: BLE001 - one film's fault must not end the watch: told, kept, given up
            # Where, and not what it says: a message may quote a header.
            where = "".join(traceback.format_tb(fault.__traceback__))
            log.error("film %s: a fault of Hilum: %s\n%s", item.key[:12], type(fault).__name__, where)
            if item.tries + 1 >= MOST_TRIES:
                self._queue.fail(item, f"a fault of Hilum: {type(fault).__name__}")
            else:
                self._later(item, f"a fault of Hilum: {type(fault).__name__}")

    def _later(self, item: Item, reason: str) -> None:
        try:
            wait = self._queue.later(item, reason)
        except sqlite3.Error:  # the disk is full: the row stays as it was, and due
            wait = PAUSE_S
            threading.Event().wait(wait)
        log.warning("film %s: %s; again in %.0f s", item.key[:12], reason, wait)

    def _read(self, item: Item) -> None:
        path = self._queue.film(item)
        session = self._agent.session()
        try:
            answer = session.ask(self._plan.question, films=[path])
            _check_read(answer)
            files = _written(Material.of(session), self._plan.formats, path)
            if not files:
                raise NotApplicable("Nothing of the plan could be written for this film.", "")
        except BaseException:
            self._forget(session.id)
            raise
        if not self._plan.keep_sessions:
            self._forget(session.id)
        self._queue.keep_results(item, files, session.id if self._plan.keep_sessions else "")

    def _forget(self, session_id: str) -> None:
        """An agent that keeps sessions on disk does not keep this one."""
        if self._agent.memory.lasting:
            self._agent.memory.delete(session_id, "")

    def _send(self, item: Item) -> None:
        self._pacs.store([pydicom.dcmread(path) for path in self._queue.results(item)])
        self._queue.done(item)


def _written(material: Material, formats: Sequence[Format], film: Path) -> dict[str, bytes]:
    """Every format that is possible for the film; a SEG of a film on which nothing was outlined is none."""
    files: dict[str, bytes] = {}
    for item in formats:
        try:
            files |= rendered(material, item, [film])
        except NotApplicable as reason:
            log.info("no %s: %s", item.value, reason.message)
    return files


def _check_read(answer: Answer) -> None:
    """NotApplicable for a film that the plan's own check of the film turned away."""
    for record in answer.evidence:
        if reason := record.data.get("unusable"):
            raise NotApplicable(str(reason), "")
    if answer.stopped:
        raise Unavailable(f"Reading was stopped: {answer.stopped}", "")
