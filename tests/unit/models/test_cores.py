"""Batches side by side on a processor: how its cores are shared, and that a caller's films are spread over them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from conftest import MakeFilm

from imaging.radiograph import Radiograph
from models import cores
from models.adapters.embedded_classifier import EmbeddedClassifier
from models.cores import Cores
from models.outputs import Output, Scores, Task
from models.pool import ModelPool


@pytest.fixture
def four_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that may use four threads, on a machine that nobody else uses."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four_threads")
def test_one_batch_gets_all_cores_and_two_get_half_each() -> None:
    shared = Cores(4)

    def second() -> int:
        torch.set_num_threads(4)
        with shared.share():
            return torch.get_num_threads()

    with shared.share(), ThreadPoolExecutor(1) as beside:
        assert torch.get_num_threads() == 4
        assert beside.submit(second).result() == 2


@pytest.mark.usefixtures("four_threads")
def test_on_a_busy_machine_a_batch_takes_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (4.5, 0.0, 0.0))
    with Cores(4).share():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 4, "as it was"


def test_a_process_told_to_use_one_thread_never_uses_more() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with Cores(4).share():
            assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_films_of_one_caller_run_side_by_side_and_come_back_in_order(
    monkeypatch: pytest.MonkeyPatch, make_film: MakeFilm
) -> None:
    """Two batches must meet at a barrier, which they can only if both run at the same time."""
    films = [make_film(seed, (120, 100)) for seed in range(6)]
    expected = ModelPool(device="cpu", profile="embedded", max_batch=1).predict(Task.CLASSIFY, films)
    monkeypatch.setattr(cores, "core_count", lambda: 2)
    plain, sizes, both = EmbeddedClassifier.predict, [], threading.Barrier(2, timeout=20)

    def meeting(self: EmbeddedClassifier, task: Task, given: list[Radiograph]) -> list[Output]:
        sizes.append(len(given))
        if len(sizes) <= 2:
            both.wait()
        return plain(self, task, given)

    monkeypatch.setattr(EmbeddedClassifier, "predict", meeting)
    pool = ModelPool(device="cpu", profile="embedded")
    got = pool.predict(Task.CLASSIFY, films)
    assert sizes[0] == 3, "half of the queue for each of two cores"
    assert sum(sizes) == 6
    for ours, theirs in zip(got, expected, strict=True):
        assert isinstance(ours.output, Scores) and isinstance(theirs.output, Scores)
        np.testing.assert_allclose(ours.output.values, theirs.output.values, atol=1e-5)
    pool.close()
