"""Who answers in a session now: a name for a process's hold on it, and whether that process still lives."""

from __future__ import annotations

import os
import socket
from uuid import uuid4

HOLD_S = 20.0
"""How long a hold lasts without being prolonged; a running turn prolongs it every few seconds."""


def new_holder() -> str:
    """A name no other session object has; tells this machine and process."""
    return f"{socket.gethostname()[:24]}:{os.getpid()}:{uuid4().hex[:12]}"


def is_gone(holder: str) -> bool:
    """Whether the holder was a process of this machine that is no more: its hold need not be waited out."""
    host, _, rest = holder.partition(":")
    pid = rest.partition(":")[0]
    if host != socket.gethostname()[:24] or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
