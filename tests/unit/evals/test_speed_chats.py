"""The bench of many windows: how it speaks to a page, over a stub of gradio's own HTTP, and what it makes of it."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evals.speed import chats, films
from evals.speed.chats import Address, chat
from imaging.failures import Unavailable

UPLOAD, ASK = 3, 8
"""Numbers of the page's functions."""
CONFIG = {
    "components": [
        {"id": 41, "props": {"elem_id": "films"}},
        {"id": 42, "props": {"elem_id": "question"}},
        {"id": 43, "props": {}},
    ],
    "dependencies": [
        {"id": 1, "targets": [[42, "change"], [43, "click"]]},
        {"id": UPLOAD, "targets": [[41, "upload"]]},
        {"id": ASK, "targets": [[43, "click"], [42, "submit"]]},
    ],
}


class Page:
    """A served page: what it was sent, and what it streams to a question."""

    def __init__(self) -> None:
        self.uploads: dict[str, str] = {}
        self.joined: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        self.answer: list[dict[str, Any]] = [
            {"msg": "process_generating", "output": "The heart"},
            {"msg": "process_completed", "success": True, "output": "signature"},
            {"msg": "unread", "output": "what comes after the end"},
        ]

    def streamed(self, window: str) -> list[dict[str, Any]]:
        """Events of the function that a window called last."""
        called = [each["fn_index"] for each in self.joined if each["session_hash"] == window][-1]
        return self.answer if called == ASK else [{"msg": "process_completed", "output": "uploaded"}]


@pytest.fixture
def page() -> Iterator[tuple[Page, Address]]:
    told = Page()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with told.lock:
                if self.path == "/gradio_api/upload":
                    name = re.search(rb'filename="([^"]+)"', body)[1].decode()  # type: ignore[index]
                    content = body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
                    told.uploads[f"/stored/{name}"] = hashlib.sha256(content).hexdigest()
                    self._say(json.dumps([f"/stored/{name}"]))
                else:
                    assert self.path == "/gradio_api/queue/join"
                    told.joined.append(json.loads(body))
                    self._say("{}")

        def do_GET(self) -> None:
            if self.path == "/config":
                self._say(json.dumps(CONFIG))
            else:
                events = told.streamed(self.path.rpartition("session_hash=")[2])
                self._say(": a comment\n\n" + "".join(f"data: {json.dumps(event)}\n\n" for event in events))

        def _say(self, text: str) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield told, Address(f"http://127.0.0.1:{server.server_port}", UPLOAD, ASK)
    server.shutdown()
    server.server_close()


def film(folder: Path) -> Path:
    path = folder / "film.png"
    path.write_bytes(b"the film's bytes")
    return path


def test_a_window_gives_its_film_then_asks_and_is_one_window_throughout(
    page: tuple[Page, Address], tmp_path: Path
) -> None:
    told, address = page
    assert chat(address, film(tmp_path)) > 0
    assert told.uploads == {"/stored/film.png": hashlib.sha256(b"the film's bytes").hexdigest()}
    uploaded, asked = told.joined
    assert (uploaded["fn_index"], uploaded["data"][0][0]["path"]) == (UPLOAD, "/stored/film.png")
    assert (asked["fn_index"], asked["data"]) == (ASK, [chats.QUESTION])
    assert uploaded["session_hash"] == asked["session_hash"]
    chat(address, film(tmp_path))
    assert told.joined[-1]["session_hash"] != asked["session_hash"], "the next window is another"


def test_only_the_question_is_timed(
    page: tuple[Page, Address], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, address = page
    monkeypatch.setattr(chats.time, "perf_counter", lambda: 10.0 * len(told.joined))
    assert chat(address, film(tmp_path)) == 10, "from after the upload to after the question"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ([{"msg": "process_completed", "success": False, "output": "error"}], "The page failed"),
        ([{"msg": "process_completed", "success": True, "output": "half of it"}], "no whole answer"),
        ([{"msg": "process_generating", "output": "cut off"}], "no whole answer.*cut off"),
    ],
)
def test_an_answer_that_failed_or_is_not_whole_is_no_timing(
    page: tuple[Page, Address], tmp_path: Path, answer: list[dict[str, Any]], told: str
) -> None:
    page[0].answer = answer
    with pytest.raises(Unavailable, match=told):
        chat(page[1], film(tmp_path))


def test_the_pages_functions_are_found_by_the_parts_that_call_them(page: tuple[Page, Address]) -> None:
    running: Any = SimpleNamespace(poll=lambda: None)
    assert chats._found(page[1].url, running) == page[1]


def test_a_workbench_that_ended_is_not_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
        with pytest.raises(Unavailable, match="did not start"):
            chats._found("http://127.0.0.1:9", ended)


def test_every_window_has_a_film_of_its_own_and_all_are_answered(
    page: tuple[Page, Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, address = page

    @contextmanager
    def served(folder: Path) -> Iterator[tuple[Address, Any]]:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
            yield address, process

    monkeypatch.setattr(chats, "_served", served)
    monkeypatch.setattr(chats, "SIDE", 128)
    monkeypatch.setattr(films, "PATIENTS", 1)
    measured = chats.measure(5)
    questions = [each for each in told.joined if each["fn_index"] == ASK]
    assert len(questions) == 5 + chats.ALONE + 1 == len(set(told.uploads.values())), "one more warms the models up"
    assert len({each["session_hash"] for each in questions}) == len(questions)
    facts = measured.facts
    assert (facts["windows"], facts["answered"], len(measured.baseline.seconds)) == (5, 5, chats.ALONE)
    assert facts["p50_s"] <= facts["p95_s"] <= facts["whole_s"] + 0.1
    if Path("/proc/self/status").is_file():
        assert 0 < facts["peak_mb_before"] <= facts["peak_mb_after"] < 100, "of the server, not of the windows"


@pytest.mark.parametrize(("share", "expected"), [(5, 15), (30, 20), (40, 20), (50, 35), (100, 50)])
def test_percentile_is_the_nearest_rank(share: int, expected: float) -> None:
    """Expected: the usual example of the nearest-rank method: number ceil(P n / 100) of the sorted five."""
    assert chats._percentile([35, 20, 15, 50, 40], share) == expected
