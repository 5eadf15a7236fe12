"""Many films: several at a time on the cores, the march through the patient on a GPU where one is asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec

from imaging.cores import core_count
from imaging.failures import BadArguments, Unavailable
from imaging.phantom.film import March, PhantomFilm, compose, make_phantom
from imaging.phantom.spec import PhantomSpec


def make_phantoms(
    specs: Iterable[PhantomSpec], device: str = "cpu", workers: int | None = None
) -> Iterator[PhantomFilm]:
    """The films of many specifications, in their order, made ahead of being asked for.

    At most `workers` films are being made or waiting to be taken, so memory does not grow with the number of specs.
    On 'cpu' each film has the pixels of `make_phantom`. On a GPU the march through the patient runs there, the rest on
    the cores; thickness maps of torch's march agree with numpy's to 1e-5 of themselves, grey values to their 16-bit
    step (compared on a processor; the march has not run on a GPU yet).

    Args:
        specs: read one after another as films are taken.
        device: 'cpu', or a torch device such as 'cuda' or 'cuda:1'.
        workers: films made at the same time, each by one thread; one per core when left out.

    Raises:
        BadArguments: fewer than one worker, or no such kind of device.
        Unavailable: the device, or torch, is not there.
    """
    if workers is not None and workers < 1:
        raise BadArguments(f"workers is {workers}.", "Give at least 1, or leave it out for one per core.")
    make = partial(make_phantom, threads=1) if device == "cpu" else partial(_make_on, march_on(device))
    return _in_order(make, specs, workers or core_count())


def march_on(device: str) -> March:
    """The march on a torch device.

    Args:
        device: its name for torch.

    Raises:
        BadArguments: torch knows no such device.
        Unavailable: the device, or torch, is not there.
    """
    if find_spec("torch") is None:
        raise Unavailable(
            f"device {device!r} needs torch, which is not installed.", "Install it, or take device 'cpu'."
        )
    from imaging.phantom.device import expose_on, find_device

    return partial(expose_on, find_device(device))


def _make_on(march: March, spec: PhantomSpec) -> PhantomFilm:
    with ThreadPoolExecutor(1) as pool:
        return compose(spec, pool, march)


def _in_order(
    make: Callable[[PhantomSpec], PhantomFilm], specs: Iterable[PhantomSpec], workers: int
) -> Iterator[PhantomFilm]:
    pool = ThreadPoolExecutor(workers)
    ahead: deque[Future[PhantomFilm]] = deque()
    try:
        for spec in specs:
            ahead.append(pool.submit(make, spec))
            if len(ahead) == workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        # A reader who stops early, or a film that fails, ends the films that nobody waits for.
        pool.shutdown(cancel_futures=True)
