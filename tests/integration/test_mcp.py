"""MCP with the official client: over stdio as another program, in process, and over HTTP with tokens."""

from __future__ import annotations

import base64
import io
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from agent_stubs import StubTools, Truth, film, stub_agent
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
from PIL import Image

from imaging.derived import to_png
from imaging.phantom import PhantomSpec, make_phantom, parse_finding
from ui.server import create
from ui.server.mcp import Conversing, make_server

TRUTH = Truth(scores={"effusion": 0.81, "pneumothorax": 0.1}, sides={"effusion": "left"})
OWN = {"new_conversation", "add_film", "list_films", "ask", "show_evidence"}
BYTES = {"content_base64": base64.b64encode(to_png(film(1))).decode()}


def text(result: Any) -> str:
    return "\n".join(item.text for item in result.content if item.type == "text")


def used(*steps: tuple[str, dict[str, Any]], agent: Any = None) -> list[Any]:
    """The results of calling these tools, one after the other, as one client."""

    async def go() -> list[Any]:
        async with Client(make_server(Conversing(agent or stub_agent(StubTools(TRUTH))))) as client:
            return [await client.call_tool(name, args) for name, args in steps]

    return anyio.run(go)


def test_every_tool_and_ask_are_listed_with_their_arguments() -> None:
    async def go() -> Any:
        async with Client(make_server(Conversing(stub_agent(StubTools(TRUTH))))) as client:
            return await client.list_tools()

    listed = {tool.name: tool for tool in anyio.run(go).tools}
    assert set(listed) == OWN | {"classify", "segment", "measure", "ground", "report"}
    assert "image_id" in listed["classify"].input_schema["properties"]
    assert not any(
        "path" in name or "url" in name for tool in listed.values() for name in tool.input_schema["properties"]
    )


def test_film_question_and_evidence() -> None:
    added, answer, films = used(
        ("add_film", BYTES), ("ask", {"question": "Is there a left effusion?"}), ("list_films", {})
    )
    assert added.structured_content["films"][0]["id"] == film(1).id
    assert "Yes: pleural effusion is present on the left [E1, E2]" in text(answer) and "not a medical device" in text(
        answer
    )
    assert answer.structured_content["evidence"][0]["id"] == "E1"
    assert film(1).id in text(films)


def test_tool_is_run_and_its_failure_told() -> None:
    _, ran, failed, unknown = used(
        ("add_film", BYTES),
        ("classify", {"image_id": film(1).id}),
        ("classify", {"image_id": "/etc/passwd"}),
        ("clasify", {}),
    )
    assert ran.structured_content["findings"][0]["code"] == "effusion" and not ran.is_error
    assert failed.is_error and "No film of this session has the id" in text(failed)
    assert unknown.is_error and "Did you mean 'classify'" in text(unknown)


def test_new_conversation_leaves_the_old_films_behind() -> None:
    *_, films = used(("add_film", BYTES), ("new_conversation", {}), ("list_films", {}))
    assert "No film yet" in text(films)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (("add_film", {"content_base64": "%%%"}), "not base64"),
        (("add_film", {"content_base64": base64.b64encode(b"no film").decode()}), "The file is text"),
        (("ask", {"question": ""}), "question"),
        (("show_evidence", {"evidence_id": "E9"}), "There is no evidence 'E9'"),
    ],
)
def test_wrong_use_is_told(step: tuple[str, dict[str, Any]], says: str) -> None:
    [result] = used(step)
    assert result.is_error and says in text(result)


@pytest.mark.timeout(300)
def test_stdio_with_the_real_tools_draws_the_evidence(tmp_path: Path) -> None:
    path = tmp_path / "film.png"
    make_phantom(PhantomSpec(seed=5, size=384, findings=(parse_finding("cardiomegaly:0.62"),))).write_png(path)
    command = StdioServerParameters(command=str(Path(sys.executable).parent / "hilum"), args=["mcp", str(path)])

    async def go() -> list[Any]:
        async with Client(command, read_timeout_seconds=240) as client:
            answer = await client.call_tool("ask", {"question": "How big is the heart?"})
            measured = next(item["id"] for item in answer.structured_content["evidence"] if item["tool"] == "measure")
            return [answer, await client.call_tool("show_evidence", {"evidence_id": measured})]

    answer, shown = anyio.run(go)
    assert "ardiothoracic ratio" in text(answer)
    [picture] = [item for item in shown.content if item.type == "image"]
    assert max(Image.open(io.BytesIO(base64.b64decode(picture.data))).size) <= 1024


@pytest.fixture
def address() -> Iterator[str]:
    agent = stub_agent(StubTools(TRUTH))
    app = create(agent, "anna:anna-secret-token-1,ben:ben-secret-token-22")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        pass
    [socket] = server.servers[0].sockets
    yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def over_http(address: str, token: str, *steps: tuple[str, dict[str, Any]]) -> list[Any]:
    async def go() -> list[Any]:
        http = create_mcp_http_client(headers={"Authorization": f"Bearer {token}"})
        async with Client(streamable_http_client(f"{address}/mcp/", http_client=http)) as client:
            return [await client.call_tool(name, args) for name, args in steps]

    return anyio.run(go)


def test_http_needs_a_token_and_keeps_callers_apart(address: str) -> None:
    assert httpx.post(f"{address}/mcp/", json={}).status_code == 401
    added, _ = over_http(address, "anna-secret-token-1", ("add_film", BYTES), ("list_films", {}))
    assert added.structured_content["films"]
    [hers] = over_http(address, "anna-secret-token-1", ("list_films", {}))
    [his] = over_http(address, "ben-secret-token-22", ("list_films", {}))
    assert film(1).id in text(hers) and "No film yet" in text(his)


def test_tool_that_needs_approval_is_not_offered_to_a_program() -> None:
    conversing = Conversing(stub_agent(StubTools(TRUTH), ask_before=("classify",)))
    assert [tool.name for tool in conversing.tools()] == ["segment", "measure", "ground", "report"]
    assert list(Conversing(stub_agent(StubTools(TRUTH), ask_before=("*",))).tools()) == []
