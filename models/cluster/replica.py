"""One replica of one model: a small pool in a process of Ray Serve. Imported only where Ray is."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import serve

from imaging.failures import HilumFailure, Unavailable
from models import wire
from models.catalog import Catalog, CatalogEntry
from models.cluster.serving import as_told
from models.numerics import Numerics
from models.outputs import Task
from models.pool import ModelPool
from models.request import Request

Reply = dict[str, Any]
"""An output {"header", "arrays" (models.wire), "elapsed_ms"}, a failure {"failed": JSON} or a bug {"fault": text}."""

Asked = tuple[str, str, Request]
"""(task, revision that the caller's card shows, request)."""


@dataclass(frozen=True)
class Terms:
    """What of the caller's settings a replica needs: where weights lie, what may run, on which device and how."""

    model_dir: Path | None
    profile: str
    trust_remote_code: str
    device: str
    numerics: Numerics


class Replica:
    """Holds one model and answers in batches, across all callers of the cluster.

    The pool inside gives what it gives elsewhere: smaller batches without memory, isolated workers, typed failures. It
    remembers nothing: the callers' pools do.
    """

    def __init__(self, entry: dict[str, Any], terms: Terms, max_batch: int) -> None:
        known = CatalogEntry.model_validate(entry)
        self._id = known.id
        self._pool = ModelPool(
            Catalog([known]),
            device=terms.device,
            model_dir=terms.model_dir,
            profile=terms.profile,
            trust_remote_code=terms.trust_remote_code,
            numerics=terms.numerics,
            max_batch=max_batch,
            cache_bytes=0,
        )
        self._pool.prefetch(known.tasks[0], known.id)  # a failure to load is told to whoever asks

    def reconfigure(self, batching: dict[str, float]) -> None:
        """Called by Serve with the sizes of the configuration, at the start and when they change."""
        batched: Any = self._batched  # serve.batch adds the two setters
        batched.set_max_batch_size(int(batching["max_batch"]))
        batched.set_batch_wait_timeout_s(batching["max_wait_ms"] / 1000)

    async def __call__(self, task: str, revision: str, request: Request) -> Reply:
        """The reply to one request."""
        reply: Reply = await self._batched((task, revision, request))
        return reply

    @serve.batch(max_batch_size=1)  # reconfigure sets the sizes
    async def _batched(self, asked: list[Asked]) -> list[Reply]:
        return await asyncio.to_thread(self._replies, asked)

    def _replies(self, asked: list[Asked]) -> list[Reply]:
        """One reply per request, in order; those of one task go through the network together."""
        replies: dict[int, Reply] = {}
        for task, revision in dict.fromkeys((task, revision) for task, revision, _ in asked):
            places = [place for place, item in enumerate(asked) if item[:2] == (task, revision)]
            requests = [asked[place][2] for place in places]
            replies |= dict(zip(places, self._of_one_task(Task(task), revision, requests), strict=True))
        return [replies[place] for place in range(len(asked))]

    def _of_one_task(self, task: Task, revision: str, requests: list[Request]) -> list[Reply]:
        try:
            here = self._pool.card(self._id).revision
            if here != revision:
                raise Unavailable(
                    f"A replica of {self._id} found revision {here!r} on its machine, the caller {revision!r}.",
                    "Give every machine of the cluster the same weights and the same Hilum.",
                )
            predictions = self._pool.ask(task, requests, model_id=self._id)
        except Exception as error:  # noqa: BLE001 - the caller gets it; raised here it would fail the whole batch
            if len(requests) > 1:  # each answers for itself
                return [reply for request in requests for reply in self._of_one_task(task, revision, [request])]
            if isinstance(error, HilumFailure):
                return [{"failed": as_told(error)}]
            return [{"fault": traceback.format_exc()}]
        replies = []
        for item in predictions:
            header, arrays = wire.encode(item.output)
            replies.append({"header": header, "arrays": arrays, "elapsed_ms": item.elapsed_ms})
        return replies
