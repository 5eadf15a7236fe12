"""Batches, devices, memory, deadlines and metrics of the pool. Models here are counters with a size, not networks."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from catalog_entries import entry
from conftest import MakeFilm

from agent.core import Agent
from agent.settings import Settings
from imaging.failures import BadArguments, Unavailable
from imaging.radiograph import Radiograph
from models import pool as pool_module
from models.card import ModelCard
from models.catalog import Catalog, CatalogEntry
from models.outputs import Embedding, Heatmaps, Masks, Output, Scores, Task, Text
from models.pool import ModelPool
from models.predictions import DiskCache, Prediction, PredictionKey
from models.request import Question, Request

CATALOG = Catalog([entry("a"), entry("b"), entry("c"), entry("words", tasks=["embed_text"])])


class Scripted:
    """An adapter whose score is the film's mean; `before` runs at the start of every batch."""

    def __init__(self, card: ModelCard, device: str, before: Callable[[str, int], None]) -> None:
        self.card, self.device, self.before = card, device, before
        self.batches: list[int] = []

    def predict(self, task: Task, films: Sequence[Radiograph]) -> list[Output]:
        self.before(self.device, len(films))
        self.batches.append(len(films))
        return [Scores(("mass",), np.array([film.pixels.mean()], np.float32)) for film in films]

    def answer(self, task: Task, requests: Sequence[Request]) -> list[Output]:
        self.batches.append(len(requests))
        texts = [item.question.text for item in requests if item.question]
        return [Embedding(np.array([len(text)], np.float32), "letters") for text in texts]


class Models:
    """What was loaded, and what happens before a batch (a test may replace `before`)."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str, Scripted]] = []
        self.before: Callable[[str, int], None] = lambda device, films: None

    def load(self, item: CatalogEntry, card: ModelCard, path: Path, device: str) -> Scripted:
        adapter = Scripted(card, device, lambda where, films: self.before(where, films))
        self.made.append((item.id, device, adapter))
        return adapter

    def where(self) -> list[tuple[str, str]]:
        return [(name, device) for name, device, _ in self.made]


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Models:
    """Four models with weights and cards in tmp_path."""
    loaded = Models()
    module = SimpleNamespace(load=loaded.load)
    monkeypatch.setitem(sys.modules, "models.adapters.counting", module)  # type: ignore[arg-type]
    for name in ("a", "b", "c", "words"):
        (tmp_path / f"{name}.pt").write_bytes(b"\x80weights")
        (tmp_path / f"{name}.toml").write_text(
            f'id = "{name}"\ntitle = "t"\ntask = "classify"\nrevision = "r1"\nlicence = "none"\nsource = "test"\n'
            'training_data = "none"\nscore_kind = "uncalibrated_sigmoid"\nscore_meaning = "mean grey"\n'
        )
    return loaded


def score(prediction: Prediction) -> float:
    """The film's mean as the model gave it."""
    assert isinstance(prediction.output, Scores)
    return float(prediction.output.values[0])


def make_pool(folder: Path, **options: object) -> ModelPool:
    return ModelPool(CATALOG, device="cpu", model_dir=folder, **options)  # type: ignore[arg-type]


def two_gpus(monkeypatch: pytest.MonkeyPatch, folder: Path, **options: object) -> ModelPool:
    """A pool that believes in two GPUs; nothing of CUDA is called, as the models are counters."""
    monkeypatch.setattr(pool_module, "choose_all", lambda request: ("cuda:0", "cuda:1"))
    return make_pool(folder, **{"memory_budget_mb": 100, "max_wait_ms": 0, **options})


def test_films_of_many_callers_share_batches(models: Models, tmp_path: Path, make_film: MakeFilm) -> None:
    busy = threading.Event()

    def first_is_slow(device: str, films: int) -> None:
        if not busy.is_set():
            busy.set()
            time.sleep(0.3)

    models.before = first_is_slow
    pool, films = make_pool(tmp_path), [make_film(seed, (16, 16)) for seed in range(9)]
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(pool.predict, Task.CLASSIFY, films[:1])
        busy.wait()
        rest = [threads.submit(pool.predict, Task.CLASSIFY, [film]) for film in films[1:]]
        values = [score(job.result()[0]) for job in (first, *rest)]
    assert values == [film.pixels.mean() for film in films]
    assert models.made[0][2].batches == [1, 8], "eight callers waited behind the first and went together"


def test_a_batch_waits_for_more_films_but_not_longer_than_told(
    models: Models, tmp_path: Path, make_film: MakeFilm
) -> None:
    pool = make_pool(tmp_path, max_batch=2, max_wait_ms=10_000)
    with ThreadPoolExecutor(2) as threads:
        jobs = [threads.submit(pool.predict, Task.CLASSIFY, [make_film(seed, (16, 16))]) for seed in range(2)]
        assert [len(job.result(timeout=5)) for job in jobs] == [1, 1], "a full batch does not wait"
    assert models.made[0][2].batches == [2]
    alone = make_pool(tmp_path, max_batch=2, max_wait_ms=50)
    assert len(alone.predict(Task.CLASSIFY, [make_film(5, (16, 16))])) == 1


def test_one_bad_film_fails_only_its_own_caller(models: Models, tmp_path: Path, make_film: MakeFilm) -> None:
    bad, good = make_film(1, (16, 16)), make_film(2, (16, 16))
    started = threading.Event()

    def before(device: str, films: int) -> None:
        started.set()
        time.sleep(0.2)

    models.before = before
    pool = make_pool(tmp_path)
    with ThreadPoolExecutor(3) as threads:
        threads.submit(pool.predict, Task.CLASSIFY, [make_film(3, (16, 16))])
        started.wait()
        adapter = models.made[0][2]
        plain = adapter.predict

        def refusing(task: Task, films: Sequence[Radiograph]) -> list[Output]:
            if any(film.id == bad.id for film in films):
                raise ZeroDivisionError("our bug")
            return plain(task, films)

        adapter.predict = refusing  # type: ignore[method-assign]
        jobs = [threads.submit(pool.predict, Task.CLASSIFY, [film]) for film in (bad, good)]
        with pytest.raises(ZeroDivisionError):
            jobs[0].result()
        assert score(jobs[1].result()[0]) == good.pixels.mean()


def test_the_least_recently_used_model_goes_when_memory_is_short(
    models: Models, tmp_path: Path, make_film: MakeFilm
) -> None:
    pool, film = make_pool(tmp_path, memory_budget_mb=2.5), make_film(0, (16, 16))
    for name in ("a", "b", "a", "c", "a", "b"):
        pool.predict(Task.CLASSIFY, [make_film(len(models.made) + 10, (16, 16)), film], model_id=name)
    assert [name for name, _ in models.where()] == ["a", "b", "c", "b"], "b went for c, c for b; a was always in use"
    assert pool.metrics.value("hilum_model_evictions_total") == 2
    assert pool.metrics.value("hilum_loaded_bytes") == 2e6


def test_a_model_larger_than_the_budget_is_unavailable_raises(
    models: Models, tmp_path: Path, make_film: MakeFilm
) -> None:
    with pytest.raises(Unavailable, match=r"a needs 1 MB of cpu, whose budget is 0 MB.*HILUM_MEMORY_BUDGET_MB"):
        make_pool(tmp_path, memory_budget_mb=0.4).predict(Task.CLASSIFY, [make_film()])


def test_two_gpus_hold_one_copy_each_and_work_at_once(
    models: Models, tmp_path: Path, make_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=5)

    def meet(device: str, films: int) -> None:
        both.wait()

    models.before = meet
    pool = two_gpus(monkeypatch, tmp_path, max_batch=1)
    with ThreadPoolExecutor(2) as threads:
        jobs = [threads.submit(pool.predict, Task.CLASSIFY, [make_film(seed, (16, 16))]) for seed in range(2)]
        assert all(job.result() for job in jobs)
    assert sorted(models.where()) == [("a", "cuda:0"), ("a", "cuda:1")]


def test_out_of_memory_halves_the_batch(models: Models, tmp_path: Path, make_film: MakeFilm) -> None:
    def small(device: str, films: int) -> None:
        if films > 2:
            raise MemoryError

    models.before = small
    films = [make_film(seed, (16, 16)) for seed in range(8)]
    pool = make_pool(tmp_path)
    values = [score(item) for item in pool.predict(Task.CLASSIFY, films)]
    assert values == [film.pixels.mean() for film in films]
    assert models.made[0][2].batches == [2, 2, 2, 2]
    assert pool.metrics.value("hilum_out_of_memory_total") == 3


def test_out_of_memory_moves_on_to_another_device_then_fails_with_the_remedy(
    models: Models, tmp_path: Path, make_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_gpu(device: str, films: int) -> None:
        if device != "cpu":
            raise MemoryError

    models.before = no_gpu
    pool, film = two_gpus(monkeypatch, tmp_path), make_film(0, (16, 16))
    assert score(pool.predict(Task.CLASSIFY, [film])[0]) == film.pixels.mean()
    assert models.where() == [("a", "cuda:0"), ("a", "cuda:1"), ("a", "cpu")]

    def nowhere(device: str, films: int) -> None:
        raise MemoryError

    models.before = nowhere
    with pytest.raises(Unavailable, match="too little memory for one film on cuda:0"):
        pool.predict(Task.CLASSIFY, [make_film(1, (16, 16))])


def test_a_lost_gpu_is_left_for_good_and_nothing_is_lost(
    models: Models, tmp_path: Path, make_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What torch raises once a CUDA context is broken; it answers every later call the same way."""

    def unplugged(device: str, films: int) -> None:
        if device == "cuda:0" or (device == "cuda:1" and len(models.made) > 2):
            raise RuntimeError("CUDA error: unspecified launch failure")

    models.before = unplugged
    pool = two_gpus(monkeypatch, tmp_path)
    films = [make_film(seed, (16, 16)) for seed in range(6)]
    assert [score(item) for item in pool.predict(Task.CLASSIFY, films)] == [film.pixels.mean() for film in films]
    asked = [adapter for _, device, adapter in models.made if device == "cuda:0"]
    models.before = lambda device, films: None
    later = [make_film(seed, (16, 16)) for seed in range(10, 14)]
    assert [score(item) for item in pool.predict(Task.CLASSIFY, later)] == [film.pixels.mean() for film in later]
    assert sum(len(adapter.batches) for adapter in asked) == 0, "a device that came back is not trusted"


def test_another_fault_of_a_gpu_is_no_lost_device_raises(
    models: Models, tmp_path: Path, make_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(device: str, films: int) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    models.before = wrong
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        two_gpus(monkeypatch, tmp_path).predict(Task.CLASSIFY, [make_film(0, (16, 16))])


def test_a_deadline_ends_the_waiting_and_the_work_is_kept(models: Models, tmp_path: Path, make_film: MakeFilm) -> None:
    going, release = threading.Event(), threading.Event()

    def hold(device: str, films: int) -> None:
        going.set()
        release.wait(5)

    models.before = hold
    pool, film, other = make_pool(tmp_path), make_film(0, (16, 16)), make_film(1, (16, 16))
    with ThreadPoolExecutor(1) as threads:
        job = threads.submit(pool.predict, Task.CLASSIFY, [film])
        going.wait()
        with pytest.raises(Unavailable, match=r"took longer than 0\.1 s"):
            pool.predict(Task.CLASSIFY, [other], timeout_s=0.1)
        cancelled = threading.Event()
        threading.Timer(0.1, cancelled.set).start()
        with pytest.raises(Unavailable, match="was cancelled"):
            pool.predict(Task.CLASSIFY, [film], cancelled=cancelled)
        release.set()
        job.result()
    assert pool.predict(Task.CLASSIFY, [film])[0].cached
    assert models.made[0][2].batches == [1], "what nobody waits for any more is not computed"


def test_questions_make_requests_differ(models: Models, tmp_path: Path) -> None:
    pool = make_pool(tmp_path)
    asked = [Request(None, Question(text=text)) for text in ("one", "three", "one")]
    answers = pool.ask(Task.EMBED_TEXT, asked)
    assert [vars(answer.output)["values"][0] for answer in answers] == [3, 5, 3]
    assert models.made[0][2].batches == [2], "the same text is embedded once"


def test_a_question_where_none_is_read_and_none_where_one_is_raise(
    models: Models, tmp_path: Path, make_film: MakeFilm
) -> None:
    pool = make_pool(tmp_path)
    with pytest.raises(BadArguments, match="'classify' takes no question"):
        pool.predict(Task.CLASSIFY, [make_film()], question=Question("why?"))
    with pytest.raises(BadArguments, match="'embed_text' needs a question"):
        pool.ask(Task.EMBED_TEXT, [Request(None)])


def test_a_prefetched_model_is_there_when_needed(models: Models, tmp_path: Path, make_film: MakeFilm) -> None:
    pool = make_pool(tmp_path)
    pool.prefetch(Task.CLASSIFY).result(timeout=5)
    assert models.where() == [("a", "cpu")]
    pool.predict(Task.CLASSIFY, [make_film()])
    assert len(models.made) == 1


def test_a_model_is_loaded_ahead_only_where_it_is_small_and_puts_none_out(
    models: Models, tmp_path: Path, make_film: MakeFilm
) -> None:
    """Each model has 1 MB: a tenth of 10 MB is just small enough, and there is room for ten."""
    pool = make_pool(tmp_path, memory_budget_mb=10)
    pool.prefetch(Task.CLASSIFY, "a", if_room=True).result(timeout=5)
    assert models.where() == [("a", "cpu")]
    tight = make_pool(tmp_path, memory_budget_mb=9.9)
    tight.prefetch(Task.CLASSIFY, "b", if_room=True).result(timeout=5)
    assert models.where() == [("a", "cpu")], "it waits for its question"
    tight.predict(Task.CLASSIFY, [make_film()], model_id="b")
    assert models.where() == [("a", "cpu"), ("b", "cpu")]


def test_the_models_of_all_tools_are_loaded_before_the_first_question() -> None:
    agent = Agent(Settings(device="cpu", profile="embedded", planner="embedded"))
    assert [job.exception(timeout=60) for job in agent.prefetch()].count(None) >= 3
    loaded = {item.id for item in agent.models.status() if item.loaded}
    assert {"embedded-classifier", "embedded-segmenter", "embedded-quality"} <= loaded


def test_outputs_outlive_the_process_on_disk(models: Models, tmp_path: Path, make_film: MakeFilm) -> None:
    film, kept = make_film(0, (16, 16)), tmp_path / "kept"
    [first] = make_pool(tmp_path, cache_dir=kept).predict(Task.CLASSIFY, [film])
    again = make_pool(tmp_path, cache_dir=kept)
    [second] = again.predict(Task.CLASSIFY, [film])
    assert second.cached and score(second) == score(first)
    assert len(models.made) == 1 and again.metrics.value("hilum_predictions_total", source="disk") == 1
    assert film.id not in "".join(path.name for path in kept.iterdir())


KEY = PredictionKey("film", "m", "r", Task.CLASSIFY)
GRID = np.arange(12, dtype=np.float32).reshape(1, 3, 4)


@pytest.mark.parametrize(
    "output",
    [
        Scores(("mass", "nodule"), np.array([0.25, 0.5], np.float32)),
        Masks(("heart",), GRID > 5, np.array([0.9], np.float32)),
        Heatmaps(("mass",), np.array([0.1], np.float32), GRID, (0.0, 1.0, 2.0, 3.0)),
        Text("No effusion.", boxes=((1.0, 2.0, 3.0, 4.0),), phrases=("effusion",)),
    ],
    ids=lambda output: type(output).__name__,
)
def test_every_kind_of_output_comes_back_from_disk_as_it_was(output: Output, tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 1 << 20)
    cache.put(KEY, output)
    back = cache.get(KEY)
    assert type(back) is type(output)
    for name, value in vars(output).items():
        np.testing.assert_array_equal(getattr(back, name), value, strict=isinstance(value, np.ndarray))


def test_a_damaged_file_counts_as_absent_and_the_folder_stays_small(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 3000)
    cache.put(KEY, Scores(("a",), np.zeros(1, np.float32)))
    [path] = tmp_path.glob("*.npz")
    path.write_bytes(path.read_bytes()[:40])
    assert cache.get(KEY) is None and not list(tmp_path.glob("*.npz"))
    rng = np.random.default_rng(0)
    for index in range(5):
        values = rng.random(150, dtype=np.float32)
        cache.put(PredictionKey(f"{index}", "m", "r", Task.CLASSIFY), Scores(("a",) * 150, values))
        time.sleep(0.01)
    assert cache.size_bytes <= 3000
    assert cache.get(PredictionKey("4", "m", "r", Task.CLASSIFY)) is not None, "the newest stays"


def test_metrics_are_prometheus_text(models: Models, tmp_path: Path, make_film: MakeFilm) -> None:
    pool = make_pool(tmp_path)
    pool.predict(Task.CLASSIFY, [make_film()])
    pool.predict(Task.CLASSIFY, [make_film()])
    text = pool.metrics.text()
    assert 'hilum_predictions_total{model="a",source="computed",task="classify"} 1.0' in text
    assert 'hilum_predictions_total{model="a",source="memory",task="classify"} 1.0' in text
    assert 'hilum_batch_films_count{model="a"} 1.0' in text
