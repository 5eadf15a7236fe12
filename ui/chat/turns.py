"""What a window can do: open films, ask, show an evidence, begin anew. Each yields what changes on the screen."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from agent.answer import Evidence
from agent.events import Answered, ApprovalAsked, Event, Planned, TextDelta, ToolFinished, ToolStarted
from agent.faults import AgentFault
from agent.films import places
from agent.settings import Settings
from imaging.failures import HilumFailure
from models.device import choose
from tools.knowledge import findings
from ui.chat import markup, viewer
from ui.chat.examples import EXAMPLES
from ui.chat.facts import SystemState, film_names, leaves_machine, state_line
from ui.chat.opening import open_example, open_files, said
from ui.chat.visits import ALLOW, REFUSE, Visit, Visits

log = logging.getLogger(__name__)

FAULT = markup.notice(
    "problem",
    "Hilum made a mistake of its own.",
    "The question was not answered; nothing of it should be used.",
    "You can ask again or begin a new conversation. The details are in the log of the server.",
)


@dataclass
class Screen:
    """What changes on the screen; what is left out stays as it is."""

    messages: Any = field(default_factory=gr.skip)
    viewer: Any = field(default_factory=gr.skip)
    state: Any = field(default_factory=gr.skip)
    question: Any = field(default_factory=gr.skip)

    def outputs(self) -> tuple[Any, Any, Any, Any]:
        """In the order the page wires them: conversation, viewer, state line, question box."""
        return self.messages, self.viewer, self.state, self.question


Outputs = tuple[Any, Any, Any, Any]


class Desk:
    """The handlers of one page; shared by every window, holding nothing of any."""

    def __init__(self, visits: Visits, settings: Settings) -> None:
        self.visits = visits
        self._planner = visits.agent.planner_name
        self._leaves = leaves_machine(settings)
        self._device = choose(settings.device)

    def welcome(self, request: gr.Request) -> Outputs:
        """A window opened or was reloaded."""
        return self._everything(self.visits.of(request)).outputs()

    def restart(self, request: gr.Request) -> Outputs:
        """Forget the films and begin a new conversation."""
        return self._everything(self.visits.restart(request)).outputs()

    def closed(self, request: gr.Request) -> None:
        """The window closed."""
        self.visits.closed(request)

    def open_films(self, paths: Sequence[str] | str | None, request: gr.Request) -> Outputs:
        """Take uploaded files into the session, and delete them from the disk whatever came of them."""
        files = [Path(path) for path in ([paths] if isinstance(paths, str) else paths or [])]
        visit = self.visits.of(request)
        try:
            with visit.turn:
                open_files(visit, files)
        finally:
            for path in files:
                shutil.rmtree(path.parent, ignore_errors=True)
        return self._everything(visit).outputs()

    def pick(self, event: gr.EventData, request: gr.Request) -> Outputs:
        """An evidence number, an evidence button or a thumbnail was pressed."""
        visit = self.visits.of(request)
        wanted = event._data or {}
        if wanted.get("film"):
            visit.choose(str(wanted["film"]))
        elif wanted.get("evidence"):
            visit.show(str(wanted["evidence"]))
        else:
            visit.evidence_id = None
        return Screen(viewer=self._viewer(visit)).outputs()

    def example(self, event: gr.SelectData, request: gr.Request) -> Iterator[Outputs]:
        """An example was pressed: open its phantom film and ask its question."""
        example = EXAMPLES[int(event.index)]
        visit = self.visits.of(request)
        yield Screen(messages=[said(f"Making a synthetic film: {example.film} …")]).outputs()
        with visit.turn:
            open_example(visit, example)
        yield self._everything(visit).outputs()
        yield from self.ask(example.question, request)

    def suggestion(self, event: gr.SelectData, request: gr.Request) -> Iterator[Outputs]:
        """A suggested question, or the answer to whether a tool may run, was pressed."""
        if not self.visits.of(request).pressed(str(event.value)):
            yield from self.ask(str(event.value), request)

    def ask(self, question: str, request: gr.Request) -> Iterator[Outputs]:
        """Answer one question, step by step. A second one meanwhile is told to wait."""
        visit = self.visits.of(request)
        if not question.strip():
            return
        if not visit.turn.acquire(blocking=False):
            gr.Info("One question at a time: wait for the answer, then ask.")
            return
        try:
            yield from self._answer(visit, question.strip())
        finally:
            visit.turn.release()

    def broke(self, request: gr.Request) -> Outputs:
        """A handler failed in a way nobody named: our bug."""
        visit = self.visits.of(request)
        _finish_steps(visit)
        visit.messages.append(said(FAULT))
        return self._everything(visit).outputs()

    def _answer(self, visit: Visit, question: str) -> Iterator[Outputs]:
        visit.messages.append(gr.ChatMessage(role="user", content=markup.question(question)))
        waiting = gr.ChatMessage(role="assistant", content="", metadata={"title": "Planning …", "status": "pending"})
        yield Screen(messages=[*visit.messages, waiting], question="").outputs()
        turn = _Turn(visit)
        try:
            for event in visit.session.stream(question):
                turn.take(event)
                yield Screen(messages=list(visit.messages)).outputs()
        except HilumFailure as failure:
            _finish_steps(visit)
            visit.messages.append(said(_failure(failure)))
        except AgentFault:
            log.exception("a turn ended in a fault of our own")
            _finish_steps(visit)
            visit.messages.append(said(FAULT))
        yield self._everything(visit).outputs()

    def _everything(self, visit: Visit) -> Screen:
        state = SystemState(self._planner, self._device, visit.models, self._leaves)
        return Screen(messages=list(visit.messages), viewer=self._viewer(visit), state=state_line(state))

    def _viewer(self, visit: Visit) -> str:
        if visit.film_id is None:
            return viewer.EMPTY
        film, names = visit.films[visit.film_id], film_names(visit.films)
        evidence = visit.evidence.get(visit.evidence_id or "")
        records = [record for record in visit.evidence.values() if film.id in record.image_ids]
        if evidence and evidence not in records:
            records.append(evidence)
        records.sort(key=lambda record: int(record.id[1:]))
        for film_id in visit.films.keys() - visit.thumbnails.keys():
            visit.thumbnails[film_id] = viewer.picture(visit.films[film_id], None, viewer.THUMBNAIL_PX)
        told = places(visit.session.studies)
        thumbnails = {
            film_id: (viewer.thumbnail_words(names[film_id], each, told.get(film_id, "")), visit.thumbnails[film_id])
            for film_id, each in visit.films.items()
        }
        stage = viewer.picture(film, evidence)
        parent = visit.films.get(film.derived.parent or "") if film.derived else None
        original = (f"{names[parent.id]}, from which it was computed", viewer.picture(parent, None)) if parent else None
        beside = viewer.laid_beside(film, evidence) or original
        return viewer.viewer(film, names[film.id], stage, evidence, records, thumbnails, beside)


class _Turn:
    """Writes one turn's events into the visit's messages."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._films = film_names(visit.films)
        self._steps: dict[str, gr.ChatMessage] = {}
        self._titles: dict[str, str] = {}
        self._text = ""
        self._draft: gr.ChatMessage | None = None
        self._question: gr.ChatMessage | None = None

    def take(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Planned):
            for evidence_id, title, args in event.calls:
                self._begin(evidence_id, title, args)
        elif isinstance(event, ToolStarted):
            self._begin(event.evidence_id, event.title, event.args)
        elif isinstance(event, ToolFinished):
            self._end(event.evidence)
        elif isinstance(event, ApprovalAsked):
            self._ask(event)
        elif isinstance(event, TextDelta):
            self._text += event.text
            self._write(markup.prose(self._text, self._known()))
        elif isinstance(event, Answered):
            self._conclude(event)

    def _begin(self, evidence_id: str, title: str, args: dict[str, Any]) -> None:
        self._titles[evidence_id] = title
        if evidence_id in self._steps:
            return
        self._drop_draft()
        self._steps[evidence_id] = gr.ChatMessage(
            role="assistant",
            content=markup.step_running(args, self._films),
            metadata={"title": markup.step_title(evidence_id, title), "status": "pending"},
        )
        self._visit.messages.append(self._steps[evidence_id])

    def _ask(self, event: ApprovalAsked) -> None:
        """Show what would run, with a button for yes and one for no."""
        self._forget_question()
        told = markup.approval(event.evidence_id, event.title, event.args, self._films)
        options: Any = [{"value": button} for button in (ALLOW, REFUSE)]
        self._question = gr.ChatMessage(role="assistant", content=told, options=options)
        self._visit.messages.append(self._question)

    def _forget_question(self) -> None:
        if self._question is not None:
            self._visit.messages.remove(self._question)
        self._question = None

    def _end(self, record: Evidence) -> None:
        self._forget_question()
        self._visit.note(record)
        self._begin(record.id, record.title, record.args)
        step = self._steps[record.id]
        step.content = markup.step_done(record, self._films)
        step.metadata = {
            "title": markup.step_title(record.id, record.title, failed=record.failure is not None),
            "status": "done",
            "duration": round(record.elapsed_ms / 1000, 2),
        }

    def _conclude(self, event: Answered) -> None:
        self._forget_question()
        for record in event.answer.evidence:
            self._visit.note(record)
        self._visit.models.update(event.answer.models)
        names = {code: f"{concept.name[:1].upper()}{concept.name[1:]}" for code, concept in findings().items()}
        self._write(markup.answer(event.answer, self._films, names, self._known()))
        _finish_steps(self._visit)

    def _known(self) -> dict[str, str]:
        return {record.id: record.title for record in self._visit.evidence.values()}

    def _write(self, content: str) -> None:
        if self._draft is None:
            self._draft = said(content)
            self._visit.messages.append(self._draft)
        self._draft.content = content

    def _drop_draft(self) -> None:
        """What a planner says before it calls tools is not the answer."""
        if self._draft is not None:
            self._visit.messages.remove(self._draft)
        self._draft, self._text = None, ""


def _failure(failure: HilumFailure) -> str:
    return markup.notice("problem", "That did not work.", failure.message, failure.hint)


def _finish_steps(visit: Visit) -> None:
    """No step may look as if it still ran."""
    for message in visit.messages:
        if isinstance(message.metadata, dict) and message.metadata.get("status") == "pending":
            message.metadata["status"] = "done"


__all__ = ["Desk", "Screen"]
