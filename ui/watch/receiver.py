"""Films that come in: a C-STORE and C-ECHO provider, and a poller that asks a PACS for what is new."""

from __future__ import annotations

import datetime as dt
import logging
import sqlite3
import threading
from collections.abc import Sequence

from pynetdicom import AE, evt
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from imaging.failures import BadArguments, Unavailable
from imaging.pacs import Pacs, Query
from imaging.pacs.connection import OWN_TITLE
from imaging.pacs.dimse import film_contexts, received
from imaging.part10 import file_bytes
from ui.watch.queue import Queue

log = logging.getLogger("hilum.watch")

SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
"""Status of a C-STORE (PS3.4 B.2.3). Who is told "out of resources" keeps the film and sends it again."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
OVERLAP_DAYS = 1
"""Days that a poll looks back behind the last one: study dates know no hour, clocks differ."""
LAST_POLL = "last poll"


def receive(queue: Queue, at: tuple[str, int], callers: Sequence[str] = ()) -> ThreadedAssociationServer:
    """Start to receive; `shutdown` of what is returned ends it.

    Args:
        queue: where films go.
        at: (host, port) to listen on.
        callers: AE titles that may send; on this machine alone anybody where none is named.

    Raises:
        BadArguments: the port cannot be listened on, or it is open to other machines and no caller is named.
    """
    if at[0] not in LOOPBACK and not callers:
        raise BadArguments(
            f"{at[0]} is reached from other machines, and anybody there could send films.",
            "Name who may send (--from TITLE), or listen on 127.0.0.1.",
        )
    entity = AE(OWN_TITLE)
    entity.supported_contexts = [build_context(Verification), *film_contexts()]
    entity.require_calling_aet = list(callers)
    handlers = [(evt.EVT_C_STORE, _store, [queue]), (evt.EVT_C_ECHO, lambda _event: SUCCESS)]
    try:
        server = entity.start_server(at, block=False, evt_handlers=handlers)  # type: ignore[arg-type]
    except OSError as error:
        raise BadArguments(f"{at[0]}:{at[1]} cannot be listened on: {error.strerror}.", "Give a free port.") from None
    if server is None:
        raise BadArguments(f"{at[0]}:{at[1]} cannot be listened on.", "Give a free port.")
    return server


def _store(event: evt.Event, queue: Queue) -> int:
    """Taken is what lies on the disk with its row; anything else is told to the sender."""
    try:
        dataset = received(event)
        uid = str(dataset.SOPInstanceUID)
        data = file_bytes(dataset)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a sender's object is the sender's to know
        log.warning("an object was not understood: %s", type(error).__name__)
        return CANNOT_UNDERSTAND
    try:
        queue.put(uid, data)
    except (OSError, sqlite3.Error) as error:
        log.warning("a film could not be kept: %s", type(error).__name__)
        return OUT_OF_RESOURCES
    return SUCCESS


def poll(queue: Queue, pacs: Pacs, back_days: int, today: dt.date | None = None) -> int:
    """Ask for films of studies since the last poll and take the new ones; how many.

    A film that arrives late in a study older than that is not found: let the PACS forward it (C-STORE) instead.

    Args:
        queue: where films go.
        pacs: who is asked.
        back_days: how far the very first poll looks back.
        today: the day; the clock's if left out.

    Raises:
        PacsFailed: it cannot be reached; ask again later.
        OSError, sqlite3.Error: a film could not be kept.
    """
    now = today or dt.date.today()
    last = queue.mark(LAST_POLL)
    since = dt.date.fromisoformat(last) - dt.timedelta(OVERLAP_DAYS) if last else now - dt.timedelta(back_days)
    taken = 0
    for study in pacs.find(Query(dates=f"{since:%Y%m%d}-")):
        for series, uid in pacs.instances(study.study):
            if queue.known(uid):
                continue
            for dataset in pacs.get(study.study, series, uid):
                taken += queue.put(uid, file_bytes(dataset))
    queue.mark(LAST_POLL, now.isoformat())
    return taken


def keep_polling(queue: Queue, pacs: Pacs, back_days: int, every_s: float, stopped: threading.Event) -> None:
    """Poll until stopped; what fails is tried again at the next turn."""
    while not stopped.is_set():
        try:
            taken = poll(queue, pacs, back_days)
            if taken:
                log.info("%d new films", taken)
        except (Unavailable, OSError, sqlite3.Error) as failure:
            log.warning("poll failed: %s", failure if isinstance(failure, Unavailable) else type(failure).__name__)
        stopped.wait(every_s)
