"""One model's queue: requests of all tools and sessions go through the network together, in order of asking.

Whoever waits for a result and finds a device free takes the next batch, whosesoever it is. Where a queue holds more
than one batch and more than one place is free, helping threads take the others; none of them only waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from imaging.failures import Unavailable
from models.metrics import Metrics
from models.outputs import Output, Task
from models.predictions import PredictionKey
from models.request import Request

Run = Callable[[str, Task, Sequence[Request]], list[Output]]
"""run(device, task, requests) -> one output per request; loads the model first where need be."""

CANCEL_POLL_S = 0.05
"""How often a waiting caller looks whether it was cancelled."""


class NotInTime(Exception):
    """The deadline passed or the caller cancelled before the work was done."""


@dataclass(eq=False)
class Job:
    """One request on its way; shared by everyone who asks the same.

    Attributes:
        callers: how many wait for it; a job nobody waits for any more is dropped from the queue.
        elapsed_ms: its share of its batch.
    """

    key: PredictionKey
    request: Request
    asked: float = field(default_factory=time.monotonic)
    callers: int = 0
    output: Output | None = None
    error: BaseException | None = None
    elapsed_ms: float = 0.0

    @property
    def done(self) -> bool:
        """Whether it has an output or an error."""
        return self.output is not None or self.error is not None


class Lane:
    """The queue of one model.

    Args:
        devices: places where it may run at the same time, the first preferred: a GPU once, a processor as often as
            batches may run on it side by side.
        run: computes one batch.
        keep: called with every new output before anyone may ask for it again.
        max_batch: most requests in one batch.
        max_wait_s: how long a batch that is not full waits for more, from its oldest request on.
        helpers: runs further batches beside the caller's; None leaves all of them to callers.
    """

    def __init__(
        self,
        devices: Sequence[str],
        run: Run,
        keep: Callable[[PredictionKey, Output], None],
        metrics: Metrics,
        *,
        max_batch: int,
        max_wait_s: float,
        helpers: Executor | None = None,
    ) -> None:
        self._free = list(devices)
        self._spread = len(set(devices)) < len(devices)
        self._helpers = helpers
        self._run, self._keep, self._metrics = run, keep, metrics
        self._max_batch, self._max_wait_s = max_batch, max_wait_s
        self._queue: list[Job] = []
        self._going: dict[PredictionKey, Job] = {}
        self._changed = threading.Condition()

    def compute(
        self,
        wanted: Sequence[tuple[PredictionKey, Request]],
        known: Callable[[PredictionKey], Output | None],
        until: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> list[tuple[Output, float | None]]:
        """(output, its share of the batch in ms or None where another caller's work gave it), in order.

        Args:
            known: the cache, looked into once more when the request is taken in.
            until: time.monotonic() after which waiting ends.
            cancelled: set by another thread to end the waiting.

        Raises:
            NotInTime: the deadline passed or it was cancelled; what runs already runs on and is kept.
            Exception: whatever the model raised for one of the requests.
        """
        entered = [self._enter(key, request, known) for key, request in wanted]
        jobs = [job for job, _ in entered]
        try:
            while (turn := self._next_turn(jobs, until, cancelled)) is not None:
                self._call_help()
                self._work(*turn)
        finally:
            self._drop(jobs)
        for job in jobs:
            if job.error is not None:
                raise job.error
        return [(job.output, job.elapsed_ms if mine else None) for job, mine in entered if job.output is not None]

    def _enter(
        self, key: PredictionKey, request: Request, known: Callable[[PredictionKey], Output | None]
    ) -> tuple[Job, bool]:
        """The job of a request and whether this caller began it: one on its way, one done, or a new one."""
        with self._changed:
            job, mine = self._going.get(key), False
            if job is None:
                output = known(key)
                job, mine = Job(key, request, output=output), output is None
                if mine:
                    self._going[key] = job
                    self._queue.append(job)
                    self._changed.notify_all()
            job.callers += 1
            return job, mine

    def _next_turn(
        self, jobs: Sequence[Job], until: float | None, cancelled: threading.Event | None
    ) -> tuple[str, list[Job]] | None:
        """A free device and the next batch for it, or None when all of this caller's jobs are done."""
        with self._changed:
            while True:
                if all(job.done for job in jobs):
                    return None
                if cancelled is not None and cancelled.is_set():
                    raise NotInTime("cancelled")
                now = time.monotonic()
                if until is not None and now >= until:
                    raise NotInTime("deadline")
                pause = None if until is None else until - now
                if self._free and self._queue:
                    more_s = self._queue[0].asked + self._max_wait_s - now
                    if len(self._queue) >= self._max_batch or more_s <= 0:
                        return self._take()
                    pause = more_s if pause is None else min(pause, more_s)
                if cancelled is not None:
                    pause = CANCEL_POLL_S if pause is None else min(pause, CANCEL_POLL_S)
                self._changed.wait(pause)

    def _take(self) -> tuple[str, list[Job]]:
        """Called with the lock: a place, and the oldest request with those behind it that may share its batch.

        On a processor a batch leaves their part of the queue to the other free places.
        """
        task = self._queue[0].key.task
        alike = [job for job in self._queue if job.key.task == task]
        share = -(-len(alike) // len(self._free)) if self._spread and self._helpers is not None else len(alike)
        batch = alike[: min(share, self._max_batch)]
        taken = set(map(id, batch))
        self._queue = [job for job in self._queue if id(job) not in taken]
        return self._free.pop(0), batch

    def _call_help(self) -> None:
        """Let helpers take what is left of the queue, as far as places are free."""
        if self._helpers is None:
            return
        with self._changed:
            batches = len(self._queue) if self._spread else -(-len(self._queue) // self._max_batch)
            wanted = min(len(self._free), batches)
        for _ in range(wanted):
            self._helpers.submit(self._help)

    def _help(self) -> None:
        """Take batches until none or no place is left."""
        while True:
            with self._changed:
                if not (self._free and self._queue):
                    return
                turn = self._take()
            self._work(*turn)

    def _work(self, device: str, batch: list[Job]) -> None:
        try:
            self._compute(device, batch)
        finally:
            self._leave(device, batch)

    def _compute(self, device: str, batch: list[Job]) -> None:
        """Fill in the outputs of a batch. One that fails is tried again alone, so that no caller fails for another."""
        started = time.monotonic()
        self._metrics.batch_films.labels(batch[0].key.model_id).observe(len(batch))
        for job in batch:
            self._metrics.waiting_s.labels(job.key.model_id).observe(started - job.asked)
        try:
            outputs = self._run(device, batch[0].key.task, [job.request for job in batch])
        except Exception as error:  # noqa: BLE001 - every caller that waits for it gets it
            if len(batch) == 1 or isinstance(error, Unavailable):
                for job in batch:
                    job.error = error
                return
            for job in batch:
                self._compute(device, [job])
            return
        elapsed_s = time.monotonic() - started
        self._metrics.busy_s.labels(batch[0].key.model_id, device).inc(elapsed_s)
        for job, output in zip(batch, outputs, strict=True):
            self._keep(job.key, output)
            job.elapsed_ms = elapsed_s * 1000 / len(batch)
            job.output = output

    def _leave(self, device: str, batch: list[Job]) -> None:
        """The device is free again; jobs that an unforeseen end left without a result say so."""
        with self._changed:
            for job in batch:
                if not job.done:
                    job.error = RuntimeError(f"the batch of {job.key.model_id} was broken off")
                self._going.pop(job.key, None)
            self._free.insert(0, device)
            self._changed.notify_all()

    def _drop(self, jobs: Sequence[Job]) -> None:
        """Take this caller off its jobs; those that nobody else waits for leave the queue."""
        with self._changed:
            for job in jobs:
                job.callers -= 1
                if job.callers == 0 and job in self._queue:
                    self._queue.remove(job)
                    self._going.pop(job.key, None)
