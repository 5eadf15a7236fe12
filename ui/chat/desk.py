"""What a window can do: open films, ask, stop, return to an earlier conversation. Each yields what changes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from agent.settings import Settings
from imaging.failures import BadArguments, HilumFailure
from imaging.pacs import Pacs
from ui.chat import report, sending, studies, viewer
from ui.chat.conversation import Conversation
from ui.chat.examples import EXAMPLES
from ui.chat.opening import open_example, open_files
from ui.chat.screen import Outputs, Screen, Screens, asking
from ui.chat.telling import FAULT, GO_ON, said
from ui.chat.visits import Visit, Visits
from ui.often import PerMinute

A_MINUTE = 30
"""Questions and uploads that one signed-in user may begin in a minute: more is a script, for which `hilum serve` is."""

NOTE_MAX = 1000
"""Characters of what a user notes on an answer."""

NO_REPORT = {"refused": "This conversation has no report."}


class Desk:
    """The handlers of one page; shared by every window, holding nothing of any."""

    def __init__(self, visits: Visits, settings: Settings, pacs: Sequence[Pacs] = (), logs_out: bool = False) -> None:
        self.visits = visits
        self.pacs = pacs
        self.screens = Screens(visits, settings, pacs, logs_out)
        self._often = PerMinute(A_MINUTE)

    def welcome(self, session_id: str, request: gr.Request) -> Iterator[Outputs]:
        """A window opened, or was reloaded while it looked at a conversation, which may still be being answered."""
        visit = self.visits.of(request)
        if session_id:
            with suppress(BadArguments):  # deleted meanwhile, or another user's
                visit = self.visits.open(request, session_id)
        yield self.screens.whole(visit).outputs()
        if visit.conversation.busy.locked():
            yield from self._followed(visit)

    def restart(self, request: gr.Request) -> Outputs:
        """Begin a new conversation; the one before stays in the history."""
        return self.screens.whole(self.visits.restart(request)).outputs()

    def closed(self, request: gr.Request) -> None:
        """The window closed."""
        self.visits.closed(request)

    def open_films(self, paths: Sequence[str] | str | None, request: gr.Request) -> Outputs:
        """Take uploaded files into the session, and delete them from the disk whatever came of them."""
        files = [Path(path) for path in ([paths] if isinstance(paths, str) else paths or [])]
        visit = self.visits.of(request)
        try:
            if self._may(visit):
                with visit.conversation.busy:
                    open_files(visit.conversation, files)
        finally:
            for path in files:
                shutil.rmtree(path.parent, ignore_errors=True)
        return self.screens.whole(visit).outputs()

    def example(self, event: gr.SelectData, request: gr.Request) -> Iterator[Outputs]:
        """An example was pressed: open its phantom film and ask its question."""
        example = EXAMPLES[int(event.index)]
        visit = self.visits.of(request)
        yield Screen(messages=[said(f"Making a synthetic film: {example.film} …")]).outputs()
        with visit.conversation.busy:
            open_example(visit.conversation, example)
        yield self.screens.whole(visit).outputs()
        yield from self.ask(example.question, request)

    def suggestion(self, event: gr.SelectData, request: gr.Request) -> Iterator[Outputs]:
        """A button under a message: a question, whether a tool may run, or to go on with what was cut off."""
        conversation = self.visits.of(request).conversation
        if conversation.pressed(str(event.value)):
            return
        if event.value == GO_ON:
            yield from self.resume(request)
        else:
            yield from self.ask(str(event.value), request)

    def ask(self, question: str, request: gr.Request) -> Iterator[Outputs]:
        """Answer one question, step by step. A second one meanwhile is told to wait."""
        visit = self.visits.of(request)
        if not question.strip() or not self._may(visit):
            return
        if not visit.conversation.ask(question.strip()):
            gr.Info("One question at a time: wait for the answer, or press Stop.")
            return
        yield Screen(messages=list(visit.conversation.messages), question=asking(True, value="")).outputs()
        yield from self._followed(visit)

    def resume(self, request: gr.Request) -> Iterator[Outputs]:
        """Go on with a question that was cut off."""
        visit = self.visits.of(request)
        if visit.conversation.resume():
            yield from self._followed(visit)

    def stop(self, request: gr.Request) -> None:
        """End the running turn with what is known so far."""
        self.visits.of(request).conversation.stop()

    def act(self, event: gr.EventData, request: gr.Request) -> Iterator[Outputs]:
        """A button of a panel was pressed (panels.command)."""
        wanted: dict[str, Any] = event._data or {}
        visit = self.visits.of(request)
        try:
            if wanted.get("do") == "find":
                yield Screen(studies=studies.find(self.pacs, wanted)).outputs()
                return
            self._do(wanted, visit, request)
        except HilumFailure as refused:
            gr.Warning(f"{refused.message} {refused.hint}", title="Not done")
        yield self.screens.whole(visit).outputs()
        if wanted.get("do") == "again":
            asked = {turn.number: turn.question for turn in visit.conversation.session.turns}
            yield from self.ask(asked.get(int(wanted.get("turn", 0)), ""), request)
        elif visit.conversation.busy.locked():
            yield from self._followed(visit)

    def _do(self, wanted: Mapping[str, Any], visit: Visit, request: gr.Request) -> None:
        session_id, what = str(wanted.get("session", "")), wanted.get("do")
        if what == "open":
            self.visits.open(request, session_id)
        elif what == "rename" and str(wanted.get("title", "")).strip():
            self.visits.rename(visit, session_id, str(wanted["title"]))
        elif what == "delete":
            self.visits.delete(visit, session_id)
        elif what == "rate":
            visit.conversation.session.rate(int(wanted["turn"]), bool(wanted["good"]), str(wanted["note"])[:NOTE_MAX])
            gr.Info("Noted in this conversation's transcript.")
        elif what == "fetch":
            gr.Info("Fetching the films from the PACS …")
            studies.open_study(visit.conversation, self.pacs, wanted)
        elif what in report.DECISIONS:
            report.decide(visit.conversation.session, wanted)

    def broke(self, request: gr.Request) -> Outputs:
        """A handler failed in a way nobody named: our bug."""
        visit = self.visits.of(request)
        visit.conversation.messages.append(said(FAULT))
        return self.screens.whole(visit).outputs()

    def picture(self, asked: list[str]) -> str | None:
        """A picture for the viewer of the window that holds a secret; None where there is no such picture for it.

        Args:
            asked: [secret, film id], with "whole" in all its pixels, or [secret, film id, evidence id,
                "marks" | "heat" | "beside"].
        """
        token, film_id, *more = asked
        visit = self.visits.having(token)
        film = visit.conversation.films.get(film_id) if visit else None
        if visit is None or film is None:
            return None
        if more in ([], ["whole"]):
            return viewer.picture(film, bool(more))
        record = visit.conversation.evidence.get(more[0])
        if record is None:
            return None
        if more[1] == "beside":
            laid = viewer.laid_beside(film_id, record)
            return laid[1] if laid else None
        return viewer.layer(film, record, more[1])

    def exported(self, asked: list[Any]) -> dict[str, str]:
        """The report in a format, for the window that holds a secret (ui.chat.report.exported).

        Args:
            asked: [secret, format, files as base64].
        """
        found = self._reported(asked[0])
        return report.exported(found.session, str(asked[1]), asked[2]) if found else NO_REPORT

    def sent(self, asked: list[Any]) -> dict[str, str]:
        """The signed report to a PACS, for the window that holds a secret (ui.chat.sending.sent_to).

        Args:
            asked: [secret, form, files as base64].
        """
        found = self._reported(asked[0])
        return sending.sent_to(found, self.pacs, asked[1], asked[2]) if found else NO_REPORT

    def _reported(self, secret: Any) -> Conversation | None:
        """The conversation of the window that holds a secret, if it has begun."""
        visit = self.visits.having(str(secret))
        return visit.conversation if visit is not None and visit.conversation.id else None

    def _may(self, visit: Visit) -> bool:
        """Whether a user may begin something more in this minute; told where not. Without a login nobody is limited."""
        if not visit.owner or self._often.allows(visit.owner):
            return True
        gr.Warning(f"More than {A_MINUTE} questions and uploads in a minute: wait a little.", title="Not done")
        return False

    def _followed(self, visit: Visit) -> Iterator[Outputs]:
        """The conversation step by step while it is answered, then everything; ends when the window looks elsewhere."""
        conversation = visit.conversation
        told = (0, 0)
        for _ in conversation.follow():
            if visit.conversation is not conversation:
                return
            screen = Screen(messages=list(conversation.messages))
            if told != (now := (len(conversation.evidence), conversation.moved)):
                screen.scene, told = viewer.scene(conversation, visit.token), now
                screen.history = self.screens.history(visit)
            yield screen.outputs()
        if visit.conversation is conversation:
            yield self.screens.whole(visit).outputs()


__all__ = ["Desk"]
