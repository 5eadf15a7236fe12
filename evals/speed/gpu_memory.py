"""gpu_memory: all standard models on one GPU, through the pool against each loaded by itself in fp32.

What is counted is what torch holds on the GPU for weights. Models whose weights are not here are left out and named;
torchxrayvision's classifiers are made with random weights where theirs are absent: they take the same memory.
"""

from __future__ import annotations

import importlib
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from evals.speed.measured import Measured, Timing
from imaging.failures import Unavailable

if TYPE_CHECKING:
    from models.catalog import Catalog, CatalogEntry


def measure() -> Measured:
    """Load every standard model that can be had, in each way.

    Raises:
        Unavailable: there is no GPU.
    """
    import torch

    if not torch.cuda.is_available():
        raise Unavailable("This bench needs a GPU of CUDA, and torch sees none.", "Run it on a machine with one.")
    from models.catalog import Catalog

    with tempfile.TemporaryDirectory() as name:
        catalog, folder = Catalog.read(), Path(name)
        entries, left_out = _to_be_had(catalog, folder)
        naive = _held_mb(lambda: _each_alone(entries, folder))
        pooled = _held_mb(lambda: _through_the_pool(entries, folder))
    return Measured(
        baseline=Timing("MB of GPU memory, each model loaded by itself in fp32", (naive,), "MB"),
        candidate=Timing("MB of GPU memory, all loaded by the pool", (pooled,), "MB"),
        facts={"models": [entry.id for entry in entries], "left_out": left_out},
    )


def _to_be_had(catalog: Catalog, folder: Path) -> tuple[list[CatalogEntry], list[str]]:
    """The standard models with weights, some of them random ones written here; and those without."""
    from models.weights import locate

    entries, left_out = [], []
    for entry in catalog:
        if not entry.allowed_in("standard") or entry.members:
            continue
        found = locate(entry)
        if found.present and found.path is not None:
            if entry.source.kind.value in ("url", "hub"):
                (folder / found.path.name).symlink_to(found.path)
        elif entry.adapter == "torchxrayvision":
            _random(entry, folder / entry.source.file)
        else:
            left_out.append(entry.id)
            continue
        entries.append(entry)
    return entries, left_out


def _random(entry: CatalogEntry, path: Path) -> None:
    """A checkpoint in torchxrayvision's own form."""
    import torch
    import torchvision

    with warnings.catch_warnings():
        import torchxrayvision as xrv
    if entry.weights.startswith("resnet"):
        network = torchvision.models.resnet50(num_classes=18, weights=None)
        network.conv1 = torch.nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
        torch.save(network.state_dict(), path)
    else:
        torch.save(xrv.models.DenseNet(weights=None), path, _use_new_zipfile_serialization=False)


def _each_alone(entries: Sequence[CatalogEntry], folder: Path) -> list[object]:
    from models.adapters import AdapterModule
    from models.describe import describe
    from models.numerics import Numerics
    from models.weights import locate

    loaded: list[object] = []
    with Numerics(gpu_dtype="float32").in_force():
        for entry in entries:
            found = locate(entry, folder)
            if not found.present or found.path is None:
                raise Unavailable(f"{entry.id} is not here: {found.reason}.", found.remedy)
            module = cast(AdapterModule, importlib.import_module(f"models.adapters.{entry.adapter}"))
            loaded.append(module.load(entry, describe(entry, found), found.path, "cuda:0"))
    return loaded


def _through_the_pool(entries: Sequence[CatalogEntry], folder: Path) -> object:
    from models.catalog import Catalog
    from models.pool import ModelPool

    pool = ModelPool(Catalog(entries), device="cuda:0", model_dir=folder)
    for entry in entries:
        pool.prefetch(entry.tasks[0], entry.id).result()
    return pool


def _held_mb(load: Any) -> float:
    """Megabytes that torch holds on the GPU for what a call returns."""
    import gc

    import torch

    gc.collect()
    before = torch.cuda.memory_allocated()
    kept = load()
    torch.cuda.synchronize()
    held = (torch.cuda.memory_allocated() - before) / 1e6
    close = getattr(kept, "close", None)
    if close is not None:
        close()
    return held
