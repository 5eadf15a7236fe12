"""Batches of phantom films: order, bounds, same pixels as one by one; the march on a torch device against NumPy's."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from imaging.failures import BadArguments, Unavailable
from imaging.phantom import FINDINGS, PhantomFilm, PhantomSpec, make_phantom, parse_finding
from imaging.phantom.batch import make_phantoms, march_on
from imaging.phantom.exposure import Maps, expose
from imaging.phantom.film import compose
from imaging.radiograph import View

SIZE = 64
THICKNESS_RELATIVE = 1e-3
"""Of a structure's greatest thickness; float32 rounding was seen to give 4e-6 at most."""

CODES = sorted(FINDINGS)
SPECS = [
    PhantomSpec(seed=2, size=SIZE, findings=tuple(map(parse_finding, CODES[::2]))),
    PhantomSpec(seed=3, size=SIZE, view=View.AP, findings=tuple(map(parse_finding, CODES[1::2]))),
    PhantomSpec(seed=4, size=SIZE, view=View.LATERAL, findings=(parse_finding("consolidation:right:lower_lobe"),)),
    PhantomSpec(seed=5, size=SIZE, findings=(parse_finding("pneumothorax:left:tension"),)),
]
"""Every finding there is, every view, and a displaced mediastinum."""


def gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(autouse=True)
def torch_by_one_thread() -> Iterator[None]:
    """Threads that spin over arrays this small take ten times the processor time."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def hold_together(spec: PhantomSpec, device: str) -> PhantomFilm:
    """The film marched on the device, after its maps were compared with those of NumPy."""
    march, kept = march_on(device), []

    def twice(*patient: object) -> Maps:
        kept.extend([march(*patient), expose(*patient)])  # type: ignore[arg-type]
        return kept[0]

    with ThreadPoolExecutor(1) as pool:
        film = compose(spec, pool, twice)
    there, here = kept
    assert there.thickness.keys() == here.thickness.keys() and there.silhouette.keys() == here.silhouette.keys()
    for name, expected in here.thickness.items():
        assert np.abs(there.thickness[name] - expected).max() <= THICKNESS_RELATIVE * max(expected.max(), 1), name
    assert np.abs(there.parenchyma - here.parenchyma).max() <= THICKNESS_RELATIVE * here.parenchyma.max()
    for name in here.silhouette:
        assert (there.outline(name) ^ here.outline(name)).sum() <= 3, name
    return film


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"seed{spec.seed}")
def test_march_on_torch_agrees_with_numpy(spec: PhantomSpec) -> None:
    film = hold_together(spec, "cpu")
    if spec is SPECS[-1]:
        plain = make_phantom(spec)
        assert np.abs(film.radiograph.pixels - plain.radiograph.pixels).max() < 1e-3


@pytest.mark.parametrize(("spec", "anything"), [(SPECS[0], True), (SPECS[1], False), (SPECS[2], True)])
def test_march_keeps_to_a_cuda_device_in_float32(
    spec: PhantomSpec, anything: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch's fake tensors hold shape, type and device without a GPU: a tensor left on the host raises."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    from imaging.phantom import device

    landed, lift = set(), torch.from_numpy

    def march(*patient: object) -> Maps:
        with FakeTensorMode() as mode:
            monkeypatch.setattr(torch, "from_numpy", lambda values: mode.from_tensor(lift(values)))
            return device.expose_on(torch.device("cuda", 0), *patient)  # type: ignore[arg-type]

    def host(values: torch.Tensor) -> np.ndarray:
        landed.add((str(values.device), values.dtype))
        raise StopIteration

    monkeypatch.setattr(device, "_host", host)
    monkeypatch.setattr(device.DeviceArray, "any", lambda self: anything)
    with ThreadPoolExecutor(1) as pool, pytest.raises(StopIteration):
        compose(spec, pool, march)
    assert landed == {("cuda:0", torch.float32)}


@pytest.mark.skipif(not gpu(), reason="no CUDA device")
def test_march_on_cuda_agrees_with_numpy() -> None:
    hold_together(SPECS[0], "cuda")
    films = list(make_phantoms(SPECS, "cuda", workers=2))
    assert [film.spec.seed for film in films] == [spec.seed for spec in SPECS]


def test_pixels_do_not_depend_on_the_threads() -> None:
    spec = PhantomSpec(seed=6, size=SIZE, findings=(parse_finding("mass:left"),))
    alone, three = make_phantom(spec, threads=1), make_phantom(spec, threads=3)
    assert np.array_equal(alone.radiograph.pixels, three.radiograph.pixels)
    assert all(np.array_equal(alone.masks[name], three.masks[name]) for name in alone.boxes)


def test_batch_gives_the_films_of_one_by_one_in_order() -> None:
    specs = [PhantomSpec(seed=seed, size=64) for seed in (9, 7)]
    films = list(make_phantoms(specs, workers=2))
    assert [film.radiograph.id for film in films] == [make_phantom(spec).radiograph.id for spec in specs]


def test_batch_reads_no_further_ahead_than_its_workers() -> None:
    read = []

    def asked() -> Iterator[PhantomSpec]:
        for seed in range(100):
            read.append(seed)
            yield PhantomSpec(seed=seed, size=64)

    films = make_phantoms(asked(), workers=2)
    assert read == []
    next(films)
    assert read == [0, 1]
    next(films)
    assert read == [0, 1, 2]
    films.close()  # type: ignore[attr-defined]


def test_batch_raises_what_a_film_raises_and_stops() -> None:
    text = "forty letters are too many for this film"
    films = make_phantoms([PhantomSpec(seed=1, size=64), PhantomSpec(seed=2, size=64, texts=(text,))], workers=1)
    next(films)
    with pytest.raises(BadArguments, match="does not fit"):
        next(films)


def test_device_arrays_are_not_copied_to_the_host_in_silence() -> None:
    import torch

    from imaging.phantom.device import DeviceArray

    there = DeviceArray(torch.ones(2, 3))
    with pytest.raises(TypeError, match="host"):
        np.asarray(there)
    with pytest.raises(TypeError, match="cumsum"):
        np.cumsum(there)
    half = np.maximum(np.ones(3), there / 2) * np.float64(0.5)
    assert isinstance(half, DeviceArray) and half.tensor.dtype == torch.float32
    assert half.tensor.tolist() == [[0.5] * 3] * 2


def test_batch_names_what_is_wrong() -> None:
    with pytest.raises(BadArguments, match="workers is 0"):
        make_phantoms([], workers=0)
    with pytest.raises(BadArguments, match="abacus"):
        make_phantoms([], device="abacus")
    for absent in ("cuda:99", "meta"):
        with pytest.raises(Unavailable, match=absent):
            make_phantoms([], device=absent)
