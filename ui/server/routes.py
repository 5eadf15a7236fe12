"""The routes under /v1. Every one belongs to the caller; another's session answers as one that is not there."""

# No postponed annotations here: FastAPI reads them when a route is added.

import dataclasses
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from weakref import WeakKeyDictionary

from anyio import to_thread
from fastapi import APIRouter, Depends, File, Query, Response, UploadFile
from pydantic import BaseModel, Field
from sse_starlette.sse import EventSourceResponse

from agent import Agent, Session
from agent.answer import Answer, Evidence
from agent.approval import Waiting
from imaging.derived import to_png as film_png
from imaging.failures import BadArguments, HilumFailure
from imaging.limits import MAX_FILE_BYTES
from imaging.refusals import refusal
from imaging.render import render, to_png
from tools.contract import Result, ToolContext
from ui.server.callers import Callers
from ui.server.conversations import Conversations
from ui.server.events import as_sse, failure

QUESTION_MOST = 8000
"""Characters of one question: a pasted report fits many times."""
FILMS_MOST = 64
"""Files of one upload."""
Format = Literal["json", "markdown"]


class Titled(BaseModel):
    """A session's new title."""

    title: str = Field(min_length=1, max_length=80)


class Asked(BaseModel):
    """One question about the session's films."""

    question: str = Field(min_length=1, max_length=QUESTION_MOST)


class Allowed(BaseModel):
    """The answer to an `approval` event."""

    evidence: str = Field(pattern=r"^E\d+$", description="the call that waits")
    allow: bool


class Arguments(BaseModel):
    """A tool's arguments, as `GET /v1/tools` describes them."""

    arguments: dict[str, Any] = Field(default_factory=dict)


def routes(agent: Agent, callers: Callers, conversations: Conversations) -> APIRouter:
    """All routes of the API."""
    router = APIRouter(prefix="/v1")
    Owner = Annotated[str, Depends(callers.owner)]

    def session_of(session_id: str, owner: Owner) -> Session:
        return conversations.get(owner, session_id)

    Opened = Annotated[Session, Depends(session_of)]
    _add_sessions(router, agent, conversations, Owner)
    _add_films(router, Opened)
    _add_asking(router, Opened)
    _add_evidence(router, Opened)
    _add_tools(router, agent, Owner, Opened)
    return router


def _add_sessions(router: APIRouter, agent: Agent, conversations: Conversations, Owner: Any) -> None:
    @router.post("/sessions", status_code=201, tags=["sessions"])
    def make(owner: Owner) -> dict[str, str]:
        """A new conversation, without films."""
        return {"id": conversations.new(owner).id}

    @router.get("/sessions", tags=["sessions"])
    def kept(owner: Owner) -> list[dict[str, Any]]:
        """The caller's conversations, the one used last first."""
        return [dataclasses.asdict(item) for item in agent.memory.remembered(owner)]

    @router.patch("/sessions/{session_id}", status_code=204, tags=["sessions"])
    def rename(session_id: str, titled: Titled, owner: Owner) -> None:
        """Give a conversation another title."""
        agent.memory.rename(session_id, owner, titled.title)

    @router.delete("/sessions/{session_id}", status_code=204, tags=["sessions"])
    def delete(session_id: str, owner: Owner) -> None:
        """Delete it for good: films, evidence, answers, transcript."""
        conversations.delete(owner, session_id)


def _add_films(router: APIRouter, Opened: Any) -> None:
    @router.post("/sessions/{session_id}/films", status_code=201, tags=["films"])
    async def add(session: Opened, files: Annotated[list[UploadFile], File(max_length=FILMS_MOST)]) -> dict[str, Any]:
        """Give films: DICOM, PNG, JPEG, TIFF or zip archives. Says what came of each file."""
        contents = [await file.read(MAX_FILE_BYTES + 1) for file in files]
        if any(len(content) > MAX_FILE_BYTES for content in contents):
            raise refusal("too_large", f"A file is larger than {MAX_FILE_BYTES >> 20} MiB.")
        found = await to_thread.run_sync(session.take, contents)
        return {
            "films": [each.film.facts() | {"name": session.films.name(each.film.id)} for each in found.films],
            "duplicates": len(found.duplicates),
            "refused": [each.reason.to_json() for each in found.refused],
        }

    @router.get("/sessions/{session_id}/films", tags=["films"])
    def listed(session: Opened) -> list[dict[str, Any]]:
        """The session's films."""
        ids = session.films.ids()
        return [session.films.get(item).facts() | {"name": session.films.name(item)} for item in ids]

    @router.get("/sessions/{session_id}/films/{film_id}", tags=["films"], response_class=Response)
    def picture(session: Opened, film_id: str) -> Response:
        """A film as a 16-bit PNG, white = dense."""
        return Response(film_png(session.films.get(film_id)), media_type="image/png")


def _add_asking(router: APIRouter, Opened: Any) -> None:
    waiting: WeakKeyDictionary[Session, Waiting] = WeakKeyDictionary()  # of the sessions whose turn is streamed now

    @router.post("/sessions/{session_id}/ask", tags=["questions"])
    def ask(session: Opened, asked: Asked) -> Answer:
        """The answer to a question, when it is whole. A tool that needs approval does not run: nobody can be asked."""
        return session.ask(asked.question)

    @router.post("/sessions/{session_id}/ask/stream", tags=["questions"], response_class=EventSourceResponse)
    async def stream(session: Opened, asked: Asked) -> EventSourceResponse:
        """The same as server-sent events: plan, tool_started, tool_finished, text, and last answer or failed.

        An event approval waits for POST .../approve. Hanging up stops the turn.
        """

        async def told() -> AsyncIterator[dict[str, str]]:
            first = session not in waiting  # a second one at the same time is Busy
            if first:
                waiting[session] = Waiting()
                session.approver = waiting[session].wait
            try:
                async for event in session.astream(asked.question):
                    yield as_sse(event)
            except HilumFailure as refused:
                yield failure(refused.kind, refused.message, refused.hint)
            finally:
                if first:
                    session.approver = None
                    del waiting[session]

        return EventSourceResponse(told())

    @router.post("/sessions/{session_id}/approve", status_code=204, tags=["questions"])
    def approve(session: Opened, given: Allowed) -> None:
        """Say whether the call of an approval event may run."""
        asked = waiting.get(session)
        if asked is None or not asked.answer(given.allow, given.evidence):
            raise BadArguments(f"No call {given.evidence} waits for approval.", "Answer an approval event.")

    @router.post("/sessions/{session_id}/stop", status_code=204, tags=["questions"])
    def stop(session: Opened) -> None:
        """End the running turn; its answer says what is known so far."""
        session.stop()

    @router.get("/sessions/{session_id}/turns", tags=["questions"])
    def turns(session: Opened) -> list[dict[str, Any]]:
        """What was asked and answered."""
        return [
            {"number": turn.number, "question": turn.question, "answer": turn.answer and turn.answer.model_dump()}
            for turn in session.turns
        ]


def _add_evidence(router: APIRouter, Opened: Any) -> None:
    @router.get("/sessions/{session_id}/evidence/{evidence_id}", tags=["evidence"])
    def record(session: Opened, evidence_id: str) -> Evidence:
        """One evidence record, with its overlays."""
        return _evidence(session, evidence_id)

    @router.get("/sessions/{session_id}/evidence/{evidence_id}/picture", tags=["evidence"], response_class=Response)
    def drawn(session: Opened, evidence_id: str, film_id: Annotated[str | None, Query()] = None) -> Response:
        """Its overlays drawn on the film, at the film's resolution, as PNG."""
        found = _evidence(session, evidence_id)
        film = session.films.get(film_id or next(iter(found.image_ids), ""))
        overlays = [overlay for overlay in found.overlays if overlay.image_id == film.id]
        return Response(to_png(render(film, overlays)), media_type="image/png")

    @router.get("/sessions/{session_id}/transcript", tags=["evidence"])
    def transcript(session: Opened) -> list[dict[str, Any]]:
        """What happened, line by line: the audit log."""
        return list(session.transcript())


def _add_tools(router: APIRouter, agent: Agent, Owner: Any, Opened: Any) -> None:
    @router.get("/tools", tags=["tools"])
    def tools(owner: Owner) -> list[dict[str, Any]]:
        """The tools that are ready, with their arguments as JSON Schema."""
        return [
            {
                "name": item.name,
                "title": item.title,
                "answers": item.answers,
                "arguments": item.arguments.model_json_schema(),
            }
            for item in agent.tools
        ]

    @router.post("/sessions/{session_id}/tools/{name}", tags=["tools"])
    def run(session: Opened, name: str, given: Arguments) -> Result:
        """Run one tool on the session's films, outside any conversation: no evidence is kept."""
        context = ToolContext(films=session.films, models=agent.models)
        return agent.tools.get(name).run(context, given.arguments)


def _evidence(session: Session, evidence_id: str) -> Evidence:
    found = session.ledger.get(evidence_id)
    if found is None:
        known = ", ".join(record.id for record in session.ledger.records()) or "none yet"
        raise BadArguments(f"There is no evidence {evidence_id!r}.", f"This session has: {known}.")
    return found


__all__ = ["routes"]
