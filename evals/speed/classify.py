"""classify: a folder of films through the pool against the loop that MedRAX's classifier tool runs.

Both read the same PNG files and compute torchxrayvision's DenseNet-121 in fp32 on a processor. The loop does what
MedRAX's ChestXRayClassifierTool does, one film at a time: skimage's imread, torchxrayvision's normalize and centre
crop, then the model, which resizes by itself. Where the real weights are absent, both run the same random ones: the
time is the same, the scores mean nothing and are not shown.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from evals.speed.films import SIDE, write_films
from evals.speed.measured import Measured, Timing

FILMS = 2000
MODEL = "txrv-densenet121-res224-all"
READERS = 4
"""Threads that read films ahead of the network; reading releases Python's lock."""

CHUNK = 64
"""Films asked of the pool together."""

ROUNDS = 4
"""Loop and pool take turns over as many parts of the films, so that a machine that slows down slows both."""


def measure(films: int = FILMS, side: int = SIDE) -> Measured:
    """Classify `films` films both ways.

    Args:
        films: how many, at least ROUNDS.
        side: rows and columns of each.
    """
    import torch

    from models.catalog import Catalog
    from models.pool import ModelPool
    from models.weights import locate

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        entry = Catalog.read().get(MODEL)
        real = locate(entry)
        weights = real.path if real.present and real.path else _random_weights(folder / entry.source.file)
        paths = write_films(folder, films, side)
        pool = ModelPool(model_dir=weights.parent, choices={"classify": MODEL})
        loop = _Loop(weights, pool.device)
        loop.run(paths[:1])
        _pooled(pool, paths[:1])
        size = -(-films // ROUNDS)
        parts = [paths[start : start + size] for start in range(0, films, size)]
        slow = [loop.run(part) for part in parts]
        fast = [_pooled(pool, part[1:] if part is parts[0] else part) for part in parts]
        shares = _shares(weights.parent, paths)
        return Measured(
            baseline=Timing("per film, one at a time as in MedRAX's classifier tool, fp32", tuple(slow)),
            candidate=Timing("per film, through the pool in batches, reading ahead", tuple(fast)),
            facts={
                "films": films,
                "film": f"PNG {side} x {side}, 8 bits",
                "model": MODEL,
                "weights": "real" if real.present else "random: the same computation, scores without meaning",
                "device": pool.device,
                "threads": torch.get_num_threads(),
                "films_per_s": round(1 / sorted(fast)[len(fast) // 2], 2),
                "share": shares,
            },
        )


class _Loop:
    """MedRAX's way: one film at a time."""

    def __init__(self, weights: Path, device: str) -> None:
        import torch
        from torchvision import transforms

        from models.pickled import tensors_of

        with warnings.catch_warnings():
            import torchxrayvision as xrv
        self._xrv, self._torch, self._device = xrv, torch, device
        self._network = xrv.models.DenseNet(weights=None)
        self._network.load_state_dict(tensors_of(weights))
        self._network.eval().to(device)
        self._crop = transforms.Compose([xrv.datasets.XRayCenterCrop()])
        self._resize = torch.nn.functional.interpolate

    def run(self, paths: list[Path]) -> float:
        """Seconds per film."""
        import skimage.io

        begun = time.perf_counter()
        for path in paths:
            image = skimage.io.imread(path)
            image = self._xrv.datasets.normalize(image, 255)
            image = self._crop(image[None])
            batch = self._torch.from_numpy(image).unsqueeze(0).to(self._device)
            with self._torch.inference_mode():
                small = self._resize(batch, size=(224, 224), mode="bilinear", antialias=True)
                self._torch.sigmoid(self._network(small)).cpu().numpy()
        return (time.perf_counter() - begun) / len(paths)


def _pooled(pool: Any, paths: list[Path]) -> float:
    """Seconds per film through the pool: a few threads read while the network computes."""
    from imaging import open_film
    from models.outputs import Task

    begun = time.perf_counter()
    with ThreadPoolExecutor(READERS) as readers:
        chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
        ahead = [readers.submit(open_film, path) for path in (chunks[0] if chunks else [])]
        for number, _ in enumerate(chunks):
            following = chunks[number + 1] if number + 1 < len(chunks) else []
            later = [readers.submit(open_film, path) for path in following]
            pool.predict(Task.CLASSIFY, [job.result() for job in ahead], model_id=MODEL)
            ahead = later
    return (time.perf_counter() - begun) / max(len(paths), 1)


def _shares(model_dir: Path, paths: list[Path]) -> dict[str, float]:
    """Where one film's time goes, each step alone on one thread, as shares of their sum."""
    from imaging import open_film
    from models.adapters.torchxrayvision import prepare
    from models.outputs import Task
    from models.pool import ModelPool

    films, steps = [], {"decoding": 0.0, "preparing": 0.0, "computing": 0.0}
    for path in paths[: min(16, len(paths))]:
        begun = time.perf_counter()
        films.append(open_film(path))
        steps["decoding"] += time.perf_counter() - begun
        begun = time.perf_counter()
        prepare(films[-1].pixels, 224)
        steps["preparing"] += time.perf_counter() - begun
    fresh = ModelPool(model_dir=model_dir, choices={"classify": MODEL})
    fresh.predict(Task.CLASSIFY, films[:1], model_id=MODEL)
    begun = time.perf_counter()
    fresh.predict(Task.CLASSIFY, films[1:], model_id=MODEL)
    steps["computing"] = max(time.perf_counter() - begun - steps["preparing"], 0.0)
    total = sum(steps.values())
    return {name: round(seconds / total, 3) for name, seconds in steps.items()}


def _random_weights(path: Path) -> Path:
    """A checkpoint in torchxrayvision's own form: the whole network, pickled."""
    import torch

    with warnings.catch_warnings():
        import torchxrayvision as xrv
    torch.manual_seed(0)
    torch.save(xrv.models.DenseNet(weights=None), path)
    return path
