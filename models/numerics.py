"""How networks compute: number formats on processor and GPU, and whether they are compiled, as the user set it.

A pool makes its Numerics the ones in force around every load and every batch. Adapters meet them in
models.device.place and models.device.inference, so that none of them has to carry settings about.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imaging.failures import BadArguments

if TYPE_CHECKING:
    from models.catalog import CatalogEntry

FULL = "float32"
HALF = ("bfloat16", "float16")
"""Formats of two bytes; a model that the catalog lists in one of them takes as much memory in the other."""

QUANTISED = ("int8", "int4")
"""What bitsandbytes makes of a model's weights when it reads them; only models that list them in `memory_mb`."""

CPU_DTYPES = (FULL, "bfloat16")
"""What networks may compute in on a processor. bfloat16 pays where the processor has instructions for it."""

AUTO = "auto"
GPU_DTYPES = (AUTO, FULL, *HALF, *QUANTISED)
"""The same on a GPU; "auto" is bfloat16, or float16 on a GPU without it."""


@dataclass(frozen=True)
class Numerics:
    """What the user chose.

    Attributes:
        cpu_dtype: one of CPU_DTYPES: what convolutions and matrix products compute in on a processor.
        gpu_dtype: one of GPU_DTYPES, likewise; a model that cannot be had in it keeps its own.
        compiled: whether networks go through torch.compile.

    Raises:
        BadArguments: an unknown format.
    """

    cpu_dtype: str = FULL
    gpu_dtype: str = AUTO
    compiled: bool = False

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("cpu_dtype", self.cpu_dtype, CPU_DTYPES), ("gpu_dtype", self.gpu_dtype, GPU_DTYPES)
        ):  # fmt: skip
            if value not in allowed:
                raise BadArguments(f"{name} is {value!r}.", f"Use {', '.join(allowed)}.")

    def autocast(self, device: str) -> str:
        """What convolutions and matrix products compute in on a device ("cpu", "cuda:N"): FULL or one of HALF."""
        if not device.startswith("cuda"):
            return self.cpu_dtype
        if self.gpu_dtype in (FULL, *HALF):
            return self.gpu_dtype
        return HALF[0] if _has_bfloat16() else HALF[1]

    def read_as(self, entry: CatalogEntry, device: str) -> str:
        """The format in which a hub model's weights are read for a device; one of QUANTISED counts as such.

        On a processor, and for models that the catalog keeps in float32, that is FULL: place() makes the large arrays
        half as large afterwards where the network computes in HALF.
        """
        if not device.startswith("cuda"):
            return FULL
        if self.gpu_dtype in (FULL, *QUANTISED) and self.gpu_dtype in entry.memory_mb:
            return self.gpu_dtype
        own = entry.gpu_dtype
        return self.gpu_dtype if own != FULL and self.gpu_dtype in entry.memory_mb else own

    def held_as(self, entry: CatalogEntry, device: str) -> str:
        """The format that a model's memory on a device is counted in: a key of its `memory_mb`."""
        read = self.read_as(entry, device)
        wanted = self.autocast(device) if read == FULL else read
        names = (wanted, *HALF) if wanted in HALF else (wanted,)
        return next((name for name in names if name in entry.memory_mb), FULL)

    def bytes_of(self, entry: CatalogEntry, device: str) -> int:
        """Memory of a model's weights on a device, as the catalog states it."""
        held = entry.memory_mb.get(self.held_as(entry, device), max(entry.memory_mb.values()))
        return int(held * 1_000_000)

    def key(self) -> str:
        """What tells outputs of these formats from those of others; empty for the defaults."""
        usual = Numerics()
        formats = (self.cpu_dtype, self.gpu_dtype)
        return "" if formats == (usual.cpu_dtype, usual.gpu_dtype) else "/".join(formats)

    def facts(self, entry: CatalogEntry) -> dict[str, dict[str, object]]:
        """How a model is kept and computes on each kind of device, JSON-ready: "cpu" and "cuda" -> dtype, mb, products.

        `products` is what its convolutions and matrix products compute in. What runs elsewhere (in a worker, behind an
        address) has no entry of its own here but its stated memory.
        """
        return {
            device: {
                "weights": self.held_as(entry, device),
                "mb": self.bytes_of(entry, device) / 1e6,
                "products": self.autocast(device),
                "compiled": self.compiled and entry.worker is None,
            }
            for device in ("cpu", "cuda")
        }

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """These are `current()` in this thread until the block ends."""
        token = _IN_FORCE.set(self)
        try:
            yield
        finally:
            _IN_FORCE.reset(token)


_IN_FORCE: ContextVar[Numerics | None] = ContextVar("hilum_numerics", default=None)


def current() -> Numerics:
    """The Numerics in force in this thread; the defaults outside of a pool's work."""
    return _IN_FORCE.get() or Numerics()


def _has_bfloat16() -> bool:
    """Whether the GPU computes in bfloat16; True where no GPU is seen, as every GPU since 2020 does."""
    torch = sys.modules.get("torch")
    return torch is None or not torch.cuda.is_available() or bool(torch.cuda.is_bf16_supported())


__all__ = ["AUTO", "CPU_DTYPES", "FULL", "GPU_DTYPES", "HALF", "QUANTISED", "Numerics", "current"]
