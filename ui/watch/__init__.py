"""`hilum watch`: films that arrive from a PACS are read by a plan, and what comes of it is sent back.

queue keeps what arrived and how far it is, on disk; receiver and poller bring films in; work reads and sends.
"""

from ui.watch.queue import Queue, State
from ui.watch.work import Plan, Watch

__all__ = ["Plan", "Queue", "State", "Watch"]
