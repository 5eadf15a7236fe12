"""Serving in this process: one lane per model, its copies placed on the devices, and what to do without memory."""

from __future__ import annotations

import importlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from imaging.failures import Unavailable
from models.adapters import Adapter, AdapterModule, Asked, WorkerModule
from models.card import ModelCard
from models.catalog import CatalogEntry
from models.chooser import Chooser
from models.cores import Cores
from models.lane import Lane
from models.metrics import Metrics
from models.numerics import Numerics
from models.outputs import Output, Task
from models.placement import Placement, fallbacks, free_memory, is_device_lost, is_out_of_memory
from models.predictions import PredictionKey
from models.request import Request

log = logging.getLogger(__name__)

GPU_BATCH = 64
"""Films in a batch on a GPU: a ResNet-50 at 512 pixels in bf16 takes about 6 GB with it (an estimate)."""

CPU_BATCH = 8
"""Films in a batch on a processor: small enough for two cores and a laptop's memory."""

GPU_WAIT_S = 0.004
"""How long a batch on a GPU waits for more films. On a processor a larger batch gains little: none waits."""


PREFETCH_SHARE = 0.1
"""Share of a device's budget that a model may take to be loaded before anyone asks it. Our choice."""


@dataclass
class Waiting:
    """How long a caller is willing to wait.

    Attributes:
        until: time.monotonic() at which waiting ends; None waits as long as it takes.
        cancelled: set by another thread to end it.
    """

    until: float | None = None
    cancelled: threading.Event | None = None


class Serving(Protocol):
    """Where models run: LocalServing, or models.cluster.serving.RayServing."""

    @property
    def devices(self) -> tuple[str, ...]:
        """Where models may run, the preferred first."""

    def compute(
        self,
        entry: CatalogEntry,
        card: ModelCard,
        wanted: Mapping[PredictionKey, Request],
        known: Callable[[PredictionKey], Output | None],
        waiting: Waiting,
    ) -> dict[PredictionKey, tuple[Output, float | None]]:
        """As LocalServing.compute."""

    def load(self, entry: CatalogEntry, card: ModelCard) -> None:
        """Make a model ready before it is asked."""

    def has_room(self, entry: CatalogEntry) -> bool:
        """Whether a model may be loaded before it is asked: it is small and puts no other out."""

    def loaded_on(self, model_id: str) -> tuple[str, ...]:
        """The devices that hold a model now."""

    def card(self, model_id: str) -> ModelCard | None:
        """The card of a loaded model, or None."""

    def close(self) -> None:
        """Give back what it holds."""


@dataclass
class LocalServing:
    """Runs models in this process.

    Attributes:
        devices: where models may run, the preferred first.
        keep: called with every new output.
        numerics: how networks compute.
        max_batch, max_wait_s: None takes what suits the first device.
        cores: the processor's, shared by all models.
    """

    devices: tuple[str, ...]
    chooser: Chooser
    placement: Placement
    metrics: Metrics
    keep: Callable[[PredictionKey, Output], None]
    numerics: Numerics = field(default_factory=Numerics)
    max_batch: int | None = None
    max_wait_s: float | None = None
    cores: Cores = field(default_factory=Cores)
    _helpers: ThreadPoolExecutor | None = None
    _lanes: dict[str, Lane] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _lost: set[str] = field(default_factory=set)

    def compute(
        self,
        entry: CatalogEntry,
        card: ModelCard,
        wanted: Mapping[PredictionKey, Request],
        known: Callable[[PredictionKey], Output | None],
        waiting: Waiting,
    ) -> dict[PredictionKey, tuple[Output, float | None]]:
        """Outputs of the requests with each one's time in ms; None for those that another caller's work gave.

        Raises:
            Unavailable: the model does not load, or no device has the memory.
            NotInTime: the caller no longer wanted to wait.
        """
        lane = self._lane(entry, card)
        done = lane.compute(list(wanted.items()), known, waiting.until, waiting.cancelled)
        return dict(zip(wanted, done, strict=True))

    def load(self, entry: CatalogEntry, card: ModelCard) -> None:
        """Load a model on the first device, if it is not loaded yet."""
        with self._use(entry, card, self.devices[0]):
            pass

    def has_room(self, entry: CatalogEntry) -> bool:
        """Whether a model takes at most PREFETCH_SHARE of the first device's budget, and that much is free."""
        device = self.devices[0]
        budget, wanted = self.placement.budget(device), self.numerics.bytes_of(entry, device)
        if entry.worker is not None:
            return False
        return budget is None or (
            wanted <= budget * PREFETCH_SHARE and self.placement.used_bytes(device) + wanted <= budget
        )

    def loaded_on(self, model_id: str) -> tuple[str, ...]:
        """The devices that hold a model now."""
        return self.placement.loaded_on(model_id)

    def card(self, model_id: str) -> ModelCard | None:
        """The card of a loaded model, or None."""
        adapter = self.placement.adapter(model_id)
        return adapter.card if adapter is not None else None

    def close(self) -> None:
        """Put every model out of memory."""
        if self._helpers is not None:
            self._helpers.shutdown(wait=False, cancel_futures=True)
        self.placement.close()

    def batch(self) -> int:
        """Most requests in one batch."""
        gpu = self.devices[0].startswith("cuda")
        return self.max_batch or (GPU_BATCH if gpu else CPU_BATCH)

    def _lane(self, entry: CatalogEntry, card: ModelCard) -> Lane:
        with self._lock:
            if entry.id not in self._lanes:
                gpu = self.devices[0].startswith("cuda")
                wait_s = self.max_wait_s if self.max_wait_s is not None else GPU_WAIT_S if gpu else 0.0

                def run(device: str, task: Task, requests: Sequence[Request]) -> list[Output]:
                    return self._run(entry, card, device, task, requests)

                batch = 1 if entry.worker else self.batch()  # a worker answers one after the other all the same
                places = self._places(entry)
                if len(places) > 1 and self._helpers is None:
                    self._helpers = ThreadPoolExecutor(self.cores.slots + len(self.devices), "hilum-batch")
                helpers = self._helpers if len(places) > 1 else None
                self._lanes[entry.id] = Lane(
                    places, run, self.keep, self.metrics, max_batch=batch, max_wait_s=wait_s, helpers=helpers
                )
            return self._lanes[entry.id]

    def _places(self, entry: CatalogEntry) -> tuple[str, ...]:
        """Where a model's batches may run at the same time: each GPU once, a processor in several slots if it may."""
        if self.devices != ("cpu",) or not getattr(self._module(entry), "SIDE_BY_SIDE", False):
            return self.devices
        return self.devices * self.cores.slots

    @staticmethod
    def _module(entry: CatalogEntry) -> AdapterModule:
        return cast(AdapterModule, importlib.import_module(f"models.adapters.{entry.adapter}"))

    def _use(self, entry: CatalogEntry, card: ModelCard, device: str) -> Any:
        size_bytes = self.numerics.bytes_of(entry, device)
        return self.placement.use(entry.id, device, size_bytes, lambda where: self._load(entry, card, where))

    def _load(self, entry: CatalogEntry, card: ModelCard, device: str) -> Adapter:
        presence = self.chooser.presence(entry)
        if not presence.present or presence.path is None:
            raise Unavailable(f"{entry.id} is not here: {presence.reason}.", presence.remedy)
        module = self._module(entry)
        try:
            if entry.worker is not None:
                worker = cast(WorkerModule, module)
                limit = self.placement.budget("cpu")
                adapter = worker.load(entry, card, presence.path, device, self.chooser.conditions, limit)
            else:
                with self.numerics.in_force():
                    adapter = module.load(entry, card, presence.path, device)
        except Unavailable as failure:
            self.chooser.refuse(entry, presence, failure)
            raise
        self.chooser.keep(entry, presence)
        return adapter

    def _run(
        self, entry: CatalogEntry, card: ModelCard, device: str, task: Task, requests: Sequence[Request]
    ) -> list[Output]:
        """One batch; without memory: other models out, then half the batch, then another device, then Unavailable.

        A device that fails for good is not asked again in this process: its work goes to the next one.
        """
        if device in self._lost:
            other = next(each for each in fallbacks(self.devices, device) if each not in self._lost)
            return self._run(entry, card, other, task, requests)
        try:
            return self._once(entry, card, device, task, requests)
        except Exception as error:
            if is_device_lost(error, device):
                self._lost.add(device)
                log.warning(
                    "%s failed (%s); models run elsewhere until Hilum starts anew", device, type(error).__name__
                )
                return self._run(entry, card, device, task, requests)
            if not is_out_of_memory(error):
                raise
            self.metrics.out_of_memory.labels(entry.id, device).inc()
        free_memory(device)
        if self.placement.evict_idle(device, but=entry.id):
            return self._run(entry, card, device, task, requests)
        if len(requests) > 1:
            half = len(requests) // 2
            parts = (requests[:half], requests[half:])
            return [output for part in parts for output in self._run(entry, card, device, task, part)]
        return self._elsewhere(entry, card, device, task, requests)

    def _elsewhere(
        self, entry: CatalogEntry, card: ModelCard, device: str, task: Task, requests: Sequence[Request]
    ) -> list[Output]:
        """One request on another device."""
        for other in (each for each in fallbacks(self.devices, device) if each not in self._lost):
            try:
                return self._once(entry, card, other, task, requests)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self.metrics.out_of_memory.labels(entry.id, other).inc()
        raise Unavailable(
            f"{entry.id} found too little memory for one film on {device} and everywhere else.",
            "Close other programs, or choose a smaller model.",
        )

    def _once(
        self, entry: CatalogEntry, card: ModelCard, device: str, task: Task, requests: Sequence[Request]
    ) -> list[Output]:
        cores = self.cores.share() if device == "cpu" else nullcontext()
        with self._use(entry, card, device) as adapter, self.numerics.in_force(), cores:
            if task.asks:
                return cast(Asked, adapter).answer(task, requests)
            films = [request.film for request in requests if request.film is not None]
            return cast(Adapter, adapter).predict(task, films)


def deadline(seconds: float | None) -> float | None:
    """time.monotonic() that many seconds from now."""
    return None if seconds is None else time.monotonic() + seconds
