"""A server on loopback that says what a script tells it, as OpenAI, Anthropic, Google or Ollama would."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dialects
from dialects import Reply

__all__ = ["Reply", "StubLLM", "in_order", "serving"]

DIALECTS = {
    "/v1/chat/completions": (dialects.openai, "text/event-stream"),
    "/v1/messages": (dialects.anthropic, "text/event-stream"),
    "/api/chat": (dialects.ollama, "application/x-ndjson"),
    ":streamGenerateContent": (dialects.google, "application/json"),
}
"""End of the path -> what is put on the wire, and as what."""


Script = Callable[[list[dict[str, Any]]], Reply]
"""From the request's messages to the reply."""


def in_order(*replies: Reply) -> Script:
    """One reply per request; the last is repeated."""
    left = list(replies)

    def script(messages: list[dict[str, Any]]) -> Reply:
        return left.pop(0) if len(left) > 1 else left[0]

    return script


@dataclass
class StubLLM:
    """A running server: its address, and the bodies and headers it received."""

    root_url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        """As OpenAI-compatible servers are named."""
        return f"{self.root_url}/v1"

    def messages(self, request: int = -1) -> list[dict[str, Any]]:
        """The messages of one request."""
        messages: list[dict[str, Any]] = self.requests[request]["messages"]
        return messages


@contextmanager
def serving(script: Script) -> Iterator[StubLLM]:
    """The server, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    stub = StubLLM(f"http://127.0.0.1:{server.server_port}")
    server.script, server.stub = script, stub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.stub.requests.append(body)  # type: ignore[attr-defined]
        self.server.stub.headers.append(dict(self.headers))  # type: ignore[attr-defined]
        reply: Reply = self.server.script(body.get("messages") or body["contents"])  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        dialect, kind = next(found for end, found in DIALECTS.items() if path.endswith(end))
        time.sleep(reply.hang_s)
        try:
            if reply.status != 200:
                refusal = {"error": {"message": reply.error, "code": reply.status, "status": "SCRIPTED"}}
                self._send(reply.status, "application/json", iter([json.dumps(refusal)]))
            else:
                assert body.get("stream", True), "the session streams"
                self._send(200, kind, dialect(reply, str(body.get("model", "stub"))))
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _send(self, status: int, kind: str, pieces: Iterator[str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece.encode())
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""
