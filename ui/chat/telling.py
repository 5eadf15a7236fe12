"""A turn's events as messages of the chat, while it runs or afterwards from what was kept of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from agent.answer import Answer, Evidence
from agent.events import Answered, ApprovalAsked, Event, Planned, TextDelta, ToolFinished, ToolStarted
from imaging.failures import HilumFailure
from tools.knowledge import findings
from ui.chat import markup
from ui.chat.facts import film_names
from ui.chat.suggestions import after

if TYPE_CHECKING:
    from agent.session import Session
    from ui.chat.conversation import Conversation

FAULT = markup.notice(
    "problem",
    "Hilum made a mistake of its own.",
    "The question was not answered; nothing of it should be used.",
    "You can ask again or begin a new conversation. The details are in the log of the server.",
)

CUT_OFF = markup.notice(
    "note", "This question was cut off before it was answered.", "What its tools found is kept.", "Press Go on."
)
ALLOW, REFUSE = "Allow this call", "Refuse it"
"""Buttons under a question whether a tool may run."""
GO_ON = "Go on"
"""Button under a question that was cut off."""


class Telling:
    """Writes one turn's events into the conversation's messages."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._films = film_names(conversation.films)
        self._steps: dict[str, gr.ChatMessage] = {}
        self._text = ""
        self._draft: gr.ChatMessage | None = None
        self._question: gr.ChatMessage | None = None
        self._pause: gr.ChatMessage | None = None
        self._asked_about = ""

    def take(self, event: Event) -> None:
        """Show one event."""
        self._go_on()
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
            self.conclude(event.answer, len(self._conversation.session.turns))

    def wait(self, words: str) -> None:
        """Say what is being waited for; the next event takes it away."""
        self._go_on()
        self._pause = gr.ChatMessage(role="assistant", content="", metadata={"title": words, "status": "pending"})
        self._conversation.messages.append(self._pause)

    def give_up(self, told: str) -> None:
        """The turn will not be answered; `told` says why."""
        self._go_on()
        self._forget_question()
        self._conversation.messages.append(said(told))

    def done(self, record: Evidence) -> None:
        """A tool that ran is there."""
        self._begin(record.id, record.title, record.args)
        step = self._steps[record.id]
        step.content = markup.step_done(record, self._films)
        step.metadata = {
            "title": markup.step_title(record.id, record.title, failed=record.failure is not None),
            "status": "done",
            "duration": round(record.elapsed_ms / 1000, 2),
        }

    def conclude(self, answer: Answer, turn: int) -> None:
        """The answer is there.

        Args:
            answer: of the turn.
            turn: its number.
        """
        self._forget_question()
        for record in answer.evidence:
            self._conversation.note(record)
        self._conversation.models.update(answer.models)
        self._conversation.findings.update({(row.image_id, row.code): row for row in answer.findings})
        self._films = film_names(self._conversation.films)
        self._write(markup.answer(answer, self._films, finding_names(), self._known(), turn))
        if self._draft is not None:
            self._draft.options = [{"value": text, "label": text} for text in after(answer, len(self._films))]

    def _begin(self, evidence_id: str, title: str, args: dict[str, Any]) -> None:
        if evidence_id in self._steps:
            return
        self._drop_draft()
        self._steps[evidence_id] = gr.ChatMessage(
            role="assistant",
            content=markup.step_running(args, self._films),
            metadata={"title": markup.step_title(evidence_id, title), "status": "pending"},
        )
        self._conversation.messages.append(self._steps[evidence_id])

    def _ask(self, event: ApprovalAsked) -> None:
        """Show what would run, with a button for yes and one for no."""
        self._forget_question()
        told = markup.approval(event.evidence_id, event.title, event.args, self._films)
        options: Any = [{"value": button} for button in (ALLOW, REFUSE)]
        self._question = gr.ChatMessage(role="assistant", content=told, options=options)
        self._asked_about = event.evidence_id
        self._conversation.messages.append(self._question)

    def _end(self, record: Evidence) -> None:
        if record.id == self._asked_about:  # another call may end while this one waits for its answer
            self._forget_question()
        self._conversation.note(record)
        self.done(record)

    def _go_on(self) -> None:
        self._drop("_pause")

    def _forget_question(self) -> None:
        self._drop("_question")

    def _drop_draft(self) -> None:
        """What a planner says before it calls tools is not the answer."""
        self._drop("_draft")
        self._text = ""

    def _drop(self, name: str) -> None:
        message = getattr(self, name)
        if message is not None:
            self._conversation.messages[:] = [each for each in self._conversation.messages if each is not message]
        setattr(self, name, None)

    def _known(self) -> dict[str, str]:
        return {record.id: record.title for record in self._conversation.evidence.values()}

    def _write(self, content: str) -> None:
        if self._draft is None:
            self._draft = said(content)
            self._conversation.messages.append(self._draft)
        self._draft.content = content


def retold(conversation: Conversation, session: Session) -> None:
    """Tell every kept turn of a session again; each step once, under the turn it first ran in."""
    told: set[str] = set()
    for turn in session.turns:
        conversation.messages.append(gr.ChatMessage(role="user", content=markup.question(turn.question)))
        if turn.answer is None:
            conversation.messages.append(said(CUT_OFF, GO_ON))
            continue
        telling = Telling(conversation)
        for record in turn.answer.evidence:
            conversation.evidence[record.id] = record
            if record.id not in told:
                telling.done(record)
        told |= {record.id for record in turn.answer.evidence}
        telling.conclude(turn.answer, turn.number)


def said(content: str, *buttons: str) -> gr.ChatMessage:
    """A message of Hilum's, with buttons under it."""
    message = gr.ChatMessage(role="assistant", content=content)
    if buttons:
        message.options = [{"value": text, "label": text} for text in buttons]
    return message


def failure(failed: HilumFailure) -> str:
    """A failure that was foreseen, as a notice."""
    return markup.notice("problem", "That did not work.", failed.message, failed.hint)


def finish_steps(messages: list[gr.ChatMessage]) -> None:
    """No step may look as if it still ran."""
    for message in messages:
        if isinstance(message.metadata, dict) and message.metadata.get("status") == "pending":
            message.metadata["status"] = "done"


def finding_names() -> dict[str, str]:
    """Finding code -> its name with a capital."""
    return {code: f"{concept.name[:1].upper()}{concept.name[1:]}" for code, concept in findings().items()}


__all__ = ["ALLOW", "FAULT", "GO_ON", "REFUSE", "Telling", "failure", "finding_names", "finish_steps", "retold", "said"]
