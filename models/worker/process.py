"""One child process: started with next to no environment, asked over a pipe, watched, ended without a trace."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imaging.failures import Unavailable
from models.wire import Arrays
from models.worker.child import FrameError, read_frame, write_frame

CHILD = Path(__file__).with_name("child.py")
"""What runs in the child."""

RUNNERS = Path(__file__).with_name("runners")
"""Where runners lie."""

KEPT_VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "MKL_NUM_THREADS", "NVIDIA_DRIVER_CAPABILITIES",
    "NVIDIA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "PATH", "TZ",
)  # fmt: skip
"""Environment variables that a child inherits. No tokens, no keys, no proxies, no PYTHON*."""

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Libraries of the hub read what lies on disk and ask nobody."""

WATCH_S = 0.05
"""How often memory and deadlines are looked at while a child works."""

STDERR_BYTES = 8192
"""Last words that are kept of what a child and its libraries print."""

LAST_WORDS = 600
"""Characters of them in a failure's text."""

GOODBYE_S = 2.0
"""How long a child that was told to go may take before it is killed."""


class ChildDied(Exception):
    """The process ended although it was not told to; says how."""


@dataclass(frozen=True)
class Launch:
    """What is started.

    Attributes:
        name: the catalog id, for messages.
        python: the interpreter of the model's environment.
        runner: file in RUNNERS, without ".py".
        folder: the model's files.
        device, dtype: "cpu" or "cuda:N"; as torch names it.
        trust_remote_code: whether the model's own code may run.
        limit_bytes: most resident memory; None for no limit.
    """

    name: str
    python: Path
    runner: str
    folder: Path
    device: str
    dtype: str
    trust_remote_code: bool
    limit_bytes: int | None


class Process:
    """A running child. Not safe to use from two threads at once.

    Args:
        launch: what to start.

    Raises:
        Unavailable: this system has no such pipes, or the interpreter does not start.
    """

    def __init__(self, launch: Launch) -> None:
        if not hasattr(select, "poll"):
            raise Unavailable(f"{launch.name} needs an isolated worker, which this system cannot run.", "Use Linux.")
        self._launch = launch
        private = tempfile.mkdtemp(prefix="hilum-worker-")
        command = [str(launch.python), "-I", "-B", "-u", "-X", "utf8", str(CHILD)]
        command.append(str(RUNNERS / f"{launch.runner}.py"))
        try:
            self._popen = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=private,
                env=_environment(private),
                start_new_session=True,
            )
        except OSError as error:
            shutil.rmtree(private, ignore_errors=True)
            raise Unavailable(
                f"{launch.python} does not start ({error.strerror}).", f"Run: hilum models pull {launch.name}"
            ) from error
        assert self._popen.stdin and self._popen.stdout and self._popen.stderr
        self._to, self._from = self._popen.stdin.fileno(), self._popen.stdout.fileno()
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        self._said = bytearray()
        drain = threading.Thread(target=_drain, args=(self._popen.stderr, self._said), daemon=True)
        drain.start()
        self._end = weakref.finalize(self, _end, self._popen, private, drain)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._popen.pid

    def exchange(
        self, header: Mapping[str, Any], arrays: Mapping[str, Any], timeout_s: float
    ) -> tuple[dict[str, Any], Arrays]:
        """Send one frame and wait for the one that answers it. After any exception the process must be closed.

        Raises:
            ChildDied: it ended.
            TimeoutError: no answer in time.
            MemoryError: it holds more than it may.
            FrameError: what came is no frame.
        """
        until = time.monotonic() + timeout_s

        def write(view: memoryview) -> None:
            done = 0
            while done < len(view):
                self._wait(self._to, select.POLLOUT, until)
                try:
                    done += os.write(self._to, view[done:])
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    raise ChildDied(self._how()) from None

        def read(view: memoryview) -> None:
            done = 0
            while done < len(view):
                self._wait(self._from, select.POLLIN, until)
                try:
                    count = os.readv(self._from, [view[done:]])
                except BlockingIOError:
                    continue
                if not count:
                    raise ChildDied(self._how())
                done += count

        write_frame(write, header, arrays)
        return read_frame(read)

    def last_words(self) -> str:
        """The end of what it printed, in one line; empty where it printed nothing."""
        text = bytes(self._said).decode("utf-8", "replace")
        return " ".join(text.split())[-LAST_WORDS:]

    def close(self, *, at_once: bool = False) -> None:
        """End it and whatever it started, and delete its private folder.

        Args:
            at_once: kill it; else it is told to go and killed only if it does not.
        """
        if at_once and self._end.alive:
            _kill_group(self.pid)
        self._end()

    def _wait(self, descriptor: int, event: int, until: float) -> None:
        """Until the pipe is ready; looks at memory and time meanwhile."""
        poller = select.poll()
        poller.register(descriptor, event)
        while not poller.poll(WATCH_S * 1000):
            self._check_memory()
            if time.monotonic() > until:
                raise TimeoutError
        self._check_memory()

    def _check_memory(self) -> None:
        held, limit = resident_bytes(self.pid), self._launch.limit_bytes
        if held is not None and limit is not None and held > limit:
            raise MemoryError(
                f"the worker of {self._launch.name} grew to {held / 1e6:,.0f} MB of {limit / 1e6:,.0f} MB allowed"
            )

    def _how(self) -> str:
        try:
            code = self._popen.wait(GOODBYE_S)
        except subprocess.TimeoutExpired:
            return "it closed its pipe"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def resident_bytes(pid: int) -> int | None:
    """Memory a process holds now; None where the system does not tell (no /proc) or the process is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _environment(private: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    places = dict.fromkeys(("HOME", "TMPDIR", "HF_HOME", "XDG_CACHE_HOME"), private)
    return {**kept, **OFFLINE, **places}


def _drain(stream: Any, said: bytearray) -> None:
    """Keep the end of what comes, so that a child that prints much never stands still."""
    read: Callable[[int], bytes] = stream.read
    with contextlib.suppress(OSError, ValueError):
        while part := read(STDERR_BYTES):
            said += part
            del said[:-STDERR_BYTES]


def _end(popen: subprocess.Popen[bytes], private: str, drain: threading.Thread) -> None:
    """Close the pipe, which ends a child that waits; kill the group of one that does not go; leave no zombie."""
    if popen.stdin is not None:
        popen.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        popen.wait(GOODBYE_S if popen.poll() is None else 0)
    _kill_group(popen.pid)
    popen.wait()
    drain.join(GOODBYE_S)
    for stream in (popen.stdout, popen.stderr):
        if stream is not None:
            stream.close()
    shutil.rmtree(private, ignore_errors=True)


def _kill_group(pid: int) -> None:
    """The child leads a group of its own, in which also stays what it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


__all__ = ["ChildDied", "FrameError", "Launch", "Process", "resident_bytes"]
