"""Which models are in which device's memory: loaded when used, the least recently used put out for room."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from imaging.failures import Unavailable
from models.adapters import Adapter
from models.metrics import Metrics

Place = tuple[str, str]
"""(model id, device)."""


@dataclass
class _Held:
    """One loaded model: its weights' bytes, and how many batches run on it now."""

    adapter: Adapter
    size_bytes: int
    busy: int = 0


class Placement:
    """Loaded models by (model, device), within each device's budget.

    Args:
        budgets: device -> most bytes of weights, None for no limit. A device that is not named has no limit.
        gone: called with the id of a model whose last copy was put out.
    """

    def __init__(
        self, budgets: Mapping[str, int | None], metrics: Metrics, gone: Callable[[str], None] = lambda model_id: None
    ) -> None:
        self._budgets = dict(budgets)
        self._metrics = metrics
        self._gone = gone
        self._held: OrderedDict[Place, _Held] = OrderedDict()
        self._reserved: dict[Place, int] = {}
        self._changed = threading.Condition()

    def budget(self, device: str) -> int | None:
        """Most bytes of weights on a device; None for no limit."""
        return self._budgets.get(device)

    def loaded_on(self, model_id: str) -> tuple[str, ...]:
        """The devices that hold a model now."""
        with self._changed:
            return tuple(device for name, device in self._held if name == model_id)

    def adapter(self, model_id: str) -> Adapter | None:
        """A loaded copy of a model, or None."""
        with self._changed:
            return next((held.adapter for (name, _), held in self._held.items() if name == model_id), None)

    def used_bytes(self, device: str) -> int:
        """Bytes of weights on a device, those being loaded included."""
        with self._changed:
            return self._used(device)

    @contextmanager
    def use(
        self, model_id: str, device: str, size_bytes: int, load: Callable[[str], Adapter], until: float | None = None
    ) -> Iterator[Adapter]:
        """The adapter of a model on a device, loaded first if need be; it is not put out while it is used.

        Args:
            size_bytes: of its weights, as the catalog says.
            load: makes the adapter on the device named.
            until: time.monotonic() after which waiting for room ends.

        Raises:
            Unavailable: the weights alone exceed the device's budget, or no room came in time.
        """
        place = (model_id, device)
        with self._changed:
            while place in self._reserved:
                self._changed.wait()
            held = self._held.get(place)
            if held is None:
                self._make_room(place, size_bytes, until)
                self._reserved[place] = size_bytes
            else:
                held.busy += 1
                self._held.move_to_end(place)
        if held is None:
            held = self._load(place, size_bytes, load)
        try:
            yield held.adapter
        finally:
            with self._changed:
                held.busy -= 1
                self._changed.notify_all()

    def evict_idle(self, device: str, but: str) -> bool:
        """Put every idle model but one out of a device's memory; whether any went."""
        with self._changed:
            idle = [place for place, held in self._held.items() if place[1] == device and not held.busy]
            gone = [self._put_out(place) for place in idle if place[0] != but]
            return bool(gone)

    def close(self) -> None:
        """Put every idle model out of memory."""
        with self._changed:
            for place in [place for place, held in self._held.items() if not held.busy]:
                self._put_out(place)

    def _load(self, place: Place, size_bytes: int, load: Callable[[str], Adapter]) -> _Held:
        try:
            held = _Held(load(place[1]), size_bytes, busy=1)
        except BaseException:
            with self._changed:
                del self._reserved[place]
                self._changed.notify_all()
            raise
        with self._changed:
            del self._reserved[place]
            self._held[place] = held
            self._changed.notify_all()
            self._metrics.loads.labels(*place).inc()
            self._metrics.loaded_bytes.labels(place[1]).set(self._used(place[1]))
        return held

    def _used(self, device: str) -> int:
        held = sum(held.size_bytes for (_, where), held in self._held.items() if where == device)
        return held + sum(size for (_, where), size in self._reserved.items() if where == device)

    def _make_room(self, place: Place, size_bytes: int, until: float | None) -> None:
        """Called with the lock: puts idle models out, oldest use first, and waits for busy ones."""
        model_id, device = place
        budget = self._budgets.get(device)
        if budget is None:
            return
        if size_bytes > budget:
            raise Unavailable(
                f"{model_id} needs {size_bytes / 1e6:,.0f} MB of {device}, whose budget is {budget / 1e6:,.0f} MB.",
                "Raise HILUM_MEMORY_BUDGET_MB, or choose a smaller model.",
            )
        while self._used(device) + size_bytes > budget:
            idle = next((at for at, held in self._held.items() if at[1] == device and not held.busy), None)
            if idle is not None:
                self._put_out(idle)
                continue
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise Unavailable(f"No room for {model_id} on {device} came in time.", "Try again with less at once.")
            self._changed.wait(left)

    def _put_out(self, place: Place) -> Place:
        """Called with the lock."""
        held = self._held.pop(place)
        close = getattr(held.adapter, "close", None)
        if close is not None:
            close()
        del held, close
        free_memory(place[1])
        if all(model_id != place[0] for model_id, _ in self._held):
            self._gone(place[0])
        self._metrics.evictions.labels(*place).inc()
        self._metrics.loaded_bytes.labels(place[1]).set(self._used(place[1]))
        return place


def free_memory(device: str) -> None:
    """Give what Python no longer refers to back to the device."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and device.startswith("cuda") and torch.cuda.is_available():
        torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device's memory was too small (torch.OutOfMemoryError, or the host's)."""
    torch = sys.modules.get("torch")
    return isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError))


def is_device_lost(error: BaseException, device: str) -> bool:
    """Whether a GPU failed for good: after a CUDA error other than too little memory, its context answers nothing more.

    torch.AcceleratorError, or in older releases a RuntimeError that begins so (CUDA's cudaGetErrorString).
    """
    torch = sys.modules.get("torch")
    if torch is None or not device.startswith("cuda") or is_out_of_memory(error):
        return False
    named = isinstance(error, getattr(torch, "AcceleratorError", ()))
    return named or (isinstance(error, RuntimeError) and str(error).startswith("CUDA error"))


def fallbacks(devices: Sequence[str], device: str) -> tuple[str, ...]:
    """Where to go when a device is too small: the other devices, then the processor."""
    others = [other for other in devices if other != device]
    return tuple(others if "cpu" in (*others, device) else [*others, "cpu"])
