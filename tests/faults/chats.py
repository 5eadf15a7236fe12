"""Many chats at once with `hilum serve` over loopback, for a while: the server's memory, and that no chat sees another.

    python tests/faults/chats.py --chats 50 --seconds 1800 --pause 30 [--stub]

Every chat is a user with a token. Again and again it opens a session, gives a film of its own, asks, tries to reach
the session and film of another, and deletes its session (films and all). With --pause it reads each answer for about
so many seconds before it goes on. Resident memory of the server process is read every few seconds; the figures compare
its means over the quarters of the run, caches being full after the first, and give its slope over the second half.

With --stub the tools are the tests' stubs, so that sessions, films and memory are turned over many times on few cores.

Prints one JSON line; exit status 1 when a chat saw another's film, or a request failed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from imaging.derived import to_png  # noqa: E402
from imaging.phantom import PhantomSpec, make_phantom  # noqa: E402

QUESTIONS = ("Is there a pleural effusion?", "How big is the heart?", "And a pneumothorax?")
SIDE = 256
SAMPLE_S = 5.0
PATIENCE_S = 600.0
"""How long a chat waits for an answer: fifty of them share two cores."""
IDLE_S = 2.0
"""How long a chat keeps a connection that it does not use: less than the server does (uvicorn, 5 s), which else may
close it under the next request."""
REFUSED = 422
"""HTTP status for a session or film that is not the caller's."""


class Chats:
    """The chats, and what they count."""

    def __init__(self, address: str, until: float, pause_s: float) -> None:
        self.address, self.until, self.pause_s = address, until, pause_s
        self.begun = time.monotonic()
        self.counted: Counter[str] = Counter()
        self.problems: list[str] = []
        self.sessions: dict[int, tuple[str, str]] = {}
        self._base = make_phantom(PhantomSpec(seed=1, size=SIDE)).radiograph

    def run(self, number: int) -> None:
        """One chat until the time is up."""
        headers = {"Authorization": f"Bearer {token(number)}"}
        rng = np.random.default_rng(number)
        limits = httpx.Limits(keepalive_expiry=IDLE_S)
        with httpx.Client(base_url=self.address, headers=headers, timeout=PATIENCE_S, limits=limits) as http:
            while time.monotonic() < self.until:
                try:
                    self._visit(http, number, rng)
                except httpx.HTTPError as error:
                    if not isinstance(error, httpx.HTTPStatusError):  # those are noted with their words
                        self._note(f"{type(error).__name__} of chat {number}")

    def _visit(self, http: httpx.Client, number: int, rng: np.random.Generator) -> None:
        noisy = (self._base.pixels + rng.normal(0, 0.01, self._base.pixels.shape)).clip(0, 1).astype(np.float32)
        film = to_png(replace(self._base, pixels=noisy))
        session = self._said(http.post("/v1/sessions"))["id"]
        given = self._said(http.post(f"/v1/sessions/{session}/films", files={"files": ("a.png", film)}))
        mine = given["films"][0]["id"]
        self.sessions[number] = (session, mine)
        for question in QUESTIONS:
            if time.monotonic() > self.until:
                break
            answer = self._said(http.post(f"/v1/sessions/{session}/ask", json={"question": question}))
            self.counted["answers"] += 1
            seen = {image["id"] for image in answer["images"]}
            seen |= {film for record in answer["evidence"] for film in record["image_ids"]}
            if seen != {mine}:
                self._note(f"chat {number} was answered about another's film")
            self._read(rng)
        self._pry(http, number, session)
        self._said(http.delete(f"/v1/sessions/{session}"))
        self.counted["sessions"] += 1

    def _read(self, rng: np.random.Generator) -> None:
        """Read an answer for half to one and a half pauses, so that the chats do not march in step."""
        left = self.until - time.monotonic()
        time.sleep(max(0.0, min(left, self.pause_s * rng.uniform(0.5, 1.5))))

    def _pry(self, http: httpx.Client, number: int, session: str) -> None:
        """Reach for what belongs to somebody else."""
        for other, (theirs, film) in list(self.sessions.items()):
            if other == number:
                continue
            for path in (f"/v1/sessions/{theirs}/turns", f"/v1/sessions/{session}/films/{film}"):
                self.counted["pried"] += 1
                if http.get(path).status_code != REFUSED:
                    self._note(f"chat {number} reached into chat {other}")
            break

    def _said(self, response: httpx.Response) -> Any:
        if response.is_error:
            asked = (
                f"{response.request.method} {response.request.url.path} took {response.elapsed.total_seconds():.1f} s"
            )
            self._note(f"{asked}: {response.status_code} {response.text[:200]}")
            response.raise_for_status()
        return response.json() if response.content else None

    def _note(self, problem: str) -> None:
        self.problems.append(f"at {time.monotonic() - self.begun:.0f} s: {problem}")


def token(number: int) -> str:
    """The token of a chat's user."""
    return f"token-of-chat-number-{number:04}"


def resident_mb(pid: int) -> float:
    """Resident memory of a process in megabytes (proc(5), VmRSS)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) * 1024 / 1e6


def cpu_s(pid: int) -> float:
    """Processor time of a process (proc(5), stat: utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def serve_stubs(port: int) -> None:
    """The same server over the stub tools, until it is ended."""
    sys.path.insert(0, str(ROOT / "tests"))
    from agent_stubs import StubTools, Truth, stub_agent

    from agent.memory import Memory
    from ui.server import serve

    agent = stub_agent(StubTools(Truth(scores={"effusion": 0.8}, sides={"effusion": "left"})))
    agent.memory = Memory(Path(os.environ["HILUM_STATE_DIR"]) / "sessions.db")
    agent.models.device = "cpu"  # type: ignore[misc]
    serve(agent, "127.0.0.1", port, os.environ["HILUM_API_TOKENS"])


def start(port: int, chats: int, state: Path, stub: bool) -> subprocess.Popen[bytes]:
    """The server with a token per chat; returns once it answers."""
    tokens = ",".join(f"user{number}:{token(number)}" for number in range(chats))
    variables = {"HILUM_STATE_DIR": str(state), "HILUM_API_TOKENS": tokens, "HILUM_PLANNER": "embedded"}
    command = [sys.executable, str(ROOT / "app.py"), "serve", "--port", str(port), "--profile", "embedded"]
    if stub:
        command = [sys.executable, __file__, "--port", str(port), "--serve-stub"]
    server = subprocess.Popen(command, env={**os.environ, **variables}, cwd=ROOT)
    for _ in range(600):
        try:
            httpx.get(f"http://127.0.0.1:{port}/health").raise_for_status()
        except httpx.HTTPError:
            if server.poll() is not None:
                raise RuntimeError("the server ended") from None
            time.sleep(0.5)
        else:
            return server
    raise RuntimeError("the server did not answer")


def measure(chats: int, seconds: float, pause_s: float, port: int, stub: bool) -> dict[str, Any]:
    """Run the chats and read the server's memory meanwhile.

    Args:
        chats: how many at once.
        seconds: how long new questions are asked.
        pause_s: how long a chat reads an answer, about.
        port: the server's.
        stub: whether the tools are stubs.
    """
    with tempfile.TemporaryDirectory() as state:
        server = start(port, chats, Path(state), stub)
        try:
            begun, readings = time.monotonic(), []
            running = Chats(f"http://127.0.0.1:{port}", begun + seconds, pause_s)
            ended = threading.Event()

            def watch() -> None:
                while not ended.wait(SAMPLE_S):
                    readings.append(round(resident_mb(server.pid), 1))

            watching = threading.Thread(target=watch)
            watching.start()
            with ThreadPoolExecutor(chats) as threads:
                list(threads.map(running.run, range(chats)))
            wall = time.monotonic() - begun
            ended.set()
            watching.join()
            used = cpu_s(server.pid)
        finally:
            server.terminate()
            server.wait(60)
    asked_for = {"chats": chats, "asked_for_s": seconds, "pause_s": pause_s}
    return asked_for | figures(running, readings, wall, used)


def figures(ran: Chats, readings: list[float], wall_s: float, server_cpu_s: float) -> dict[str, Any]:
    """The run's figures as JSON-ready values."""
    quarter = max(1, len(readings) // 4)
    starts = range(0, 4 * quarter, quarter)
    quarters = [round(statistics.fmean(readings[start : start + quarter]), 1) for start in starts]
    late = readings[len(readings) // 2 :]
    slope = statistics.linear_regression(range(len(late)), late).slope * 3600 / SAMPLE_S
    return {
        "wall_s": round(wall_s, 1), "server_cpu_s": round(server_cpu_s, 1),
        **ran.counted, "problems": len(ran.problems), "first_problems": ran.problems[:40],
        "resident_mb_quarters": quarters, "last_over_second": round(quarters[3] / quarters[1], 3),
        "resident_mb_highest": max(readings), "slope_second_half_mb_per_h": round(slope, 1),
        "readings_mb": readings[:: max(1, len(readings) // 30)],
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chats", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--pause", type=float, default=0.0, metavar="SECONDS", help="read each answer so long, about")
    parser.add_argument("--port", type=int, default=8093)
    parser.add_argument("--stub", action="store_true", help="the tests' stub tools in place of the models")
    parser.add_argument("--serve-stub", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve_stub:
        serve_stubs(given.port)
        return 0
    found = measure(given.chats, given.seconds, given.pause, given.port, given.stub)
    print(json.dumps({"stub_tools": given.stub, **found}))
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
