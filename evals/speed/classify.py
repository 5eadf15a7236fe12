"""classify: a folder of films through the pool against the loop that MedRAX's classifier tool runs.

Both read the same PNG files and compute torchxrayvision's DenseNet-121; the loop is fp32, the pool what its settings
say (fp32 on a processor unless cpu_dtype says otherwise). The loop does what MedRAX's ChestXRayClassifierTool does,
one film at a time: skimage's imread, torchxrayvision's normalize and centre crop, then torchxrayvision's own model,
which resizes by itself. It runs with torch's own number of threads, as MedRAX does, and with one, which is faster where
others keep the machine busy; the faster of the two is the baseline. They take turns with the pool over parts of the
films, so that a machine that slows down slows all. Where the real weights are absent, all run the same random ones: the
time is the same, the scores mean nothing and are not shown.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from evals.speed.films import SIDE, write_films
from evals.speed.measured import Measured, Timing, Took, took

if TYPE_CHECKING:
    from imaging.radiograph import FilmArray
    from models.pool import ModelPool

LOG = logging.getLogger(__name__)

FILMS = 2000
LOOP = "per film, one at a time as in MedRAX's classifier tool, fp32"
MODEL = "txrv-densenet121-res224-all"

CHUNK = 64
"""Films asked of the pool together; the next chunk is read meanwhile."""

ROUNDS = 20
"""Turns: parts of the films that the loop with one thread and the pool take."""

MANY_THREADS_FILMS = 3
"""Films of each part that the loop with torch's own threads takes: enough to tell, and it can be slow."""

STEPS = 32
"""Films on which each step is timed alone."""


def measure(films: int = FILMS, side: int = SIDE) -> Measured:
    """Classify `films` films in each way.

    Args:
        films: how many.
        side: rows and columns of each.
    """
    import torch

    from models.catalog import Catalog
    from models.weights import locate

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        entry = Catalog.read().get(MODEL)
        real = locate(entry)
        weights = real.path if real.present and real.path else _random_weights(folder / entry.source.file)
        paths = write_films(folder, films + 1, side)
        first, paths = paths[0], paths[1:]
        pool = _pool(weights.parent)
        loop = _Loop(weights, pool.device)
        ways: dict[str, Callable[[Sequence[Path]], None]] = {
            "loop": lambda part: loop.run(part[:MANY_THREADS_FILMS]),
            "loop_one_thread": loop.run_on_one_thread,
            "pool": lambda part: _pooled(pool, part),
        }
        for way in ways.values():
            way([first])
        size = -(-films // ROUNDS)
        parts = [paths[start : start + size] for start in range(0, films, size)]
        spent: dict[str, list[Took]] = {name: [] for name in ways}
        for part in parts:
            for name, way in ways.items():
                films_of_turn = min(len(part), MANY_THREADS_FILMS) if name == "loop" else len(part)
                spent[name].append(took(way, part).per(films_of_turn))
            latest = [f"{name} {turns[-1].wall_s:.3f} ({turns[-1].cpu_s:.3f})" for name, turns in spent.items()]
            LOG.info("turn %d: seconds a film by the clock (processor): %s", len(spent["pool"]), ", ".join(latest))
        better = min(("loop", "loop_one_thread"), key=lambda name: sum(_wall(spent[name])))
        threads = torch.get_num_threads() if better == "loop" else 1
        facts = {
            "films": films,
            "film": f"PNG {side} x {side}, 8 bits",
            "model": MODEL,
            "weights": "real" if real.present else "random: the same computation, scores without meaning",
            "device": pool.device,
            "products_in": pool.numerics.autocast(pool.device),
            "baseline_threads": threads,
            **_compared(spent, better),
            **_steps(pool, paths[:STEPS], weights.parent),
        }
        pool.close()
        return Measured(
            baseline=Timing(f"{LOOP}, {threads} thread(s), the faster number", _wall(spent[better])),
            candidate=Timing("per film, through the pool in batches, reading ahead", _wall(spent["pool"])),
            facts=facts,
        )


def _wall(spent: Sequence[Took]) -> tuple[float, ...]:
    return tuple(each.wall_s for each in spent)


def _compared(spent: dict[str, list[Took]], better: str) -> dict[str, object]:
    """Means over all turns: clock and processor time of each way, and the ratios of the better loop to the pool."""
    turns = len(spent["pool"])
    mean = {
        name: Took(sum(each.wall_s for each in all_turns) / turns, sum(each.cpu_s for each in all_turns) / turns)
        for name, all_turns in spent.items()
    }
    return {
        "ratio_of_means": round(mean[better].wall_s / mean["pool"].wall_s, 3),
        "ratio_cpu": round(mean[better].cpu_s / mean["pool"].cpu_s, 3),
        "ratio_against_torchs_threads": round(mean["loop"].wall_s / mean["pool"].wall_s, 3),
        "ms_per_film": {
            name: {"wall": round(1000 * each.wall_s, 1), "cpu": round(1000 * each.cpu_s, 1)}
            for name, each in mean.items()
        },
        "films_per_s": round(1 / mean["pool"].wall_s, 2),
    }


def _pool(model_dir: Path) -> ModelPool:
    from agent import Settings, make_pool

    return make_pool(Settings(model_dir=model_dir, models={"classify": MODEL}))


class _Loop:
    """MedRAX's way: one film at a time."""

    def __init__(self, weights: Path, device: str) -> None:
        import torch

        with warnings.catch_warnings():
            import torchxrayvision as xrv
        from torchvision import transforms

        from models.catalog import Catalog

        self._xrv, self._torch, self._device = xrv, torch, device
        name = Catalog.read().get(MODEL).weights
        self._network = xrv.models.DenseNet(weights=name, cache_dir=str(weights.parent)).eval().to(device)
        self._crop = transforms.Compose([xrv.datasets.XRayCenterCrop()])

    def run(self, paths: Sequence[Path]) -> None:
        """Classify films with torch's own number of threads."""
        import skimage.io

        with contextlib.redirect_stdout(io.StringIO()):  # the package prints that it resizes
            for path in paths:
                image = self._xrv.datasets.normalize(skimage.io.imread(path), 255)
                batch = self._torch.from_numpy(self._crop(image[None])).unsqueeze(0).to(self._device)
                with self._torch.inference_mode():
                    self._network(batch).cpu().numpy()

    def run_on_one_thread(self, paths: Sequence[Path]) -> None:
        """The same with one thread."""
        threads = self._torch.get_num_threads()
        self._torch.set_num_threads(1)
        self.run(paths)
        self._torch.set_num_threads(threads)


def _pooled(pool: ModelPool, paths: Sequence[Path]) -> None:
    """The pool's way: the next films are read while the network computes."""
    from imaging import open_film
    from imaging.cores import core_count
    from models.outputs import Task

    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    with ThreadPoolExecutor(core_count()) as readers:
        ahead = [readers.submit(open_film, path) for path in chunks[0]]
        for following in [*chunks[1:], ()]:
            films = [job.result() for job in ahead]
            ahead = [readers.submit(open_film, path) for path in following]
            pool.predict(Task.CLASSIFY, films, model_id=MODEL)


def _steps(pool: ModelPool, paths: Sequence[Path], model_dir: Path) -> dict[str, object]:
    """What a film costs in each step, the share of each in their sum, and the films per second that each allows.

    Decoding and preparing are processor time of one thread and can use every core. On a processor nothing is
    transferred and computing shares the cores; on a GPU transfer and computing are its own time, beside decoding.
    """
    import torch

    from imaging import open_film
    from imaging.cores import core_count
    from models.adapters.torchxrayvision import prepare
    from models.catalog import Catalog
    from models.outputs import Task

    side = Catalog.read().get(MODEL).input_size
    films = [open_film(path) for path in paths]
    cost = {"decoding": took(lambda: [open_film(path) for path in paths]).cpu_s}
    squares: list[FilmArray] = []
    cost["preparing"] = took(lambda: squares.extend(prepare(film.pixels, side) for film in films)).cpu_s
    batch = torch.from_numpy(squares[0]).expand(len(films), 1, side, side).contiguous()
    gpu = pool.device.startswith("cuda")
    cost["transfer"] = took(lambda: _finished(batch.to(pool.device), gpu)).wall_s if gpu else 0.0
    fresh = _pool(model_dir)
    fresh.predict(Task.CLASSIFY, films[:1], model_id=MODEL)
    whole = took(lambda: fresh.predict(Task.CLASSIFY, films[1:], model_id=MODEL))
    fresh.close()
    spent = (whole.wall_s if gpu else whole.cpu_s) * len(films) / max(len(films) - 1, 1)
    cost["compute"] = max(spent - cost["preparing"] - cost["transfer"], 1e-9)
    per_film = {name: seconds / len(films) for name, seconds in cost.items()}
    lanes = {name: 1 if gpu and name in ("transfer", "compute") else core_count() for name in per_film}
    limits = {name: round(lanes[name] / each, 2) for name, each in per_film.items() if each}
    cores = sum(each for name, each in per_film.items() if lanes[name] > 1 or not gpu)
    bound = min([core_count() / cores, *([1 / (per_film["transfer"] + per_film["compute"])] if gpu else [])])
    return {
        "step_ms": {name: round(1000 * each, 2) for name, each in per_film.items()},
        "share": {name: round(each / sum(per_film.values()), 3) for name, each in per_film.items()},
        "limit_films_per_s": {**limits, "all_steps": round(bound, 2)},
    }


def _finished(value: object, gpu: bool) -> object:
    """The value, once the GPU has it."""
    if gpu:
        import torch

        torch.cuda.synchronize()
    return value


def _random_weights(path: Path) -> Path:
    """A checkpoint in torchxrayvision's own form: the whole network, pickled; its statistics set by one pass."""
    import torch

    with warnings.catch_warnings():
        import torchxrayvision as xrv
    torch.manual_seed(0)
    network = xrv.models.DenseNet(weights=None)
    with torch.no_grad():
        network(torch.rand(2, 1, 64, 64) * 2048 - 1024)
    torch.save(network, path, _use_new_zipfile_serialization=False)
    return path
