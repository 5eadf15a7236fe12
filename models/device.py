"""Which device models run on, and what is known of it. torch is imported when first asked."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from imaging.cores import core_count
from imaging.failures import Unavailable
from models.numerics import FULL, current

if TYPE_CHECKING:
    from torch.nn import Module

Network = TypeVar("Network", bound="Module")

ALLOWED = "auto, cpu, cuda or cuda:N"
"""The devices a user may name."""

CPU_FACTS = Path("/proc/cpuinfo")
"""Where Linux names the processor."""

MEMORY_FACTS = Path("/proc/meminfo")
"""Where Linux tells its memory, in kB of 1024 bytes."""

MIB = 1 << 20

CPU_SHARE = 0.6
"""Share of the machine's free memory that weights may fill; films and activations need the rest. Our choice."""

COMPILER = "inductor"
"""What torch.compile hands a traced network to."""

GPU_SHARE = 0.85
"""Share of a GPU's memory that weights may fill. Our choice."""


def choose(request: str = "auto") -> str:
    """The device to run on: "cpu" or "cuda:N". "auto" is the first GPU, or the processor where there is none.

    Raises:
        Unavailable: the name is not one of ours, or that GPU is not here.
    """
    if request == "cpu":
        return "cpu"
    wanted = re.fullmatch(r"auto|cuda(?::(\d+))?", request)
    if wanted is None:
        raise Unavailable(f"There is no device {request!r}.", f"Use {ALLOWED}.")
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if request == "auto":
        return "cuda:0" if count else "cpu"
    index = int(wanted.group(1) or 0)
    if index >= count:
        here = f"{count} GPU(s) of CUDA are" if count else "No GPU of CUDA is"
        raise Unavailable(f"Device {request!r} is not here: {here} visible to torch.", "Use --device auto or cpu.")
    return f"cuda:{index}"


def choose_all(request: str = "auto") -> tuple[str, ...]:
    """Every device that may be used, the first preferred: all GPUs for "auto" and "cuda", else the one named.

    Raises:
        Unavailable: as choose.
    """
    first = choose(request)
    if first == "cpu" or request not in ("auto", "cuda"):
        return (first,)
    import torch

    return tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))


def memory_budgets(devices: Sequence[str], budget_mb: float | None = None) -> dict[str, int | None]:
    """Most bytes of weights per device, the processor included: what the user allows, else a share of what is there."""
    budgets: dict[str, int | None] = {}
    for device in {*devices, "cpu"}:
        if budget_mb is not None:
            budgets[device] = int(budget_mb * 1_000_000)
        elif device == "cpu":
            _, free = _machine_memory()
            budgets[device] = None if free is None else int(free * MIB * CPU_SHARE)
        else:
            import torch

            budgets[device] = int(torch.cuda.mem_get_info(device)[1] * GPU_SHARE)
    return budgets


def place(network: Network, device: str) -> Network:
    """A network on a device as the Numerics in force want it, its weights laid out channels last.

    Where products are computed in two bytes, the weights of convolutions and linear layers are kept so, which is what
    autocast would make of them at every call; all others (normalisations, embeddings) stay as they are.
    """
    import torch
    from torch.nn.modules.conv import _ConvNd

    numerics = current()
    half = numerics.autocast(device)
    placed = network.eval().requires_grad_(False)
    if half != FULL:
        for module in placed.modules():
            if isinstance(module, (_ConvNd, torch.nn.Linear)) and module.weight.dtype is torch.float32:
                module.to(getattr(torch, half))
    placed = placed.to(device).to(memory_format=torch.channels_last)
    if numerics.compiled:
        placed.compile(backend=COMPILER)  # in place: `generate` and its like go through it too
    return placed


@contextmanager
def inference(device: str) -> Iterator[None]:
    """No gradients; products in two bytes (autocast) where the Numerics in force say so: by default on a GPU only."""
    import torch

    with torch.inference_mode(), _precision(device):
        yield


@contextmanager
def differentiable(device: str) -> Iterator[None]:
    """As `inference`, with gradients: for saliency."""
    import torch

    with torch.enable_grad(), _precision(device):
        yield


@contextmanager
def _precision(device: str) -> Iterator[None]:
    import torch

    half = current().autocast(device)
    if half == FULL:
        yield
        return
    with torch.autocast(device.partition(":")[0], dtype=getattr(torch, half)):
        yield


def device_facts(request: str = "auto") -> dict[str, Any]:
    """What `hilum doctor` says of the device asked for, JSON-ready; never raises for a device that is not here.

    Returns:
        requested; device ("cpu", "cuda:N", or None with `problem` and `remedy`); name, as it names itself;
        memory_total_mb and memory_free_mb of the device (for the processor: of the machine); cores this process may
        use; ram_total_mb and ram_free_mb of the machine; torch, its version. Memory in MiB, None where not told.
    """
    import torch

    total, free = _machine_memory()
    known: dict[str, Any] = {
        "cores": core_count(),
        "ram_total_mb": total,
        "ram_free_mb": free,
        "torch": torch.__version__,
    }
    try:
        device = choose(request)
    except Unavailable as failure:
        return {"requested": request, "device": None, "problem": failure.message, "remedy": failure.hint, **known}
    name, device_total, device_free = _processor(), total, free
    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device)
        device_free, device_total = (value // MIB for value in torch.cuda.mem_get_info(device))
    memory = {"memory_total_mb": device_total, "memory_free_mb": device_free}
    return {"requested": request, "device": device, "name": name, **memory, **known}


def _processor() -> str:
    if CPU_FACTS.is_file():
        named = re.search(r"^model name\s*:\s*(.+)$", CPU_FACTS.read_text(encoding="utf-8"), re.MULTILINE)
        if named:
            return named.group(1).strip()
    return platform.processor() or platform.machine()


def _machine_memory() -> tuple[int | None, int | None]:
    """Total and available memory of the machine, MiB."""
    if not MEMORY_FACTS.is_file():
        return None, None
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB", MEMORY_FACTS.read_text(encoding="utf-8"), re.MULTILINE))
    total, free = (int(found[key]) // 1024 if key in found else None for key in ("MemTotal", "MemAvailable"))
    return total, free
