"""A server of weight files on loopback that throttles, breaks off, lies and asks for tokens, as a test tells it."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK = 64 * 1024


@dataclass
class Behaviour:
    """What the server does.

    Attributes:
        files: path -> content.
        break_after: bytes after which a connection is cut, once per entry of the list.
        pause_s: between chunks.
        resumes: whether it honours Range.
        statuses: answers given before the right one, one per request.
        token: what Authorization must carry, if anything.
        page: a web page given in place of every file.
        asked: (path, Range header) of every request.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    break_after: list[int] = field(default_factory=list)
    pause_s: float = 0.0
    resumes: bool = True
    statuses: list[int] = field(default_factory=list)
    token: str = ""
    page: bytes = b""
    asked: list[tuple[str, str]] = field(default_factory=list)

    def repository(self, repo: str, commit: str, files: dict[str, bytes]) -> None:
        """Offer a hub repository: its listing with sizes and sha256, and its files."""
        siblings = [
            {
                "rfilename": name,
                "size": len(content),
                "blobId": "0" * 40,
                "lfs": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 1},
            }
            for name, content in files.items()
        ]
        listing = {"id": repo, "sha": commit, "siblings": siblings, "private": False, "downloads": 0, "tags": []}
        for revision in ("main", commit):
            self.files[f"/api/models/{repo}/revision/{revision}"] = json.dumps(listing).encode()
        for name, content in files.items():
            self.files[f"/{repo}/resolve/{commit}/{name}"] = content


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """The address of a server that behaves so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, wanted = self.path.split("?")[0], self.headers.get("Range", "")
            behaviour.asked.append((path, wanted))
            if behaviour.statuses:
                self.answer(behaviour.statuses.pop(0), b"busy")
            elif behaviour.token and self.headers.get("Authorization") != f"Bearer {behaviour.token}":
                self.answer(401, b"who are you?", **{"X-Error-Code": "GatedRepo"})
            elif behaviour.page:
                self.answer(200, behaviour.page, **{"Content-Type": "text/html; charset=utf-8"})
            elif path not in behaviour.files:
                self.answer(404, b"Not Found")
            else:
                self.give(behaviour.files[path], wanted)

        def answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def give(self, content: bytes, wanted: str) -> None:
            tag = f'"{hashlib.md5(content).hexdigest()}"'
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and behaviour.resumes else 0
            same = self.headers.get("If-Range", tag) == tag
            start = start if same else 0
            if start and start >= len(content):
                self.answer(416, b"", **{"Content-Range": f"bytes */{len(content)}"})
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("ETag", tag)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            limit = behaviour.break_after.pop(0) if behaviour.break_after else len(content)
            for at in range(start, len(content), CHUNK):
                if at - start >= limit:
                    self.connection.close()
                    return
                self.wfile.write(content[at : at + CHUNK])
                time.sleep(behaviour.pause_s)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
