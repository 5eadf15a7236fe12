"""`hilum serve` against slow, giant and broken requests on real sockets: others are served, the disk stays empty."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from agent_stubs import StubTools, Truth, film, stub_agent

from agent.memory import Memory
from imaging.derived import to_png
from ui.server import create

TOKEN = "anna-secret-token-1"
HEAD = "POST /v1/sessions/{session}/films HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
FORM = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n"
SLOW_CLIENTS = 40


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where uploads that do not fit in memory are kept while they come."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def port(tmp_path: Path, spool: Path) -> Iterator[int]:
    agent = stub_agent(StubTools(Truth(scores={"effusion": 0.8})))
    agent.memory = Memory(tmp_path / "sessions.db")
    agent.models.device = "cpu"  # type: ignore[misc]
    server = uvicorn.Server(uvicorn.Config(create(agent, f"anna:{TOKEN}"), port=0, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = server.force_exit = True
    thread.join()


def client(port: int) -> httpx.Client:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60)


def answered(http: httpx.Client) -> str:
    """A whole conversation of somebody else."""
    session = http.post("/v1/sessions").json()["id"]
    http.post(f"/v1/sessions/{session}/films", files={"files": ("a.png", to_png(film(1)))})
    text: str = http.post(f"/v1/sessions/{session}/ask", json={"question": "Is there an effusion?"}).json()["text"]
    return text


def opened(port: int, begun: str) -> socket.socket:
    """A connection on which only the beginning of a request was sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(begun.encode())
    return connection


def test_slow_clients_hold_up_nobody(port: int) -> None:
    with client(port) as http:
        session = http.post("/v1/sessions").json()["id"]
        head = HEAD.format(session=session, token=TOKEN)
        slow = [opened(port, "GET /health HTTP/1.1\r\nHo") for _ in range(SLOW_CLIENTS // 2)]
        slow += [opened(port, head + FORM.format(length=9_000) + "--x\r\n") for _ in range(SLOW_CLIENTS // 2)]
        assert "effusion" in answered(http)
        for connection in slow:
            connection.sendall(b"a")
        assert "effusion" in answered(http)
        for connection in slow:
            connection.close()
        assert "effusion" in answered(http)
        assert http.get(f"/v1/sessions/{session}/films").json() == [], "half an upload is none"


def status(connection: socket.socket) -> int:
    return int(connection.recv(4096).split(b" ")[1])


def test_a_giant_upload_is_refused_by_its_declared_length(port: int, spool: Path) -> None:
    with client(port) as http:
        session = http.post("/v1/sessions").json()["id"]
        giant = opened(port, HEAD.format(session=session, token=TOKEN) + FORM.format(length=1 << 40))
        assert status(giant) == 413
        giant.close()
        assert "effusion" in answered(http) and not list(spool.iterdir())


def test_nothing_of_a_strangers_upload_is_read(port: int, spool: Path) -> None:
    stranger = opened(port, HEAD.format(session="x", token="wrong-token-wrong-token") + FORM.format(length=1 << 29))
    assert status(stranger) == 401, "answered although not a byte of the body was sent"
    stranger.close()
    assert not list(spool.iterdir())


@pytest.mark.parametrize(
    "sent",
    ["\x00\x01\x02\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "POST /v1/sessions HTTP/1.1\r\nContent-Length: -1\r\n\r\n"],
)
def test_what_is_no_request_ends_its_own_connection_alone(sent: str, port: int) -> None:
    broken = opened(port, sent)
    heard: Any = broken.recv(4096)
    assert heard == b"" or heard.split(b" ")[1] == b"400"
    broken.close()
    with client(port) as http:
        assert http.get("/health").status_code == 200
