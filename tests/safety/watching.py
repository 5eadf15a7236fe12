"""What the interpreter itself says that a run touched: files, sockets, processes. Python's audit events (PEP 578)."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
OWN_WRITES = ("__pycache__", "/dev/null")
"""Parts of the paths that Python and its libraries write by themselves: compiled modules."""
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")
CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree")
PROCESSES = (
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
)
HELPERS = ("tesseract",)
"""Programs that Hilum itself runs: the reader that finds text burned into a film."""


@dataclass
class Seen:
    """What was touched, as paths and event names."""

    opened: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    network: list[str] = field(default_factory=list)
    processes: list[str] = field(default_factory=list)


_lock = threading.Lock()
_watching: list[Seen] = []
_hooked: list[bool] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _watching:
        return
    seen = _watching[-1]
    if event == "open":
        path, mode, flags = str(args[0]), args[1], args[2]
        seen.opened.append(path)
        writes = bool(flags & WRITES) or bool(mode and set(str(mode)) & set("wax+"))
        if writes and not any(own in path for own in OWN_WRITES):
            seen.written.append(path)
    elif event in CHANGES:
        seen.written.append(f"{event} {args[0]}")
    elif event in NETWORK:
        seen.network.append(f"{event} {args[-1]}")
    elif event in PROCESSES and not any(helper in str(args[0]) for helper in HELPERS):
        seen.processes.append(f"{event} {args[0]}")


@contextmanager
def watched() -> Iterator[Seen]:
    """Whatever any thread touches until the block ends. An audit hook cannot be taken out; it sleeps otherwise."""
    with _lock:
        if not _hooked:
            sys.addaudithook(_hook)
            _hooked.append(True)
    seen = Seen()
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)
