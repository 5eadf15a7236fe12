"""MCP: every tool, `ask` and what goes with it, for other agents; over stdio, or under /mcp of the HTTP server.

A caller has one conversation at a time. Films come as bytes (`add_film`) or were given when the server was started: no
argument names a path.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mcp_types as types
from anyio import to_thread
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from pydantic import BaseModel, Field, ValidationError

from agent import Agent, Session
from agent.approval import is_asked_before
from imaging.failures import BadArguments, HilumFailure
from imaging.limits import check_bytes
from imaging.render import render, to_png
from tools.contract import Registry, ToolContext
from ui.server.callers import LOCAL_USER

PICTURE_SIDE = 1024
"""Longest side in pixels of a picture that is sent: what a model or a person can use in a chat."""
CAVEATS_TOLD = 5

INSTRUCTIONS = (
    "Hilum answers questions about chest radiographs from what tools measure. Add a film, then ask. Every statement "
    "of an answer cites evidence (E1, E2 ...), which show_evidence draws. Research software, not a medical device."
)


Function = Callable[["Conversing", str, Any], types.CallToolResult]
"""What one of our own MCP tools does for a caller with checked arguments."""


class NoArguments(BaseModel):
    """Nothing."""


class FilmBytes(BaseModel):
    """A film as bytes."""

    content_base64: str = Field(description="A DICOM, PNG, JPEG or TIFF file, or a zip archive of films, in base64.")


class QuestionText(BaseModel):
    """A question."""

    question: str = Field(
        min_length=1, max_length=8000, description="In plain words, about the films of this conversation."
    )


class EvidenceId(BaseModel):
    """An evidence record."""

    evidence_id: str = Field(description='As an answer cites it, e.g. "E1".')


class Conversing:
    """The conversations of MCP callers, one at a time each.

    Args:
        agent: answers.
        films: given to every new conversation.
    """

    def __init__(self, agent: Agent, films: Sequence[Path] = ()) -> None:
        self.agent = agent
        self._films = films
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def tools(self) -> Registry:
        """Those that may be called: a program behind MCP is nobody whose approval counts."""
        asked = self.agent.settings.ask_before
        return Registry(tool for tool in self.agent.tools if not is_asked_before(tool.name, asked))

    def of(self, owner: str, *, new: bool = False) -> Session:
        """The caller's conversation; a new one if asked for, or if there is none."""
        with self._lock:
            if new or owner not in self._sessions:
                session = self.agent.session(owner)
                if self._films:
                    session.take(self._films)
                self._sessions[owner] = session
            return self._sessions[owner]


def make_server(conversing: Conversing, owner_of: Callable[[Any], str] = lambda _: LOCAL_USER) -> Server[Any]:
    """The MCP server.

    Args:
        conversing: the conversations.
        owner_of: the caller's name from the transport's request.
    """
    own: dict[str, tuple[type[BaseModel], str, Function]] = {
        "new_conversation": (NoArguments, "Begin a new conversation, without the films and answers so far.", _begin),
        "add_film": (FilmBytes, "Add a film to the conversation; says its id and facts.", _add_film),
        "list_films": (NoArguments, "The conversation's films with ids and facts.", _list_films),
        "ask": (QuestionText, "Ask a question about the films; the answer cites its evidence.", _ask),
        "show_evidence": (EvidenceId, "One evidence record with its overlays drawn on the film.", _show),
    }  # fmt: skip

    async def list_tools(context: ServerRequestContext[Any], params: Any) -> types.ListToolsResult:
        listed = [_told(name, text, arguments) for name, (arguments, text, _) in own.items()]
        listed += [_told(item.name, item.description, item.arguments) for item in conversing.tools()]
        return types.ListToolsResult(tools=listed)

    async def call_tool(
        context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        owner, given = owner_of(context.request), params.arguments or {}

        def run() -> types.CallToolResult:
            if params.name in own:
                arguments, _, function = own[params.name]
                return function(conversing, owner, arguments.model_validate(given))
            return _run_tool(conversing, owner, params.name, given)

        try:
            return await to_thread.run_sync(run)
        except HilumFailure as refused:
            return _failed(str(refused))
        except ValidationError as wrong:
            return _failed("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in wrong.errors()))

    return Server(
        "hilum", version=version("hilum"), instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool
    )


async def run_stdio(agent: Agent, films: Sequence[Path] = ()) -> None:
    """Serve one caller over stdin and stdout until they close."""
    server = make_server(Conversing(agent, films))
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _told(name: str, text: str, arguments: type[BaseModel]) -> types.Tool:
    return types.Tool(name=name, description=text, input_schema=arguments.model_json_schema())


def _begin(conversing: Conversing, owner: str, given: Any) -> types.CallToolResult:
    session = conversing.of(owner, new=True)
    return _said("A new conversation.", {"conversation": session.id, "films": list(session.films.ids())})


def _add_film(conversing: Conversing, owner: str, given: FilmBytes) -> types.CallToolResult:
    check_bytes(len(given.content_base64) * 3 // 4)
    try:
        content = base64.b64decode(given.content_base64, validate=True)
    except binascii.Error as error:
        raise BadArguments("content_base64 is not base64.", "Encode the file's bytes.") from error
    session = conversing.of(owner)
    found = session.take([content])
    if not found.films and found.refused:
        raise found.refused[0].reason
    added = {each.film.id for each in found.films}
    return _films_said([film for film in session.facts() if film["id"] in added])


def _list_films(conversing: Conversing, owner: str, given: Any) -> types.CallToolResult:
    return _films_said(conversing.of(owner).facts())


def _films_said(films: list[dict[str, Any]]) -> types.CallToolResult:
    """Without dates and patients: the caller may be a model on another machine."""
    told = "; ".join(f"film {film['number']}: image_id {film['id']}, view {film['view']}" for film in films)
    return _said(told or "No film yet; add one.", {"films": films})


def _ask(conversing: Conversing, owner: str, given: QuestionText) -> types.CallToolResult:
    answer = conversing.of(owner).ask(given.question)
    left_out: Any = {"evidence": {"__all__": {"overlays", "card"}}, "images": True, "notes": True}
    return _said(f"{answer.text}\n\n{answer.disclaimer}", answer.model_dump(mode="json", exclude=left_out))


def _show(conversing: Conversing, owner: str, given: EvidenceId) -> types.CallToolResult:
    session = conversing.of(owner)
    record = session.ledger.get(given.evidence_id)
    if record is None:
        known = ", ".join(item.id for item in session.ledger.records()) or "none yet"
        raise BadArguments(f"There is no evidence {given.evidence_id!r}.", f"This conversation has: {known}.")
    content: list[Any] = [types.TextContent(type="text", text=f"{record.title}: {record.summary}")]
    for image_id in dict.fromkeys(overlay.image_id for overlay in record.overlays):
        picture = render(session.films.get(image_id), [item for item in record.overlays if item.image_id == image_id])
        step = max(1, -(-max(picture.shape[:2]) // PICTURE_SIDE))
        data = base64.b64encode(to_png(picture[::step, ::step])).decode()
        content.append(types.ImageContent(type="image", data=data, mime_type="image/png"))
    return types.CallToolResult(content=content)


def _run_tool(conversing: Conversing, owner: str, name: str, given: dict[str, Any]) -> types.CallToolResult:
    tool = conversing.tools().get(name)
    context = ToolContext(films=conversing.of(owner).films, models=conversing.agent.models)
    result = tool.run(context, given)
    if result.failure is not None:
        return _failed(f"{result.failure.message} {result.failure.hint}".strip())
    caveats = [f"Caveat: {caveat}" for caveat in result.caveats[:CAVEATS_TOLD]]
    return _said("\n".join([result.summary, *caveats]), json.loads(result.model_dump_json(exclude={"overlays"})))


def _said(text: str, data: dict[str, Any]) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], structured_content=data)


def _failed(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)


__all__ = ["Conversing", "make_server", "run_stdio"]
