"""chats: thirty windows of a served workbench that ask at once against one that asks alone.

Starts `hilum chat` with the embedded tier and speaks to it as a browser does: each window uploads a film of its own,
asks, and reads the stream until its answer is whole. What a browser costs is not counted: the windows are threads here.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from evals.speed.films import write_films
from evals.speed.measured import Measured, Timing
from imaging.failures import Unavailable

CHATS = 30
ALONE = 3
"""Windows that ask one after the other, for comparison."""
QUESTION = "Is there a pleural effusion, and is the heart enlarged?"
SIDE = 512
STARTING_S, ANSWER_S = 180.0, 900.0


@dataclass(frozen=True)
class Address:
    """A served workbench: where it is, and which of its functions take uploads and questions."""

    url: str
    upload: int
    ask: int


def measure(films: int = CHATS) -> Measured:
    """Ask in ALONE windows one after the other, then in `films` windows at once.

    Args:
        films: how many windows, each with a film not seen before.
    """
    with tempfile.TemporaryDirectory() as name, _served(Path(name)) as (address, process):
        paths = write_films(Path(name), films + ALONE + 1, SIDE)
        chat(address, paths[-1])
        alone = [chat(address, path) for path in paths[films : films + ALONE]]
        before_mb = _peak_mb(process.pid)
        begun = time.perf_counter()
        with ThreadPoolExecutor(films) as threads:
            together = list(threads.map(lambda path: chat(address, path), paths[:films]))
        whole_s = time.perf_counter() - begun
        after_mb = _peak_mb(process.pid)
    return Measured(
        baseline=Timing("per answer, one window after the other", tuple(alone)),
        candidate=Timing("per answer, all windows at once", (whole_s / films,)),
        facts={
            "windows": films,
            "answered": len(together),
            "question": QUESTION,
            "p50_s": _percentile(together, 50),
            "p95_s": _percentile(together, 95),
            "whole_s": round(whole_s, 1),
            "peak_mb_before": before_mb,
            "peak_mb_after": after_mb,
        },
    )


def chat(address: Address, film: Path) -> float:
    """Seconds from the question to the whole answer, in a window of its own; an error of the page is raised.

    Args:
        address: of the workbench.
        film: uploaded first.
    """
    window = uuid4().hex[:12]
    with httpx.Client(base_url=f"{address.url}/gradio_api", timeout=ANSWER_S) as client:
        stored = client.post("/upload", files={"files": (film.name, film.read_bytes())}).raise_for_status().json()
        given = [{"path": path, "orig_name": film.name, "meta": {"_type": "gradio.FileData"}} for path in stored]
        _run(client, window, address.upload, [given])
        begun = time.perf_counter()
        answer = _run(client, window, address.ask, [QUESTION])
        elapsed = time.perf_counter() - begun
    if "signature" not in answer:
        raise Unavailable(f"A window got no whole answer: {answer[-300:]}", "Read the server's log.")
    return elapsed


def _run(client: httpx.Client, window: str, function: int, data: list[Any]) -> str:
    """Call a function of the page and read what it streams; everything it sent, as text."""
    asked = {"data": data, "fn_index": function, "session_hash": window}
    client.post("/queue/join", json=asked).raise_for_status()
    told = []
    with client.stream("GET", "/queue/data", params={"session_hash": window}) as stream:
        for line in stream.iter_lines():
            if not line.startswith("data:"):
                continue
            event = json.loads(line[5:])
            told.append(line)
            if event.get("msg") == "process_completed":
                if not event.get("success", True):
                    raise Unavailable(f"The page failed: {line[:300]}", "Read the server's log.")
                break
    return "".join(told)


@contextmanager
def _served(folder: Path) -> Iterator[tuple[Address, subprocess.Popen[bytes]]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "app.py", "chat", "--port", str(port), "--planner", "embedded", "--profile", "embedded"]
    environment = os.environ | {"HILUM_STATE_DIR": str(folder / "state")}
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield _found(f"http://127.0.0.1:{port}", process), process
    finally:
        process.terminate()
        process.wait()


def _found(url: str, process: subprocess.Popen[bytes]) -> Address:
    deadline = time.monotonic() + STARTING_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            config = httpx.get(f"{url}/config", timeout=30).raise_for_status().json()
        except httpx.TransportError:
            time.sleep(0.5)
            continue
        ids = {part["props"].get("elem_id"): part["id"] for part in config["components"]}
        called = {(target[0], target[1]): each["id"] for each in config["dependencies"] for target in each["targets"]}
        return Address(url, called[ids["films"], "upload"], called[ids["question"], "submit"])
    raise Unavailable("The workbench did not start.", "Try: hilum chat")


def _peak_mb(pid: int) -> int | None:
    """Highest resident memory of a process so far; None where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():
        return None
    for line in status.read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024)
    return None


def _percentile(seconds: list[float], share: int) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(seconds)
    return round(ordered[max(0, -(-share * len(ordered) // 100) - 1)], 1)
