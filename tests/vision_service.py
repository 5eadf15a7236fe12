"""A small OpenAI-compatible vision service on this machine that answers as told and keeps what it gets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Service:
    """What the server answers, and what it got."""

    def __init__(self) -> None:
        self.status, self.reply = 200, {"choices": [{"message": {"content": " No. "}, "finish_reason": "stop"}]}
        self.got: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.url = ""

    def says(self, text: str) -> None:
        """What it answers from now on."""
        self.reply = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}


@contextmanager
def serving() -> Iterator[Service]:
    """A running service."""
    held = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            held.got.append((self.path, dict(self.headers), body))
            sent = json.dumps(held.reply).encode()
            self.send_response(held.status)
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield held
    server.shutdown()
    server.server_close()
